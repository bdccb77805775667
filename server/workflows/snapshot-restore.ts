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
    const { driver } = context.services;
    await driver.restoreSnapshot(instance.id, context.operation.input.snapshot);
    // One taken before a move to another project remembers the network there; broken off, it may have come back.
    const { project, address4, address6 } = instance;
    await driver.moveGuest(instance.id, { project, address4, address6 }, context.operation.id);
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
