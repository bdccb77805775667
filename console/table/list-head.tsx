import type { ReactNode } from 'react';

/** Above a table that has rows: what the things are for, and the button that makes another. */
export function ListHead({ children, action }: { children: ReactNode; action: ReactNode }) {
  return (
    <div className="mb-3 flex items-center justify-between gap-3">
      <p className="text-sm text-soft">{children}</p>
      {action}
    </div>
  );
}
