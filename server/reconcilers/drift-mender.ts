/** What to do about one instance that is not as it is wanted: nothing, show it, or repair it by an operation. */
import { type Drift, driftOf, REPAIR_ATTEMPTS_MAX, type Repair, repairPauseMs } from '#domain/drift.ts';
import type { OperationId } from '#domain/ids.ts';
import { asSystem } from '../store/authorized.ts';
import { type Trx, transact } from '../store/database.ts';
import { changeInstance, type InstanceRecord, lockInstance } from '../store/instances.ts';
import { recordDrift } from '../store/observations.ts';
import { acceptOperation, hold, newOperationId } from '../workflows/accept.ts';
import { instancePower, type PowerInput } from '../workflows/instance-power.ts';
import { instanceResize, type ResizeInput } from '../workflows/instance-resize.ts';
import type { Services } from '../workflows/services.ts';

/** After this long without drift the attempts before are forgotten. */
const CALM_MS = 5 * 60_000;

/** `later`: look again soon. */
export type Mended = 'fine' | 'busy' | 'shown' | 'repairing' | 'later';

/** Drift as the row tells it: what was seen last and what is wanted, read at one moment, never a look of one's own. */
function rowDrift(instance: InstanceRecord): Drift | null {
  const { observed, observedSize } = instance;
  return driftOf(instance, observed === 'absent' ? null : { state: observed, size: observedSize });
}

export async function mendDrift(services: Services, instance: InstanceRecord): Promise<Mended> {
  if (instance.operation !== null) return 'busy';
  if (instance.phase !== 'ready' && instance.phase !== 'archived') return 'fine';
  const drift = rowDrift(instance);
  const now = services.now();
  if (drift === null) {
    const calm = instance.repairAfter === null || now > instance.repairAfter.getTime() + CALM_MS;
    await recordDrift(services.db, instance, {
      text: null,
      attempts: calm ? 0 : instance.repairAttempts,
      repairAfter: calm ? null : instance.repairAfter,
    });
    return instance.observed === 'starting' || instance.observed === 'stopping' ? 'later' : 'fine';
  }
  const shown = (text: string) =>
    recordDrift(services.db, instance, { text, attempts: instance.repairAttempts, repairAfter: instance.repairAfter });
  if (drift.repair === null) {
    await shown(drift.text);
    return 'shown';
  }
  if (instance.repairAttempts >= REPAIR_ATTEMPTS_MAX) {
    await shown(`${drift.text} Berth tried ${REPAIR_ATTEMPTS_MAX} times to put it right and stopped trying.`);
    return 'shown';
  }
  if (instance.repairAfter !== null && instance.repairAfter.getTime() > now) {
    await shown(`${drift.text} Berth tries again at ${instance.repairAfter.toISOString().slice(11, 19)} UTC.`);
    return 'later';
  }
  const operation = await acceptRepair(services, instance, drift.text, drift.repair);
  if (operation === null) return 'busy';
  services.startRun(operation);
  return 'repairing';
}

async function acceptRepair(
  services: Services,
  before: InstanceRecord,
  text: string,
  repair: Repair,
): Promise<OperationId | null> {
  return transact(services.db, async (tx) => {
    const instance = await lockInstance(tx, before.id);
    // Somebody was quicker, or it is wanted otherwise now.
    if (instance === null || instance.operation !== null || instance.desired !== before.desired) return null;
    if (instance.phase !== before.phase || rowDrift(instance) === null) return null;
    const attempts = instance.repairAttempts + 1;
    const id = newOperationId(services);
    await accept(services, tx, instance, id, repair, text);
    await hold(tx, instance, id);
    await changeInstance(tx, instance, {
      drift: `${text} Berth is putting it right (attempt ${attempts} of ${REPAIR_ATTEMPTS_MAX}).`,
      repair_attempts: attempts,
      repair_after: new Date(services.now() + repairPauseMs(attempts)),
    });
    return id;
  });
}

async function accept(
  services: Services,
  tx: Trx,
  instance: InstanceRecord,
  id: OperationId,
  repair: Repair,
  text: string,
): Promise<void> {
  const actor = asSystem(`instance-watcher: ${text}`);
  if (repair.type === 'resize') {
    await acceptOperation(services, tx, {
      id,
      kind: 'instance.resize',
      title: `Set the limits of ${instance.name} again`,
      workflow: instanceResize,
      actor,
      instance,
      input: { from: instance.size, to: instance.size } satisfies ResizeInput,
      before: instance.observedSize,
      after: instance.size,
    });
    return;
  }
  const { action } = repair;
  await acceptOperation(services, tx, {
    id,
    kind: `instance.${action}`,
    title: `${action === 'start' ? 'Start' : action === 'stop' ? 'Stop' : action === 'pause' ? 'Pause' : 'Resume'} ${instance.name} again`,
    workflow: instancePower(action),
    actor,
    instance,
    input: { force: false, before: instance.desired } satisfies PowerInput,
    before: { observed: instance.observed },
    after: { desired: instance.desired },
  });
}
