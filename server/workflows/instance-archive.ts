/**
 * Delete, first part: stop it, take its address away, switch its other routes off, then free its name and give
 * instances, CPU and memory back. Disk and snapshots stay counted until it is purged.
 */
import { ARCHIVE_DAYS, type DesiredState } from '#domain/instances.ts';
import { instanceUse } from '#domain/quotas.ts';
import { type Trx, transact } from '../store/database.ts';
import { enableForwards } from '../store/forwards.ts';
import { changeInstance, type InstanceRecord, lockInstance } from '../store/instances.ts';
import { recordObservation } from '../store/observations.ts';
import { releaseQuota } from '../store/quotas.ts';
import { deleteRoute, enableRoutes, routesOfInstance } from '../store/routes.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { ensurePrimaryRoute, instanceOf, look } from './guest-steps.ts';
import type { Services } from './services.ts';

export type ArchiveInput = { desired: DesiredState };

const DAY_MS = 86_400_000;

export const stopStep: Step<ArchiveInput> = {
  name: 'stop',
  title: 'Shut it down',
  async do(context) {
    const { services } = context;
    const instance = await instanceOf(context);
    const seen = await look(services, instance);
    if (seen === null || seen.state === 'stopped') return;
    const at = services.now();
    // What is paused cannot shut down by itself.
    const after = await services.driver.power(instance.id, 'stop', {
      force: seen.state === 'paused',
      timeoutSeconds: services.timing.stopTimeoutSeconds,
    });
    await recordObservation(services.db, instance.id, after, at);
  },
  /** Back to what was wanted: `desired` was not touched, so the watcher would do it too; this is quicker. */
  async undo(context) {
    const { services, operation } = context;
    if (operation.input.desired !== 'running') return;
    const instance = await instanceOf(context);
    const seen = await look(services, instance);
    if (seen === null || seen.state === 'running') return;
    await services.driver.power(instance.id, 'start', {});
    await look(services, instance);
  },
};

const routesStep: Step<ArchiveInput> = {
  name: 'routes',
  title: 'Take its addresses away',
  async do(context) {
    const instance = await instanceOf(context);
    await transact(context.services.db, (tx) => withdrawRoutes(tx, instance));
  },
  async undo(context) {
    const { services } = context;
    const instance = await instanceOf(context);
    await transact(services.db, async (tx) => {
      await enableRoutes(tx, instance.id, true);
      await enableForwards(tx, instance.id, true);
      await ensurePrimaryRoute(services, tx, instance);
    });
  },
};

/** Archived, its name free, its CPU and memory given back: all at once with the end of the operation. */
async function succeeded(tx: Trx, { services, operation }: StepContext<ArchiveInput>): Promise<void> {
  const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
  if (instance === null || instance.phase !== 'ready') return;
  await releaseQuota(tx, instance.project, { ...instanceUse(instance), diskBytes: 0 });
  await changeInstance(tx, instance, archivedColumns(services, operation.input.desired));
}

function archivedColumns(services: Services, desired: DesiredState) {
  const now = services.now();
  return {
    phase: 'archived' as const,
    desired: 'stopped' as const,
    desired_before_archive: desired,
    archived_at: new Date(now),
    purge_at: new Date(now + ARCHIVE_DAYS * DAY_MS),
    drift: null,
    repair_attempts: 0,
    repair_after: null,
  };
}

/** The platform address goes (it follows the name, which is free now); added routes keep their names and port forwards their ports, switched off. */
export async function withdrawRoutes(tx: Trx, instance: InstanceRecord): Promise<void> {
  for (const route of await routesOfInstance(tx, instance.id)) if (route.primary) await deleteRoute(tx, route);
  await enableRoutes(tx, instance.id, false);
  await enableForwards(tx, instance.id, false);
}

export const instanceArchive: Workflow<ArchiveInput> = { steps: [stopStep, routesStep], succeeded };
