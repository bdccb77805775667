/**
 * Backups: copies of an instance's disk outside of the engine, encrypted, each holding everything though only what
 * changed is stored. All backups of one instance share one repository, which outlives it.
 */
import { MIB } from './sizes.ts';

export const backupStates = ['creating', 'ready', 'deleting'] as const;
export type BackupState = (typeof backupStates)[number];

/** What the last check of a repository's content said. */
export const repositoryStates = ['unverified', 'sound', 'damaged'] as const;
export type RepositoryState = (typeof repositoryStates)[number];

export const BACKUP_NOTE_LENGTH_MAX = 200;
/** Backups of one instance. */
export const BACKUPS_PER_INSTANCE_MAX = 100;
/** How many a host makes, restores or checks at the same time; more wait. */
export const BACKUPS_AT_ONCE_MAX = 2;
/** After this long one is given up. */
export const BACKUP_SECONDS_MAX = 2 * 3600;
/** What stays free where backups are kept: below it none is begun, and one that gets there is given up. */
export const BACKUP_FREE_BYTES_MIN = 1024 * MIB;
/** Longest account of what is wrong with a repository. */
export const BACKUP_PROBLEM_LENGTH_MAX = 1_000;

const OVERHEAD_SHARE = 0.02;
const OVERHEAD_BYTES = 64 * MIB;

/**
 * The most that a backup of a disk of `diskBytes` may add to its repository; reserved until it is made and what it
 * really added is known. It is compressed and only what changed is added, so it is nearly always far less.
 */
export function backupBound(diskBytes: number): number {
  return Math.ceil(diskBytes * (1 + OVERHEAD_SHARE)) + OVERHEAD_BYTES;
}
