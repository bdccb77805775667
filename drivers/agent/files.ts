/** Files of a guest: SFTP with the engine's own server, brought by the agent over a WebSocket. */
import type { Readable } from 'node:stream';
import type { Attributes, FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2';
import { SFTP } from 'ssh2/lib/protocol/SFTP.js';
import type { WebSocket } from 'ws';
import { BerthError, notFound } from '#domain/errors.ts';
import { type FileEntry, type FileType, joinPath, nameOf } from '#domain/files.ts';
import type { GuestFiles } from '../interface.ts';

/** SFTP says so little that these four are all that can be told apart. */
const NO_SUCH_FILE = 2;
const PERMISSION_DENIED = 3;
const OP_UNSUPPORTED = 8;
const OPEN_MS_MAX = 15_000;
const CALL_MS_MAX = 30_000;
/** SFTP flow control is by answered requests: nothing is ever held back for the channel's sake. */
const OPEN_WIDE = { id: 0, window: Number.POSITIVE_INFINITY, packetSize: 128 * 1024, state: 'open' } as const;
const TYPE_MASK = 0o170000;
const types = new Map<number, FileType>([
  [0o100000, 'file'],
  [0o040000, 'folder'],
  [0o120000, 'link'],
]);

/** Speaks SFTP over `socket`, which is still opening. Errors: unavailable; as the agent says in its closing frame. */
export async function guestFiles(socket: WebSocket): Promise<GuestFiles> {
  const protocol = {
    channelData: (_id: number, data: Buffer) => socket.send(data),
    channelEOF: () => undefined,
    channelClose: () => socket.close(),
    _remoteIdentRaw: '',
  };
  const connection = { _protocol: protocol, _chanMgr: { remove: () => undefined } };
  const sftp = new SFTP(connection, { type: 'sftp', incoming: { ...OPEN_WIDE }, outgoing: { ...OPEN_WIDE } }, {});
  let broken: BerthError | null = null;
  const waiting = new Set<(error: BerthError) => void>();
  const fail = (error: BerthError): void => {
    broken ??= error;
    for (const reject of waiting) reject(broken);
    waiting.clear();
    socket.terminate();
  };
  socket.on('message', (data: Buffer) => sftp.push(data));
  socket.on('close', (code: number, reason: Buffer) => fail(closed(code, reason.toString('utf8'))));
  socket.on('error', (error: Error) => fail(away(error)));
  sftp.on('error', (error: Error) => fail(away(error)));

  /** One request; every one ends, also when the connection does. */
  const ask = <T>(start: (done: (error: Error | null | undefined, value?: T) => void) => void, ms = CALL_MS_MAX) =>
    new Promise<T>((resolve, reject) => {
      if (broken !== null) return reject(broken);
      const timer = setTimeout(() => fail(new BerthError('timeout', 'The instance did not answer in time.')), ms);
      const settle = (): void => {
        clearTimeout(timer);
        waiting.delete(stop);
      };
      const stop = (error: BerthError): void => {
        settle();
        reject(error);
      };
      waiting.add(stop);
      start((error, value) => {
        settle();
        if (error) reject(refusal(error));
        else resolve(value as T);
      });
      return undefined;
    });

  await ask<void>((done) => {
    sftp.once('ready', () => done(null));
    socket.once('open', () => sftp._init());
  }, OPEN_MS_MAX);
  return operations(sftp, ask, () => socket.close());
}

const typeOf = ({ mode }: Attributes): FileType => types.get(mode & TYPE_MASK) ?? 'other';

type Ask = <T>(start: (done: (error: Error | null | undefined, value?: T) => void) => void) => Promise<T>;

function operations(sftp: SFTPWrapper, ask: Ask, close: () => void): GuestFiles {
  const entryOf = async (path: string, stats: Attributes): Promise<FileEntry> => {
    const type = typeOf(stats);
    // A link that vanished meanwhile leads nowhere.
    const nowhere = () => null;
    const [target, end] =
      type === 'link'
        ? await Promise.all([
            ask<string>((done) => sftp.readlink(path, done)).catch(nowhere),
            ask<Stats>((done) => sftp.stat(path, done)).catch(nowhere),
          ])
        : [null, null];
    return {
      name: nameOf(path),
      type,
      sizeBytes: stats.size,
      mode: stats.mode & 0o7777,
      uid: stats.uid,
      gid: stats.gid,
      modifiedAt: new Date(stats.mtime * 1000).toISOString(),
      target,
      leadsTo: end === null ? null : { type: typeOf(end), sizeBytes: end.size },
    };
  };
  const look = async (path: string) => entryOf(path, await ask<Stats>((done) => sftp.lstat(path, done)));
  const isThere = (path: string) =>
    look(path).then(
      () => true,
      (error: unknown) => {
        if (error instanceof BerthError && error.code === 'not_found') return false;
        throw error;
      },
    );

  return {
    look,
    follow: async (path) => entryOf(path, await ask<Stats>((done) => sftp.stat(path, done))),

    async list(folder, max) {
      const handle = await ask<Buffer>((done) => sftp.opendir(folder, done));
      const found: FileEntryWithStats[] = [];
      let complete = false;
      try {
        while (found.length <= max) {
          const part = await ask<FileEntryWithStats[] | false>((done) =>
            sftp.readdir(handle, (error, list) => done(isEnd(error) ? null : error, isEnd(error) ? false : list)),
          );
          if (part === false) {
            complete = true;
            break;
          }
          found.push(...part.filter(({ filename }) => filename !== '.' && filename !== '..'));
        }
      } finally {
        await ask<void>((done) => sftp.close(handle, done)).catch(() => undefined);
      }
      complete &&= found.length <= max;
      const shown = found
        .sort((a, b) => (a.filename < b.filename ? -1 : 1))
        .slice(0, max)
        .map(({ filename, attrs }) => entryOf(joinPath(folder, filename), attrs));
      return { entries: await Promise.all(shown), complete };
    },

    read(path): Readable {
      return sftp.createReadStream(path);
    },

    async writePart(path, offset, content) {
      // `wx`: the first part makes the file; a link that waits under this name is not followed.
      const handle = await ask<Buffer>((done) => sftp.open(path, offset === 0 ? 'wx' : 'r+', done));
      try {
        for (let at = 0; at < content.length; at += WRITE_BYTES) {
          const piece = content.subarray(at, at + WRITE_BYTES);
          await ask<void>((done) => sftp.write(handle, piece, 0, piece.length, offset + at, done));
        }
      } finally {
        await ask<void>((done) => sftp.close(handle, done)).catch(() => undefined);
      }
    },

    makeFolder: (path, mode) => ask<void>((done) => sftp.mkdir(path, { mode } as Attributes, done)),

    async rename(from, to, replace) {
      if (replace) return ask<void>((done) => sftp.ext_openssh_rename(from, to, done));
      if (await isThere(to)) throw new BerthError('conflict', `There is something called "${nameOf(to)}" already.`);
      return ask<void>((done) => sftp.rename(from, to, done));
    },

    remove: ({ path, type }) =>
      ask<void>((done) => (type === 'folder' ? sftp.rmdir(path, done) : sftp.unlink(path, done))),
    setMode: (path, mode) => ask<void>((done) => sftp.chmod(path, mode, done)),
    setOwner: (path, uid, gid) => ask<void>((done) => sftp.chown(path, uid, gid, done)),
    close,
  };
}

const WRITE_BYTES = 256 * 1024;
const END_OF_FILE = 1;

const isEnd = (error: unknown): boolean => (error as { code?: number } | null | undefined)?.code === END_OF_FILE;

function refusal(error: Error): BerthError {
  const { code } = error as { code?: number };
  const detail = error.message.slice(0, 300);
  if (code === NO_SUCH_FILE) return notFound('file or folder');
  if (code === PERMISSION_DENIED) {
    return new BerthError('conflict', 'The instance does not allow this: it is read-only or in use.', { detail });
  }
  if (code === OP_UNSUPPORTED) return new BerthError('unsupported', 'The instance cannot do this.', { detail });
  // What else there is: exists already, not empty, not a folder, no space left. The words are the guest's own.
  if (/no space|quota/i.test(detail))
    return new BerthError('conflict', 'The disk of the instance is full.', { detail });
  if (/exist/i.test(detail))
    return new BerthError('conflict', 'There is something with this name already.', { detail });
  if (/not empty/i.test(detail)) return new BerthError('conflict', 'The folder is not empty.', { detail });
  return new BerthError('conflict', 'The instance refused this.', { detail });
}

/** What the agent says when it ends the connection: 4000 and the status, with the code as reason. */
function closed(code: number, reason: string): BerthError {
  if (code === 4404) return notFound('instance on this host');
  if (code > 4000) return new BerthError('upstream_failed', 'The host cannot open the files.', { detail: reason });
  return away(new Error(`closed with ${code}`));
}

function away(error: Error): BerthError {
  return new BerthError('unavailable', 'The files of the instance cannot be reached right now.', {
    cause: error,
    detail: error.message,
    retryAfterSeconds: 2,
  });
}
