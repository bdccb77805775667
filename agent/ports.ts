/** Which ports of this host are used, from the kernel's own tables: no commands. */
import { readFileSync } from 'node:fs';
import { besideEphemeral, type ForwardProtocol, type PortRange } from '#domain/forwards.ts';

/** States in /proc/net: what waits for anybody. A connected socket is no reason to leave a port alone. */
const LISTENS = { tcp: '0A', udp: '07' } as const;

export type BusyPort = { protocol: ForwardProtocol; port: number };

/** Ports of `range` on which some program of the host listens, in both families. */
export function busyPorts(range: PortRange, read: (path: string) => string = readText): BusyPort[] {
  const found = new Map<string, BusyPort>();
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const file of [protocol, `${protocol}6`]) {
      for (const line of read(`/proc/net/${file}`).split('\n').slice(1)) {
        const [, local = '', , state = ''] = line.trim().split(/\s+/);
        const port = Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16);
        if (state !== LISTENS[protocol] || !(port >= range.first && port <= range.last)) continue;
        found.set(`${protocol}/${port}`, { protocol, port });
      }
    }
  }
  return [...found.values()];
}

/** What of the configured pool may be used here: never where the kernel takes ports for outgoing connections. */
export function usablePool(pool: PortRange, read: (path: string) => string = readText): PortRange | null {
  const [first = Number.NaN, last = Number.NaN] = read('/proc/sys/net/ipv4/ip_local_port_range')
    .trim()
    .split(/\s+/)
    .map(Number);
  return Number.isNaN(first) || Number.isNaN(last) ? pool : besideEphemeral(pool, { first, last });
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
