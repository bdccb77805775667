/** Small file helpers without dependencies. */
import { chmodSync, chownSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';

/** Writes beside and renames: a reader sees the old or the new file, never half of one. */
export function writeFileAtomic(path: string, text: string, mode: number, owner?: { uid: number; gid: number }): void {
  const side = `${path}.${process.pid}.new`;
  writeFileSync(side, text, { mode });
  chmodSync(side, mode);
  if (owner !== undefined) chownSync(side, owner.uid, owner.gid);
  renameSync(side, path);
}

/** Makes a folder with this owner and mode, or gives an existing one both. */
export function ownedFolder(path: string, mode: number, owner?: { uid: number; gid: number }): void {
  mkdirSync(path, { recursive: true });
  if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
  chmodSync(path, mode);
}
