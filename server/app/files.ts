/**
 * Files of an instance: asked of its host every time, kept nowhere. What changes them, and who read what is in them, is
 * written to the audit log with the path, never with the content.
 */
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import type { FileItem } from '#contract/files.ts';
import type { Action } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import {
  checkFilePath,
  FILE_BYTES_MAX,
  FILE_MODE_MAX,
  FILE_MODE_NEW,
  FILES_LISTED_MAX,
  FILES_REMOVED_MAX,
  type FileEntry,
  FOLDER_MODE_NEW,
  fileVersion,
  joinPath,
  nameOf,
  parentOf,
} from '#domain/files.ts';
import type { InstanceId } from '#domain/ids.ts';
import { type Ability, instanceAbility } from '#domain/instances.ts';
import { record } from '#server/store/audit.ts';
import type { InstanceProof } from '#server/store/authorized.ts';
import { transact } from '#server/store/database.ts';
import { findInstance, type InstanceRecord } from '#server/store/instances.ts';
import { type GuestFiles, lookAt } from '#server/workflows/file-trees.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

export type Listing = { path: string; items: FileItem[]; complete: boolean; can: { write: Ability; pack: Ability } };
export type Download = { entry: FileItem; content: Readable };
export type Part = {
  path: string;
  upload: string;
  offset: number;
  last: boolean;
  replace: boolean;
  version: string | undefined;
  content: Uint8Array;
};

type Opened = { proof: InstanceProof; instance: InstanceRecord; files: GuestFiles };

const present = (entry: FileEntry): FileItem => ({ ...entry, version: fileVersion(entry) });

/** Errors: not_found, state_conflict, unavailable. */
export async function openFiles(app: AppContext, caller: Caller, action: Action, id: InstanceId): Promise<Opened> {
  const proof = await authorize(app, caller, action, { kind: 'instance', id });
  const instance = await findInstance(app.db, proof.id);
  if (instance === null) throw notFound('instance');
  const able = instanceAbility('files', instance.kind, { ...instance, busyWith: null });
  if (able !== true) throw new BerthError('state_conflict', able);
  return { proof, instance, files: await app.services.driver.files(proof.id) };
}

/** Opens, works, closes. */
async function within<T>(
  app: AppContext,
  caller: Caller,
  action: Action,
  id: InstanceId,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const opened = await openFiles(app, caller, action, id);
  try {
    return await work(opened);
  } finally {
    opened.files.close();
  }
}

/** What was done inside, in the audit log. */
export async function note(
  app: AppContext,
  { proof, instance }: Pick<Opened, 'proof' | 'instance'>,
  action: string,
  after: Record<string, unknown>,
): Promise<void> {
  await transact(app.db, (tx) =>
    record(tx, proof.actor, {
      action,
      targetKind: 'instance',
      targetId: instance.id,
      target: instance.name,
      organizationId: instance.organization,
      projectId: instance.project,
      after,
    }),
  );
}

/** Errors: not_found (also for what is no folder). */
export async function listFiles(app: AppContext, caller: Caller, id: InstanceId, path: string): Promise<Listing> {
  return within(app, caller, 'file.open', id, async ({ files, proof, instance }) => {
    const { entries, complete } = await files.list(path, FILES_LISTED_MAX);
    const write = roleAbility(proof.role, 'file.write');
    const pack = write === true ? instanceAbility('archives', instance.kind, { ...instance, busyWith: null }) : write;
    return { path, items: entries.map(present), complete, can: { write, pack } };
  });
}

/**
 * The content flows as the reader takes it; the connection ends with it. Recorded, whatever it is read for: content that
 * was shown has left as well, and a program could say of every download that it only shows it.
 * Errors: not_found, invalid_input (no file).
 */
export async function readFile(app: AppContext, caller: Caller, id: InstanceId, path: string): Promise<Download> {
  const opened = await openFiles(app, caller, 'file.open', id);
  const download = await beginRead(opened.files, path);
  try {
    await note(app, opened, 'file.read', { path, sizeBytes: download.entry.sizeBytes });
    return download;
  } catch (error) {
    download.content.destroy();
    throw error;
  }
}

/** Closes `files` when the content ends, and when it throws. */
async function beginRead(files: GuestFiles, path: string): Promise<Download> {
  try {
    const entry = await files.follow(path);
    if (entry.type !== 'file') throw new BerthError('invalid_input', `"${nameOf(path)}" is not a file.`);
    const content = files.read(path);
    content.once('close', () => files.close());
    content.once('error', () => files.close());
    // What cannot be opened is said before the answer begins.
    if (entry.sizeBytes > 0) await once(content, 'readable');
    return { entry: present({ ...entry, name: nameOf(path) }), content };
  } catch (error) {
    files.close();
    throw error instanceof BerthError
      ? error
      : new BerthError('conflict', 'The file cannot be read.', { cause: error });
  }
}

/**
 * One part of an upload. What is there keeps its owner and mode; a new file gets the owner of its folder. The file is
 * there under its name only with the last part, all at once. Null before that.
 * Errors: conflict (something is there; it changed; parts out of order), not_found (the folder), too_large.
 */
