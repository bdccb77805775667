import type { ReactNode } from 'react';
import { percentOf } from '../lib/format.ts';
import { cx } from './cx.ts';

/** A thin bar. `percent` null: it works, nobody knows how far. */
export function ProgressBar({
  percent,
  label,
  tone = 'accent',
  className,
}: {
  percent: number | null;
  label: string;
  tone?: 'accent' | 'warn' | 'bad' | 'ok';
  className?: string;
}) {
  const fill = { accent: 'bg-accent', warn: 'bg-warn-dot', bad: 'bg-bad-dot', ok: 'bg-ok-dot' }[tone];
  return (
    <div
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={percent === null ? undefined : Math.round(percent)}
      className={cx('h-1.5 w-full overflow-hidden rounded-full bg-hover', className)}
    >
      {percent === null ? (
        <div
          className={cx('h-full w-2/7 animate-[slide-indeterminate_1.4s_ease-in-out_infinite] rounded-full', fill)}
        />
      ) : (
        <div
          className={cx('h-full rounded-full transition-[width] duration-300', fill)}
          style={{ width: `${Math.min(100, Math.max(0, percent))}%` }}
        />
      )}
    </div>
  );
}

/** Used, optionally planned on top, of a limit. Turns amber near and red over the limit; the words say the same. */
export function QuotaBar({
  label,
  used,
  plus = 0,
  limit,
  format = String,
  hint,
}: {
  label: string;
  used: number;
  plus?: number;
  limit: number;
  format?: (value: number) => string;
  hint?: ReactNode;
}) {
  const usedPercent = percentOf(used, limit);
  const totalPercent = percentOf(used + plus, limit);
  const over = used + plus > limit;
  const near = !over && totalPercent >= 85;
  return (
    <div>
      <div className="mb-1.5 flex items-baseline justify-between gap-3 text-sm">
        <span className="text-soft">{label}</span>
        <span className={cx('tabular whitespace-nowrap', over ? 'font-medium text-bad' : 'text-text')}>
          {format(used)}
          {plus > 0 ? <span className={over ? '' : 'text-accent'}> + {format(plus)}</span> : null}
          <span className="text-faint"> of {format(limit)}</span>
        </span>
      </div>
      {/* biome-ignore lint/a11y/useSemanticElements: a meter element cannot show what is planned on top */}
      <div
        role="meter"
        aria-label={label}
        aria-valuemin={0}
        aria-valuemax={limit}
        aria-valuenow={Math.min(used + plus, limit)}
        aria-valuetext={`${format(used + plus)} of ${format(limit)}`}
        className="relative h-1.5 overflow-hidden rounded-full bg-hover"
      >
        {plus > 0 ? (
          <div
            className={cx('absolute inset-y-0 left-0 rounded-full', over ? 'bg-bad-dot/60' : 'bg-accent/45')}
            style={{ width: `${totalPercent}%` }}
          />
        ) : null}
        <div
          className={cx(
            'absolute inset-y-0 left-0 rounded-full transition-[width] duration-300',
            over ? 'bg-bad-dot' : near ? 'bg-warn-dot' : 'bg-accent',
          )}
          style={{ width: `${usedPercent}%` }}
        />
      </div>
      {over ? (
        <p className="mt-1 text-xs text-bad">{hint ?? 'Over the limit.'}</p>
      ) : near ? (
        <p className="mt-1 text-xs text-warn">Nearly used up.</p>
      ) : null}
    </div>
  );
}
