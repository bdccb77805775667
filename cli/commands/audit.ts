/** audit: who changed what, and the proof of it. `verify` works without any server. */
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { AUDIT_RETENTION_DAYS_MAX, AUDIT_RETENTION_DAYS_MIN, type AuditHead, auditResults } from '#domain/audit.ts';
import { AuditProblem, type AuditReport, isHead } from '#domain/audit-verify.ts';
import { verifyAudit } from '../audit-file.ts';
import type { OutputOf } from '../client.ts';
import { CliError, usageError } from '../errors.ts';
import { formatRelative, paintState, parseSince, plain } from '../format.ts';
import { collect } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

type State = OutputOf<'auditState'>;
type Scope = { platform?: boolean };
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

const platformOption = () =>
  new Option('--platform', 'the log of the installation: what belongs to no organization (platform administrators)');

function times(berth: Runtime, options: { since?: string; until?: string }): { since?: string; until?: string } {
  const now = berth.io.now();
  return {
    ...(options.since === undefined ? {} : { since: parseSince(options.since, now) }),
    ...(options.until === undefined ? {} : { until: parseSince(options.until, now) }),
  };
}

async function readState(berth: Runtime, scope: Scope): Promise<State> {
  const client = await berth.client();
  if (scope.platform === true) return client.call('platformAuditState', {});
  return client.call('auditState', { params: { organization: (await berth.organization()).id } });
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
        const limit = Number(options.limit);
        if (!Number.isInteger(limit) || limit < 1 || limit > 10_000)
          throw usageError('--limit takes a number from 1 to 10000.');
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
        const organization = options.platform === true ? null : (await berth.organization()).id;
        const page = await collect(limit, (query) =>
          organization === null
            ? client.call('platformAuditList', { query: { ...query, ...filter } })
            : client.call('auditList', { params: { organization }, query: { ...query, ...filter } }),
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

function words(report: AuditReport): string {
  const range = report.entries === 0 ? 'no entries' : `${report.entries} entries (${report.first} to ${report.last})`;
  const removed = report.removed === 0 ? '' : `Entries 1 to ${report.removed} were removed by retention, signed for.\n`;
  const head =
    report.head === null
      ? 'No signed head is among them: the end is vouched for by the header alone.\n'
      : `Signed up to entry ${report.head.position}, at ${report.head.at}.\n`;
  return `Nothing was changed: ${range} of ${report.chain}.\n${removed}${head}Key: ${report.keys.join(', ')}\n`;
}

function broken(problem: unknown, file: string): unknown {
  if (!(problem instanceof AuditProblem)) return problem;
  return new CliError('failure', `${file}, line ${problem.line}: ${problem.message}`, { code: 'audit_broken' });
}

function addExport(audit: Command, io: Io): void {
  audit
    .command('export')
    .summary('Write the audit log to a file that proves itself')
    .description('Write the audit log as JSON lines with signed heads and public keys, and check it while it arrives.')
    .requiredOption('-o, --output <file>', 'where to write it; "-" is stdout')
    .option('--since <time>', 'from this time on (2h, 7d or RFC 3339)')
    .option('--until <time>', 'up to this time')
    .addOption(platformOption())
    .addHelpText('after', examples(['berth audit export -o audit.jsonl', 'berth audit verify audit.jsonl']))
    .action(
      run<Scope & { output: string; since?: string; until?: string }>(io, async (berth, _args, options) => {
        const client = await berth.client();
        const query = times(berth, options);
        const pieces =
          options.platform === true
            ? client.bytes('platformAuditExport', { query }, berth.io.signal)
            : client.bytes(
                'auditExport',
                { params: { organization: (await berth.organization()).id }, query },
                berth.io.signal,
              );
        const report = await receive(berth, pieces, options.output);
        if (options.output === '-') berth.note(words(report));
        else berth.print(report, () => words(report));
      }),
    );
}

/** Into a file beside the wanted one, which appears only when it is whole and right. */
async function receive(berth: Runtime, pieces: AsyncIterable<Buffer>, output: string): Promise<AuditReport> {
  if (output === '-') {
    return verifyAudit(pieces, {}, (piece) => {
      berth.io.stdout.write(piece);
    }).catch((error: unknown) => Promise.reject(broken(error, 'the export')));
  }
  const part = `${output}.part`;
  const file = await open(part, 'w', 0o600).catch((error: Error) => {
    throw usageError(`${part} cannot be written: ${error.message}.`);
  });
  try {
    const report = await verifyAudit(pieces, {}, async (piece) => {
      await file.writeFile(piece);
    });
    await file.sync();
    await file.close();
    await rename(part, output);
    return report;
  } catch (error) {
    await file.close().catch(() => {});
    // What does not verify is evidence: it stays under its other name.
    if (!(error instanceof AuditProblem)) await rm(part, { force: true });
    throw broken(error, part);
  }
}

function addVerify(audit: Command, io: Io): void {
  audit
    .command('verify <file>')
    .summary('Check an export, without any server')
    .description(
      'Check an export of the audit log, without any server: any entry that was changed, removed, added or moved is\n' +
        'found, and the first bad line is named.',
    )
    .option('--head <file>', 'a head kept elsewhere: finds an end that was cut off')
    .option('--key <thumbprint>', 'the key that must have signed; else the key in the file is believed')
    .addHelpText(
      'after',
      examples(['berth audit verify audit.jsonl', 'berth audit verify audit.jsonl --head head.json --key Yv3...']),
    )
    .action(
      run<{ head?: string; key?: string }>(io, async (berth, [file = ''], options) => {
        const kept = options.head === undefined ? [] : [await readHead(options.head)];
        const pieces = file === '-' ? berth.io.stdin : createReadStream(file);
        const report = await verifyAudit(pieces as AsyncIterable<Buffer>, {
          kept,
          trusted: options.key === undefined ? null : [options.key],
        }).catch((error: unknown) => {
          if (error instanceof Error && 'code' in error && error.code === 'ENOENT')
            throw usageError(`There is no file ${file}.`);
          throw broken(error, file);
        });
        berth.print(report, () => words(report));
        if (options.key === undefined && !berth.json)
          berth.note('Compare the key with one you noted before (berth audit status), or name it with --key.\n');
      }),
    );
}

async function readHead(file: string): Promise<AuditHead> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw usageError(`There is no file ${file}.`);
  });
  try {
    const head: unknown = JSON.parse(text);
    if (isHead(head)) return head;
  } catch {
    // Said below.
  }
  throw usageError(`${file} is not a head.`, 'Make one with: berth audit head > head.json');
}

function addStatus(audit: Command, io: Io): void {
  audit
    .command('status')
    .description('Show how far the log is signed and verified, with which key, and how long it is kept')
    .addOption(platformOption())
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
            ...state.keys.map((key) => `Key        ${key.kid}`),
            '',
          ].join('\n'),
        );
      }),
    );
  audit
    .command('head')
    .description('Print the newest signed head as JSON, to be kept elsewhere')
    .addOption(platformOption())
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
  addExport(audit, io);
  addVerify(audit, io);
  addStatus(audit, io);
  addRetention(audit, io);
}
