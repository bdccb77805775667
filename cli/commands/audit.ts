/** audit: who changed what, how far that is proven, and how long it is kept. */
import { type Command, Option } from 'commander';
import { AUDIT_RETENTION_DAYS_MAX, AUDIT_RETENTION_DAYS_MIN, auditResults } from '#domain/audit.ts';
import { CliError, usageError } from '../errors.ts';
import { formatRelative, paintState, plain } from '../format.ts';
import { collect } from '../refs.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { addAuditProofCommands } from './audit-proof.ts';
import { deletedOption, logOf, platformOption, readState, type Scope, type State, times } from './audit-scope.ts';
import { examples } from './session.ts';

type ListOptions = Scope & {
  action?: string;
  actor?: string;
  target?: string;
  result?: (typeof auditResults)[number];
  search?: string;
  since?: string;
  until?: string;
  limit: string;
};

function readLimit(text: string): number {
  const limit = Number(text);
  if (!Number.isInteger(limit) || limit < 1 || limit > 10_000)
    throw usageError('--limit takes a number from 1 to 10000.');
  return limit;
}

function addList(audit: Command, io: Io): void {
  audit
    .command('list')
    .alias('ls')
    .description('List the audit log of the organization, newest first')
    .option('--action <action>', 'only actions that begin so, such as instance.create')
    .option('--actor <who>', 'only this person or token')
    .option('--target <what>', 'only this target')
    .addOption(new Option('--result <result>', 'only with this result').choices([...auditResults]))
    .option('--search <words>', 'only entries that contain all these words')
    .option('--since <time>', 'after this time (2h, 7d or RFC 3339)')
    .option('--until <time>', 'before this time')
    .option('--limit <n>', 'rows at most', '50')
    .addOption(platformOption())
    .addOption(deletedOption())
    .addHelpText(
      'after',
      examples([
        'berth audit list --since 7d --action instance.archive',
        'berth audit list --result refused --search "ada example"',
        'berth audit list --limit 1000 --json > audit.json',
      ]),
    )
    .action(
      run<ListOptions>(io, async (berth, _args, options) => {
        const limit = readLimit(options.limit);
        const client = await berth.client();
        const now = berth.io.now();
        const filter = {
          ...(options.action === undefined ? {} : { action: options.action }),
          ...(options.actor === undefined ? {} : { actor: options.actor }),
          ...(options.target === undefined ? {} : { target: options.target }),
          ...(options.result === undefined ? {} : { result: options.result }),
          ...(options.search === undefined ? {} : { q: options.search }),
          ...times(berth, options),
        };
        const log = await logOf(berth, options);
        const page = await collect(limit, (query) =>
          'platform' in log
            ? client.call('platformAuditList', { query: { ...query, ...filter, ...log.platform } })
            : client.call('auditList', { params: log, query: { ...query, ...filter } }),
        );
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'When', value: (row) => formatRelative(row.at, now) },
              { title: 'Who', value: (row) => row.actor },
              { title: 'Did', value: (row) => row.action },
              { title: 'To', value: (row) => row.target },
              {
                title: 'Result',
                value: (row) => row.result,
                paint: (text, row) => text.replace(row.result, paintState(row.result, berth.paint)),
              },
              { title: 'From', value: (row) => row.address ?? '-' },
            ],
            { paint: berth.paint, empty: 'Nothing matches.' },
          ),
        );
      }),
    );
}

