import type { CurrentMetrics } from '#contract/metrics.ts';
import { formatBytes, percentOf } from '../lib/format.ts';
import { cx } from '../ui/cx.ts';

const NEARLY_FULL = 90;

function Bar({ label, percent, words }: { label: string; percent: number; words: string }) {
  return (
    <span className="flex items-center gap-1.5" title={`${label}: ${words}`}>
      <span className="w-7 text-faint">{label}</span>
      <span className="h-1 w-14 overflow-hidden rounded-full bg-hover" aria-hidden="true">
        <span
          className={cx('block h-full rounded-full', percent >= NEARLY_FULL ? 'bg-warn-dot' : 'bg-accent')}
          style={{ width: `${percent}%` }}
        />
      </span>
      <span className="tabular w-8 text-right text-soft">{Math.round(percent)} %</span>
    </span>
  );
}

/** Processor and memory of the last ten seconds. What is old is said to be, and nothing is shown of what was never measured. */
export function UsageBars({ now }: { now: CurrentMetrics | undefined }) {
  if (now === undefined) return <span className="text-faint">–</span>;
  if (now.stale) return <span className="text-faint text-xs">not known now</span>;
  return (
    <span className="flex flex-col gap-0.5 whitespace-nowrap text-xs">
      {now.cpuCores === null || now.cpuLimitCores === null ? null : (
        <Bar
          label="CPU"
          percent={percentOf(now.cpuCores, now.cpuLimitCores)}
          words={`${now.cpuCores.toFixed(2)} of ${now.cpuLimitCores} cores`}
        />
      )}
      {now.memoryBytes === null || now.memoryLimitBytes === null ? null : (
        <Bar
          label="Mem"
          percent={percentOf(now.memoryBytes, now.memoryLimitBytes)}
          words={`${formatBytes(now.memoryBytes)} of ${formatBytes(now.memoryLimitBytes)}`}
        />
      )}
    </span>
  );
}
