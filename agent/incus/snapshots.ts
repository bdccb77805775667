/** Snapshots of guests: taken, rolled back to, deleted. */
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId, SnapshotId } from '#domain/ids.ts';
import { label, snapshotName } from '../names.ts';
import { type IncusClient, segment } from './client.ts';
import { observedState } from './guest-of.ts';
import { type IncusGuests, ownConfig } from './guests.ts';

const SNAPSHOT_SECONDS_MAX = 120;

export class IncusSnapshots {
  readonly #client: IncusClient;
  readonly #guests: IncusGuests;

  constructor(client: IncusClient, guests: IncusGuests) {
    this.#client = client;
    this.#guests = guests;
  }

  async create(instance: InstanceId, snapshot: SnapshotId): Promise<void> {
    const found = await this.#guests.locate(instance);
    try {
      await this.#client.operate('POST', `/1.0/instances/${segment(found.name)}/snapshots`, {
        query: { project: found.project },
        body: { name: snapshotName(snapshot), stateful: false },
        waitSeconds: SNAPSHOT_SECONDS_MAX,
      });
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'conflict') throw error;
    }
  }

  /** Rolls back the disk only: limits, addresses and labels stay as they are now. */
  async restore(instance: InstanceId, snapshot: SnapshotId): Promise<void> {
    const before = await this.#guests.find(instance, true);
    if (before === null) throw notFound('instance on this host');
    const name = snapshotName(snapshot);
    const taken = (before.instance.snapshots ?? []).find((entry) => entry.name === name);
    if (taken === undefined) throw notFound('snapshot');
    // One that was taken in another project holds the network it had there, and the engine would start it with that.
    const elsewhere = taken.config[label.project] !== before.instance.config[label.project];
    const stopFirst = elsewhere && observedState(before.instance.status) !== 'stopped';
    if (stopFirst) await this.#guests.stop(before, { force: true, timeoutSeconds: 30 });
    else if (observedState(before.instance.status) === 'paused')
      await this.#guests.state(before, 'unfreeze', false, 30);
    await this.#client.operate('PUT', `/1.0/instances/${segment(before.name)}`, {
      query: { project: before.project },
      body: { restore: name },
      waitSeconds: SNAPSHOT_SECONDS_MAX,
    });
    // The engine restores the configuration too; a rollback must not undo a resize or bring back an old address.
    await this.#guests.patch(before, { config: ownConfig(before.instance.config), devices: before.instance.devices });
    if (stopFirst) await this.#guests.state(before, 'start', false, 30);
    if (observedState(before.instance.status) === 'paused') await this.#guests.state(before, 'freeze', false, 30);
  }

  async remove(instance: InstanceId, snapshot: SnapshotId): Promise<void> {
    const found = await this.#guests.locate(instance);
    try {
      await this.#client.operate(
        'DELETE',
        `/1.0/instances/${segment(found.name)}/snapshots/${segment(snapshotName(snapshot))}`,
        {
          query: { project: found.project },
          waitSeconds: SNAPSHOT_SECONDS_MAX,
        },
      );
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'not_found') throw error;
    }
  }
}
