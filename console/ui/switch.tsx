import type { ReactNode } from 'react';
import { useId } from 'react';
import { cx } from './cx.ts';

/** An on/off setting that acts at once. A native checkbox underneath, so that it works everywhere. */
export function Switch({
  checked,
  onChange,
  label,
  hint,
  disabled = false,
  compact = false,
}: {
  checked: boolean;
  onChange: (on: boolean) => void;
  label: ReactNode;
  hint?: ReactNode;
  disabled?: boolean;
  compact?: boolean;
}) {
  const id = useId();
  return (
    <div className={cx('flex items-start gap-3', compact && 'items-center gap-2')}>
      <span className="relative inline-flex h-5 w-8.5 shrink-0">
        <input
          id={id}
          type="checkbox"
          role="switch"
          aria-checked={checked}
          checked={checked}
          disabled={disabled}
          aria-describedby={hint === undefined ? undefined : `${id}-hint`}
          onChange={(event) => onChange(event.target.checked)}
          className="peer absolute inset-0 m-0 cursor-pointer appearance-none rounded-full bg-idle-dot transition-colors duration-100 checked:bg-accent disabled:cursor-not-allowed disabled:opacity-50"
        />
        <span className="pointer-events-none absolute top-0.5 left-0.5 size-4 rounded-full bg-white shadow-sm transition-transform duration-100 peer-checked:translate-x-3.5" />
      </span>
      <span className="min-w-0">
        <label htmlFor={id} className={cx('cursor-pointer text-sm', compact ? 'text-soft' : 'font-medium')}>
          {label}
        </label>
        {hint === undefined ? null : (
          <span id={`${id}-hint`} className="block text-xs text-faint">
            {hint}
          </span>
        )}
      </span>
    </div>
  );
}

export function Checkbox({
  checked,
  onChange,
  label,
  mixed = false,
}: {
  checked: boolean;
  onChange: (on: boolean) => void;
  label: string;
  mixed?: boolean;
}) {
  return (
    <input
      type="checkbox"
      aria-label={label}
      checked={checked}
      ref={(element) => {
        if (element !== null) element.indeterminate = mixed;
      }}
      onChange={(event) => onChange(event.target.checked)}
      className="block size-4 cursor-pointer rounded-sm accent-accent"
    />
  );
}
