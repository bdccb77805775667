/** sessions: browsers and programs that are signed in as you. */
import type { Command } from 'commander';
import { formatRelative, plain } from '../format.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';

export function addSessionListCommands(program: Command, io: Io): void {
  const sessions = program
    .command('sessions')
    .alias('session')
    .description('Browsers and programs that are signed in as you');
  sessions
    .command('list')
    .alias('ls')
    .description('List them; this program has a star')
    .action(
      run(io, async (berth) => {
        const page = await (await berth.client()).call('sessionsList', {});
        const now = berth.io.now();
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: '', value: (row) => (row.current ? '*' : '') },
              { title: 'What', value: (row) => plain(row.device) },
              { title: 'Kind', value: (row) => (row.kind === 'client' ? 'program' : 'browser') },
              { title: 'Address', value: (row) => plain(row.address) },
              { title: 'Signed in', value: (row) => formatRelative(row.createdAt, now) },
              { title: 'Seen', value: (row) => formatRelative(row.lastSeenAt, now) },
              { title: 'Ends', value: (row) => formatRelative(row.expiresAt, now) },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'No sessions.' },
          ),
        );
      }),
    );
  sessions
    .command('revoke <session>')
    .aliases(['delete', 'rm'])
    .description('End one of them (its id)')
    .action(
      run(io, async (berth, [session = '']) => {
        await (await berth.client()).call('sessionsRevoke', { params: { session } });
        berth.print({ revoked: session }, () => 'That session has ended.\n');
      }),
    );
  sessions
    .command('revoke-others')
    .description('End all but the one of this program')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, _args, options) => {
        await berth.confirm('End every other session of yours?', options.yes);
        await (await berth.client()).call('sessionsRevokeOthers', {});
        berth.print({ revoked: 'others' }, () => 'All other sessions have ended.\n');
      }),
    );
}
