/**
 * Quotas: what a project may use, and what all projects of an organization may use together. Every reservation is one
 * conditional UPDATE of both, so that racing creates never overrun either.
 */
import type { InstanceKind } from './instances.ts';
import type { Size } from './sizes.ts';
import { GIB } from './sizes.ts';

export const quotaResources = [
  'instances',
  'desktops',
  'servers',
  'cpus',
  'memoryBytes',
  'diskBytes',
  'routes',
  'snapshots',
  'portForwards',
  'backups',
  'backupBytes',
] as const;
export type QuotaResource = (typeof quotaResources)[number];
export type Quota = Record<QuotaResource, number>;

/** Resources in words for people, the same in console, CLI and docs. */
export const quotaTitles: Record<QuotaResource, string> = {
  instances: 'Instances',
  desktops: 'Desktops',
  servers: 'Servers',
  cpus: 'CPUs',
  memoryBytes: 'Memory',
  diskBytes: 'Disk',
  routes: 'Routes',
  snapshots: 'Snapshots',
  portForwards: 'Port forwards',
  backups: 'Backups',
  backupBytes: 'Backup storage',
};

/** Whether figures of it are bytes; all others are counts. */
export const countsBytes = (resource: QuotaResource) => resource.endsWith('Bytes');

/** What a new project may use, unless its organization may use less. */
export const defaultQuota: Quota = {
  instances: 20,
  desktops: 20,
  servers: 20,
  cpus: 40,
  memoryBytes: 80 * GIB,
  diskBytes: 800 * GIB,
  routes: 100,
  snapshots: 100,
  portForwards: 20,
  backups: 100,
  backupBytes: 200 * GIB,
};

const PROJECTS_WORTH = 50;

/** What all projects of a new organization may use together. */
export const defaultOrganizationQuota: Quota = mapQuota((resource) => defaultQuota[resource] * PROJECTS_WORTH);

export const noUse: Quota = mapQuota(() => 0);

/** A quota from a figure per resource. */
export function mapQuota(figure: (resource: QuotaResource) => number): Quota {
  return Object.fromEntries(quotaResources.map((resource) => [resource, figure(resource)])) as Quota;
}

/** What one instance takes from the quota. */
export function instanceUse(instance: { kind: InstanceKind; size: Size }): Quota {
  return {
    ...noUse,
    instances: 1,
    desktops: instance.kind === 'desktop' ? 1 : 0,
    servers: instance.kind === 'server' ? 1 : 0,
    cpus: instance.size.cpus,
    memoryBytes: instance.size.memoryBytes,
    diskBytes: instance.size.diskBytes,
  };
}

/** The resources that would be overrun if `more` were added to `used`. */
export function overrun(limit: Quota, used: Quota, more: Quota): QuotaResource[] {
  return quotaResources.filter((key) => more[key] > 0 && used[key] + more[key] > limit[key]);
}

/** The resources of which `part` allows more than `whole`: a project's limits stay within its organization's. */
export function beyond(part: Quota, whole: Quota): QuotaResource[] {
  return quotaResources.filter((key) => part[key] > whole[key]);
}
