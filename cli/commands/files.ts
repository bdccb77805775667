/** files: look into the file system of an instance, take files out of it and put files into it. */
import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { PACKED_SUFFIX } from '#domain/file-archives.ts';
import { FILE_MODE_MAX, FILE_PART_BYTES_MAX, filePathProblem, joinPath, modeText, parentOf } from '#domain/files.ts';
import type { OutputOf } from '../client.ts';
import { CliError, usageError } from '../errors.ts';
import { formatBytes, formatRelative, plain } from '../format.ts';
import { renderBar } from '../progress.ts';
import { findInstance } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { addFileArchiveCommands } from './file-archives.ts';
import { examples } from './session.ts';

type Entry = OutputOf<'filesList'>['items'][number];
const marks: Record<Entry['type'], string> = { file: '-', folder: 'd', link: 'l', other: '?' };
const HOME = '/home/berth';
/** How often an upload waits for the rate limit before it gives up. */
const WAITS_MAX = 60;

/** Relative paths begin in the home of the account inside. Errors: usage. */
function inside(path: string): string {
  const absolute = path.startsWith('/') ? path : joinPath(HOME, path);
  const shown = absolute.length > 1 ? absolute.replace(/\/+$/, '') || '/' : absolute;
  const problem = filePathProblem(shown);
  if (problem !== null) throw usageError(`"${plain(path)}" is no path: ${problem}`);
  return shown;
}

function table(berth: Runtime, rows: readonly Entry[]): string {
  return renderTable(
    rows,
    [
      { title: 'Mode', value: (row) => marks[row.type] + modeText(row.mode) },
      { title: 'Owner', value: (row) => `${row.uid}:${row.gid}` },
      { title: 'Size', value: (row) => (row.type === 'file' ? formatBytes(row.sizeBytes) : ''), align: 'right' },
      { title: 'Changed', value: (row) => formatRelative(row.modifiedAt, berth.io.now()) },
      {
        title: 'Name',
        value: (row) =>
          plain(row.name) + (row.type === 'folder' ? '/' : row.target === null ? '' : ` -> ${plain(row.target)}`),
      },
    ],
    { paint: berth.paint, empty: 'The folder is empty.' },
  );
}

export function addFileCommands(program: Command, io: Io): void {
  const files = program
    .command('files')
    .alias('file')
    .description(`Files inside an instance; relative paths begin in ${HOME}`);
  files
    .command('list <instance> [path]')
    .alias('ls')
    .description('List a folder')
    .action(
      run(io, async (berth, [ref = '', path = HOME]) => {
        const instance = await findInstance(berth, ref);
        const params = { instance: instance.id };
        const listing = await (await berth.client()).call('filesList', { params, query: { path: inside(path) } });
        berth.print(listing, () => table(berth, listing.items));
        if (!listing.complete) berth.note('There is more in the folder than is shown.\n');
      }),
    );
  files
    .command('get <instance> <path> [local]')
    .aliases(['download', 'cat'])
    .description('Take a file out; `-` writes it to standard output')
    .option('-f, --force', 'write over a local file')
    .option('-a, --archive', 'a folder (or anything else) as a .tar.gz')
    .addHelpText(
      'after',
      examples([
        'berth files get web /etc/fstab',
        'berth files get web log.txt - | less',
        'berth files get web /srv/site --archive',
      ]),
    )
    .action(
      run<{ force?: boolean; archive?: boolean }>(io, async (berth, [ref = '', path = '', local], options) => {
        const from = inside(path);
        const archive = options.archive === true;
        if (archive && from === '/') throw usageError('The root is too much for one archive: choose a folder in it.');
        const to = typeof local === 'string' ? local : archive ? `${basename(from)}${PACKED_SUFFIX}` : basename(from);
        const instance = await findInstance(berth, ref);
        const client = await berth.client();
        const params = { instance: instance.id };
        const { signal } = berth.io;
        const pieces = archive
          ? client.bytes('filesArchive', { params, query: { folder: parentOf(from), names: basename(from) } }, signal)
          : client.bytes('filesRead', { params, query: { path: from } }, signal);
        if (to === '-') {
          for await (const piece of pieces) berth.io.stdout.write(piece);
          return;
        }
        const bytes = await download(pieces, to, options.force === true);
        berth.print({ path: from, local: to, bytes }, () => `${plain(to)}: ${formatBytes(bytes)}.\n`);
      }),
    );
  files
    .command('put <instance> <local> [path]')
    .alias('upload')
    .description('Put a local file in; it is there all at once, at the end')
    .option('--replace', 'take the place of a file that is there')
    .addHelpText(
      'after',
      examples(['berth files put web site.tar.gz', 'berth files put web app.conf /etc/app.conf --replace']),
    )
    .action(
      run<{ replace?: boolean }>(io, async (berth, [ref = '', local = '', path], options) => {
        const to = inside(typeof path === 'string' ? path : basename(local));
        const instance = await findInstance(berth, ref);
        const entry = await upload(berth, instance.id, local, to, options.replace === true);
        berth.print(entry, () => `${plain(to)}: ${formatBytes(entry.sizeBytes)}.\n`);
      }),
    );
  addFileArchiveCommands(files, io, inside);
  files
    .command('mkdir <instance> <path>')
    .description('Make a folder')
    .action(
      run(io, async (berth, [ref = '', path = '']) => {
        const instance = await findInstance(berth, ref);
        const body = { path: inside(path) };
        const entry = await (await berth.client()).call('filesMakeFolder', { params: { instance: instance.id }, body });
        berth.print(entry, () => `${plain(body.path)} is made.\n`);
      }),
    );
  files
    .command('move <instance> <from> <to>')
    .alias('mv')
    .description('Rename or move a file or folder')
    .option('--replace', 'take the place of a file that is there')
    .action(
      run<{ replace?: boolean }>(io, async (berth, [ref = '', from = '', to = ''], options) => {
        const instance = await findInstance(berth, ref);
        const body = { from: inside(from), to: inside(to), replace: options.replace === true };
        const entry = await (await berth.client()).call('filesMove', { params: { instance: instance.id }, body });
        berth.print(entry, () => `${plain(body.from)} is ${plain(body.to)} now.\n`);
      }),
    );
  files
    .command('chmod <instance> <mode> <path>')
    .description('Change the permissions of a file or folder (644, 755, ...)')
    .action(
      run(io, async (berth, [ref = '', text = '', path = '']) => {
        const mode = /^[0-7]{3,4}$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
        if (!(mode <= FILE_MODE_MAX))
          throw usageError(`"${plain(text)}" is no mode.`, 'Three digits from 0 to 7: 644.');
        const instance = await findInstance(berth, ref);
        const body = { path: inside(path), mode };
        const entry = await (await berth.client()).call('filesSetMode', { params: { instance: instance.id }, body });
        berth.print(entry, () => table(berth, [entry]));
      }),
    );
  files
    .command('delete <instance> <path>')
    .alias('rm')
    .description('Remove a file; links are removed, not what they lead to')
    .option('-r, --recursive', 'a folder, with everything in it')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ recursive?: boolean; yes?: boolean }>(io, async (berth, [ref = '', path = ''], options) => {
        const at = inside(path);
        const instance = await findInstance(berth, ref);
        const recursive = options.recursive === true;
        const what = recursive ? `${plain(at)} with everything in it` : plain(at);
        await berth.confirm(`Remove ${what} from ${plain(instance.name)}? There is no way back.`, options.yes);
        const done = await (await berth.client()).call('filesRemove', {
          params: { instance: instance.id },
          query: { path: at, recursive: recursive ? 'true' : 'false' },
        });
        berth.print(done, () => (done.removed === 1 ? `${plain(at)} is removed.\n` : `${done.removed} removed.\n`));
      }),
    );
}

