/** Incus' event stream, reduced to what concerns this installation. */
import type { AgentEvent } from '#contract/agent-results.ts';
import { instanceOfGuest, type Names } from '../names.ts';
import type { IncusClient } from './client.ts';
import type { IncusEvent } from './types.ts';

const BACK_OFF_MS = { first: 100, max: 5_000 };
/** A stream that says nothing to a ping for this long is dead. */
const PING_SECONDS = 20;

/** Calls `onEvent` until `signal` aborts. A new connection starts with `resync`: what happened in between is unknown. */
export async function watchEvents(
  client: IncusClient,
  names: Names,
  onEvent: (event: AgentEvent) => void,
  signal: AbortSignal,
): Promise<void> {
  let backOff = BACK_OFF_MS.first;
  while (!signal.aborted) {
    const opened = await connection(client, names, onEvent, signal);
    if (signal.aborted) return;
    backOff = opened ? BACK_OFF_MS.first : Math.min(backOff * 2, BACK_OFF_MS.max);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(done, backOff);
      function done(): void {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        resolve();
      }
      signal.addEventListener('abort', done, { once: true });
    });
  }
}

function connection(
  client: IncusClient,
  names: Names,
  onEvent: (event: AgentEvent) => void,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = client.websocket('/1.0/events', { type: 'lifecycle', 'all-projects': 'true' });
    let opened = false;
    let alive = true;
    const beat = setInterval(() => {
      if (!alive) return socket.terminate();
      alive = false;
      if (socket.readyState === socket.OPEN) socket.ping();
    }, PING_SECONDS * 1000);
    const stop = (): void => socket.terminate();
    signal.addEventListener('abort', stop, { once: true });
    socket.on('open', () => {
      opened = true;
      onEvent({ at: new Date().toISOString(), type: 'resync', instance: null, action: 'connected' });
    });
    socket.on('pong', () => {
      alive = true;
    });
    socket.on('message', (data) => {
      alive = true;
      const event = toEvent(JSON.parse(String(data)) as IncusEvent, names);
      if (event !== null) onEvent(event);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(beat);
      signal.removeEventListener('abort', stop);
      resolve(opened);
    });
  });
}

/** Null when the event is not about an object of this installation. */
export function toEvent(event: IncusEvent, names: Names): AgentEvent | null {
  if (event.type !== 'lifecycle') return null;
  const action = event.metadata.action ?? '';
  const source = event.metadata.source ?? '';
  const at = new Date(Date.parse(event.timestamp) || Date.now()).toISOString();
  if (action.startsWith('image-')) return { at, type: 'image', instance: null, action };
  if (action.startsWith('network-')) return { at, type: 'network', instance: null, action };
  if (!action.startsWith('instance-') || !(event.project ?? '').startsWith(names.prefix)) return null;
  // Files, logs and commands change nothing that Berth shows.
  if (quiet.some((prefix) => action.startsWith(prefix))) return null;
  const name = /^\/1\.0\/instances\/([^/?]+)/.exec(source)?.[1];
  const instance = name === undefined ? null : instanceOfGuest(name);
  return instance === null ? null : { at, type: 'instance', instance, action: action.replace(/^instance-/, '') };
}

const quiet = ['instance-exec', 'instance-file', 'instance-log', 'instance-console', 'instance-metadata'];
