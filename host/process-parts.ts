/** What the descriptions of all processes share. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { INCUS_SOCKET, LXCFS_DIR } from './engine.ts';
import { writeFileAtomic } from './files.ts';
import type { Layout } from './layout.ts';
import type { HealthProbe, ProcessSpec } from './process-spec.ts';

const UMASK = 0o007;
export const STOP_MS = 8000;

/** Health probes of everything, for waiting and for `status`. */
export function healthOf(layout: Layout): Record<string, HealthProbe> {
  return {
    postgres: { type: 'socket', socket: join(layout.sockets.postgres, '.s.PGSQL.5432') },
    agent: { type: 'http', socket: layout.sockets.agent, path: '/healthz' },
    server: { type: 'http', socket: layout.sockets.server, path: '/healthz' },
    edge: { type: 'http', socket: layout.sockets.edge, path: '/healthz' },
    caddy: { type: 'http', socket: layout.sockets.caddyAdmin, path: '/config/admin' },
    resolver: { type: 'socket', socket: layout.sockets.resolver },
    'ssh-gateway': { type: 'http', socket: layout.sockets.sshGateway, path: '/healthz' },
    incusd: { type: 'http', socket: INCUS_SOCKET, path: '/1.0' },
    lxcfs: { type: 'path', path: join(LXCFS_DIR, 'proc/meminfo') },
  };
}

export function common(
  { logs }: Layout,
  name: string,
): Pick<ProcessSpec, 'name' | 'cwd' | 'umask' | 'stopSignal' | 'stopTimeoutMs' | 'shared' | 'logFile' | 'prepare'> {
  return {
    name,
    cwd: '/',
    umask: UMASK,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: STOP_MS,
    shared: false,
    prepare: null,
    logFile: join(logs, `${name}.log`),
  };
}

export function writeIfChanged(file: string, text: string, mode: number, owner?: { uid: number; gid: number }): void {
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  writeFileAtomic(file, text, mode, owner);
}

export function hashOf(...parts: string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex').slice(0, 32);
}
