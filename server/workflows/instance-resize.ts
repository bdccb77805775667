/**
 * Resize, live. While it runs the row holds the larger of both sizes in each direction: that is what is reserved. The end
 * sets the real size and gives back the difference.
 */
import { BerthError } from '#domain/errors.ts';
import { noUse, type Quota } from '#domain/quotas.ts';
import type { Size } from '#domain/sizes.ts';
import type { Trx } from '../store/database.ts';
import { changeInstance, lockInstance } from '../store/instances.ts';
import { recordObservation } from '../store/observations.ts';
import { releaseQuota } from '../store/quotas.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { instanceOf, look } from './guest-steps.ts';

export type ResizeInput = { from: Size; to: Size };

/** Quota that `more` takes beyond `less`, never below zero. */
export function sizeDifference(more: Size, less: Size): Quota {
  return {
    ...noUse,
    cpus: Math.max(0, more.cpus - less.cpus),
    memoryBytes: Math.max(0, more.memoryBytes - less.memoryBytes),
    diskBytes: Math.max(0, more.diskBytes - less.diskBytes),
  };
}

export function largerOf(a: Size, b: Size): Size {
  return {
    cpus: Math.max(a.cpus, b.cpus),
    memoryBytes: Math.max(a.memoryBytes, b.memoryBytes),
    diskBytes: Math.max(a.diskBytes, b.diskBytes),
  };
}

const limitsStep: Step<ResizeInput> = {
  name: 'limits',
  title: 'Set the new limits',
  async do(context) {
    const { services, operation } = context;
    const instance = await instanceOf(context);
    const at = services.now();
    const seen = await services.driver.resize(instance.id, operation.input.to);
    await recordObservation(services.db, instance.id, seen, at);
  },
  async undo(context) {
    const { services, operation } = context;
    const instance = await instanceOf(context);
    const seen = await look(services, instance);
    if (seen === null) return;
    const { from } = operation.input;
    try {
      await services.driver.resize(instance.id, from);
    } catch (error) {
      // A disk that grew may not shrink again: keep it, put the rest back. `failed` reads what it is now.
      if (!(error instanceof BerthError) || error.code !== 'unsupported' || seen.size === null) throw error;
      await services.driver.resize(instance.id, { ...from, diskBytes: seen.size.diskBytes });
    }
    await look(services, instance);
  },
};

async function settle(tx: Trx, { operation }: StepContext<ResizeInput>, size: (seen: Size | null) => Size) {
  const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
  if (instance === null) return;
  const final = size(instance.observedSize);
  await releaseQuota(tx, instance.project, sizeDifference(instance.size, final));
  await changeInstance(tx, instance, {
    cpus: final.cpus,
    memory_bytes: final.memoryBytes,
    disk_bytes: final.diskBytes,
  });
}

export const instanceResize: Workflow<ResizeInput> = {
  steps: [limitsStep],
  succeeded: (tx, context) => settle(tx, context, () => context.operation.input.to),
  failed: (tx, context) =>
    settle(tx, context, (seen) => {
      const { from, to } = context.operation.input;
      // The disk is the only thing that may have stayed larger.
      const disk = seen?.diskBytes ?? from.diskBytes;
      return { ...from, diskBytes: Math.min(Math.max(disk, from.diskBytes), Math.max(from.diskBytes, to.diskBytes)) };
    }),
};
