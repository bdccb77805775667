/** files pack, files unpack: archives inside an instance. */
import type { Command } from 'commander';
import { archiveFormat, archiveStem, PACKED_SUFFIX } from '#domain/file-archives.ts';
import { nameOf, parentOf } from '#domain/files.ts';
import { usageError } from '../errors.ts';
import { plain } from '../format.ts';
import { findInstance } from '../refs.ts';
import { type Io, run } from '../runtime.ts';
import { finishAccepted, type WaitOptions, withWait } from '../wait.ts';
import { examples } from './session.ts';

/** `inside` makes the path that is meant by what was typed. Errors: usage. */
export function addFileArchiveCommands(files: Command, io: Io, inside: (path: string) => string): void {
  withWait(
    files
      .command('pack <instance> <archive> <paths...>')
      .description('Pack entries of one folder into a .tar.gz inside the instance'),
  )
    .addHelpText('after', examples(['berth files pack web site.tar.gz site --wait']))
    .action(
      run<WaitOptions>(io, async (berth, [ref = '', archive = '', ...given], options) => {
        const to = inside(archive);
        if (!to.endsWith(PACKED_SUFFIX)) throw usageError(`The archive is called something${PACKED_SUFFIX}.`);
        const paths = given.map(inside);
        const folder = parentOf(paths[0] ?? '/');
        if (paths.some((path) => path === '/' || parentOf(path) !== folder)) {
          throw usageError('What is packed together is in one folder.', 'Pack the folder it is in.');
        }
        const instance = await findInstance(berth, ref);
        const accepted = await (await berth.client()).call('filesPack', {
          params: { instance: instance.id },
          body: { folder, names: paths.map(nameOf), to },
        });
        await finishAccepted(berth, accepted, options, () => `${plain(to)} is there.\n`);
      }),
    );
  withWait(
    files
      .command('unpack <instance> <archive> [folder]')
      .description(
        'Unpack a .tar, .tar.gz, .tar.xz or .zip into a folder of the instance (its own name without a folder)',
      )
      .option('--replace', 'files take the place of files that are there; folders never do'),
  )
    .addHelpText(
      'after',
      examples(['berth files unpack web site.tar.gz --wait', 'berth files unpack web a.zip /srv/a']),
    )
    .action(
      run<WaitOptions & { replace?: boolean }>(io, async (berth, [ref = '', archive = '', folder], options) => {
        const path = inside(archive);
        if (archiveFormat(nameOf(path)) === null) {
          throw usageError(`${plain(path)} is no archive: .tar, .tar.gz, .tar.xz and .zip are.`);
        }
        const to = typeof folder === 'string' ? inside(folder) : archiveStem(path);
        const instance = await findInstance(berth, ref);
        const accepted = await (await berth.client()).call('filesUnpack', {
          params: { instance: instance.id },
          body: { path, to, replace: options.replace === true },
        });
        await finishAccepted(berth, accepted, options, () => `${plain(path)} is unpacked into ${plain(to)}.\n`);
      }),
    );
}
