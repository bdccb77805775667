/** Hosts, as platform administrators see them. */
import type { Host } from '#contract/hosts.ts';
import type { Caller } from '#domain/caller.ts';
import { notFound } from '#domain/errors.ts';
import type { HostId } from '#domain/ids.ts';
import * as store from '#server/store/hosts.ts';
import { countByHost } from '#server/store/instances.ts';
import { authorize, authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';

export function presentHost(host: store.HostRecord, instances: { total: number; running: number }): Host {
  const { facts } = host;
  return {
    id: host.id,
    name: host.name,
    state: host.state,
    lastSeenAt: host.lastSeenAt?.toISOString() ?? null,
    error: host.error,
    engine: facts?.engine ?? null,
    engineVersion: facts?.engineVersion ?? null,
    kernel: facts?.kernel ?? null,
    os: facts?.os ?? null,
    cpus: facts?.cpus ?? null,
    load1: facts?.load1 ?? null,
    memoryBytes: facts?.memoryBytes ?? null,
    memoryUsedBytes: facts?.memoryUsedBytes ?? null,
    poolDriver: facts?.poolDriver ?? null,
    poolBytes: facts?.poolBytes ?? null,
    poolUsedBytes: facts?.poolUsedBytes ?? null,
    uptimeSeconds: facts?.uptimeSeconds ?? null,
    missing: facts?.missing ?? [],
    instances,
  };
}

export async function listHosts(app: AppContext, caller: Caller): Promise<Host[]> {
  await authorizePlatform(app, caller, 'platform.host.read');
  const [hosts, counts] = await Promise.all([store.listHosts(app.db), countByHost(app.db)]);
  return hosts.map((host) => presentHost(host, counts.get(host.id) ?? { total: 0, running: 0 }));
}

export async function getHost(app: AppContext, caller: Caller, id: HostId): Promise<Host> {
  await authorize(app, caller, 'platform.host.read', { kind: 'host', id });
  const host = (await store.listHosts(app.db)).find((candidate) => candidate.id === id);
  if (host === undefined) throw notFound('host');
  return presentHost(host, (await countByHost(app.db)).get(id) ?? { total: 0, running: 0 });
}
