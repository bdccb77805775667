/** Log lines: history by REST, new ones by WebSocket, joined without repeats, bounded in number. */
import { useQuery } from '@tanstack/react-query';
import { useEffect, useMemo, useState } from 'react';
import type { OutputOf } from '../../../api/client.ts';
import { apiQuery } from '../../../api/queries.ts';
import type { LinkState } from '../../../live/socket.ts';
import { edgeSocket, endOf, retryDelay } from '../../../live/socket.ts';

export type LogLine = OutputOf<'instancesLogs'>['items'][number];

export const HISTORY_LINES = 1000;
/** Lines asked for again when following starts, so that none falls between the two. */
const OVERLAP_LINES = 200;
export const LINES_MAX = 10_000;
/** New lines are shown in steps of this length (milliseconds). */
const BATCH_MS = 100;

function keyOf(line: LogLine): string {
  return `${line.ts} ${line.unit} ${line.message}`;
}

/** Appends what is not there yet; compares only the ends, where overlap can be. */
export function joinLines(before: readonly LogLine[], more: readonly LogLine[], max = LINES_MAX): LogLine[] {
  const known = new Set(before.slice(-2 * OVERLAP_LINES).map(keyOf));
  const joined = [...before, ...more.filter((line) => !known.has(keyOf(line)))];
  return joined.length > max ? joined.slice(joined.length - max) : joined;
}

/** `of`: another source than the journal, as the API names it. */
export function useLogs(
  instance: string,
  options: { search: string; follow: boolean; enabled: boolean; of?: string | undefined },
) {
  const { search, follow, enabled, of } = options;
  const source = of === undefined ? {} : { of };
  const history = useQuery({
    ...apiQuery('instancesLogs', {
      params: { instance },
      query: { lines: HISTORY_LINES, ...(search === '' ? {} : { search }), ...source },
    }),
    enabled,
    refetchOnWindowFocus: false,
    staleTime: 0,
  });
  const [fresh, setFresh] = useState<readonly LogLine[]>([]);
  const [link, setLink] = useState<LinkState>({ state: 'connecting' });

  useEffect(() => {
    setFresh([]);
    if (!follow || !enabled) return;
    let ended = false;
    let attempt = 0;
    let socket: WebSocket | null = null;
    let retry: ReturnType<typeof setTimeout> | undefined;
    let batch: ReturnType<typeof setTimeout> | undefined;
    let waiting: LogLine[] = [];
    function connect(): void {
      if (ended) return;
      setLink(attempt === 0 ? { state: 'connecting' } : { state: 'reconnecting', attempt });
      socket = new WebSocket(
        edgeSocket(instance, 'logs', { lines: OVERLAP_LINES, ...(of === undefined ? {} : { of }) }),
      );
      socket.onopen = () => {
        attempt = 0;
        setLink({ state: 'connected' });
      };
      socket.onmessage = ({ data }: MessageEvent<string>) => {
        waiting.push(JSON.parse(data) as LogLine);
        batch ??= setTimeout(() => {
          batch = undefined;
          const lines = waiting;
          waiting = [];
          setFresh((before) => joinLines(before, lines));
        }, BATCH_MS);
      };
      socket.onclose = ({ code }) => {
        if (ended) return;
        const end = endOf(code);
        if (end !== null) {
          setLink({ state: 'ended', ...end });
          return;
        }
        retry = setTimeout(connect, retryDelay(attempt));
        attempt++;
        setLink({ state: 'reconnecting', attempt });
      };
    }
    connect();
    return () => {
      ended = true;
      clearTimeout(retry);
      clearTimeout(batch);
      socket?.close(1000);
    };
  }, [instance, follow, enabled, of]);

  const lines = useMemo(() => joinLines(history.data?.items ?? [], fresh), [history.data, fresh]);
  return { lines, link, history };
}
