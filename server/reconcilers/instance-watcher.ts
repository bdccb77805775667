/**
 * Sees every change at the engine and keeps instances as they are wanted. Engine events name one instance: that one is
 * looked at within milliseconds. On every (re)connection and every few minutes everything is looked at. What differs is
 * repaired by an ordinary operation in Berth's own name, with pauses and a bound, or shown as drift with the reason.
 */
import type { InstanceId } from '#domain/ids.ts';
import { isId } from '#domain/ids.ts';
import type { DriverEvent } from '#drivers/interface.ts';
import { allInstances, findInstance } from '../store/instances.ts';
import { recordObservation } from '../store/observations.ts';
import type { Services } from '../workflows/services.ts';
import { mendDrift } from './drift-mender.ts';
import { OrphanReaper } from './orphan-reaper.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 180_000;
const LOOKS_AT_ONCE_MAX = 8;
/** A repair that must wait is looked at again by this timer, not only at the next full resync. */
const RECHECK_MS = 2_000;

export type WatcherPace = { everyMs: number; orphanGraceMs: number };
export const watcherPace: WatcherPace = { everyMs: EVERY_MS, orphanGraceMs: 10 * 60_000 };

export type InstanceWatcher = Reconciler & {
  /** Follows engine events until `signal` aborts. Call once. */
  follow(signal: AbortSignal, isLeader: () => boolean): Promise<void>;
};

export function instanceWatcher(services: Services, pace: WatcherPace = watcherPace): InstanceWatcher {
  const reaper = new OrphanReaper(services, pace.orphanGraceMs);
  /** Instances to look at; one that is being looked at and changes again is looked at again. */
  const waiting = new Set<InstanceId>();
  const rechecks = new Map<InstanceId, NodeJS.Timeout>();
  let looking = 0;

  const recheckLater = (id: InstanceId): void => {
    if (rechecks.has(id)) return;
    const timer = setTimeout(() => {
      rechecks.delete(id);
      enqueue(id);
    }, RECHECK_MS);
    timer.unref();
    rechecks.set(id, timer);
  };

  /** The row as it is now decides: it may hold a newer look than the one that brought us here. */
  const consider = async (id: InstanceId): Promise<void> => {
    const instance = await findInstance(services.db, id);
    if (instance !== null && (await mendDrift(services, instance)) === 'later') recheckLater(id);
  };

  const lookAt = async (id: InstanceId): Promise<void> => {
    const at = services.now();
    const seen = await services.driver.observe(id);
    const before = await findInstance(services.db, id);
    if (before === null) {
      if (seen !== null) services.nudge('instance-watcher');
      return;
    }
    await recordObservation(services.db, id, seen, at);
    await consider(id);
  };

  const enqueue = (id: InstanceId): void => {
    waiting.add(id);
    pump();
  };

  const pump = (): void => {
    while (looking < LOOKS_AT_ONCE_MAX && waiting.size > 0 && !services.stopping()) {
      const [id] = waiting;
      if (id === undefined) return;
      waiting.delete(id);
      looking++;
      lookAt(id)
        .catch((error: unknown) => {
          services.log.debug({ instanceId: id, err: error }, 'could not look at an instance');
          recheckLater(id);
        })
        .finally(() => {
          looking--;
          pump();
        });
    }
  };

  return {
    name: 'instance-watcher',
    everyMs: pace.everyMs,
    async run() {
      const at = services.now();
      const guests = await services.driver.list();
      const byId = new Map(guests.map((guest) => [guest.instance, guest]));
      const instances = await allInstances(services.db);
      for (const instance of instances) {
        const seen = byId.get(instance.id) ?? null;
        // What is being created is not there yet; its workflow writes what it sees.
        if (instance.phase === 'creating' && seen === null) continue;
        if (instance.phase === 'failed' && seen === null && instance.observed === 'absent') continue;
        await recordObservation(services.db, instance.id, seen, at);
        await consider(instance.id);
      }
      return reaper.reap(guests, new Map(instances.map((instance) => [instance.id, instance])));
    },
    async follow(signal, isLeader) {
      await services.driver.watch((event: DriverEvent) => {
        // Every replica hears the engine; only one acts on it.
        if (!isLeader()) return;
        if (event.instance !== null && isId('ins', event.instance)) enqueue(event.instance);
        else if (event.type === 'resync') {
          // Whatever happened while nobody listened is unknown: look at everything.
          for (const name of ['host-watcher', 'image-keeper', 'instance-watcher']) services.nudge(name);
        } else if (event.type === 'image') services.nudge('image-keeper');
      }, signal);
      for (const timer of rechecks.values()) clearTimeout(timer);
    },
  };
}