/** Under another name first: what broke off is not taken for the file. Errors: usage. */
export async function download(pieces: AsyncIterable<Buffer>, local: string, force: boolean): Promise<number> {
  if (!force && (await stat(local).catch(() => null)) !== null) {
    throw usageError(`${plain(local)} is there already.`, 'Add --force to write over it.');
  }
  const part = `${local}.part`;
  const file = await open(part, 'w', 0o600).catch((error: Error) => {
    throw usageError(`${plain(part)} cannot be written: ${error.message}.`);
  });
  let bytes = 0;
  try {
    for await (const piece of pieces) {
      await file.writeFile(piece);
      bytes += piece.length;
    }
    await file.close();
    await rename(part, local);
    return bytes;
  } catch (error) {
    await file.close().catch(() => {});
    await rm(part, { force: true });
    throw error;
  }
}

/** Errors: usage; what the server says. */
async function upload(berth: Runtime, instance: string, local: string, path: string, replace: boolean): Promise<Entry> {
  const file = await open(local, 'r').catch((error: Error) => {
    throw usageError(`${plain(local)} cannot be read: ${error.message}.`);
  });
  try {
    const facts = await file.stat();
    if (!facts.isFile()) throw usageError(`${plain(local)} is not a file.`);
    const name = randomBytes(8).toString('hex');
    const buffer = Buffer.alloc(Math.min(FILE_PART_BYTES_MAX, Math.max(1, facts.size)));
    for (let offset = 0; ; ) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      const last = offset + bytesRead >= facts.size || bytesRead === 0;
      const entry = await sendPart(berth, instance, buffer.subarray(0, bytesRead), {
        path,
        upload: name,
        offset,
        last: last ? 'true' : 'false',
        replace: replace ? 'true' : 'false',
      });
      offset += bytesRead;
      if (berth.io.stderr.isTTY === true && facts.size > buffer.length) {
        berth.io.stderr.write(`\r${renderBar((offset / facts.size) * 100)} ${last ? '\n' : ''}`);
      }
      if (entry !== null) return entry;
    }
  } finally {
    await file.close();
  }
}

type PartQuery = { path: string; upload: string; offset: number; last: 'true' | 'false'; replace: 'true' | 'false' };

/** Waits as long as the rate limit asks for. */
async function sendPart(berth: Runtime, instance: string, body: Uint8Array, query: PartQuery): Promise<Entry | null> {
  const client = await berth.client();
  for (let waits = 0; ; waits++) {
    try {
      return await client.call(
        'filesWrite',
        { params: { instance }, query, body },
        { repeatable: query.last === 'false', signal: berth.io.signal },
      );
    } catch (error) {
      const seconds = error instanceof CliError && error.code === 'rate_limited' ? error.retryAfterSeconds : null;
      if (seconds === null || waits >= WAITS_MAX) throw error;
      await sleep(seconds * 1000, undefined, { signal: berth.io.signal });
    }
  }
}
