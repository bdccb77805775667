/**
 * Connections that nobody has signed in on yet. They are bounded in time, per address and in all, and one hostile address
 * cannot use up the room of others: when an address has too many, its own oldest goes; when there are too many in all,
 * the oldest of the address that has the most.
 */
import { SSH_LOGIN_SECONDS_MAX, SSH_WAITING_MAX, SSH_WAITING_PER_ADDRESS_MAX } from '#domain/ssh.ts';

export type Waiting = { destroy(): unknown };
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
  readonly #waiting = new Map<string, Map<Waiting, NodeJS.Timeout>>();
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
    if (own !== undefined && own.size >= this.#limits.perAddress) this.#dropOldest(own);
    else if (this.#size >= this.#limits.whole) this.#dropOldest(this.#fullest());
    const timer = setTimeout(() => connection.destroy(), this.#limits.seconds * 1000);
    const room = this.#waiting.get(block) ?? new Map<Waiting, NodeJS.Timeout>();
    room.set(connection, timer);
    this.#waiting.set(block, room);
    this.#size++;
  }

  /** It is signed in, or gone. */
  leave(connection: Waiting, address: string): void {
    const block = blockOf(address);
    const room = this.#waiting.get(block);
    const timer = room?.get(connection);
    if (room === undefined || timer === undefined) return;
    clearTimeout(timer);
    room.delete(connection);
    if (room.size === 0) this.#waiting.delete(block);
    this.#size--;
  }

  #fullest(): Map<Waiting, NodeJS.Timeout> | undefined {
    let fullest: Map<Waiting, NodeJS.Timeout> | undefined;
    for (const room of this.#waiting.values()) if (room.size > (fullest?.size ?? 0)) fullest = room;
    return fullest;
  }

  #dropOldest(room: Map<Waiting, NodeJS.Timeout> | undefined): void {
    for (const [block, each] of this.#waiting) {
      if (each !== room) continue;
      const [oldest] = each.keys();
      if (oldest === undefined) return;
      this.leave(oldest, block);
      oldest.destroy();
      return;
    }
  }
}
