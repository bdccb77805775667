/** snapshots: points in time of one instance. */
import type { Command } from 'commander';
import { formatRelative, paintState, plain } from '../format.ts';
import { findInstance, findSnapshot } from '../refs.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { finishAccepted, type WaitOptions, withWait } from '../wait.ts';
import { examples } from './session.ts';

export function addSnapshotCommands(program: Command, io: Io): void {
  const snapshots = program.command('snapshots').alias('snapshot').description('Points in time to roll back to');
  snapshots
    .command('list <instance>')
    .alias('ls')
    .description('List the snapshots of an instance')
    .action(
      run(io, async (berth, [ref = '']) => {
        const instance = await findInstance(berth, ref, 'both');
        const page = await (await berth.client()).call('snapshotsList', { params: { instance: instance.id } });
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Name', value: (row) => row.name },
              { title: 'State', value: (row) => row.state, paint: (_text, row) => paintState(row.state, berth.paint) },
              { title: 'Taken', value: (row) => formatRelative(row.createdAt, berth.io.now()) },
              { title: 'By', value: (row) => row.createdBy },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: `No snapshots of ${plain(instance.name)} yet.` },
          ),
        );
      }),
    );
  withWait(snapshots.command('create <instance> <name>').alias('new').description('Take a snapshot'))
    .addHelpText('after', examples(['berth snapshots create web before-upgrade --wait']))
    .action(
      run<WaitOptions>(io, async (berth, [ref = '', name = ''], options) => {
        const instance = await findInstance(berth, ref);
        const accepted = await (await berth.client()).call('snapshotsCreate', {
          params: { instance: instance.id },
          body: { name },
        });
        await finishAccepted(berth, accepted, options, () => `Snapshot ${name} of ${plain(instance.name)} is taken.\n`);
      }),
    );
  withWait(
    snapshots.command('rollback <instance> <snapshot>').description('Roll the instance back; what came after is lost'),
  )
    .option('-y, --yes', 'do not ask')
    .action(
      run<WaitOptions & { yes?: boolean }>(io, async (berth, [ref = '', name = ''], options) => {
        const instance = await findInstance(berth, ref);
        const snapshot = await findSnapshot(berth, instance, name);
        await berth.confirm(
          `Roll ${plain(instance.name)} back to ${plain(snapshot.name)} (${formatRelative(snapshot.createdAt, io.now())})? What came after is lost.`,
          options.yes,
        );
        const accepted = await (await berth.client()).call('snapshotsRollback', {
          params: { instance: instance.id, snapshot: snapshot.id },
        });
        await finishAccepted(
          berth,
          accepted,
          options,
          () => `${plain(instance.name)} is back at ${plain(snapshot.name)}.\n`,
        );
      }),
    );
  withWait(snapshots.command('delete <instance> <snapshot>').alias('rm').description('Delete a snapshot'))
    .option('-y, --yes', 'do not ask')
    .action(
      run<WaitOptions & { yes?: boolean }>(io, async (berth, [ref = '', name = ''], options) => {
        const instance = await findInstance(berth, ref, 'both');
        const snapshot = await findSnapshot(berth, instance, name);
        await berth.confirm(`Delete the snapshot ${plain(snapshot.name)} of ${plain(instance.name)}?`, options.yes);
        const accepted = await (await berth.client()).call('snapshotsDelete', {
          params: { instance: instance.id, snapshot: snapshot.id },
        });
        await finishAccepted(berth, accepted, options, () => `Snapshot ${plain(snapshot.name)} is deleted.\n`);
      }),
    );
}
