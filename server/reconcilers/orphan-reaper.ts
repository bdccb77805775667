/**
 * Guests in the engine that carry this installation's label and belong to no row (a crash at the wrong moment, an undo
 * that could not be done) are destroyed after a grace period, and the audit log says so.
 */
import type { InstanceId } from '#domain/ids.ts';
import type { GuestObservation } from '#drivers/interface.ts';
import { record } from '../store/audit.ts';
import { asSystem } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { findInstance, type InstanceRecord } from '../store/instances.ts';
import type { Services } from '../workflows/services.ts';

const AT_ONCE_MAX = 20;
/** From this many guests on, more than half of them without a row means: wrong database, not orphans. */
const SUSPICIOUS_GUESTS = 4;

export class OrphanReaper {
  readonly #services: Services;
  readonly #graceMs: number;
  readonly #since = new Map<InstanceId, number>();

  constructor(services: Services, graceMs: number) {
    this.#services = services;
    this.#graceMs = graceMs;
  }

  async reap(
    guests: readonly GuestObservation[],
    rows: ReadonlyMap<InstanceId, InstanceRecord>,
  ): Promise<string | null> {
    const { log, now } = this.#services;
    const orphans = guests.filter((guest) => isOrphan(rows.get(guest.instance)));
    for (const known of this.#since.keys()) {
      if (!orphans.some((guest) => guest.instance === known)) this.#since.delete(known);
    }
    if (guests.length >= SUSPICIOUS_GUESTS && orphans.length * 2 > guests.length) {
      log.error(
        { guests: guests.length, orphans: orphans.length },
        'most guests in the engine have no row in this database: none is removed. Is this the right database?',
      );
      return null;
    }
    let reaped = 0;
    for (const guest of orphans) {
      const since = this.#since.get(guest.instance) ?? now();
      this.#since.set(guest.instance, since);
      if (now() - since < this.#graceMs || reaped >= AT_ONCE_MAX) continue;
      if (await this.#destroy(guest)) reaped++;
    }
    return reaped === 0 ? null : `destroyed ${reaped} guests that belonged to no instance`;
  }

  async #destroy(guest: GuestObservation): Promise<boolean> {
    const { db, driver, log } = this.#services;
    // Looked at again at the last moment: rows may have come since the list was made.
    const row = await findInstance(db, guest.instance);
    if (!isOrphan(row ?? undefined)) return false;
    log.warn({ instanceId: guest.instance }, 'destroying a guest that belongs to no instance');
    await driver.destroyGuest(guest.instance);
    this.#since.delete(guest.instance);
    await transact(db, (tx) =>
      record(tx, asSystem('orphan-reaper'), {
        action: 'guest.reap',
        targetKind: 'instance',
        targetId: guest.instance,
        target: guest.hostname,
        organizationId: row?.organization ?? null,
        projectId: row?.project ?? null,
        before: { state: guest.state, createdAt: guest.createdAt },
      }),
    );
    return true;
  }
}

/** No row, or a failed creation that nothing works on any more. */
function isOrphan(row: InstanceRecord | undefined): boolean {
  return row === undefined || (row.phase === 'failed' && row.operation === null);
}