export async function writePart(app: AppContext, caller: Caller, id: InstanceId, part: Part): Promise<FileItem | null> {
  if (part.path === '/') throw new BerthError('invalid_input', 'This is a folder.');
  if (part.offset + part.content.length > FILE_BYTES_MAX) throw new BerthError('too_large', 'The file is too large.');
  return within(app, caller, 'file.write', id, async (opened) => {
    const { files } = opened;
    const folder = await files.follow(parentOf(part.path));
    if (folder.type !== 'folder') throw notFound('folder');
    const waiting = joinPath(parentOf(part.path), `.berth-${part.upload}.part`);
    checkFilePath(waiting);
    const before = await replaceable(files, part);
    const begun = await lookAt(files, waiting);
    // Sent again because the answer was lost: what is there already is written over.
    if (part.offset > (begun?.sizeBytes ?? 0)) throw new BerthError('conflict', 'A part before this one is missing.');
    if (part.offset === 0 && begun !== null) await files.remove({ path: waiting, type: begun.type });
    await files.writePart(waiting, part.offset, Buffer.from(part.content));
    if (!part.last) return null;
    await files.setMode(waiting, (before?.mode ?? FILE_MODE_NEW) & FILE_MODE_MAX);
    await files.setOwner(waiting, before?.uid ?? folder.uid, before?.gid ?? folder.gid);
    await files.rename(waiting, part.path, before !== null);
    const entry = await files.look(part.path);
    await note(app, opened, 'file.write', { path: part.path, sizeBytes: entry.sizeBytes, replaced: before !== null });
    return present(entry);
  });
}

/** What the upload takes the place of; null for nothing. Errors: conflict. */
async function replaceable(files: GuestFiles, part: Part): Promise<FileEntry | null> {
  const found = await lookAt(files, part.path);
  if (found === null) {
    if (part.version !== undefined) throw new BerthError('conflict', 'The file is not there any more.');
    return null;
  }
  if (found.type !== 'file') {
    throw new BerthError('conflict', `There is something called "${found.name}" already, and it is not a file.`);
  }
  if (!part.replace) throw new BerthError('conflict', `There is a file called "${found.name}" already.`);
  if (part.version !== undefined && part.version !== fileVersion(found)) {
    throw new BerthError('conflict', 'The file was changed meanwhile. Look at it again before you replace it.');
  }
  return found;
}

/** The owner is the one of the folder it is in. Errors: conflict, not_found. */
export async function makeFolder(app: AppContext, caller: Caller, id: InstanceId, path: string): Promise<FileItem> {
  return within(app, caller, 'file.write', id, async (opened) => {
    const { files } = opened;
    if ((await lookAt(files, path)) !== null) {
      throw new BerthError('conflict', `There is something called "${nameOf(path)}" already.`);
    }
    const parent = await files.follow(parentOf(path));
    await files.makeFolder(path, FOLDER_MODE_NEW);
    await files.setOwner(path, parent.uid, parent.gid);
    await note(app, opened, 'file.make_folder', { path });
    return present(await files.look(path));
  });
}

/** Errors: conflict (something is there, or a folder would move into itself), not_found. */
export async function moveFile(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  { from, to, replace }: { from: string; to: string; replace: boolean },
): Promise<FileItem> {
  if (from === '/' || to === '/') throw new BerthError('invalid_input', 'The root stays where it is.');
  if (`${to}/`.startsWith(`${from}/`)) throw new BerthError('conflict', 'It cannot be moved into itself.');
  return within(app, caller, 'file.write', id, async (opened) => {
    const { files } = opened;
    await files.look(from);
    const there = await lookAt(files, to);
    if (there?.type === 'folder') throw new BerthError('conflict', `There is a folder called "${there.name}" already.`);
    await files.rename(from, to, replace);
    await note(app, opened, 'file.move', { from, to, replaced: there !== null });
    return present(await files.look(to));
  });
}

/** Errors: not_found, invalid_input (a link has no permissions of its own). */
export async function setFileMode(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  { path, mode }: { path: string; mode: number },
): Promise<FileItem> {
  return within(app, caller, 'file.write', id, async (opened) => {
    const { files } = opened;
    const before = await files.look(path);
    if (before.type === 'link') throw new BerthError('invalid_input', 'A link has no permissions of its own.');
    await files.setMode(path, mode);
    await note(app, opened, 'file.set_mode', { path, mode: mode.toString(8), before: before.mode.toString(8) });
    return present(await files.look(path));
  });
}

/**
 * Links are removed, not followed. Answers how many were removed. Errors: conflict (a folder that is not empty, unless
 * `recursive`), too_large (nothing was removed then), not_found.
 */
export async function removeFile(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  { path, recursive }: { path: string; recursive: boolean },
): Promise<{ removed: number }> {
  if (path === '/') throw new BerthError('invalid_input', 'The root stays where it is.');
  return within(app, caller, 'file.write', id, async (opened) => {
    const { files } = opened;
    const top = await files.look(path);
    const found = [{ path, type: top.type }];
    if (top.type === 'folder' && recursive) await collect(files, path, found);
    // What is inside comes after what it is in.
    for (const entry of found.toReversed()) await files.remove(entry);
    await note(app, opened, 'file.remove', { path, removed: found.length });
    return { removed: found.length };
  });
}

/** Everything below `folder`, onto `found`. Errors: too_large. */
async function collect(
  files: GuestFiles,
  folder: string,
  found: { path: string; type: FileEntry['type'] }[],
): Promise<void> {
  const { entries } = await files.list(folder, FILES_REMOVED_MAX);
  for (const entry of entries) {
    if (found.length >= FILES_REMOVED_MAX) {
      throw new BerthError('too_large', `There are more than ${FILES_REMOVED_MAX} files in it: use the terminal.`);
    }
    const path = joinPath(folder, entry.name);
    found.push({ path, type: entry.type });
    if (entry.type === 'folder') await collect(files, path, found);
  }
}
