/** WebSockets of edge: terminals and followed logs, with the same trust and token as the API. */
import WebSocket from 'ws';
import { closeCodes } from '#contract/edge.ts';
import { CliError } from './errors.ts';
import type { Runtime } from './runtime.ts';
import { connectionError, localhostLookup, trustedRoots } from './transport.ts';

export const SOCKET_OPEN_TIMEOUT_MS = 15_000;
export const SOCKET_MESSAGE_BYTES_MAX = 1024 * 1024;

/** Opens a WebSocket of edge (`path` starts with /edge/). Errors: CliError, also for a refused upgrade. */
export async function openSocket(berth: Runtime, path: string): Promise<WebSocket> {
  const client = await berth.client();
  const { context } = await berth.context();
  const ca = await trustedRoots(context?.ca);
  const headers = await client.headers();
  const url = `${client.url.replace(/^http/, 'ws')}${path}`;
  return await new Promise<WebSocket>((resolve, reject) => {
    const socket = new WebSocket(url, {
      headers,
      handshakeTimeout: SOCKET_OPEN_TIMEOUT_MS,
      maxPayload: SOCKET_MESSAGE_BYTES_MAX,
      lookup: localhostLookup as never,
      ...(ca === undefined ? {} : { ca }),
    });
    socket.once('open', () => resolve(socket));
    socket.once('unexpected-response', (_request, response) => {
      response.resume();
      reject(refusal(response.statusCode ?? 0));
    });
    socket.once('error', (error) => reject(connectionError(error, client.url)));
  });
}

function refusal(status: number): CliError {
  if (status === 401) return closeError(closeCodes.signedOut, '');
  if (status === 403 || status === 404) return closeError(closeCodes.forbidden, '');
  if (status === 409) return closeError(closeCodes.notRunning, '');
  if (status === 429) return closeError(closeCodes.tooMany, '');
  return new CliError('unavailable', `The connection was refused with status ${status}.`, { code: 'unavailable' });
}

/** What a close code of edge means; other codes are a lost connection. */
export function closeError(code: number, reason: string): CliError {
  switch (code) {
    case closeCodes.signedOut:
      return new CliError('notSignedIn', 'You are no longer signed in.', {
        code: 'unauthenticated',
        hint: 'Sign in with: berth login',
      });
    case closeCodes.forbidden:
      return new CliError('notFound', 'There is no such instance, or you may not enter it.', { code: 'not_found' });
    case closeCodes.notRunning:
      return new CliError('conflict', 'It does not run.', {
        code: 'state_conflict',
        hint: 'Start it with: berth instances start',
      });
    case closeCodes.replaced:
      return new CliError('conflict', 'This terminal was opened somewhere else.', { code: 'conflict' });
    case closeCodes.tooMany:
      return new CliError('unavailable', 'Too many connections are open.', {
        code: 'rate_limited',
        hint: 'Close some and try again.',
      });
    case closeCodes.upstream:
      return new CliError('unavailable', `The instance could not be reached${reason === '' ? '.' : `: ${reason}`}`, {
        code: 'upstream_failed',
      });
    default:
      return new CliError('unavailable', 'The connection was lost.', { code: 'network', hint: 'Try again.' });
  }
}
