import { useEffect, useRef } from 'react';
import { useLogs } from '../logs/use-logs.ts';

/** What a command inside says, as it says it, and afterwards. */
export function RunOutput({ instance, operation, running }: { instance: string; operation: string; running: boolean }) {
  const { lines, history } = useLogs(instance, {
    search: '',
    follow: running,
    enabled: true,
    of: `run:${operation}`,
  });
  const box = useRef<HTMLPreElement>(null);
  const count = lines.length;
  const { refetch } = history;
  // What was said between the last line that was followed and the end.
  useEffect(() => {
    if (!running) void refetch();
  }, [running, refetch]);
  useEffect(() => {
    if (count > 0) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [count]);
  return (
    <pre
      ref={box}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard
      tabIndex={0}
      role="log"
      aria-label="Output of the command"
      aria-live="off"
      className="max-h-72 overflow-auto whitespace-pre-wrap break-all rounded-md bg-sunken p-3 font-mono text-xs leading-5"
    >
      {count === 0
        ? history.isPending || running
          ? 'Waiting for its first words…'
          : 'It said nothing, or the server has forgotten it.'
        : lines.map((line) => line.message).join('\n')}
    </pre>
  );
}
