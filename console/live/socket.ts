/** Addresses and back-off shared by screens, terminals and followed logs, which all talk to edge by WebSocket. */
import type { closeCodes as codes } from '#contract/edge.ts';

/** Why edge closed a WebSocket. Spelt out here so that schemas stay out of the chunk; the type keeps it equal. */
export const closeCodes: typeof codes = {
  signedOut: 4401,
  forbidden: 4403,
  replaced: 4408,
  notRunning: 4409,
  tooMany: 4429,
  upstream: 4502,
};

export const RETRY_MS_MIN = 500;
export const RETRY_MS_MAX = 15_000;

/** WebSocket address of edge for this instance. */
export function edgeSocket(
  instance: string,
  what: 'screen' | 'terminal' | 'logs',
  query: Record<string, string | number>,
): string {
  const url = new URL(`/edge/v1/instances/${encodeURIComponent(instance)}/${what}`, location.href);
  url.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, String(value));
  return url.href;
}

/** How long to wait before the n-th new try (0 = first), with a little spread so that many tabs do not come at once. */
export function retryDelay(attempt: number, random: () => number = Math.random): number {
  return Math.round(Math.min(RETRY_MS_MIN * 2 ** attempt, RETRY_MS_MAX) * (0.8 + random() * 0.4));
}

export type LinkState =
  | { state: 'connecting' }
  | { state: 'connected' }
  | { state: 'reconnecting'; attempt: number }
  | { state: 'ended'; reason: string; final: boolean };

/** What a close code means for people; null: try again. */
export function endOf(code: number): { reason: string; final: boolean } | null {
  switch (code) {
    case closeCodes.signedOut:
      return { reason: 'Your session has ended. Sign in again.', final: true };
    case closeCodes.forbidden:
      return { reason: 'You may not open this.', final: true };
    case closeCodes.replaced:
      return { reason: 'It was opened elsewhere, in another tab or window.', final: false };
    case closeCodes.tooMany:
      return { reason: 'Too many are open at once. Close one, then try again.', final: false };
    case closeCodes.notRunning:
      return { reason: 'It does not run.', final: false };
    default:
      return null;
  }
}
