/** From where the control plane (console, API, screens) may be entered. Instances' own addresses are not concerned. */
import { inNetworks, type Network, parseNetwork } from './networks.ts';

export const CONTROL_NETWORKS_MAX = 100;

/** As it is kept: no networks, no limit. */
export type ControlAccess = { networks: string[] };
export const openToAll: ControlAccess = { networks: [] };

/** What was read from the setting; null when it cannot be understood (then only the machine itself may enter). */
export function parseControlAccess(value: unknown): ControlAccess | null {
  if (value === null || value === undefined) return openToAll;
  const networks = typeof value === 'object' && 'networks' in value ? value.networks : undefined;
  if (!Array.isArray(networks) || !networks.every((each) => typeof each === 'string')) return null;
  return { networks };
}

/**
 * A test "may this address enter?". `isOwn` tells addresses of the machine itself, from where it is always entered: so
 * that whoever shut everybody out, themselves too, can go there and open it again.
 */
export function controlGate(access: ControlAccess | null, isOwn: (address: string) => boolean) {
  const networks = (access?.networks ?? []).map(parseNetwork).filter((each): each is Network => each !== null);
  const isOpen = access !== null && access.networks.length === 0;
  return (address: string): boolean => isOpen || inNetworks(address, networks) || isOwn(address);
}

/** What is told to whoever may not. */
export function controlRefusal(address: string): string {
  return `The console and the API are open to certain networks only, and ${address} is in none of them.`;
}
