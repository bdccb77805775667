/** Clone: like create, with the machine copied from another one or a snapshot of it. The source is held meanwhile. */
import type { InstanceId, SnapshotId } from '#domain/ids.ts';
import { recordObservation } from '../store/observations.ts';
import type { Step, Workflow } from './engine.ts';
import { guestSpec, healthyStep, instanceOf, networkStep, routeStep, startStep } from './guest-steps.ts';
import { creationFailed, creationSucceeded, destroyGuest } from './instance-create.ts';

export type CloneInput = { source: { instance: InstanceId; snapshot: SnapshotId | null } };

const copyStep: Step<CloneInput> = {
  name: 'guest',
  title: 'Copy the machine',
  async do(context) {
    const { services, operation } = context;
    const instance = await instanceOf(context);
    const at = services.now();
    const seen = await services.driver.cloneGuest(operation.input.source, guestSpec(context, instance));
    await recordObservation(services.db, instance.id, seen, at);
  },
  undo: destroyGuest,
};

export const instanceClone: Workflow<CloneInput> = {
  steps: [networkStep, copyStep, routeStep, startStep, healthyStep] as Step<CloneInput>[],
  succeeded: creationSucceeded,
  failed: creationFailed,
};
