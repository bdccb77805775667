import type { ReactNode } from 'react';
import { cx } from './cx.ts';

/** Two-column table of a thing's properties; entries with an undefined value are left out. */
export function Properties({
  items,
  className,
}: {
  items: readonly (readonly [label: ReactNode, value: ReactNode])[];
  className?: string;
}) {
  return (
    <dl className={cx('divide-y divide-line', className)}>
      {items
        .filter(([, value]) => value !== undefined)
        .map(([label, value], index) => (
          <div
            // biome-ignore lint/suspicious/noArrayIndexKey: a fixed list
            key={index}
            className="grid grid-cols-[8.5rem_minmax(0,1fr)] items-center gap-3 px-4 py-2 text-sm max-sm:grid-cols-[6.5rem_minmax(0,1fr)]"
          >
            <dt className="text-faint">{label}</dt>
            <dd className="flex min-h-6 min-w-0 items-center">{value ?? <span className="text-faint">none</span>}</dd>
          </div>
        ))}
    </dl>
  );
}
