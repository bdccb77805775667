/**
 * Asks running instances how they are: every 15 s the healthy ones, more often those that are not (yet). A desktop that
 * stays unhealthy is restarted, with growing pauses and a bound. Usage figures come along.
 */

import { toBerthError } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import { asSystem } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { changeInstance, type InstanceRecord, lockInstance, runningInstances } from '../store/instances.ts';
import { recordHealth, recordObservation } from '../store/observations.ts';
import { acceptOperation, hold, newOperationId } from '../workflows/accept.ts';
import { instancePower, type PowerInput } from '../workflows/instance-power.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

export const healthPace = {
  tickMs: 2_000,
  healthyEveryMs: 15_000,
  otherEveryMs: 4_000,
  /** Unhealthy for this long: restart. */
  restartAfterMs: 60_000,
  restartPauseFirstMs: 60_000,
};
export type HealthPace = typeof healthPace;

const CHECKS_AT_ONCE_MAX = 4;
const RESTARTS_MAX = 5;
const FORGET_AFTER_MS = 24 * 3600_000;

type Ailing = { since: number; restarts: number; nextRestartAt: number };

export function healthWatcher(services: Services, pace: HealthPace = healthPace): Reconciler {
  const ailing = new Map<InstanceId, Ailing>();

  const isDue = (instance: InstanceRecord, now: number): boolean => {
    const every = instance.health === 'healthy' ? pace.healthyEveryMs : pace.otherEveryMs;
    return instance.healthAt === null || now - instance.healthAt.getTime() >= every;
  };

  const check = async (instance: InstanceRecord): Promise<boolean> => {
    const at = services.now();
    const seen = await services.driver.observe(instance.id);
    await recordObservation(services.db, instance.id, seen, at);
    if (seen?.state !== 'running') return false;
    const report = await services.driver.health(instance.id);
    await recordHealth(services.db, instance.id, report, at);
    if (report.state !== 'unhealthy' || instance.kind !== 'desktop') {
      // A short good moment does not wipe the count: a desktop that dies each minute is not healthy.
      const known = ailing.get(instance.id);
      if (known !== undefined && at - known.nextRestartAt > pace.restartPauseFirstMs) ailing.delete(instance.id);
      else if (known !== undefined) known.since = at;
      return false;
    }
    const known = ailing.get(instance.id) ?? { since: at, restarts: 0, nextRestartAt: 0 };
    ailing.set(instance.id, known);
    if (at - known.since < pace.restartAfterMs || at < known.nextRestartAt || known.restarts >= RESTARTS_MAX)
      return false;
    known.restarts++;
    known.since = at;
    known.nextRestartAt = at + pace.restartPauseFirstMs * 2 ** (known.restarts - 1);
    return restart(services, instance, known.restarts);
  };

  return {
    name: 'health-watcher',
    everyMs: pace.tickMs,
    async run(signal) {
      const now = services.now();
      const instances = await runningInstances(services.db);
      for (const [id, known] of ailing) if (now - known.since > FORGET_AFTER_MS) ailing.delete(id);
      const due = instances.filter((instance) => isDue(instance, now));
      let restarted = 0;
      const lane = async (): Promise<void> => {
        for (let next = due.shift(); next !== undefined && !signal.aborted; next = due.shift()) {
          const instance = next;
          try {
            if (await check(instance)) restarted++;
          } catch (cause) {
            // One that cannot be asked is not unhealthy: what is away is the agent, and the hosts page says that.
            services.log.debug(
              { instanceId: instance.id, errorCode: toBerthError(cause).code },
              'could not check health',
            );
          }
        }
      };
      await Promise.all(Array.from({ length: CHECKS_AT_ONCE_MAX }, lane));
      return restarted === 0 ? null : `restarted ${restarted} unhealthy desktops`;
    },
  };
}

async function restart(services: Services, before: InstanceRecord, attempt: number): Promise<boolean> {
  const operation = await transact(services.db, async (tx) => {
    const instance = await lockInstance(tx, before.id);
    if (instance === null || instance.operation !== null || instance.phase !== 'ready') return null;
    if (instance.desired !== 'running') return null;
    const id = newOperationId(services);
    await acceptOperation(services, tx, {
      id,
      kind: 'instance.restart',
      title: `Restart ${instance.name}: its screen does not answer`,
      workflow: instancePower('restart'),
      actor: asSystem(`health-watcher: unhealthy, restart ${attempt} of ${RESTARTS_MAX}`),
      instance,
      input: { force: true, before: 'running' } satisfies PowerInput,
    });
    await hold(tx, instance, id);
    await changeInstance(tx, instance, { drift: 'Its screen does not answer. Berth restarts it.' });
    return id;
  });
  if (operation === null) return false;
  services.startRun(operation);
  return true;
}
