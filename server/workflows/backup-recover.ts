/** Restore a backup as a new instance: like create, with the disk out of the backup. The instance it is of may be gone. */
import { recordObservation } from '../store/observations.ts';
import { type BackupInput, LONG_ATTEMPTS } from './backup-create.ts';
import { backupRef, shownOn } from './backup-steps.ts';
import type { Step, Workflow } from './engine.ts';
import { guestSpec, healthyStep, instanceOf, networkStep, routeStep, startStep } from './guest-steps.ts';
import { creationFailed, creationSucceeded, destroyGuest } from './instance-create.ts';

const guestStep: Step<BackupInput> = {
  name: 'guest',
  title: 'Make the machine out of the backup',
  attempts: LONG_ATTEMPTS,
  async do(context) {
    const { services } = context;
    const instance = await instanceOf(context);
    const at = services.now();
    const ref = await backupRef(context);
    const seen = await services.driver.recoverGuest(guestSpec(context, instance), ref, shownOn(context));
    await recordObservation(services.db, instance.id, seen, at);
  },
  undo: destroyGuest,
};

export const backupRecover: Workflow<BackupInput> = {
  steps: [networkStep, guestStep, routeStep, startStep, healthyStep] as Step<BackupInput>[],
  succeeded: creationSucceeded,
  failed: creationFailed,
};
