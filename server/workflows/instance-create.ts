/** Create: wait for the image, network, guest, address, start, healthy. A failure leaves nothing but the row that says so. */
import { instanceUse } from '#domain/quotas.ts';
import type { Trx } from '../store/database.ts';
import { changeInstance, lockInstance } from '../store/instances.ts';
import { recordObservation } from '../store/observations.ts';
import { releaseQuota } from '../store/quotas.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { guestSpec, healthyStep, instanceOf, networkStep, routeStep, startStep } from './guest-steps.ts';
import { imageStep } from './image-wait.ts';

const guestStep: Step = {
  name: 'guest',
  title: 'Create the machine',
  async do(context) {
    const { services } = context;
    const instance = await instanceOf(context);
    const at = services.now();
    // Idempotent in the driver: a guest that is there with this id is answered, not made twice.
    const seen = await services.driver.createGuest(guestSpec(context, instance));
    await recordObservation(services.db, instance.id, seen, at);
  },
  undo: destroyGuest,
};

/** Removes the guest, however far it came. */
export async function destroyGuest({ services, operation }: StepContext): Promise<void> {
  if (operation.instance === null) return;
  const at = services.now();
  await services.driver.destroyGuest(operation.instance);
  await recordObservation(services.db, operation.instance, null, at);
}

/** A create (or clone) that failed: the row stays to show why, and takes nothing from the quota. */
export async function creationFailed(tx: Trx, context: StepContext): Promise<void> {
  const { operation } = context;
  const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
  if (instance === null || instance.phase !== 'creating') return;
  await releaseQuota(tx, instance.project, instanceUse(instance));
  await changeInstance(tx, instance, { phase: 'failed', desired: 'stopped', drift: null });
}

export async function creationSucceeded(tx: Trx, context: StepContext): Promise<void> {
  const { operation } = context;
  const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
  if (instance?.phase === 'creating') await changeInstance(tx, instance, { phase: 'ready' });
}

export const instanceCreate: Workflow = {
  steps: [imageStep, networkStep, guestStep, routeStep, startStep, healthyStep],
  succeeded: creationSucceeded,
  failed: creationFailed,
};
