/** ssh-recordings: whose SSH sessions are recorded, and what was. */
import { type Command, InvalidArgumentError } from 'commander';
import { SSH_RECORDING_DAYS_MAX } from '#domain/ssh-recordings.ts';
import { usageError } from '../errors.ts';
import { formatBytes, formatRelative, plain } from '../format.ts';
import { collect, findInstance, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { download } from './files.ts';
import { examples } from './session.ts';

function days(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= SSH_RECORDING_DAYS_MAX) return value;
  throw new InvalidArgumentError(`1 to ${SSH_RECORDING_DAYS_MAX}`);
}

async function set(berth: Runtime, ref: string, enabled: boolean): Promise<void> {
  const { id, name } = await findInstance(berth, ref);
  const client = await berth.client();
  const { recording } = await client.call('sshRecordingSet', { params: { instance: id }, body: { enabled } });
  berth.print(recording, () => {
    if (enabled) return `Sessions at ${plain(name)} are recorded from now on; everybody is told when they connect.\n`;
    return recording.organization
      ? `${plain(name)} no longer asks for it, but its organization does: sessions are recorded.\n`
      : `Sessions at ${plain(name)} are no longer recorded.\n`;
  });
}

export function addSshRecordingCommands(program: Command, io: Io): void {
  const recordings = program
    .command('ssh-recordings')
    .alias('ssh-recording')
    .description('Recordings of SSH sessions: whose, and what was recorded');
  recordings
    .command('list <instance>')
    .alias('ls')
    .description('List recordings of a server, the latest first')
    .action(
      run(io, async (berth, [ref = '']) => {
        const { id } = await findInstance(berth, ref);
        const client = await berth.client();
        const page = await collect(LIST_ROWS_MAX, (query) =>
          client.call('sshRecordingsList', { params: { instance: id }, query }),
        );
        const now = berth.io.now();
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Who', value: (row) => row.user.email },
              { title: 'From', value: (row) => row.address },
              { title: 'When', value: (row) => formatRelative(row.startedAt, now) },
              {
                title: 'Seconds',
                value: (row) => (row.endedAt === null ? 'recording' : String(Math.round(row.milliseconds / 1000))),
              },
              { title: 'Size', value: (row) => formatBytes(row.sizeBytes) },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'Nothing was recorded there.' },
          ),
        );
      }),
    );
  recordings
    .command('get <instance> <recording> [local]')
    .alias('download')
    .description('Take a recording out (asciicast v2, for `asciinema play`); `-` writes it to standard output')
    .option('-f, --force', 'write over a local file')
    .addHelpText('after', examples(['berth ssh-recordings get web srd_... - | asciinema play -']))
    .action(
      run<{ force?: boolean }>(io, async (berth, [ref = '', recording = '', local], options) => {
        const { id } = await findInstance(berth, ref);
        const to = typeof local === 'string' ? local : `${recording}.cast`;
        const params = { instance: id, recording };
        const pieces = (await berth.client()).bytes('sshRecordingsRead', { params }, berth.io.signal);
        if (to === '-') {
          for await (const piece of pieces) berth.io.stdout.write(piece);
          return;
        }
        const bytes = await download(pieces, to, options.force === true);
        berth.print({ recording, local: to, bytes }, () => `${plain(to)}: ${formatBytes(bytes)}.\n`);
      }),
    );
  recordings
    .command('delete <instance> <recording>')
    .aliases(['remove', 'rm'])
    .description('Delete a recording for good')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = '', recording = ''], options) => {
        const { id, name } = await findInstance(berth, ref);
        await berth.confirm(`Delete this recording of ${plain(name)} for good?`, options.yes);
        await (await berth.client()).call('sshRecordingsDelete', { params: { instance: id, recording } });
        berth.print({ deleted: recording }, () => 'It is deleted.\n');
      }),
    );
  recordings
    .command('on <instance>')
    .description('Record the sessions of a server; everybody is told when they connect')
    .action(run(io, (berth, [ref = '']) => set(berth, ref, true)));
  recordings
    .command('off <instance>')
    .description('Record them no more; what was recorded stays')
    .action(run(io, (berth, [ref = '']) => set(berth, ref, false)));
  recordings
    .command('policy')
    .description('Show or change what holds for all servers of the organization')
    .option('--all', 'record the sessions of all servers')
    .option('--chosen', 'only of servers that say so themselves')
    .option('--days <days>', 'how long recordings are kept', days)
    .addHelpText('after', examples(['berth ssh-recordings policy', 'berth ssh-recordings policy --all --days 90']))
    .action(
      run<{ all?: boolean; chosen?: boolean; days?: number }>(io, async (berth, _args, options) => {
        if (options.all === true && options.chosen === true) throw usageError('Choose one of --all and --chosen.');
        const client = await berth.client();
        const { id, name } = await berth.organization();
        const params = { organization: id };
        const before = await client.call('sshRecordingPolicyGet', { params });
        const enabled = options.all === true || (options.chosen !== true && before.enabled);
        const isChange = options.all === true || options.chosen === true || options.days !== undefined;
        const body = { enabled, days: options.days ?? before.days };
        const policy = isChange ? await client.call('sshRecordingPolicySet', { params, body }) : before;
        berth.print(policy, () =>
          [
            policy.enabled
              ? `SSH sessions at all servers of ${plain(name)} are recorded.`
              : `SSH sessions at those servers of ${plain(name)} are recorded that say so themselves.`,
            `Recordings are kept for ${policy.days} days; ${formatBytes(policy.usedBytes)} are used.`,
            ...(policy.full ? ['There is no room left: nobody gets a terminal at recorded servers.'] : []),
            '',
          ].join('\n'),
        );
      }),
    );
}
