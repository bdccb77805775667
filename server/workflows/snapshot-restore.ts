/** Roll an instance back to a snapshot; it ends in the power state it had. */
import type { Step, Workflow } from './engine.ts';
import { healthyStep, instanceOf, look } from './guest-steps.ts';
import { lookAgain, type SnapshotInput } from './snapshot-create.ts';

/** No undo: what was on the disk before is replaced by what the person asked for; doing it twice gives the same. */
const rollbackStep: Step<SnapshotInput> = {
  name: 'rollback',
  title: 'Put the data back',
  async do(context) {
    const instance = await instanceOf(context);
    await context.services.driver.restoreSnapshot(instance.id, context.operation.input.snapshot);
    await lookAgain(context);
  },
};

/** Only what runs can answer. */
const answersStep: Step<SnapshotInput> = {
  ...(healthyStep as Step<SnapshotInput>),
  async do(context) {
    const seen = await look(context.services, await instanceOf(context));
    if (seen?.state === 'running') await healthyStep.do(context);
  },
};

export const snapshotRestore: Workflow<SnapshotInput> = { steps: [rollbackStep, answersStep] };
