import type { ReactNode } from 'react';

/** Icon, one sentence, and the way on. */
export function EmptyState({
  icon,
  title,
  children,
  action,
}: {
  icon: ReactNode;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
}) {
  return (
    <div className="flex flex-col items-center justify-center gap-3 px-6 py-14 text-center">
      <div
        className="flex size-11 items-center justify-center rounded-xl border border-line bg-sunken text-faint [&_svg]:size-5.5"
        aria-hidden="true"
      >
        {icon}
      </div>
      <div className="max-w-md">
        <h2 className="text-base">{title}</h2>
        {children === undefined ? null : <div className="mt-1 text-sm text-soft">{children}</div>}
      </div>
      {action === undefined ? null : <div className="mt-1 flex flex-wrap justify-center gap-2">{action}</div>}
    </div>
  );
}
