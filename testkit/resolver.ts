/** A real resolver for instances (Knot Resolver with Berth's program), watched by Berth's own supervisor. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { probe } from '#host/health.ts';
import { resolverCommand, resolverValues } from '#host/resolver.ts';
import { Supervisor } from '#host/supervisor.ts';
import { until } from './ingress.ts';

const PROGRAM = fileURLToPath(new URL('../agent/resolver.lua', import.meta.url));

export type TestResolver = { pid(): number; log: string; close(): Promise<void> };

export type TestResolverParts = {
  folder: string;
  address4: string;
  address6: string;
  feed: string;
  names: string;
  clients: string[];
  /** `127.0.0.1@5353` */
  upstream: string[];
};

export async function startResolver(parts: TestResolverParts): Promise<TestResolver> {
  const work = join(parts.folder, 'resolver');
  const cacheDir = join(work, 'cache');
  mkdirSync(cacheDir, { recursive: true, mode: 0o700 });
  const control = join(work, 'control.sock');
  const file = join(work, 'values.lua');
  const { address4, address6, feed, names, clients, upstream } = parts;
  writeFileSync(file, resolverValues({ address4, address6, feed, names, clients, upstream, control, cacheDir }));
  const log = join(work, 'resolver.log');
  const supervisor = new Supervisor({ pidDir: join(work, 'pids'), log: () => undefined });
  const health = { type: 'socket', socket: control } as const;
  await supervisor.apply([
    {
      name: 'resolver',
      argv: resolverCommand(file, PROGRAM, work),
      env: { PATH: process.env['PATH'] ?? '' },
      cwd: '/',
      user: null,
      capabilities: [],
      umask: 0o007,
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 2_000,
      prepare: null,
      fingerprint: 'test',
      health,
      shared: false,
      logFile: log,
    },
  ]);
  await until('the resolver answers', () => probe(health));
  return {
    log,
    pid: () => supervisor.status()[0]?.pid ?? 0,
    close: () => supervisor.stopAll(),
  };
}
