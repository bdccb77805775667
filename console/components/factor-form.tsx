/**
 * Proves who somebody is with one of the ways they have: password, passkey, code, recovery code. Used by the second step
 * of signing in and by the confirmation before something dangerous.
 */
import { Fingerprint } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import { z } from 'zod';
import { RECOVERY_CODE_BYTES } from '#domain/factors.ts';
import type { InputOf } from '../api/client.ts';
import { useApiForm } from '../lib/use-form.ts';
import { Button } from '../ui/button.tsx';
import { Field, Input } from '../ui/input.tsx';
import { CodeField } from './code-field.tsx';
import { FormError } from './error-text.tsx';

export type Proof = InputOf<'confirm'>['body'];
export type ProofKind = Proof['type'];

const other: Record<ProofKind, string> = {
  password: 'Use the password',
  passkey: 'Use a passkey',
  totp: 'Use a code of the authenticator app',
  recovery: 'Use a recovery code',
};
const forms = {
  password: z.object({ value: z.string().min(1, 'Type your password.') }),
  totp: z.object({
    value: z.string().refine((text) => /^[0-9]{6}$/.test(text.replace(/\s/g, '')), 'Six digits.'),
  }),
  recovery: z.object({ value: z.string().trim().min(RECOVERY_CODE_BYTES, 'Six groups of four letters and digits.') }),
} as const;

/**
 * `kinds`: best first. `answer` sends a typed proof, `withPasskey` does the whole passkey dance; both throw ApiError.
 */
export function FactorForm({
  kinds,
  answer,
  withPasskey,
  action,
  children,
}: {
  kinds: readonly ProofKind[];
  answer: (proof: Exclude<Proof, { type: 'passkey' }>) => Promise<void>;
  withPasskey: () => Promise<void>;
  action: string;
  children?: ReactNode;
}) {
  const [kind, setKind] = useState<ProofKind>(kinds[0] ?? 'password');
  return (
    <div className="flex flex-col gap-4">
      {kind === 'passkey' ? (
        <PasskeyProof ask={withPasskey} />
      ) : (
        <TypedProof key={kind} kind={kind} answer={answer} action={action} />
      )}
      <div className="flex flex-col items-start gap-1.5">
        {kinds
          .filter((each) => each !== kind)
          .map((each) => (
            <button
              key={each}
              type="button"
              className="text-accent text-sm underline-offset-2 hover:underline"
              onClick={() => setKind(each)}
            >
              {other[each]}
            </button>
          ))}
        {children}
      </div>
    </div>
  );
}

function PasskeyProof({ ask }: { ask: () => Promise<void> }) {
  const form = useApiForm(z.object({}), {});
  return (
    <form onSubmit={form.submit(ask)} className="flex flex-col gap-4">
      <p className="text-sm text-soft">Your browser or a device of yours asks for your finger, face or PIN.</p>
      <FormError error={form.failure} />
      <Button
        type="submit"
        tone="primary"
        icon={<Fingerprint />}
        busy={form.formState.isSubmitting}
        className="w-full"
        autoFocus
      >
        Use a passkey
      </Button>
    </form>
  );
}

function TypedProof({
  kind,
  answer,
  action,
}: {
  kind: Exclude<ProofKind, 'passkey'>;
  answer: (proof: Exclude<Proof, { type: 'passkey' }>) => Promise<void>;
  action: string;
}) {
  const form = useApiForm(forms[kind], { value: '' });
  const error = form.formState.errors.value?.message;
  const field = form.register('value');
  const send = form.submit(async ({ value }) => {
    try {
      await answer(kind === 'password' ? { type: kind, password: value } : { type: kind, code: value });
    } catch (thrown) {
      form.setFocus('value', { shouldSelect: true });
      throw thrown;
    }
  });
  return (
    <form onSubmit={send} noValidate className="flex flex-col gap-4">
      {kind === 'totp' ? (
        <CodeField
          {...field}
          label="Code of your authenticator app"
          error={error}
          autoFocus
          onChange={(event) => {
            void field.onChange(event);
            // The sixth digit sends it: nothing else can follow.
            if (/^[0-9]{6}$/.test(event.target.value.replace(/\s/g, ''))) void send();
          }}
        />
      ) : (
        <Field
          label={kind === 'password' ? 'Password' : 'Recovery code'}
          error={error}
          hint={kind === 'recovery' ? 'Each works once.' : undefined}
        >
          {(aria) => (
            <Input
              {...aria}
              {...field}
              autoFocus
              {...(kind === 'password'
                ? { type: 'password', autoComplete: 'current-password' }
                : {
                    autoComplete: 'off',
                    spellCheck: false,
                    className: 'mono',
                    placeholder: 'xxxx-xxxx-xxxx-xxxx-xxxx-xxxx',
                  })}
            />
          )}
        </Field>
      )}
      <FormError error={form.failure} />
      <Button type="submit" tone="primary" busy={form.formState.isSubmitting} className="w-full">
        {action}
      </Button>
    </form>
  );
}
