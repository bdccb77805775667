/**
 * Archives of an instance's files: downloaded as they are read, or packed and unpacked inside it. Downloading works like
 * reading files, with the rights of its root and whether it runs or not; packing and unpacking are commands inside, as
 * whoever owns the folder that is written to.
 */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import {
  ARCHIVE_BYTES_MAX,
  ARCHIVE_DOWNLOADS_MAX,
  ARCHIVE_DOWNLOADS_PER_PERSON_MAX,
  ARCHIVE_ENTRIES_MAX,
  ARCHIVE_RUNS_PER_INSTANCE_MAX,
  archiveFormat,
  archiveName,
  PACKED_SUFFIX,
} from '#domain/file-archives.ts';
import { FILE_MODE_MAX, type FileEntry, joinPath, nameOf, parentOf } from '#domain/files.ts';
import type { InstanceId } from '#domain/ids.ts';
import { instanceAbility } from '#domain/instances.ts';
import type { OperationKind } from '#domain/operations.ts';
import { type TarEntry, tarOf } from '#server/runtime/tar.ts';
import * as instances from '#server/store/instances.ts';
import { openOfInstance } from '#server/store/operations.ts';
import { acceptOperation, newOperationId } from '#server/workflows/accept.ts';
import type { AnyWorkflow } from '#server/workflows/engine.ts';
import { type GuestFiles, lookAt, withGuestFiles } from '#server/workflows/file-trees.ts';
import { type FilesPackInput, filesPack } from '#server/workflows/files-pack.ts';
import { type FilesUnpackInput, filesUnpack } from '#server/workflows/files-unpack.ts';
import { authorize, requirePerson } from './authorize.ts';
import type { AppContext } from './context.ts';
import { note, openFiles } from './files.ts';
import type { Request } from './instance-actions.ts';
import { answer } from './instances.ts';
import { type Accepted, acceptOnce, requestHash } from './operations.ts';

/** Little is gained by more, and many may do this at once. */
const GZIP_LEVEL = 3;
const runKinds = ['files.pack', 'files.unpack'] as const satisfies readonly OperationKind[];

/** Downloads that are under way in this process, by person. */
const downloading = new Map<string, number>();

/** Errors: rate_limited. */
function takePlace(person: string): () => void {
  const own = downloading.get(person) ?? 0;
  const all = [...downloading.values()].reduce((sum, each) => sum + each, 0);
  if (own >= ARCHIVE_DOWNLOADS_PER_PERSON_MAX || all >= ARCHIVE_DOWNLOADS_MAX) {
    throw new BerthError('rate_limited', 'Other archives are being downloaded: wait until one of them is done.', {
      retryAfterSeconds: 10,
    });
  }
  downloading.set(person, own + 1);
  let given = false;
  return () => {
    if (given) return;
    given = true;
    const left = (downloading.get(person) ?? 1) - 1;
    if (left === 0) downloading.delete(person);
    else downloading.set(person, left);
  };
}

/**
 * A gzipped tar of these entries of `folder`, made while it is read; it ends with the reader. Links stay links and are
 * never followed, sockets, pipes and devices are left out, and so is what vanishes meanwhile. It breaks off when there is
 * more than an archive holds. Errors: not_found, rate_limited.
 */
export async function downloadArchive(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  { folder, names }: { folder: string; names: readonly string[] },
): Promise<{ name: string; content: Readable }> {
  const opened = await openFiles(app, caller, 'file.open', id);
  const { files } = opened;
  let leave = () => {};
  try {
    leave = takePlace(requirePerson(caller).userId);
    const tops: FileEntry[] = [];
    for (const name of names) tops.push(await files.look(joinPath(folder, name)));
    await note(app, opened, 'file.archive', { folder, names });
    const bounds = { entries: 0, bytes: 0 };
    const tar = Readable.from(tarOf(walk(files, folder, '', tops, bounds)), { objectMode: false });
    const content = pipeline(tar, createGzip({ level: GZIP_LEVEL }), () => {
      files.close();
      leave();
    });
    // What cannot be read at all is said before the answer begins.
    await once(content, 'readable');
    return { name: archiveName(folder, names), content };
  } catch (error) {
    files.close();
    leave();
    throw error instanceof BerthError ? error : new BerthError('conflict', 'This cannot be read.', { cause: error });
  }
}

/** What is downloaded, a folder before what is in it. Errors: too_large. */
async function* walk(
  files: GuestFiles,
  folder: string,
  prefix: string,
  entries: readonly FileEntry[],
  bounds: { entries: number; bytes: number },
): AsyncGenerator<TarEntry, void> {
  for (const entry of entries) {
    if (entry.type === 'other') continue;
    bounds.entries++;
    bounds.bytes += entry.type === 'file' ? entry.sizeBytes : 0;
    if (bounds.entries > ARCHIVE_ENTRIES_MAX || bounds.bytes > ARCHIVE_BYTES_MAX) {
      throw new BerthError('too_large', 'There is too much in it for one archive.');
    }
    const at = joinPath(folder, entry.name);
    const path = `${prefix}${entry.name}`;
    const { uid, gid } = entry;
    const shared = { path, uid, gid, mode: entry.mode & FILE_MODE_MAX, modifiedAt: new Date(entry.modifiedAt) };
    if (entry.type === 'file') {
      // Opened before its header goes out: what vanished meanwhile is left out, and not a file of zeros.
      const content = await begun(files, at, entry.sizeBytes);
      if (content !== null) yield { ...shared, type: 'file', sizeBytes: entry.sizeBytes, content: () => content };
    } else if (entry.type === 'link') {
      if (entry.target !== null) yield { ...shared, type: 'link', target: entry.target };
    } else {
      yield { ...shared, type: 'folder' };
      const inside = await files.list(at, ARCHIVE_ENTRIES_MAX).catch(unlessMissing);
      if (inside !== null) yield* walk(files, at, `${path}/`, inside.entries, bounds);
    }
  }
}

