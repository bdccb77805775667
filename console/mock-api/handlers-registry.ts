/** The image cache of the mock: on, half full, with few pulls left upstream. */
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';

type Cache = OutputOf<'registryGet'>;

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
const at = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
const image = (name: string, tag: string, bytes: number, minutes: number) => ({
  name,
  tag,
  digest: `sha256:${name.length.toString(16).padStart(64, 'a')}`,
  bytes,
  lastUsedAt: at(minutes),
});

let cache: Cache = {
  enabled: true,
  upstream: 'https://registry-1.docker.io',
  username: null,
  hasPassword: false,
  caCertificate: null,
  bytesMax: 20 * GIB,
  status: {
    seenAt: at(0),
    state: 'running',
    problem: null,
    upstreamProblem: null,
    usedBytes: 8.4 * GIB,
    images: [
      image('library/postgres', '17', 438 * MIB, 2),
      image('library/redis', '8-alpine', 41 * MIB, 9),
      image('grafana/grafana', '12.1.0', 512 * MIB, 40),
      image('library/node', '24-slim', 226 * MIB, 300),
    ],
    since: at(60 * 24 * 12),
    hits: 1480,
    misses: 212,
    hitRate: 1480 / 1692,
    servedBytes: 61 * GIB,
    fetchedBytes: 9.1 * GIB,
    savedBytes: 51.9 * GIB,
    evictedBytes: 0,
    limit: { limit: 100, remaining: 7, windowSeconds: 21_600, at: at(3), low: true },
    mirrors: { using: 6, theirs: 1 },
  },
};

export const registryHandlers: Pick<Handlers, 'registryGet' | 'registryUpdate' | 'registryEmpty'> = {
  registryGet: () => cache,
  registryUpdate: (_state, { body: { password, ...settings } }) => {
    const same = settings.upstream === cache.upstream && settings.username === cache.username;
    cache = {
      ...cache,
      ...settings,
      hasPassword: password === undefined ? same && cache.hasPassword : password !== null,
    };
    return cache;
  },
  registryEmpty: () => {
    if (cache.status !== null) cache = { ...cache, status: { ...cache.status, usedBytes: 0, images: [] } };
    return undefined;
  },
};
