/** Quotas are per project; every reservation is one conditional UPDATE so that racing creates never overrun. */
import type { Size } from './sizes.ts';
import { GIB } from './sizes.ts';

export type Quota = {
  instances: number;
  cpus: number;
  memoryBytes: number;
  diskBytes: number;
  routes: number;
  snapshots: number;
};
export type QuotaResource = keyof Quota;
export const quotaResources: readonly QuotaResource[] = [
  'instances',
  'cpus',
  'memoryBytes',
  'diskBytes',
  'routes',
  'snapshots',
];

export const defaultQuota: Quota = {
  instances: 20,
  cpus: 40,
  memoryBytes: 80 * GIB,
  diskBytes: 800 * GIB,
  routes: 100,
  snapshots: 100,
};

export const noUse: Quota = { instances: 0, cpus: 0, memoryBytes: 0, diskBytes: 0, routes: 0, snapshots: 0 };

/** What one instance of this size takes from the quota. */
export function instanceUse(size: Size): Quota {
  return {
    instances: 1,
    cpus: size.cpus,
    memoryBytes: size.memoryBytes,
    diskBytes: size.diskBytes,
    routes: 0,
    snapshots: 0,
  };
}

/** The resources that would be overrun if `more` were added to `used`. */
export function overrun(limit: Quota, used: Quota, more: Quota): QuotaResource[] {
  return quotaResources.filter((key) => more[key] > 0 && used[key] + more[key] > limit[key]);
}