const unlessMissing = (error: unknown): null => {
  if (error instanceof BerthError && error.code === 'not_found') return null;
  throw error;
};

/** Its content, once there is some of it; null when it is not there any more. Errors: conflict. */
async function begun(files: GuestFiles, path: string, sizeBytes: number): Promise<Readable | null> {
  if (sizeBytes === 0) return Readable.from([]);
  const content = files.read(path);
  try {
    await once(content, 'readable');
    return content;
  } catch (cause) {
    content.destroy();
    if ((await lookAt(files, path)) === null) return null;
    throw new BerthError('conflict', `"${nameOf(path)}" cannot be read.`, { cause });
  }
}

/** Errors: state_conflict (does not run, too many at once). */
async function accept<Input>(
  app: AppContext,
  request: Request,
  body: unknown,
  what: (instance: instances.InstanceRecord) => {
    kind: (typeof runKinds)[number];
    title: string;
    workflow: AnyWorkflow;
    input: Input;
    after: unknown;
  },
): Promise<Accepted> {
  const hash = requestHash('file-archive', request.instance, body);
  const accepted = await acceptOnce(app, request.caller, request.idempotencyKey, hash, async (tx) => {
    const proof = await authorize({ db: tx }, request.caller, 'file.write', { kind: 'instance', id: request.instance });
    const instance = await instances.lockInstance(tx, proof.id);
    if (instance === null) throw notFound('instance');
    requireRunning(instance);
    const open = await openOfInstance(tx, proof, runKinds);
    if (open.length >= ARCHIVE_RUNS_PER_INSTANCE_MAX) {
      throw new BerthError('state_conflict', `Wait for: ${open[0]?.title ?? 'another archive'}.`);
    }
    const id = newOperationId(app.services);
    return acceptOperation(app.services, tx, { ...what(instance), id, actor: proof.actor, instance });
  });
  return answer(app, request.caller, accepted.operation);
}

function requireRunning(instance: instances.InstanceRecord): void {
  const able = instanceAbility('archives', instance.kind, { ...instance, busyWith: null });
  if (able !== true) throw new BerthError('state_conflict', able);
}

/** Looks before it is accepted, so that what is wrong is said at once; the workflow looks again. */
async function looked<T>(app: AppContext, request: Request, look: (files: GuestFiles) => Promise<T>): Promise<T> {
  const proof = await authorize(app, request.caller, 'file.write', { kind: 'instance', id: request.instance });
  const instance = await instances.findInstance(app.db, proof.id);
  if (instance === null) throw notFound('instance');
  requireRunning(instance);
  return withGuestFiles(app.services, proof.id, look);
}

const newToken = () => randomBytes(8).toString('hex');

/** Errors: invalid_input, conflict (something is there), not_found, state_conflict. */
export async function packFiles(
  app: AppContext,
  request: Request,
  body: { folder: string; names: string[]; to: string },
): Promise<Accepted> {
  const { folder, names, to } = body;
  if (!to.endsWith(PACKED_SUFFIX)) {
    throw new BerthError('invalid_input', `The archive is called something${PACKED_SUFFIX}.`, {
      fields: [{ field: 'to', message: `Its name ends with ${PACKED_SUFFIX}.` }],
    });
  }
  if (request.idempotencyKey === null) {
    await looked(app, request, async (files) => {
      if ((await lookAt(files, to)) !== null) throw new BerthError('conflict', `Already there: "${nameOf(to)}".`);
      if ((await files.follow(parentOf(to))).type !== 'folder') throw notFound('folder');
      for (const name of names) await files.look(joinPath(folder, name));
    });
  }
  return accept(app, request, body, (instance) => ({
    kind: 'files.pack',
    title: `Pack ${nameOf(to)} on ${instance.name}`,
    workflow: filesPack,
    input: { folder, names, to, token: newToken() } satisfies FilesPackInput,
    after: { folder, names, to },
  }));
}

/** Errors: invalid_input (no archive), conflict, not_found, state_conflict. */
export async function unpackFiles(
  app: AppContext,
  request: Request,
  body: { path: string; to: string; replace: boolean },
): Promise<Accepted> {
  const { path, to, replace } = body;
  const format = archiveFormat(nameOf(path));
  if (format === null) {
    throw new BerthError('invalid_input', 'Only .tar, .tar.gz, .tar.xz and .zip are unpacked.', {
      fields: [{ field: 'path', message: 'Its name has to end with .tar, .tar.gz, .tar.xz or .zip.' }],
    });
  }
  const fresh = await looked(app, request, async (files) => {
    if ((await files.follow(path)).type !== 'file') throw new BerthError('invalid_input', 'This is not a file.');
    const there = await lookAt(files, to);
    if (there !== null && (await files.follow(to)).type !== 'folder') {
      throw new BerthError('conflict', `Already there, and no folder: "${nameOf(to)}".`);
    }
    if (there === null && (await files.follow(parentOf(to))).type !== 'folder') throw notFound('folder');
    return there === null;
  });
  return accept(app, request, body, (instance) => ({
    kind: 'files.unpack',
    title: `Unpack ${nameOf(path)} on ${instance.name}`,
    workflow: filesUnpack,
    input: { path, to, replace, fresh, format, token: newToken() } satisfies FilesUnpackInput,
    after: { path, to, replace },
  }));
}
