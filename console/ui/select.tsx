import { Select as Base } from '@base-ui/react/select';
import { Check, ChevronsUpDown } from 'lucide-react';
import type { ReactNode } from 'react';
import { cx } from './cx.ts';
import { inputClass } from './input.tsx';

export type Option<V extends string> = { value: V; label: string; hint?: ReactNode };

/** One choice out of a few. `id` and aria attributes come from Field. */
export function Select<V extends string>({
  value,
  onChange,
  options,
  label,
  placeholder,
  id,
  className,
  ...aria
}: {
  value: V;
  onChange: (value: V) => void;
  options: readonly Option<V>[];
  /** Name for screen readers where no visible label points here. */
  label?: string;
  /** Shown while `value` is none of the options. */
  placeholder?: string;
  id?: string;
  className?: string;
  'aria-invalid'?: boolean | undefined;
  'aria-describedby'?: string | undefined;
}) {
  return (
    <Base.Root
      items={options as Option<V>[]}
      value={value}
      onValueChange={(next) => next !== null && onChange(next as V)}
    >
      <Base.Trigger
        {...aria}
        id={id}
        aria-label={label}
        className={cx(inputClass, 'inline-flex items-center justify-between gap-2 text-left', className)}
      >
        {options.some((option) => option.value === value) || placeholder === undefined ? (
          <Base.Value className="truncate" />
        ) : (
          <span className="truncate text-faint">{placeholder}</span>
        )}
        <Base.Icon className="text-faint">
          <ChevronsUpDown className="size-3.5" />
        </Base.Icon>
      </Base.Trigger>
      <Base.Portal>
        <Base.Positioner sideOffset={4} alignItemWithTrigger={false} className="z-50 outline-hidden">
          <Base.Popup className="min-w-[var(--anchor-width)] rounded-lg border border-line bg-raised p-1 shadow-pop outline-hidden transition-opacity duration-75 data-ending-style:opacity-0 data-starting-style:opacity-0">
            <Base.List className="max-h-[min(22rem,var(--available-height))] overflow-y-auto">
              {options.map((option) => (
                <Base.Item
                  key={option.value}
                  value={option.value}
                  className="grid cursor-default select-none grid-cols-[1rem_1fr] items-start gap-2 rounded-md py-1.5 pr-3 pl-1.5 text-sm outline-hidden data-highlighted:bg-hover"
                >
                  <Base.ItemIndicator className="col-start-1 mt-0.5 text-accent">
                    <Check className="size-4" />
                  </Base.ItemIndicator>
                  <span className="col-start-2">
                    <Base.ItemText>{option.label}</Base.ItemText>
                    {option.hint === undefined ? null : <span className="block text-xs text-faint">{option.hint}</span>}
                  </span>
                </Base.Item>
              ))}
            </Base.List>
          </Base.Popup>
        </Base.Positioner>
      </Base.Portal>
    </Base.Root>
  );
}
