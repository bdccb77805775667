/**
 * Unpacks an archive inside a guest: into a folder of its own first, where nothing that stands in it can meet anything
 * that is there, then into its place.
 */
import { BerthError } from '#domain/errors.ts';
import { ARCHIVE_TOP_ENTRIES_MAX, type ArchiveFormat, clashText } from '#domain/file-archives.ts';
import { type FileEntry, FOLDER_MODE_NEW, joinPath, nameOf, parentOf } from '#domain/files.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { type GuestFiles, lookAt, removeTree, withGuestFiles } from './file-trees.ts';
import { endInside, runInside } from './guest-run.ts';
import { instanceOf } from './guest-steps.ts';

/**
 * `fresh`: the folder is not there yet and is made. `replace`: files take the place of files; folders never do.
 * `token` is random: nobody inside can have put anything under the name of the folder that is unpacked into.
 */
export type FilesUnpackInput = {
  path: string;
  to: string;
  replace: boolean;
  fresh: boolean;
  format: ArchiveFormat;
  token: string;
};

type Context = StepContext<FilesUnpackInput>;
const PRIVATE = 0o700;

/** On the same file system as where it goes in the end. */
const baseOf = ({ operation: { input } }: Context) => (input.fresh ? parentOf(input.to) : input.to);
const asideOf = (context: Context) => joinPath(baseOf(context), `.berth-${context.operation.input.token}.part`);

const runStep: Step<FilesUnpackInput> = {
  name: 'run',
  title: 'Unpack',
  async do(context) {
    const { path, format } = context.operation.input;
    const { id } = await instanceOf(context);
    const aside = asideOf(context);
    const { uid, gid } = await withGuestFiles(context.services, id, async (files) => {
      const owner = await files.follow(baseOf(context));
      if ((await lookAt(files, aside)) === null) {
        await files.makeFolder(aside, PRIVATE);
        await files.setOwner(aside, owner.uid, owner.gid);
      }
      return owner;
    });
    await runInside(context, { type: 'unpack', path, format, to: aside, uid, gid });
  },
  async undo(context) {
    await endInside(context, 'unpack');
    const { instance } = context.operation;
    if (instance === null) return;
    await withGuestFiles(context.services, instance, (files) => removeTree(files, asideOf(context))).catch(
      (error: unknown) => {
        // The guest is gone, and its files with it.
        if (!(error instanceof BerthError && error.code === 'not_found')) throw error;
      },
    );
  },
};

/** No undo: what clashes is found before anything moves, and what has moved is what was asked for. */
const moveStep: Step<FilesUnpackInput> = {
  name: 'move',
  title: 'Put it in its place',
  async do(context) {
    const { fresh, to, replace } = context.operation.input;
    const { id } = await instanceOf(context);
    const aside = asideOf(context);
    await withGuestFiles(context.services, id, async (files) => {
      // Done already, before a restart.
      if ((await lookAt(files, aside)) === null) return;
      if (!fresh) return moveInto(files, aside, to, replace);
      if ((await lookAt(files, to)) !== null) throw new BerthError('conflict', clashText([nameOf(to)]));
      await files.setMode(aside, FOLDER_MODE_NEW);
      await files.rename(aside, to, false);
    });
  },
};

/** Errors: conflict, naming what is there already. */
async function moveInto(files: GuestFiles, aside: string, to: string, replace: boolean): Promise<void> {
  const { entries, complete } = await files.list(aside, ARCHIVE_TOP_ENTRIES_MAX);
  if (!complete) {
    throw new BerthError('too_large', 'There is too much at the top of it: unpack it into a new folder.');
  }
  const clashes: string[] = [];
  for (const entry of entries) {
    const there = await lookAt(files, joinPath(to, entry.name));
    if (there !== null && !(replace && isReplaceable(entry, there))) clashes.push(entry.name);
  }
  if (clashes.length > 0) throw new BerthError('conflict', clashText(clashes));
  for (const { name } of entries) await files.rename(joinPath(aside, name), joinPath(to, name), replace);
  await removeTree(files, aside);
}

const isReplaceable = (entry: FileEntry, there: FileEntry) => entry.type !== 'folder' && there.type !== 'folder';

/** No undo: nothing is left to take back. */
const forgetStep: Step<FilesUnpackInput> = {
  name: 'forget',
  title: 'Clear up behind it',
  do: (context) => endInside(context, 'unpack'),
};

export const filesUnpack: Workflow<FilesUnpackInput> = { steps: [runStep, moveStep, forgetStep] };
