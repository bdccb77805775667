/** Start, stop, restart, pause, resume: act unless it is so already, then (for start and restart) wait until it answers. */
import { BerthError } from '#domain/errors.ts';
import type { DesiredState, InstanceAction } from '#domain/instances.ts';
import type { GuestObservation } from '#drivers/interface.ts';
import type { Trx } from '../store/database.ts';
import { changeInstance, lockInstance } from '../store/instances.ts';
import { recordObservation } from '../store/observations.ts';
import { stepState } from '../store/operations.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { healthyStep, instanceOf, look } from './guest-steps.ts';

/** `before` is what was wanted before: it is wanted again when the action cannot be done. */
export type PowerInput = { force: boolean; before: DesiredState };

export const desiredAfter: Record<InstanceAction, DesiredState> = {
  start: 'running',
  restart: 'running',
  resume: 'running',
  pause: 'paused',
  stop: 'stopped',
};

const titles: Record<InstanceAction, string> = {
  start: 'Start it',
  stop: 'Shut it down',
  restart: 'Restart it',
  pause: 'Pause it',
  resume: 'Resume it',
};

/** What still has to be asked of the engine for `action`; null when the guest is there already. */
function remaining(action: InstanceAction, seen: GuestObservation, since: Date | null): InstanceAction | null {
  if (action === 'restart') {
    if (seen.state !== 'running') return seen.state === 'paused' ? 'resume' : 'start';
    // Killed after the restart and before its record: it was started after this operation began.
    const restarted = since !== null && seen.startedAt !== null && new Date(seen.startedAt) > since;
    return restarted ? null : 'restart';
  }
  if (seen.state === desiredAfter[action]) return null;
  if (action === 'start' && seen.state === 'paused') return 'resume';
  return action;
}

/** No undo: what was asked for half way is put right by wanting the former state again (see `failed`). */
function powerStep(action: InstanceAction): Step<PowerInput> {
  return {
    name: 'power',
    title: titles[action],
    async do(context) {
      const { services, operation } = context;
      const instance = await instanceOf(context);
      const seen = await look(services, instance);
      if (seen === null) throw new BerthError('conflict', 'The engine does not have this machine any more.');
      const verb = remaining(action, seen, operation.startedAt ?? operation.createdAt);
      if (verb === null) return;
      const at = services.now();
      const after = await services.driver.power(instance.id, verb, {
        force: operation.input.force,
        timeoutSeconds: services.timing.stopTimeoutSeconds,
      });
      await recordObservation(services.db, instance.id, after, at);
    },
  };
}

/** When the engine refused, the former state is wanted again; when only health did not come, the new one stays wanted. */
async function failed(tx: Trx, { operation }: StepContext<PowerInput>): Promise<void> {
  if ((await stepState(tx, operation.id, 'power')) === 'succeeded') return;
  const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
  if (instance !== null) await changeInstance(tx, instance, { desired: operation.input.before });
}

/** When a person took it in hand, what the watcher tried before no longer counts. */
async function succeeded(tx: Trx, { operation }: StepContext<PowerInput>): Promise<void> {
  const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
  if (instance === null) return;
  const repair = operation.actorKind === 'system';
  await changeInstance(tx, instance, {
    drift: null,
    ...(repair ? {} : { repair_attempts: 0, repair_after: null }),
  });
}

export function instancePower(action: InstanceAction): Workflow<PowerInput> {
  const steps: Step<PowerInput>[] = [powerStep(action)];
  if (action === 'start' || action === 'restart') steps.push(healthyStep as Step<PowerInput>);
  return { steps, succeeded, failed };
}
