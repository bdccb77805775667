import type { ReactNode } from 'react';
import { Logo } from '../../ui/logo.tsx';

/** The quiet page around set-up, sign-in and invitations. */
export function EntryFrame({
  title,
  lead,
  children,
  footer,
}: {
  title: string;
  lead?: ReactNode;
  children: ReactNode;
  footer?: ReactNode;
}) {
  return (
    <main className="relative flex min-h-dvh flex-col items-center justify-center overflow-hidden px-4 py-10">
      <svg
        aria-hidden="true"
        className="pointer-events-none absolute inset-x-0 bottom-0 h-[38vh] w-full text-accent opacity-10 dark:opacity-15"
        preserveAspectRatio="none"
        viewBox="0 0 1440 320"
      >
        <path fill="currentColor" d="M0 192c160-53 320-53 480 0s320 53 480 0 320-53 480 0v128H0z" opacity=".5" />
        <path fill="currentColor" d="M0 240c160-43 320-43 480 0s320 43 480 0 320-43 480 0v80H0z" />
      </svg>
      <div className="relative w-full max-w-100">
        <div className="mb-6 flex items-center gap-2.5 px-1 font-semibold text-lg tracking-tight">
          <Logo className="size-8" /> Berth
        </div>
        <div className="card p-6 !shadow-pop">
          <h1 className="text-xl">{title}</h1>
          {lead === undefined ? null : <div className="mt-1 text-sm text-soft">{lead}</div>}
          <div className="mt-5">{children}</div>
        </div>
        {footer === undefined ? null : <div className="mt-4 px-1 text-faint text-xs">{footer}</div>}
      </div>
    </main>
  );
}
