import type { ReactNode } from 'react';
import { cx } from './cx.ts';

/** State is always words; the tone only repeats it in colour. */
export type Tone = 'ok' | 'busy' | 'warn' | 'bad' | 'idle' | 'accent';

const tones: Record<Tone, string> = {
  ok: 'bg-ok-soft text-ok',
  busy: 'bg-busy-soft text-busy',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  idle: 'bg-idle-soft text-idle',
  accent: 'bg-accent-soft text-accent',
};
const dots: Record<Tone, string> = {
  ok: 'bg-ok-dot text-ok-dot',
  busy: 'bg-busy-dot text-busy-dot',
  warn: 'bg-warn-dot text-warn-dot',
  bad: 'bg-bad-dot text-bad-dot',
  idle: 'bg-idle-dot text-idle-dot',
  accent: 'bg-accent text-accent',
};

export function Dot({ tone, moving = false, className }: { tone: Tone; moving?: boolean; className?: string }) {
  return (
    <span
      aria-hidden="true"
      className={cx('inline-block size-2 shrink-0 rounded-full', dots[tone], moving && 'swell', className)}
    />
  );
}

export function Badge({
  tone = 'idle',
  dot = false,
  moving = false,
  children,
  className,
}: {
  tone?: Tone;
  dot?: boolean;
  moving?: boolean;
  children: ReactNode;
  className?: string;
}) {
  return (
    <span
      className={cx(
        'inline-flex h-5.5 items-center gap-1.5 whitespace-nowrap rounded-full px-2 text-xs font-medium',
        tones[tone],
        className,
      )}
    >
      {dot ? <Dot tone={tone} moving={moving} className="size-1.75" /> : null}
      {children}
    </span>
  );
}
