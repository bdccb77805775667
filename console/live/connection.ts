/**
 * The live connection: one EventSource per tab. Hints are collected for a moment and then make queries stale once; after
 * a gap everything on screen is fetched again. While it is down the console polls and says so.
 */
import type { QueryClient } from '@tanstack/react-query';
import type { Event } from '#contract/events.ts';
import { createStore } from '../lib/store.ts';
import { isStaleAfter } from './hints.ts';

export type LiveState = 'connecting' | 'live' | 'reconnecting';
export const liveState = createStore<LiveState>('connecting');
/** When the last hint or connection came (Unix milliseconds). */
export const lastHeardAt = createStore<number | null>(null);

/** Hints within this time are handled together (milliseconds). */
const BATCH_MS = 60;
/** While the connection is down, what is on screen is fetched this often (milliseconds). */
const FALLBACK_POLL_MS = 10_000;
const RETRY_MS_MIN = 400;
const RETRY_MS_MAX = 20_000;

/** Connects; returns the function that ends it. */
export function startLive(client: QueryClient): () => void {
  let source: EventSource | null = null;
  let waiting: Event[] = [];
  let batchTimer: ReturnType<typeof setTimeout> | undefined;
  let retryTimer: ReturnType<typeof setTimeout> | undefined;
  let pollTimer: ReturnType<typeof setInterval> | undefined;
  let retryMs = RETRY_MS_MIN;
  let hadGap = false;
  let ended = false;

  const refetchShown = () => void client.invalidateQueries();
  const flush = () => {
    batchTimer = undefined;
    const hints = waiting;
    waiting = [];
    void client.invalidateQueries({ predicate: (query) => isStaleAfter(query.queryKey, hints) });
  };

  function connect(): void {
    if (ended) return;
    source = new EventSource('/api/v1/events');
    source.addEventListener('open', () => {
      retryMs = RETRY_MS_MIN;
      liveState.set('live');
      lastHeardAt.set(Date.now());
      clearInterval(pollTimer);
      pollTimer = undefined;
      if (hadGap) refetchShown();
      hadGap = false;
    });
    source.addEventListener('change', (message) => {
      lastHeardAt.set(Date.now());
      try {
        waiting.push(JSON.parse((message as MessageEvent<string>).data) as Event);
      } catch {
        return;
      }
      batchTimer ??= setTimeout(flush, BATCH_MS);
    });
    source.addEventListener('resync', refetchShown);
    source.addEventListener('error', () => {
      hadGap = true;
      liveState.set('reconnecting');
      pollTimer ??= setInterval(() => {
        if (!document.hidden) refetchShown();
      }, FALLBACK_POLL_MS);
      // Browsers wait seconds before they try again, and not at all after some errors: done here, sooner. Nothing is lost
      // by not resuming where it broke off, since everything on screen is fetched again.
      source?.close();
      clearTimeout(retryTimer);
      retryTimer = setTimeout(connect, retryMs);
      retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
    });
  }

  connect();
  return () => {
    ended = true;
    source?.close();
    clearTimeout(batchTimer);
    clearTimeout(retryTimer);
    clearInterval(pollTimer);
    liveState.set('connecting');
  };
}
