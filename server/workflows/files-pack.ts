/** Packs entries of a folder inside a guest into one archive, which is there under its name only when it is whole. */
import { BerthError } from '#domain/errors.ts';
import { FILE_MODE_NEW, joinPath, nameOf, parentOf } from '#domain/files.ts';
import type { Step, StepContext, Workflow } from './engine.ts';
import { lookAt, removeTree, withGuestFiles } from './file-trees.ts';
import { endInside, runInside } from './guest-run.ts';
import { instanceOf } from './guest-steps.ts';

/** `token` is random: nobody inside can have put anything under the name of the file that is written. */
export type FilesPackInput = { folder: string; names: string[]; to: string; token: string };

type Context = StepContext<FilesPackInput>;
const partOf = ({ operation: { input } }: Context) => joinPath(parentOf(input.to), `.berth-${input.token}.part`);

const runStep: Step<FilesPackInput> = {
  name: 'run',
  title: 'Pack',
  async do(context) {
    const { folder, names, to } = context.operation.input;
    const { id } = await instanceOf(context);
    const { uid, gid } = await withGuestFiles(context.services, id, (files) => files.follow(parentOf(to)));
    await runInside(context, { type: 'pack', folder, names, to: partOf(context), uid, gid });
  },
  async undo(context) {
    await endInside(context, 'pack');
    await clear(context);
  },
};

async function clear(context: Context): Promise<void> {
  const { instance } = context.operation;
  if (instance === null) return;
  await withGuestFiles(context.services, instance, (files) => removeTree(files, partOf(context))).catch(
    (error: unknown) => {
      // The guest is gone, and its files with it.
      if (!(error instanceof BerthError && error.code === 'not_found')) throw error;
    },
  );
}

/** No undo: it is the last thing that can fail. */
const nameStep: Step<FilesPackInput> = {
  name: 'name',
  title: 'Put it in its place',
  async do(context) {
    const { to } = context.operation.input;
    const { id } = await instanceOf(context);
    await withGuestFiles(context.services, id, async (files) => {
      const part = partOf(context);
      if ((await lookAt(files, part)) === null) {
        if ((await lookAt(files, to)) !== null) return;
        throw new BerthError('conflict', 'Somebody removed the archive while it was packed.');
      }
      if ((await lookAt(files, to)) !== null) throw new BerthError('conflict', `Already there: "${nameOf(to)}".`);
      await files.setMode(part, FILE_MODE_NEW);
      await files.rename(part, to, false);
    });
  },
};

/** No undo: nothing is left to take back. */
const forgetStep: Step<FilesPackInput> = {
  name: 'forget',
  title: 'Clear up behind it',
  do: (context) => endInside(context, 'pack'),
};

export const filesPack: Workflow<FilesPackInput> = { steps: [runStep, nameStep, forgetStep] };
