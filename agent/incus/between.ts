/**
 * The engine's rules where guests of a project may reach each other. Such a packet leaves by the bridge it came from and
 * meets the rules for both ways: the project's own ranges are no longer refused, what is not allowed is, and each passage
 * is an exact permission. The rest of the internet, allowed by default before, becomes a permission as well. Pure.
 */
import { parsePorts } from '#domain/network-rules.ts';
import type { Passage } from '../engine.ts';
import type { IncusAclRule } from './types.ts';

/** Permissions to enter. */
export function passageRules({ from, to, protocol, ports, family }: Passage): IncusAclRule[] {
  const list = (parsePorts(ports) ?? []).map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  const common = {
    action: 'allow',
    state: 'enabled',
    description: 'Security group',
    source: from.join(','),
    destination: to.join(','),
  } as const;
  if (protocol === 'icmp') return [{ ...common, protocol: family === 4 ? 'icmp4' : 'icmp6' }];
  if (protocol === 'any' && list.length === 0) return [common];
  const at = list.length === 0 ? {} : { destination_port: list.join(',') };
  return (protocol === 'any' ? (['tcp', 'udp'] as const) : [protocol]).map((each) => ({
    ...common,
    protocol: each,
    ...at,
  }));
}
