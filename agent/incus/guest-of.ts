/** What the engine says about one of its instances, in Berth's terms. */
import { isId, type ProjectId } from '#domain/ids.ts';
import type { InstanceKind, ObservedState } from '#domain/instances.ts';
import type { Size } from '#domain/sizes.ts';
import type { Guest } from '../engine.ts';
import { label, snapshotOfName } from '../names.ts';
import type { IncusConfig, IncusInstance } from './types.ts';

export function observedState(status: string): ObservedState {
  switch (status) {
    case 'Running':
    case 'Ready':
      return 'running';
    case 'Stopped':
      return 'stopped';
    case 'Frozen':
      return 'paused';
    case 'Starting':
      return 'starting';
    case 'Stopping':
    case 'Aborting':
    case 'Freezing':
      return 'stopping';
    case 'Error':
      return 'error';
    default:
      return 'unknown';
  }
}

/** Null when the labels do not make sense (somebody changed them by hand). */
export function toGuest(instance: IncusInstance): Guest | null {
  const { config, state } = instance;
  const id = config[label.instance];
  const project = config[label.project];
  if (!isId('ins', id) || !isId('prj', project)) return null;
  const nic = instance.devices['eth0'] ?? {};
  const map = idMap(config);
  const running = state !== null && state !== undefined && state.pid > 0;
  return {
    instance: id,
    project: project as ProjectId,
    // Images of our own recipes write the host name from the label when they first start.
    templated: config['image.berth.recipe'] !== undefined,
    kind: (config[label.kind] === 'desktop' ? 'desktop' : 'server') satisfies InstanceKind,
    state: observedState(instance.status),
    hostname: config[label.hostname] ?? instance.name,
    size: sizeOf(instance),
    imageFingerprint: config['volatile.base_image'] ?? config[label.image] ?? null,
    address4: nic['ipv4.address'] ?? null,
    address6: nic['ipv6.address'] ?? null,
    honest4: nic['security.mac_filtering'] === 'true' && nic['security.ipv4_filtering'] === 'true',
    honest6: nic['security.mac_filtering'] === 'true' && nic['security.ipv6_filtering'] === 'true',
    uidBase: map?.base ?? null,
    uidCount: map?.count ?? null,
    createdAt: iso(instance.created_at) ?? new Date(0).toISOString(),
    startedAt: running ? iso(state.started_at) : null,
    memoryUsedBytes: running ? (state.memory?.usage ?? null) : null,
    diskUsedBytes: state?.disk?.['root']?.usage ?? null,
    cpuUsedNs: running ? (state.cpu?.usage ?? null) : null,
    processes: running && state.processes >= 0 ? state.processes : null,
    snapshots: (instance.snapshots ?? []).flatMap((entry) => {
      const snapshot = snapshotOfName(entry.name);
      return snapshot === null ? [] : [{ snapshot, createdAt: iso(entry.created_at) ?? new Date(0).toISOString() }];
    }),
  };
}

function sizeOf(instance: IncusInstance): Size | null {
  const cpus = Number(instance.config['limits.cpu']);
  const memoryBytes = Number(instance.config['limits.memory']);
  const diskBytes = Number(instance.devices['root']?.['size']);
  if (![cpus, memoryBytes, diskBytes].every((value) => Number.isSafeInteger(value) && value > 0)) return null;
  return { cpus, memoryBytes, diskBytes };
}

/** The uid map the guest has (or gets at its next start). */
function idMap(config: IncusConfig): { base: number; count: number } | null {
  for (const key of ['volatile.idmap.current', 'volatile.idmap.next']) {
    const text = config[key];
    if (text === undefined || text === '' || text === '[]') continue;
    const entries = JSON.parse(text) as { Isuid: boolean; Hostid: number; Nsid: number; Maprange: number }[];
    const uid = entries.find((entry) => entry.Isuid && entry.Nsid === 0);
    if (uid !== undefined) return { base: uid.Hostid, count: uid.Maprange };
  }
  return null;
}

function iso(text: string): string | null {
  const time = Date.parse(text);
  return Number.isNaN(time) || time <= 0 ? null : new Date(time).toISOString();
}
