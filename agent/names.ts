/**
 * Names of engine objects, derived from ids: the same id always gives the same name, so that every call can look
 * before it acts, and two installations on one machine never meet.
 */
import { createHash } from 'node:crypto';
import { type BackupId, type InstanceId, isId, type ProjectId, type SnapshotId } from '#domain/ids.ts';

/** `ins_01j...` -> `ins-01j...`: a valid host name for the engine. */
export function guestName(instance: InstanceId): string {
  return instance.replace('_', '-');
}

/** The way back; null when the name is not one of ours. */
export function instanceOfGuest(name: string): InstanceId | null {
  const id = name.replace('-', '_');
  return isId('ins', id) ? id : null;
}

export function snapshotName(snapshot: SnapshotId): string {
  return snapshot.replace('_', '-');
}

export function snapshotOfName(name: string): SnapshotId | null {
  const id = name.replace('-', '_');
  return isId('snp', id) ? id : null;
}

/** The engine's snapshot that a backup is made from. */
export function backupSnapshotName(backup: BackupId): string {
  return backup.replace('_', '-');
}

export function isBackupSnapshotName(name: string): boolean {
  return isId('cpy', name.replace('-', '_'));
}

/** Derived names for one installation (six characters). */
export class Names {
  readonly installation: string;
  constructor(installation: string) {
    this.installation = installation;
  }

  /** Engine project, ACL: `bth-<installation>-<10 hex>`. */
  project(project: ProjectId): string {
    return `${this.prefix}${this.#digest(project).slice(0, 10)}`;
  }

  /** Interface names have at most 15 characters: `bth` and 8 hex. */
  bridge(project: ProjectId): string {
    return `bth${this.#digest(project).slice(0, 8)}`;
  }

  acl(project: ProjectId): string {
    return this.project(project);
  }

  /** Own nftables table for one purpose. */
  table(purpose: string): string {
    return `berth_${purpose}_${this.installation}`;
  }

  imageAlias(name: string): string {
    return `bth-${this.installation}-${name}`;
  }

  get prefix(): string {
    return `bth-${this.installation}-`;
  }

  /**
   * A fixed, locally administered MAC per instance. Known before the guest exists, so that addresses, neighbour
   * entries and leases can be pinned to it; a clone gets its own.
   */
  mac(instance: InstanceId): string {
    const hex = createHash('sha256').update(`${this.installation}/mac/${instance}`).digest('hex');
    return `02:be:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}`;
  }

  #digest(project: ProjectId): string {
    return createHash('sha256').update(`${this.installation}/${project}`).digest('hex');
  }
}

/** Labels on every created object. */
export const label = {
  installation: 'user.berth.installation',
  instance: 'user.berth.id',
  project: 'user.berth.project',
  operation: 'user.berth.operation',
  kind: 'user.berth.kind',
  hostname: 'user.berth.hostname',
  image: 'user.berth.image',
} as const;
