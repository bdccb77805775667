/**
 * Restore: bring an archived instance back. Quota and name were reserved when it was accepted (the row is `ready` again
 * and held); when something fails, both are given back and it is archived as before.
 */
import type { DesiredState } from '#domain/instances.ts';
import { instanceUse } from '#domain/quotas.ts';
import { type Trx, transact } from '../store/database.ts';
import { enableForwards } from '../store/forwards.ts';
import { changeInstance, lockInstance } from '../store/instances.ts';
import { recordObservation } from '../store/observations.ts';
import { releaseQuota } from '../store/quotas.ts';
import { enableRoutes } from '../store/routes.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { ensurePrimaryRoute, healthyStep, instanceOf, look, networkStep, startStep } from './guest-steps.ts';
import { withdrawRoutes } from './instance-archive.ts';

/** `name` is the one it had; `archivedAt` and `purgeAt` (ISO) are put back when restoring fails. */
export type RestoreInput = { name: string; desired: DesiredState; archivedAt: string | null; purgeAt: string | null };

const nameStep: Step<RestoreInput> = {
  name: 'name',
  title: 'Set its host name',
  async do(context) {
    const instance = await instanceOf(context);
    if (instance.name !== context.operation.input.name) {
      await context.services.driver.setHostname(instance.id, instance.name);
    }
  },
  async undo(context) {
    const instance = await instanceOf(context);
    if (instance.name !== context.operation.input.name) {
      await context.services.driver.setHostname(instance.id, context.operation.input.name);
    }
  },
};

const routesStep: Step<RestoreInput> = {
  name: 'route',
  title: 'Give it its addresses back',
  async do(context) {
    const { services } = context;
    const instance = await instanceOf(context);
    const hostname = await transact(services.db, async (tx) => {
      await enableRoutes(tx, instance.id, true);
      await enableForwards(tx, instance.id, true);
      return ensurePrimaryRoute(services, tx, instance);
    });
    context.report(100, hostname);
  },
  async undo(context) {
    const instance = await instanceOf(context);
    await transact(context.services.db, (tx) => withdrawRoutes(tx, instance));
  },
};

/** As it was before: stopped ones stay stopped. */
export const wakeStep: Step<{ desired: DesiredState }> = {
  ...(startStep as Step<{ desired: DesiredState }>),
  async do(context) {
    if (context.operation.input.desired === 'stopped') return;
    await startStep.do(context);
  },
  async undo(context) {
    const { services } = context;
    const instance = await instanceOf(context);
    const seen = await look(services, instance);
    if (seen === null || seen.state === 'stopped') return;
    const at = services.now();
    const after = await services.driver.power(instance.id, 'stop', { force: true });
    await recordObservation(services.db, instance.id, after, at);
  },
};

export const answersStep: Step<{ desired: DesiredState }> = {
  ...(healthyStep as Step<{ desired: DesiredState }>),
  async do(context) {
    if (context.operation.input.desired === 'stopped') return;
    await healthyStep.do(context);
  },
};

async function failed(tx: Trx, { operation }: StepContext<RestoreInput>): Promise<void> {
  const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
  if (instance === null || instance.phase !== 'ready') return;
  const { input } = operation;
  await releaseQuota(tx, instance.project, { ...instanceUse(instance), diskBytes: 0 });
  await changeInstance(tx, instance, {
    phase: 'archived',
    name: input.name,
    desired: 'stopped',
    desired_before_archive: input.desired,
    archived_at: input.archivedAt === null ? null : new Date(input.archivedAt),
    purge_at: input.purgeAt === null ? null : new Date(input.purgeAt),
  });
}

export const instanceRestore: Workflow<RestoreInput> = {
  steps: [networkStep as Step<RestoreInput>, nameStep, routesStep, wakeStep, answersStep],
  failed,
};
