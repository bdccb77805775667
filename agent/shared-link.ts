/**
 * Makes the host answer for guests that may reach each other: bridge ports are isolated, so a guest that asks where its
 * neighbour is hears nothing but the host, which then routes and filters. IPv4 by `proxy_arp_pvlan` of the bridge, IPv6
 * by one proxied neighbour for each address. Nothing here decides who may.
 */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { expandIp6 } from '#domain/addresses.ts';
import { BerthError } from '#domain/errors.ts';

const IP_SECONDS_MAX = 10;
const LISTING_BYTES_MAX = 4 * 1024 * 1024;

/**
 * `wanted`: IPv6 addresses to answer for, by bridge; a bridge that is not in it answers for nobody. `own`: all bridges of
 * this installation. Answers whether something had to be changed. Errors: unavailable.
 */
export async function answerFor(
  wanted: ReadonlyMap<string, ReadonlySet<string>>,
  own: readonly string[],
): Promise<boolean> {
  let changed = false;
  own = own.filter((bridge) => existsSync(`/sys/class/net/${bridge}`));
  for (const bridge of own) changed = setBridge(bridge, wanted.has(bridge)) || changed;
  const present = new Map<string, Set<string>>(own.map((bridge) => [bridge, new Set<string>()]));
  for (const line of (await ip(['-6', 'neigh', 'show', 'proxy'])).split('\n')) {
    const [, address = '', bridge = ''] = /^([0-9a-f:]+) dev (\S+)/.exec(line) ?? [];
    if (address !== '') present.get(bridge)?.add(plain(address));
  }
  const lines: string[] = [];
  for (const [bridge, there] of present) {
    const needed = new Set([...(wanted.get(bridge) ?? [])].map(plain));
    for (const address of needed) if (!there.has(address)) lines.push(`neigh replace proxy ${address} dev ${bridge}`);
    for (const address of there) if (!needed.has(address)) lines.push(`neigh delete proxy ${address} dev ${bridge}`);
  }
  if (lines.length > 0) await ip(['-6', '-force', '-batch', '-'], `${lines.join('\n')}\n`);
  return changed || lines.length > 0;
}

/** The settings of one bridge. One that is not there yet gets them when it is. */
function setBridge(bridge: string, on: boolean): boolean {
  const values = [
    [`ipv4/conf/${bridge}/proxy_arp_pvlan`, on ? '1' : '0'],
    [`ipv6/conf/${bridge}/proxy_ndp`, on ? '1' : '0'],
    // An answer at once instead of within 0.8 seconds: nobody else could answer first.
    ...(on ? ['ipv4', 'ipv6'].map((family) => [`${family}/neigh/${bridge}/proxy_delay`, '0'] as const) : []),
  ] as const;
  let changed = false;
  for (const [name, value] of values) {
    const path = `/proc/sys/net/${name}`;
    try {
      if (readFileSync(path, 'utf8').trim() === value) continue;
      writeFileSync(path, value);
      changed = true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue;
      throw new BerthError('unavailable', 'A bridge could not be set up.', { detail: `${path}: ${String(error)}` });
    }
  }
  return changed;
}

/** One spelling for each address. */
function plain(address: string): string {
  return (expandIp6(address) ?? []).map((group) => group.toString(16)).join(':');
}

function ip(args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'ip',
      [...args],
      { timeout: IP_SECONDS_MAX * 1000, maxBuffer: LISTING_BYTES_MAX },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else
          reject(
            new BerthError('unavailable', 'Neighbours could not be set.', {
              detail: (stderr || error.message).slice(0, 500),
            }),
          );
      },
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}
