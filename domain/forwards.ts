/** Port forwards: a port of the host, out of a bounded pool, that leads to a port of one instance. Pure. */
import type { Ability } from './instances.ts';

export const forwardProtocols = ['tcp', 'udp'] as const;
export type ForwardProtocol = (typeof forwardProtocols)[number];

/** Ports of a host: `first` to `last`, both included. */
export type PortRange = { first: number; last: number };

/** The pool an installation starts with: below what kernels hand out to programs that connect (32768 and up). */
export const defaultForwardPorts: PortRange = { first: 20_000, last: 21_999 };
/** Ports a pool may have; the whole list is handed to the host at every change. */
export const FORWARD_PORTS_MAX = 2_000;
/** Below are the ports of the system's own services. */
export const FORWARD_PORT_MIN = 1024;
export const FORWARDS_PER_INSTANCE_MAX = 50;

/**
 * What the host made of a forward: `active` (connections reach the instance), `taken` (a program on the host listens
 * there, and keeps the port), `outside` (not in the host's pool), `absent` (the host has no such instance).
 */
export const forwardStates = ['pending', 'active', 'taken', 'outside', 'absent'] as const;
export type ForwardState = (typeof forwardStates)[number];

/** Why a forward does not work, in words; null when it does or will in a moment. */
export function forwardProblem(state: ForwardState): string | null {
  switch (state) {
    case 'taken':
      return 'A program on the host listens on this port and keeps it. Choose another port.';
    case 'outside':
      return "The port is no longer in the host's pool. Choose another port.";
    case 'absent':
      return 'The host does not have this instance right now.';
    case 'active':
    case 'pending':
      return null;
  }
}

/** The part of `pool` that the kernel never hands out by itself: all of it, or what lies beside `ephemeral`. */
export function besideEphemeral(pool: PortRange, ephemeral: PortRange): PortRange | null {
  if (ephemeral.first > pool.last || ephemeral.last < pool.first) return pool;
  const below: PortRange = { first: pool.first, last: ephemeral.first - 1 };
  const above: PortRange = { first: ephemeral.last + 1, last: pool.last };
  const larger = below.last - below.first >= above.last - above.first ? below : above;
  return larger.last < larger.first ? null : larger;
}

/** True, or why this range cannot be a pool. */
export function portPoolAbility(range: PortRange): Ability {
  if (range.first < FORWARD_PORT_MIN || range.last > 65_535) return `Ports go from ${FORWARD_PORT_MIN} to 65535.`;
  if (range.last < range.first) return 'The last port is below the first.';
  return range.last - range.first >= FORWARD_PORTS_MAX ? `A pool has at most ${FORWARD_PORTS_MAX} ports.` : true;
}
