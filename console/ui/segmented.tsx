import type { ReactNode } from 'react';
import { cx } from './cx.ts';

/** Two to four exclusive choices side by side (radio group underneath). */
export function Segmented<V extends string>({
  value,
  onChange,
  options,
  label,
  className,
}: {
  value: V;
  onChange: (value: V) => void;
  options: readonly { value: V; label: ReactNode; title?: string }[];
  label: string;
  className?: string;
}) {
  return (
    <div
      role="radiogroup"
      aria-label={label}
      className={cx('inline-flex h-8.5 items-center gap-0.5 rounded-md border border-line bg-sunken p-0.5', className)}
    >
      {options.map((option) => (
        <label
          key={option.value}
          title={option.title}
          className="relative inline-flex h-full cursor-pointer items-center gap-1.5 rounded-sm px-2.5 text-xs text-soft has-checked:bg-surface has-checked:font-medium has-checked:text-text has-checked:shadow-card has-focus-visible:outline-2 has-focus-visible:outline-focus [&_svg]:size-3.5"
        >
          <input
            type="radio"
            className="sr-only"
            checked={value === option.value}
            onChange={() => onChange(option.value)}
          />
          {option.label}
        </label>
      ))}
    </div>
  );
}
