/** Backups of simulated guests: what a disk held, by repository and backup. */
import { BerthError, notFound } from '#domain/errors.ts';
import type { BackupId, BackupRepositoryId } from '#domain/ids.ts';
import { MIB } from '#domain/sizes.ts';
import type { BackupMade, BackupRef, RepositoryRef } from '../interface.ts';

/** What the first backup of a repository adds, and each further one. */
export const SIMULATED_FIRST_BYTES = 10 * MIB;
export const SIMULATED_MORE_BYTES = MIB;
const DATA_BYTES = 100 * MIB;
const FILES = 1000;

type Kept = { content: number; addedBytes: number };
export type SimulatedRepository = {
  repository: BackupRepositoryId;
  password: string;
  backups: Record<string, Kept>;
  /** What a check finds; null: nothing. */
  damage: string | null;
};

export type SimulatedRepositories = Record<string, SimulatedRepository>;

function repositoryBytes({ backups }: SimulatedRepository): number {
  return Object.values(backups).reduce((sum, { addedBytes }) => sum + addedBytes, 0);
}

function opened(all: SimulatedRepositories, ref: RepositoryRef): SimulatedRepository | null {
  const found = all[ref.repository];
  if (found === undefined) return null;
  if (found.password !== ref.password) throw new BerthError('conflict', 'The password does not open this repository.');
  return found;
}

export function keep(all: SimulatedRepositories, ref: BackupRef, content: number, bytesMax: number): BackupMade {
  const { repository, password } = ref;
  const found = opened(all, ref) ?? { repository, password, backups: {}, damage: null };
  const present = found.backups[ref.backup];
  const addedBytes =
    present?.addedBytes ?? (Object.keys(found.backups).length === 0 ? SIMULATED_FIRST_BYTES : SIMULATED_MORE_BYTES);
  if (addedBytes > bytesMax) throw new BerthError('quota_exceeded', 'It holds more than was reserved for it.');
  found.backups[ref.backup] = present ?? { content, addedBytes };
  all[repository] = found;
  return { dataBytes: DATA_BYTES, files: FILES, storedBytes: repositoryBytes(found) };
}

/** What a guest's disk held. Errors: not_found, conflict (damaged). */
export function keptContent(all: SimulatedRepositories, ref: BackupRef): number {
  const repository = opened(all, ref);
  if (repository?.damage != null) throw new BerthError('conflict', `It is damaged: ${repository.damage}`);
  const kept = repository?.backups[ref.backup];
  if (kept === undefined) throw notFound('backup');
  return kept.content;
}

/** Errors: conflict (damaged). */
export function forget(all: SimulatedRepositories, ref: BackupRef): number {
  const repository = opened(all, ref);
  if (repository === null) return 0;
  if (repository.damage !== null) throw new BerthError('conflict', `It is damaged: ${repository.damage}`);
  delete repository.backups[ref.backup satisfies BackupId];
  return repositoryBytes(repository);
}

export function check(all: SimulatedRepositories, ref: RepositoryRef): { problem: string | null; storedBytes: number } {
  const repository = opened(all, ref);
  if (repository === null) return { problem: 'It is no longer there.', storedBytes: 0 };
  return { problem: repository.damage, storedBytes: repositoryBytes(repository) };
}

export function uses(all: SimulatedRepositories): { repository: BackupRepositoryId; storedBytes: number }[] {
  return Object.values(all).map((each) => ({ repository: each.repository, storedBytes: repositoryBytes(each) }));
}
