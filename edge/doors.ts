/**
 * Who may open a screen, terminal or log tail, and for how long: every connection is decided at the start and again
 * whenever the state changes (and twice a second, for expiry). Whoever signs out, loses the membership or the instance
 * is out within a second, with the reason as close code.
 */
import type { WebSocket } from 'ws';
import { closeCodes } from '#contract/edge.ts';
import { type Action, type Holding, holdingMay } from '#domain/authz.ts';
import { controlRefusal } from '#domain/control-access.ts';
import { scopesAllow } from '#domain/scopes.ts';
import type { Knowledge } from './callers.ts';
import type { Caller, EdgeInstance } from './state.ts';
import { type Refusal, Watch, type Watched } from './watch.ts';

export const CONNECTIONS_MAX = 1_000;
export const CONNECTIONS_PER_USER_MAX = 32;
export const CONNECTIONS_PER_INSTANCE_MAX = 24;
const PING_MS = 25_000;
const INSTANCE_MISS_MS = 200;

/** True when there is (or may be) something to connect to. */
export function isRunning(instance: EdgeInstance): boolean {
  if (instance.phase !== 'ready') return false;
  return instance.observed === 'running' || (instance.observed === 'unknown' && instance.desired === 'running');
}

/** What a person holds on an instance now. */
export function holdingOf({ state, now }: Knowledge, userId: string, instance: EdgeInstance): Holding {
  return state.holding(userId, { organizationId: instance.organizationId, instanceId: instance.id }, now());
}

type Open = Watched & { socket: WebSocket; alive: boolean };

export class Doors {
  readonly #knowledge: Knowledge;
  readonly #watch: Watch<Open>;
  readonly #timer: NodeJS.Timeout;

  constructor(knowledge: Knowledge) {
    this.#knowledge = knowledge;
    this.#watch = new Watch(knowledge, {
      whole: CONNECTIONS_MAX,
      perUser: CONNECTIONS_PER_USER_MAX,
      perInstance: CONNECTIONS_PER_INSTANCE_MAX,
    });
    this.#timer = setInterval(() => this.#ping(), PING_MS).unref();
  }

  /** Whether `caller` may do `action` to the instance now; null when they may. */
  refusal(caller: Caller | undefined, action: Action, instanceId: string): Refusal | null {
    const { state, now } = this.#knowledge;
    if (caller === undefined || !state.stillSignedIn(caller, now())) {
      return { code: closeCodes.signedOut, reason: 'Sign in again.' };
    }
    const instance = state.instance(instanceId);
    if (
      instance === undefined ||
      !scopesAllow(caller.scopes, action) ||
      !holdingMay(holdingOf(this.#knowledge, caller.userId, instance), action)
    ) {
      return { code: closeCodes.forbidden, reason: 'There is no such instance, or you may not open it.' };
    }
    return isRunning(instance) ? null : { code: closeCodes.notRunning, reason: 'It does not run.' };
  }

  /** The same, but asks the database once before it says that the instance is missing or stopped. */
  async decide(caller: Caller | undefined, action: Action, instanceId: string): Promise<Refusal | null> {
    const first = this.refusal(caller, action, instanceId);
    if (first === null || first.code === closeCodes.signedOut) return first;
    await this.#knowledge.lookup({ by: 'instance', key: instanceId }, INSTANCE_MISS_MS);
    return this.refusal(caller, action, instanceId);
  }

  /** Lets the socket in and watches it until it closes; closes it at once when a bound is reached. */
  enter(socket: WebSocket, caller: Caller, action: Action, instanceId: string, address: string): boolean {
    const entry: Open = {
      socket,
      caller,
      instanceId,
      alive: true,
      refusal: () =>
        this.#knowledge.state.mayEnterControl(address)
          ? this.refusal(caller, action, instanceId)
          : { code: closeCodes.forbidden, reason: controlRefusal(address) },
      cut: ({ code, reason }) => shut(socket, code, reason),
    };
    if (!this.#watch.enter(entry)) {
      socket.close(closeCodes.tooMany, 'Too many open screens, terminals and logs. Close some.');
      return false;
    }
    socket.on('pong', () => {
      entry.alive = true;
    });
    socket.on('close', () => this.#watch.leave(entry));
    return true;
  }

  get size(): number {
    return this.#watch.size;
  }

  #ping(): void {
    for (const entry of this.#watch.entries()) {
      if (!entry.alive) entry.socket.terminate();
      entry.alive = false;
      if (entry.socket.readyState === entry.socket.OPEN) entry.socket.ping();
    }
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#watch.stop({ code: 1001, reason: 'Berth is restarting.' });
  }
}

const CLOSE_WAIT_MS = 1_000;

/** Closes a socket with a reason; a peer that does not answer the close is cut off. */
export function shut(socket: WebSocket, code: number, reason: string): void {
  if (socket.readyState !== socket.OPEN) return;
  // A paused socket would never read the peer's answer.
  socket.resume();
  socket.close(code, reason);
  setTimeout(() => socket.terminate(), CLOSE_WAIT_MS).unref();
}
