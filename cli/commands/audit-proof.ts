/** The proof of the audit log: writing exports, and checking them without any server. */
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm } from 'node:fs/promises';
import type { Command } from 'commander';
import { type AuditHead, thumbprintText } from '#domain/audit.ts';
import { AuditProblem, type AuditReport, isHead } from '#domain/audit-verify.ts';
import { fileCrypto, verifyAudit } from '../audit-file.ts';
import { CliError, usageError } from '../errors.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { deletedOption, logOf, platformOption, readState, type Scope, times } from './audit-scope.ts';
import { examples } from './session.ts';

function words(report: AuditReport): string {
  const range = report.entries === 0 ? 'no entries' : `${report.entries} entries (${report.first} to ${report.last})`;
  const removed = report.removed === 0 ? '' : `Entries 1 to ${report.removed} were removed by retention, signed for.\n`;
  const head =
    report.head === null
      ? 'No signed head is among them: the end is vouched for by the header alone.\n'
      : `Signed up to entry ${report.head.position}, at ${report.head.at}.\n`;
  const others = report.keys.filter((key) => key !== report.key);
  const earlier = others.length === 0 ? '' : `Other keys it vouches for: ${others.join(', ')}\n`;
  return `Nothing was changed: ${range} of ${report.chain}.\n${removed}${head}Key: ${report.key}\n${earlier}`;
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
    .addOption(deletedOption())
    .addHelpText('after', examples(['berth audit export -o audit.jsonl', 'berth audit verify audit.jsonl']))
    .action(
      run<Scope & { output: string; since?: string; until?: string }>(io, async (berth, _args, options) => {
        const client = await berth.client();
        const query = times(berth, options);
        const log = await logOf(berth, options);
        const pieces =
          'platform' in log
            ? client.bytes('platformAuditExport', { query: { ...query, ...log.platform } }, berth.io.signal)
            : client.bytes('auditExport', { params: log, query }, berth.io.signal);
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
    .option(
      '--key <thumbprint or file>',
      'the key that must have signed, or a file of `berth audit keys`; else the key in the export is believed',
    )
    .addHelpText(
      'after',
      examples([
        'berth audit verify audit.jsonl',
        'berth audit verify audit.jsonl --head head.json --key audit-keys.json',
      ]),
    )
    .action(
      run<{ head?: string; key?: string }>(io, async (berth, [file = ''], options) => {
        const kept = options.head === undefined ? [] : [await readHead(options.head)];
        const pieces = file === '-' ? berth.io.stdin : createReadStream(file);
        const report = await verifyAudit(pieces as AsyncIterable<Buffer>, {
          kept,
          trusted: options.key === undefined ? null : await readKeys(options.key),
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

/** A thumbprint as it is, or those of the keys in a file, computed from the keys themselves. */
async function readKeys(named: string): Promise<string[]> {
  if (/^[A-Za-z0-9_-]{43}$/.test(named)) return [named];
  const text = await readFile(named, 'utf8').catch(() => {
    throw usageError(`${named} is neither the thumbprint of a key nor a file.`);
  });
  try {
    const { keys } = JSON.parse(text) as { keys: { crv: string; kty: string; x: string }[] };
    const thumbprints = keys
      .filter((key) => typeof key.x === 'string')
      .map((key) => fileCrypto.thumbprint(thumbprintText(key)));
    if (thumbprints.length > 0) return thumbprints;
  } catch {
    // Said below.
  }
  throw usageError(`${named} holds no keys.`, 'Make one with: berth audit keys > audit-keys.json');
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

function addKeys(audit: Command, io: Io): void {
  audit
    .command('keys')
    .summary('Print the public keys that sign the log')
    .description('Print the public keys that sign and signed the log as JSON web keys, to be kept elsewhere.')
    .addOption(platformOption())
    .addHelpText(
      'after',
      examples(['berth audit keys > audit-keys.json', 'berth audit verify a.jsonl --key audit-keys.json']),
    )
    .action(
      run<Scope>(io, async (berth, _args, options) => {
        const { keys } = await readState(berth, options);
        berth.out(`${JSON.stringify({ keys: keys.map(({ crv, kid, kty, x }) => ({ crv, kid, kty, x })) })}\n`);
      }),
    );
}

export function addAuditProofCommands(audit: Command, io: Io): void {
  addExport(audit, io);
  addVerify(audit, io);
  addKeys(audit, io);
}
