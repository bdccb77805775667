import type { ComponentProps } from 'react';
import { Field, Input } from '../ui/input.tsx';

/** Six digits of an authenticator app: the phone's number keys, and the system's own suggestion. */
export function CodeField({
  label = 'Code',
  error,
  hint,
  ...rest
}: { label?: string; error?: string | undefined; hint?: string | undefined } & ComponentProps<'input'>) {
  return (
    <Field label={label} error={error} hint={hint}>
      {(aria) => (
        <Input
          {...aria}
          inputMode="numeric"
          autoComplete="one-time-code"
          spellCheck={false}
          placeholder="123 456"
          maxLength={9}
          className="mono !tracking-[0.2em]"
          {...rest}
        />
      )}
    </Field>
  );
}
