/**
 * Purge: the end of an archived or failed instance. It only goes forward: data that is half gone cannot be brought back,
 * so there are no undos; what fails stays `purging` and archive-purger tries again.
 */
import { BerthError } from '#domain/errors.ts';
import type { OperationId } from '#domain/ids.ts';
import { type InstancePhase, instanceAbility } from '#domain/instances.ts';
import { noUse } from '#domain/quotas.ts';
import type { Actor } from '../store/authorized.ts';
import { leaveBackups, requireNoBackupWork } from '../store/backup-repositories.ts';
import { type Trx, transact } from '../store/database.ts';
import { deleteForward, forwardsOfInstance } from '../store/forwards.ts';
import { changeInstance, deleteInstanceRow, type InstanceRecord, lockInstance } from '../store/instances.ts';
import { releaseQuota } from '../store/quotas.ts';
import { deleteRoute, routesOfInstance } from '../store/routes.ts';
import { deleteSnapshotRow, snapshotsOf } from '../store/snapshots.ts';
import { acceptOperation, hold, newOperationId } from './accept.ts';
import type { Step, Workflow } from './engine.ts';
import type { Services } from './services.ts';

export type PurgeInput = { phase: InstancePhase };

/**
 * Accepts a purge in the caller's transaction: from here on nobody else can do anything with the instance. Errors:
 * state_conflict.
 */
export async function acceptPurge(
  services: Services,
  tx: Trx,
  actor: Actor,
  instance: InstanceRecord,
): Promise<OperationId> {
  if (instance.phase !== 'purging') {
    const able = instanceAbility('purge', instance.kind, {
      phase: instance.phase,
      desired: instance.desired,
      observed: instance.observed,
      health: instance.health,
      busyWith: null,
      protected: instance.protected,
    });
    if (able !== true) throw new BerthError('state_conflict', able);
  }
  await requireNoBackupWork(tx, instance.id);
  const id = newOperationId(services);
  await acceptOperation(services, tx, {
    id,
    kind: 'instance.purge',
    title: `Remove ${instance.name} for good`,
    workflow: instancePurge,
    actor,
    instance,
    input: { phase: instance.phase } satisfies PurgeInput,
    before: { phase: instance.phase, kind: instance.kind, size: instance.size },
  });
  await hold(tx, instance, id);
  await changeInstance(tx, instance, { phase: 'purging', desired: 'stopped' });
  return id;
}

const routesStep: Step<PurgeInput> = {
  name: 'routes',
  title: 'Remove its addresses',
  async do({ services, operation }) {
    if (operation.instance === null) return;
    const routes = await routesOfInstance(services.db, operation.instance);
    const forwards = await forwardsOfInstance(services.db, operation.instance);
    await transact(services.db, async (tx) => {
      for (const route of routes) {
        // Counted down only by whoever really removed the row.
        if ((await deleteRoute(tx, route)) && !route.primary) {
          await releaseQuota(tx, route.project, { ...noUse, routes: 1 });
        }
      }
      for (const forward of forwards) {
        if (await deleteForward(tx, forward)) await releaseQuota(tx, forward.project, { ...noUse, portForwards: 1 });
      }
    });
  },
};

const guestStep: Step<PurgeInput> = {
  name: 'guest',
  title: 'Destroy the machine and its data',
  async do({ services, operation }) {
    if (operation.instance !== null) await services.driver.destroyGuest(operation.instance);
  },
};

const releaseStep: Step<PurgeInput> = {
  name: 'release',
  title: 'Release what it held',
  async do({ services, operation }) {
    await transact(services.db, async (tx) => {
      const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
      if (instance === null) return;
      let snapshots = 0;
      for (const snapshot of await snapshotsOf(tx, instance.id)) {
        if (await deleteSnapshotRow(tx, snapshot)) snapshots++;
      }
      // A failed creation holds nothing any more; an archived one its disk.
      const diskBytes = instance.archivedAt === null ? 0 : instance.size.diskBytes;
      await releaseQuota(tx, instance.project, { ...noUse, diskBytes, snapshots });
      // Backups stay, and count on in its project, until somebody deletes them.
      await leaveBackups(tx, instance);
      await deleteInstanceRow(tx, instance);
    });
  },
};

export const instancePurge: Workflow<PurgeInput> = { steps: [routesStep, guestStep, releaseStep] };
