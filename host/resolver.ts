/** The resolver of instances as a process: its program, the values it is given, and the folders it may use. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { deniedRanges4, deniedRanges6 } from '#domain/addresses.ts';
import { NAME_GRACE_SECONDS, resolverAddresses } from '#domain/resolver.ts';
import { groupId, processUser } from './accounts.ts';
import { ownedFolder } from './files.ts';
import type { HostConfig, Layout } from './layout.ts';
import { findProgram } from './machine.ts';
import { common, hashOf, healthOf, writeIfChanged } from './process-parts.ts';
import type { HealthProbe, ProcessSpec } from './process-spec.ts';

/** All answers it keeps, on disk and mapped into memory. */
const CACHE_BYTES = 8 * 1024 * 1024;
/** IPv4-mapped addresses are looked through by the program itself. */
const MAPPED_RANGE = '::ffff:0:0/96';

export type ResolverValues = {
  address4: string;
  address6: string;
  control: string;
  feed: string;
  names: string;
  cacheDir: string;
  /** Whom it answers. */
  clients: string[];
  /** `address` or `address@port`; null: what this machine's resolv.conf says. */
  upstream: string[] | null;
};

/** The file that is loaded before agent/resolver.lua. Every value is one of ours: addresses and paths. */
export function resolverValues(values: ResolverValues): string {
  const list = (texts: readonly string[]): string => `{ ${texts.map(quote).join(', ')} }`;
  const denied = [...deniedRanges4, ...deniedRanges6.filter((range) => range !== MAPPED_RANGE)];
  return [
    'berth = {',
    ...(['address4', 'address6', 'control', 'feed', 'names', 'cacheDir'] as const).map(
      (key) => `  ${key} = ${quote(values[key])},`,
    ),
    `  cacheBytes = ${CACHE_BYTES},`,
    `  graceSeconds = ${NAME_GRACE_SECONDS},`,
    `  clients = ${list(values.clients)},`,
    `  denied = ${list(denied)},`,
    ...(values.upstream === null ? [] : [`  upstream = ${list(values.upstream)},`]),
    '}',
    '',
  ].join('\n');
}

function quote(text: string): string {
  return `'${text.replace(/[^\x20-\x7e]|['\\]/g, '')}'`;
}

/** Command line; `work` is its folder. */
export function resolverCommand(valuesFile: string, program: string, work: string): [string, ...string[]] {
  return [findProgram('kresd') ?? '/usr/sbin/kresd', '-n', '-c', valuesFile, '-c', program, work];
}

type ResolverPlaces = { values: ResolverValues; work: string; user: ReturnType<typeof processUser> };

/** Makes its folders; the agent's are open to it for reading, and its socket for speaking. */
function resolverPlaces(layout: Layout, config: HostConfig): ResolverPlaces {
  const user = processUser('berth-dns');
  const work = dirname(layout.sockets.resolver);
  ownedFolder(work, 0o700, user);
  ownedFolder(layout.resolver, 0o700, user);
  ownedFolder(dirname(layout.sockets.resolverFeed), 0o2750, { uid: 0, gid: groupId('berth-dns') ?? 0 });
  return {
    user,
    work,
    values: {
      ...resolverAddresses(config.installation, config.network.prefix6),
      control: layout.sockets.resolver,
      feed: layout.sockets.resolverFeed,
      names: resolverNames(layout),
      cacheDir: layout.resolver,
      clients: [config.network.pool4, `${config.network.prefix6}::/48`],
      upstream: config.resolvers === undefined || config.resolvers.length === 0 ? null : config.resolvers.map(atPort),
    },
  };
}

/** Knot Resolver with a program of ours: no Node, so that it goes on whatever happens to the rest. */
export function resolver(layout: Layout, config: HostConfig, app: string): ProcessSpec {
  const { values, work, user } = resolverPlaces(layout, config);
  const program = join(app, 'agent/resolver.lua');
  const file = join(layout.configs, 'resolver.lua');
  const text = resolverValues(values);
  writeIfChanged(file, text, 0o400, user);
  return {
    ...common(layout, 'resolver'),
    argv: resolverCommand(file, program, work),
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/nonexistent', TZ: 'UTC' },
    user,
    capabilities: ['net_bind_service'],
    fingerprint: hashOf(text, readFileSync(program, 'utf8')),
    health: healthOf(layout)['resolver'] as HealthProbe,
  };
}

export function resolverNames(layout: Layout): string {
  return join(dirname(layout.sockets.resolverFeed), 'names');
}

/** `address:port` and `[address]:port` as the resolver writes them. */
function atPort(server: string): string {
  const [, address = '', port = ''] =
    /^\[([0-9a-fA-F:.]+)\]:(\d+)$/.exec(server) ?? /^([0-9.]+):(\d+)$/.exec(server) ?? [];
  return address === '' ? server : `${address}@${port}`;
}
