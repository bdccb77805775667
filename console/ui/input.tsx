import type { ComponentProps, ReactNode } from 'react';
import { useId } from 'react';
import { cx } from './cx.ts';

export const inputClass =
  'h-8.5 w-full rounded-md border border-line-strong bg-surface px-2.5 text-sm text-text transition-colors duration-75 hover:border-faint focus-visible:border-accent focus-visible:outline-2 focus-visible:outline-offset-0 focus-visible:outline-focus/35 aria-invalid:border-bad-dot disabled:bg-sunken disabled:text-faint pointer-coarse:text-lg';

export function Input({ className, ...rest }: ComponentProps<'input'>) {
  return <input {...rest} className={cx(inputClass, className)} />;
}

export function Textarea({ className, ...rest }: ComponentProps<'textarea'>) {
  return <textarea {...rest} className={cx(inputClass, 'h-auto min-h-20 py-2', className)} />;
}

type Aria = { id: string; 'aria-invalid': boolean | undefined; 'aria-describedby': string | undefined };

/** Label, control, hint and error of one field. The error is announced at once; the hint stays readable beside it. */
export function Field({
  label,
  hint,
  error,
  optional = false,
  className,
  children,
}: {
  label: ReactNode;
  hint?: ReactNode;
  error?: string | undefined;
  optional?: boolean;
  className?: string;
  children: (aria: Aria) => ReactNode;
}) {
  const id = useId();
  const described = [error === undefined ? null : `${id}-error`, hint === undefined ? null : `${id}-hint`]
    .filter(Boolean)
    .join(' ');
  return (
    <div className={cx('flex flex-col gap-1.5', className)}>
      <label htmlFor={id} className="text-sm font-medium text-text">
        {label}
        {optional ? <span className="ml-1.5 font-normal text-faint">optional</span> : null}
      </label>
      {children({
        id,
        'aria-invalid': error === undefined ? undefined : true,
        'aria-describedby': described === '' ? undefined : described,
      })}
      <div aria-live="assertive">
        {error === undefined ? null : (
          <p id={`${id}-error`} className="text-xs text-bad">
            {error}
          </p>
        )}
      </div>
      {hint === undefined ? null : (
        <div id={`${id}-hint`} className="-mt-1 text-xs text-faint">
          {hint}
        </div>
      )}
    </div>
  );
}
