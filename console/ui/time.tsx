import { useSyncExternalStore } from 'react';
import { exactTime, formatDuration, formatRelative } from '../lib/format.ts';

// One clock for the whole page: a single timer however many times are shown, and none while the tab is hidden.
const listeners = new Set<() => void>();
let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    if (document.hidden) return;
    now = Date.now();
    for (const each of listeners) each();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** Current time (Unix milliseconds), once a second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => {
    if (listeners.size === 0) now = Date.now();
    return now;
  });
}

/** '3 min ago' with the exact time on hover. Only re-renders when the words change. */
export function TimeAgo({ at, className }: { at: string; className?: string }) {
  const time = Date.parse(at);
  const text = useSyncExternalStore(subscribe, () => formatRelative(time, Date.now()));
  return (
    <time dateTime={at} title={exactTime(time)} className={className}>
      {text}
    </time>
  );
}

/** Time since `from`, or between `from` and `until`. */
export function Elapsed({ from, until }: { from: string; until?: string | null }) {
  const current = useNow();
  const end = until === null || until === undefined ? Math.max(current, Date.parse(from)) : Date.parse(until);
  return <span className="tabular">{formatDuration(end - Date.parse(from))}</span>;
}
