/** ssh, ssh-config, ssh-sessions: servers by SSH through the gateway of the installation. */
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Command } from 'commander';
import { type SshAddress, sshConfigEntry, sshOptions } from '#domain/ssh.ts';
import type { OutputOf } from '../client.ts';
import { configPath } from '../config.ts';
import { CliError, ExitStatus, usageError } from '../errors.ts';
import { formatBytes, formatRelative } from '../format.ts';
import { findInstance, type Instance } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

type Access = OutputOf<'sshAccess'>;
const NO_PROGRAM = 127;

export function addSshCommands(program: Command, io: Io): void {
  program
    .command('ssh <instance> [command...]')
    .description('Open a shell in a server over SSH, or run a command in it, with the ssh of this machine')
    .option('-L <forward>', 'forward a port: [address:]port:host:hostport', collect, [])
    .option('-R <forward>', 'forward a port of the server to this machine', collect, [])
    .addHelpText(
      'after',
      examples([
        'berth ssh web',
        'berth ssh web uptime',
        'berth ssh -L 5432:127.0.0.1:5432 web',
        'berth ssh web -- ls -l',
      ]),
    )
    .action(
      run<{ L: string[]; R: string[] }>(io, async (berth, [ref = '', ...command], options) => {
        if (berth.json) throw usageError('A shell has no JSON form.');
        const { access } = await accessOf(berth, ref);
        const { gateway, user } = withGateway(access);
        const known = await knownHosts(berth, gateway.knownHosts);
        const argv = [
          ...sshOptions({ host: gateway.host, port: gateway.port, user }).flatMap((option) => ['-o', option]),
          ...['-o', `UserKnownHostsFile=${known}`, '-o', 'StrictHostKeyChecking=yes'],
          ...options.L.flatMap((forward) => ['-L', forward]),
          ...options.R.flatMap((forward) => ['-R', forward]),
          ...['--', `${user}@${gateway.host}`, ...command],
        ];
        const code = await runSsh(argv);
        if (code !== 0) throw new ExitStatus(code);
      }),
    );
  program
    .command('ssh-config [instances...]')
    .description('Print entries for ~/.ssh/config: then ssh, scp, rsync and editors know servers by their names')
    .addHelpText('after', examples(['berth ssh-config web >> ~/.ssh/config', 'berth ssh-config web --json']))
    .action(
      run(io, async (berth, refs) => {
        if (refs.length === 0) throw usageError('Name at least one instance.', 'See: berth instances list');
        const entries: { name: string; address: SshAddress; knownHosts: string[] }[] = [];
        for (const ref of refs) {
          const { instance, access } = await accessOf(berth, ref);
          const { gateway, user } = withGateway(access);
          const address = { host: gateway.host, port: gateway.port, user };
          entries.push({ name: instance.name, address, knownHosts: gateway.knownHosts });
        }
        const known = entries[0] === undefined ? '' : await knownHosts(berth, entries[0].knownHosts);
        berth.print({ items: entries }, () =>
          entries
            .map(({ name, address }) => `${sshConfigEntry(name, address)}  UserKnownHostsFile ${known}\n`)
            .join('\n'),
        );
      }),
    );
  const sessions = program
    .command('ssh-sessions')
    .alias('ssh-session')
    .description('Who is connected to a server by SSH');
  sessions
    .command('list <instance>')
    .alias('ls')
    .description('List connections, living ones first')
    .action(
      run(io, async (berth, [ref = '']) => {
        const instance = await findInstance(berth, ref);
        const page = await (await berth.client()).call('sshSessionsList', { params: { instance: instance.id } });
        const now = berth.io.now();
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Who', value: (row) => row.user.email },
              { title: 'By', value: (row) => (row.method === 'key' ? `key ${row.keyLabel ?? ''}` : 'password') },
              { title: 'From', value: (row) => row.address },
              { title: 'Since', value: (row) => formatRelative(row.startedAt, now) },
              { title: 'In', value: (row) => formatBytes(row.bytesIn) },
              { title: 'Out', value: (row) => formatBytes(row.bytesOut) },
              { title: 'State', value: (row) => (row.endedAt === null ? 'connected' : (row.endReason ?? 'ended')) },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'Nobody has connected by SSH yet.' },
          ),
        );
      }),
    );
  sessions
    .command('end <instance> <session>')
    .aliases(['delete', 'rm'])
    .description('Cut a connection (its id)')
    .action(
      run(io, async (berth, [ref = '', session = '']) => {
        const instance = await findInstance(berth, ref);
        await (await berth.client()).call('sshSessionsEnd', { params: { instance: instance.id, session } });
        berth.print({ ended: session }, () => 'It ends now.\n');
      }),
    );
  program
    .command('ssh-host-keys <instance>')
    .description('Show the host keys of a server that Berth trusts; --accept takes those it has now')
    .option('--accept', 'read them anew and trust them')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ accept?: boolean; yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const client = await berth.client();
        const instance = await findInstance(berth, ref);
        const params = { instance: instance.id };
        if (options.accept === true)
          await berth.confirm(`Trust the host keys that ${instance.name} has now?`, options.yes);
        const access =
          options.accept === true
            ? await client.call('sshHostKeysAccept', { params, body: {} })
            : await client.call('sshAccess', { params });
        const { fingerprints, refused } = access.hostKeys;
        berth.print(access.hostKeys, () =>
          [
            ...(fingerprints.length === 0 ? ['None are known yet: it has to run once.'] : fingerprints),
            ...(refused === null ? [] : [`It came with ${refused.fingerprint} instead: nobody gets in.`]),
            '',
          ].join('\n'),
        );
      }),
    );
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

async function accessOf(berth: Runtime, ref: string): Promise<{ instance: Instance; access: Access }> {
  const instance = await findInstance(berth, ref);
  const access = await (await berth.client()).call('sshAccess', { params: { instance: instance.id } });
  return { instance, access };
}

function withGateway(access: Access): { gateway: NonNullable<Access['gateway']>; user: string } {
  if (access.gateway !== null) return { gateway: access.gateway, user: access.user };
  throw new CliError('unavailable', 'This installation runs no SSH gateway.');
}

/** The gateway's key comes over the API, which was checked already: nobody has to say "yes" to a fingerprint. */
async function knownHosts(berth: Runtime, lines: readonly string[]): Promise<string> {
  const file = join(dirname(configPath(berth.io.env)), 'known_hosts');
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(file, `${lines.join('\n')}\n`, { mode: 0o600 });
  return file;
}

function runSsh(argv: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn('ssh', argv, { stdio: 'inherit' });
    child.once('error', () => reject(new CliError('failure', 'There is no ssh on this machine.')));
    child.once('exit', (code) => resolve(code ?? NO_PROGRAM));
  });
}
