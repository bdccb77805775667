/**
 * Disks of guests as folders of this host, for backups. A folder is only given of a snapshot, which nobody writes to, or
 * of a guest that does not run. On disk the files belong to the ids that the guest itself sees, because the kernel maps
 * them at the mount: so they fit every guest, whatever range of the host's ids it has. Where a kernel cannot do that
 * (`volatile.last_state.idmap` says so), nothing is given: what is backed up could not be restored elsewhere.
 */
import { join } from 'node:path';
import { BerthError } from '#domain/errors.ts';
import type { BackupId, InstanceId } from '#domain/ids.ts';
import { backupSnapshotName, instanceOfGuest, isBackupSnapshotName, label } from '../names.ts';
import { type IncusClient, segment } from './client.ts';
import { observedState } from './guest-of.ts';
import type { IncusGuests, Located } from './guests.ts';
import type { IncusConfig, IncusInstance } from './types.ts';

const INCUS_DIR = '/var/lib/incus';
const SNAPSHOT_SECONDS_MAX = 900;
/** After this the engine removes what nobody has: longer than any backup may take. */
const FROZEN_MS_MAX = 4 * 3600_000;
const OWNERS = 'volatile.last_state.idmap';

export class IncusDisks {
  readonly #client: IncusClient;
  readonly #guests: IncusGuests;
  readonly #pool: string;

  constructor(client: IncusClient, guests: IncusGuests, pool: string) {
    this.#client = client;
    this.#guests = guests;
    this.#pool = pool;
  }

  async freeze(instance: InstanceId, backup: BackupId): Promise<string> {
    const found = await this.#guests.locate(instance);
    requireMapped(found.instance.config);
    const name = backupSnapshotName(backup);
    await this.#remove(found, name);
    await this.#client.operate('POST', `/1.0/instances/${segment(found.name)}/snapshots`, {
      query: { project: found.project },
      body: { name, stateful: false, expires_at: new Date(Date.now() + FROZEN_MS_MAX).toISOString() },
      waitSeconds: SNAPSHOT_SECONDS_MAX,
    });
    return this.#path('containers-snapshots', found, name);
  }

  async thaw(instance: InstanceId, backup: BackupId): Promise<void> {
    for (const copy of await this.#guests.copies(instance)) await this.#remove(copy, backupSnapshotName(backup));
  }

  async thawAll(installation: string): Promise<number> {
    const all = await this.#client.call<IncusInstance[]>('GET', '/1.0/instances', {
      query: {
        recursion: 2,
        'all-projects': 'true',
        filter: `config.${label.installation} eq ${installation}`,
      },
    });
    let removed = 0;
    for (const candidate of all ?? []) {
      const instance = instanceOfGuest(candidate.name);
      if (instance === null) continue;
      const left = (candidate.snapshots ?? []).filter((snapshot) => isBackupSnapshotName(snapshot.name));
      if (left.length === 0) continue;
      // Found again by its labels before anything of it is touched.
      for (const found of await this.#guests.copies(instance)) {
        for (const snapshot of left) await this.#remove(found, snapshot.name);
      }
      removed += left.length;
    }
    return removed;
  }

  async open(instance: InstanceId): Promise<string> {
    const found = await this.#guests.locate(instance);
    requireMapped(found.instance.config);
    if (observedState(found.instance.status) !== 'stopped') throw new BerthError('state_conflict', 'Stop it first.');
    return this.#path('containers', found);
  }

  async #remove(found: Located, name: string): Promise<void> {
    try {
      await this.#client.operate('DELETE', `/1.0/instances/${segment(found.name)}/snapshots/${segment(name)}`, {
        query: { project: found.project },
        waitSeconds: SNAPSHOT_SECONDS_MAX,
      });
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'not_found') throw error;
    }
  }

  /** As the engine lays its pools out. All parts are made of ids and our own names. */
  #path(folder: 'containers' | 'containers-snapshots', { project, name }: Located, snapshot?: string): string {
    const volume = join(INCUS_DIR, 'storage-pools', this.#pool, folder, `${project}_${name}`);
    return join(snapshot === undefined ? volume : join(volume, snapshot), 'rootfs');
  }
}

/** Errors: unsupported when the files on disk are in a range of the host's ids. */
export function requireMapped(config: IncusConfig): void {
  const map = config[OWNERS] ?? '';
  if (map === '' || map === '[]') return;
  throw new BerthError(
    'unsupported',
    "Backups need a kernel and a pool that map ids at the mount; this host's do not.",
    {
      detail: map,
    },
  );
}
