/**
 * Connections that nobody has signed in on yet. They are bounded in time, per address and in all, and one hostile address
 * cannot use up the room of others: when an address has too many, one of its own goes; when there are too many in all,
 * one of the address that has the most. The one that has done least goes first: who says nothing before who speaks SSH,
 * and both before who has agreed on keys, so that a flood from somebody's own address does not push out their handshake.
 */
import { SSH_LOGIN_SECONDS_MAX, SSH_WAITING_MAX, SSH_WAITING_PER_ADDRESS_MAX } from '#domain/ssh.ts';

export type Waiting = { destroy(): unknown };
/** How far a connection has come: nothing said, its version said, keys agreed on. */
export const stages = ['silent', 'speaks', 'agreed'] as const;
export type Stage = (typeof stages)[number];
type Place = { timer: NodeJS.Timeout; stage: Stage };
export type WaitingLimits = { seconds: number; perAddress: number; whole: number };

export const waitingLimits: WaitingLimits = {
  seconds: SSH_LOGIN_SECONDS_MAX,
  perAddress: SSH_WAITING_PER_ADDRESS_MAX,
  whole: SSH_WAITING_MAX,
};

/** Addresses that one person can have many of count as one: IPv6 by its first 64 bits. */
export function blockOf(address: string): string {
  const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address;
  if (!plain.includes(':')) return plain;
  const [head = '', tail = ''] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === '' ? [] : tail.split(':');
  const middle = plain.includes('::') ? new Array<string>(Math.max(0, 8 - left.length - right.length)).fill('0') : [];
  return [...left, ...middle, ...right].slice(0, 4).join(':');
}

export class WaitingRoom {
  readonly #limits: WaitingLimits;
  /** By block of addresses, oldest first. */
  readonly #waiting = new Map<string, Map<Waiting, Place>>();
  #size = 0;

  constructor(limits: WaitingLimits = waitingLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#size;
  }

  /** Lets it in; others may have to go for it. */
  enter(connection: Waiting, address: string): void {
    const block = blockOf(address);
    const own = this.#waiting.get(block);
    if (own !== undefined && own.size >= this.#limits.perAddress) this.#dropLeast(own);
    else if (this.#size >= this.#limits.whole) this.#dropLeast(this.#fullest());
    const timer = setTimeout(() => connection.destroy(), this.#limits.seconds * 1000);
    const room = this.#waiting.get(block) ?? new Map<Waiting, Place>();
    room.set(connection, { timer, stage: 'silent' });
    this.#waiting.set(block, room);
    this.#size++;
  }

  /** It has come further. Nothing when it is not (any more) here. */
  advance(connection: Waiting, address: string, stage: Stage): void {
    const place = this.#waiting.get(blockOf(address))?.get(connection);
    if (place !== undefined && stages.indexOf(stage) > stages.indexOf(place.stage)) place.stage = stage;
  }

  /** It is signed in, or gone. */
  leave(connection: Waiting, address: string): void {
    const block = blockOf(address);
    const room = this.#waiting.get(block);
    const place = room?.get(connection);
    if (room === undefined || place === undefined) return;
    clearTimeout(place.timer);
    room.delete(connection);
    if (room.size === 0) this.#waiting.delete(block);
    this.#size--;
  }

  #fullest(): Map<Waiting, Place> | undefined {
    let fullest: Map<Waiting, Place> | undefined;
    for (const room of this.#waiting.values()) if (room.size > (fullest?.size ?? 0)) fullest = room;
    return fullest;
  }

  /** Of those that have come least far, the oldest. */
  #dropLeast(room: Map<Waiting, Place> | undefined): void {
    for (const [block, each] of this.#waiting) {
      if (each !== room) continue;
      const stage = stages.find((wanted) => [...each.values()].some((place) => place.stage === wanted));
      const [least] = [...each].find(([, place]) => place.stage === stage) ?? [];
      if (least === undefined) return;
      this.leave(least, block);
      least.destroy();
      return;
    }
  }
}
