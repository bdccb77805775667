import { Check, CircleDashed, Minus, RotateCcw, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { cx } from './cx.ts';
import { ProgressBar } from './progress.tsx';
import { Spinner } from './spinner.tsx';
import { Elapsed } from './time.tsx';

export type Step = {
  name: string;
  title: string;
  state: 'pending' | 'running' | 'succeeded' | 'failed' | 'undone' | 'skipped' | 'stopped';
  startedAt: string | null;
  finishedAt: string | null;
  attempts: number;
  percent: number | null;
  message: string | null;
};

const words: Record<Step['state'], string> = {
  pending: 'waiting',
  running: 'running',
  succeeded: 'done',
  failed: 'failed',
  undone: 'undone',
  skipped: 'not needed',
  stopped: 'stopped',
};
const rings: Record<Step['state'], string> = {
  pending: 'border-line-strong text-faint',
  running: 'border-busy-dot bg-busy-soft text-busy',
  succeeded: 'border-ok-dot/50 bg-ok-soft text-ok',
  failed: 'border-bad-dot bg-bad-soft text-bad',
  undone: 'border-warn-dot/60 bg-warn-soft text-warn',
  skipped: 'border-line text-faint',
  stopped: 'border-warn-dot/60 bg-warn-soft text-warn',
};

function icon(state: Step['state']): ReactNode {
  switch (state) {
    case 'succeeded':
      return <Check className="size-3" strokeWidth={3} />;
    case 'failed':
      return <X className="size-3" strokeWidth={3} />;
    case 'undone':
      return <RotateCcw className="size-3" />;
    case 'running':
      return <Spinner className="size-3" />;
    case 'skipped':
      return <Minus className="size-3" />;
    case 'stopped':
      return <span className="size-2 rounded-[1px] bg-current" />;
    case 'pending':
      return <CircleDashed className="size-3" />;
  }
}

/** The steps of an operation with durations, attempts and what went wrong. */
export function StepTimeline({ steps }: { steps: readonly Step[] }) {
  return (
    <ol className="flex flex-col">
      {steps.map((step, index) => (
        <li key={step.name} className="relative flex gap-3 pb-4 last:pb-0">
          {index < steps.length - 1 ? (
            <span aria-hidden="true" className="absolute top-5 bottom-0 left-2.25 w-px bg-line" />
          ) : null}
          <span
            className={cx(
              'relative z-1 flex size-5 shrink-0 items-center justify-center rounded-full border bg-surface',
              rings[step.state],
            )}
          >
            {icon(step.state)}
          </span>
          <div className="-mt-px min-w-0 flex-1">
            <div className="flex flex-wrap items-baseline gap-x-2">
              <span
                className={cx(
                  'text-sm',
                  step.state === 'pending' || step.state === 'skipped' ? 'text-faint' : 'text-text',
                  step.state === 'running' && 'font-medium',
                )}
              >
                {step.title}
              </span>
              <span className="sr-only">{words[step.state]}</span>
              {step.attempts > 1 ? <span className="text-xs text-warn">attempt {step.attempts}</span> : null}
              <span className="tabular ml-auto text-xs text-faint">
                {step.startedAt === null ? (
                  words[step.state]
                ) : (
                  <Elapsed
                    from={step.startedAt}
                    until={step.finishedAt ?? (step.state === 'running' ? null : step.startedAt)}
                  />
                )}
              </span>
            </div>
            {step.message === null ? null : (
              <p className={cx('break-words text-xs', step.state === 'failed' ? 'text-bad' : 'text-faint')}>
                {step.message}
              </p>
            )}
            {step.state === 'running' && step.percent !== null ? (
              <ProgressBar percent={step.percent} label={step.title} className="mt-1.5 max-w-80" />
            ) : null}
          </div>
        </li>
      ))}
    </ol>
  );
}