function addStatus(audit: Command, io: Io): void {
  audit
    .command('status')
    .description('Show how far the log is signed and verified, with which key, and how long it is kept')
    .addOption(platformOption())
    .addOption(deletedOption())
    .action(
      run<Scope>(io, async (berth, _args, options) => {
        const state = await readState(berth, options);
        const now = berth.io.now();
        const head = state.head;
        berth.print(state, () =>
          [
            `Entries    ${state.first} to ${state.entries}`,
            `Signed     ${head === null ? 'not yet' : `up to ${head.position}, ${formatRelative(head.at, now)}`}`,
            `Verified   ${state.verifiedAt === null ? 'not yet' : `up to ${state.verifiedTo}, ${formatRelative(state.verifiedAt, now)}`}`,
            ...(state.problem === null
              ? []
              : [berth.paint.red(`Problem    entry ${state.problem.position}: ${plain(state.problem.message)}`)]),
            `Kept       ${state.retentionDays === null ? 'for ever' : `${state.retentionDays} days`}`,
            ...state.keys.map((key) =>
              key.retiredAt === null
                ? `Key        ${key.kid}`
                : `Earlier    ${key.kid}, until ${formatRelative(key.retiredAt, now)}`,
            ),
            '',
          ].join('\n'),
        );
      }),
    );
  audit
    .command('head')
    .description('Print the newest signed head as JSON, to be kept elsewhere')
    .addOption(platformOption())
    .addOption(deletedOption())
    .addHelpText('after', examples(['berth audit head > head.json']))
    .action(
      run<Scope>(io, async (berth, _args, options) => {
        const { head } = await readState(berth, options);
        if (head === null)
          throw new CliError('failure', 'No head is signed yet.', {
            code: 'not_found',
            hint: 'Try again in a minute.',
          });
        berth.out(`${JSON.stringify(head)}\n`);
      }),
    );
}

function addDeleted(audit: Command, io: Io): void {
  audit
    .command('deleted')
    .description('List the audit logs of deleted organizations (platform administrators)')
    .option('--limit <n>', 'rows at most', '50')
    .addHelpText('after', examples(['berth audit deleted', 'berth audit export --deleted acme -o acme.jsonl']))
    .action(
      run<{ limit: string }>(io, async (berth, _args, options) => {
        const limit = readLimit(options.limit);
        const client = await berth.client();
        const now = berth.io.now();
        const page = await collect(limit, (query) => client.call('platformAuditDeletedList', { query }));
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Name', value: (row) => row.name },
              { title: 'Deleted', value: (row) => formatRelative(row.deletedAt, now) },
              {
                title: 'Entries',
                value: (row) => (row.lastAt === null ? 'removed, signed for' : `${row.first} to ${row.entries}`),
              },
              {
                title: 'Kept',
                value: (row) => (row.retentionDays === null ? 'for ever' : `${row.retentionDays} days`),
              },
              { title: 'Id', value: (row) => row.organization },
            ],
            { paint: berth.paint, empty: 'No organization was deleted.' },
          ),
        );
      }),
    );
}

function addRetention(audit: Command, io: Io): void {
  audit
    .command('retention [days]')
    .summary('Show or change how long entries are kept')
    .description(
      `Show how long entries are kept, or change it: ${AUDIT_RETENTION_DAYS_MIN} to ${AUDIT_RETENTION_DAYS_MAX} days, or "forever". Owners only.`,
    )
    .option('-y, --yes', 'do not ask')
    .addOption(platformOption())
    .addHelpText('after', examples(['berth audit retention', 'berth audit retention 365']))
    .action(
      run<Scope & { yes?: boolean }>(io, async (berth, [wanted], options) => {
        const before = await readState(berth, options);
        const show = (state: State) =>
          berth.print({ days: state.retentionDays }, () =>
            state.retentionDays === null
              ? 'Entries are kept for ever.\n'
              : `Entries are kept for ${state.retentionDays} days.\n`,
          );
        if (wanted === undefined) return show(before);
        const days = wanted === 'forever' ? null : Number(wanted);
        if (
          days !== null &&
          !(Number.isInteger(days) && days >= AUDIT_RETENTION_DAYS_MIN && days <= AUDIT_RETENTION_DAYS_MAX)
        )
          throw usageError(
            `"${wanted}" is not ${AUDIT_RETENTION_DAYS_MIN} to ${AUDIT_RETENTION_DAYS_MAX} days, nor "forever".`,
          );
        if (days !== null && (before.retentionDays === null || days < before.retentionDays)) {
          await berth.confirm(
            `Remove entries older than ${days} days for good, now and from now on? Export them first if you may need them.`,
            options.yes,
          );
        }
        const client = await berth.client();
        show(
          options.platform === true
            ? await client.call('platformAuditRetention', { body: { days } })
            : await client.call('auditRetention', {
                params: { organization: (await berth.organization()).id },
                body: { days },
              }),
        );
      }),
    );
}

export function addAuditCommands(program: Command, io: Io): void {
  const audit = program.command('audit').description('Who changed what, and the proof of it');
  addList(audit, io);
  addAuditProofCommands(audit, io);
  addStatus(audit, io);
  addDeleted(audit, io);
  addRetention(audit, io);
}
