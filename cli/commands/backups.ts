/** backups: encrypted copies of instances outside of the engine; they outlive the instance. */
import type { Command } from 'commander';
import { formatBytes, formatRelative, paintState, plain } from '../format.ts';
import { newIdempotencyKey } from '../random.ts';
import { type Backup, collect, findBackup, findInstance, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { finishAccepted, type WaitOptions, withWait } from '../wait.ts';
import { examples } from './session.ts';

const size = (bytes: number | null): string => (bytes === null ? '' : formatBytes(bytes));
const when = (backup: Backup, io: Io): string => formatRelative(backup.createdAt, io.now());

function table(berth: Runtime, rows: readonly Backup[], empty: string): string {
  return renderTable(
    rows,
    [
      { title: 'Id', value: (row) => row.id },
      { title: 'Instance', value: (row) => (row.instance === null ? `${row.instanceName} (gone)` : row.instanceName) },
      {
        title: 'State',
        value: (row) => (row.repository.state === 'damaged' ? 'damaged' : row.state),
        paint: (text, row) =>
          row.repository.state === 'damaged' ? berth.paint.red(text) : paintState(row.state, berth.paint),
      },
      { title: 'Made', value: (row) => when(row, berth.io) },
      { title: 'Holds', value: (row) => size(row.dataBytes), align: 'right' },
      { title: 'Added', value: (row) => size(row.addedBytes), align: 'right' },
      { title: 'Note', value: (row) => plain(row.note) },
    ],
    { paint: berth.paint, empty },
  );
}

function details(backup: Backup, io: Io): string {
  const { repository } = backup;
  const checked = repository.checkedAt === null ? 'never' : formatRelative(repository.checkedAt, io.now());
  const lines = [
    ['Backup', backup.id],
    ['Of', `${backup.instanceName}${backup.instance === null ? ' (gone)' : ''}`],
    ['State', backup.state],
    ['Made', `${backup.createdAt} by ${plain(backup.createdBy)}`],
    ['Note', plain(backup.note)],
    ['Holds', `${size(backup.dataBytes)} in ${backup.files ?? 0} files`],
    ['Added', size(backup.addedBytes)],
    ['All backups of it take', size(repository.storedBytes)],
    ['Verified', `${checked} (${repository.state})`],
    ...(repository.problem === null ? [] : [['Problem', plain(repository.problem)]]),
  ];
  return `${lines.map(([name, value]) => `${name}: ${value}`).join('\n')}\n`;
}

export function addBackupCommands(program: Command, io: Io): void {
  const backups = program
    .command('backups')
    .alias('backup')
    .description('Encrypted copies of instances; they stay when the instance is gone');
  addLooking(backups, io);
  withWait(backups.command('create <instance>').alias('new').description('Back an instance up, running or stopped'))
    .option('--note <text>', 'what it is for', '')
    .addHelpText('after', examples(['berth backups create web --note "before the upgrade" --wait']))
    .action(
      run<WaitOptions & { note: string }>(io, async (berth, [ref = ''], options) => {
        const instance = await findInstance(berth, ref);
        const accepted = await (await berth.client()).call(
          'backupsCreate',
          { params: { instance: instance.id }, body: { note: options.note } },
          { idempotencyKey: newIdempotencyKey() },
        );
        await finishAccepted(berth, accepted, options, () => `${plain(instance.name)} is backed up.\n`);
      }),
    );
  addRestoring(backups, io);
  withWait(
    backups.command('verify <backup>').description('Read everything that is kept of its instance and check it'),
  ).action(
    run<WaitOptions>(io, async (berth, [ref = '']: string[], options) => {
      const backup = await findBackup(berth, ref);
      const accepted = await (await berth.client()).call('backupsVerify', { params: { backup: backup.id } });
      await finishAccepted(berth, accepted, options, () => `The backups of ${plain(backup.instanceName)} are sound.\n`);
    }),
  );
  withWait(backups.command('delete <backup>').alias('rm').description('Delete a backup for good'))
    .option('-y, --yes', 'do not ask')
    .action(
      run<WaitOptions & { yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const backup = await findBackup(berth, ref);
        await berth.confirm(
          `Delete the backup of ${plain(backup.instanceName)} made ${when(backup, io)}? It cannot be brought back.`,
          options.yes,
        );
        const accepted = await (await berth.client()).call('backupsDelete', { params: { backup: backup.id } });
        await finishAccepted(berth, accepted, options, () => 'The backup is deleted.\n');
      }),
    );
}

function addLooking(backups: Command, io: Io): void {
  backups
    .command('list [instance]')
    .alias('ls')
    .description('List the backups of the project, or of one instance')
    .action(
      run(io, async (berth, [ref]) => {
        const client = await berth.client();
        if (typeof ref === 'string') {
          const instance = await findInstance(berth, ref, 'both');
          const page = await client.call('backupsList', { params: { instance: instance.id } });
          berth.print(page, () => table(berth, page.items, `No backups of ${plain(instance.name)} yet.`));
          return;
        }
        const project = await berth.project();
        const page = await collect(LIST_ROWS_MAX, (query) =>
          client.call('backupsListProject', { params: { project: project.id }, query }),
        );
        berth.print(page, () =>
          table(berth, page.items, 'No backups yet. Make one with: berth backups create INSTANCE'),
        );
      }),
    );
  backups
    .command('show <backup>')
    .alias('get')
    .description('Show one backup')
    .action(
      run(io, async (berth, [ref = '']) => {
        const found = await findBackup(berth, ref);
        const backup = await (await berth.client()).call('backupsGet', { params: { backup: found.id } });
        berth.print(backup, () => details(backup, io));
      }),
    );
}

function addRestoring(backups: Command, io: Io): void {
  withWait(
    backups
      .command('restore <backup>')
      .description('Restore it as a new instance (--as), or in place of what is on the disk of its instance'),
  )
    .option('--as <name>', 'make a new instance of this name')
    .option('-y, --yes', 'do not ask')
    .addHelpText(
      'after',
      `\nIn place, a snapshot of how it is now is taken first.\n${examples([
        'berth backups restore cpy_01j... --as web-again --wait',
        'berth backups restore cpy_01j... --wait',
      ])}`,
    )
    .action(
      run<WaitOptions & { as?: string; yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const backup = await findBackup(berth, ref);
        const client = await berth.client();
        const params = { backup: backup.id };
        const once = { idempotencyKey: newIdempotencyKey() };
        if (options.as !== undefined) {
          const name = options.as;
          const accepted = await client.call('backupsRecover', { params, body: { name } }, once);
          await finishAccepted(berth, accepted, options, () => `${name} is made of the backup.\n`);
          return;
        }
        const name = backup.instanceName;
        await berth.confirm(
          `Replace everything on the disk of ${plain(name)} with what it held ${when(backup, io)}? It restarts; a snapshot of how it is now is taken first.`,
          options.yes,
        );
        const accepted = await client.call('backupsRestore', { params, body: { confirmName: name } }, once);
        await finishAccepted(berth, accepted, options, () => `${plain(name)} is as it was ${when(backup, io)}.\n`);
      }),
    );
}
