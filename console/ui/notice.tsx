import { CircleAlert, CircleCheck, Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';
import type { Tone } from './badge.tsx';
import { cx } from './cx.ts';

const tones: Record<Tone, string> = {
  ok: 'bg-ok-soft border-ok-dot/30 [&>svg]:text-ok',
  busy: 'bg-busy-soft border-busy-dot/30 [&>svg]:text-busy',
  warn: 'bg-warn-soft border-warn-dot/35 [&>svg]:text-warn',
  bad: 'bg-bad-soft border-bad-dot/30 [&>svg]:text-bad',
  idle: 'bg-sunken border-line [&>svg]:text-faint',
  accent: 'bg-accent-soft border-accent-line [&>svg]:text-accent',
};
const icons: Record<Tone, typeof Info> = {
  ok: CircleCheck,
  busy: Info,
  warn: TriangleAlert,
  bad: CircleAlert,
  idle: Info,
  accent: Info,
};

/** A message that belongs to the place where it stands. */
export function Notice({
  tone = 'idle',
  title,
  children,
  action,
  className,
}: {
  tone?: Tone;
  title?: ReactNode;
  children?: ReactNode;
  action?: ReactNode;
  className?: string;
}) {
  const Icon = icons[tone];
  return (
    <div
      role={tone === 'bad' ? 'alert' : undefined}
      className={cx(
        'flex items-start gap-2.5 rounded-lg border px-3.5 py-2.5 text-sm text-text',
        tones[tone],
        className,
      )}
    >
      <Icon className="mt-0.5 size-4 shrink-0" aria-hidden="true" />
      <div className="min-w-0 flex-1">
        {title === undefined ? null : <p className="font-medium">{title}</p>}
        {children === undefined ? null : <div className="break-words text-soft">{children}</div>}
      </div>
      {action}
    </div>
  );
}
