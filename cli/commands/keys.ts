/** keys: what signs tokens and what seals secrets. */
import type { Command } from 'commander';
import type { OutputOf } from '../client.ts';
import { formatRelative } from '../format.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

type Keys = OutputOf<'keysList'>;

function describe(berth: Runtime, keys: Keys): string {
  const now = berth.io.now();
  const signing = renderTable(
    keys.signing,
    [
      { title: 'Signs', value: (row) => (row.purpose === 'access' ? 'access tokens' : 'sign-in to apps') },
      { title: 'State', value: (row) => row.state },
      { title: 'Made', value: (row) => formatRelative(row.createdAt, now) },
      { title: 'Signs from', value: (row) => formatRelative(row.activeFrom, now) },
      { title: 'Ends', value: (row) => (row.expiresAt === null ? '-' : formatRelative(row.expiresAt, now)) },
      { title: 'Id', value: (row) => row.id },
    ],
    { paint: berth.paint, empty: 'No signing keys yet: the first is made when it is needed.' },
  );
  const sealing = renderTable(
    keys.sealing,
    [
      { title: 'Seals', value: () => 'secrets' },
      { title: 'State', value: (row) => row.state },
      { title: 'Made', value: (row) => formatRelative(row.createdAt, now) },
      { title: 'Secrets', value: (row) => String(row.secrets), align: 'right' },
      { title: 'Id', value: (row) => row.id },
    ],
    { paint: berth.paint, empty: 'No sealing keys.' },
  );
  const audit = renderTable(
    keys.audit,
    [
      { title: 'Signs', value: () => 'audit log' },
      { title: 'State', value: (row) => row.state },
      { title: 'Made', value: (row) => formatRelative(row.createdAt, now) },
      { title: 'Retired', value: (row) => (row.retiredAt === null ? '-' : formatRelative(row.retiredAt, now)) },
      { title: 'Named by the key before', value: (row) => (row.follows === null ? 'no' : 'yes') },
      { title: 'Thumbprint', value: (row) => row.id },
    ],
    { paint: berth.paint, empty: 'No key for the audit log yet: it is made with the first signature.' },
  );
  return `${signing}\n${sealing}\n${audit}`;
}

export function addKeyCommands(program: Command, io: Io): void {
  const keys = program
    .command('keys')
    .alias('key')
    .description('Keys that sign tokens and seal secrets (platform administrators)');
  keys
    .command('list')
    .alias('ls')
    .description('List keys, their state and how many secrets each seals')
    .action(
      run(io, async (berth) => {
        const found = await (await berth.client()).call('keysList', {});
        berth.print(found, () => describe(berth, found));
      }),
    );
  keys
    .command('rotate')
    .summary('Make new keys')
    .description(
      'Make new keys while Berth runs. New signing keys are published now, sign after a quarter of an hour,\n' +
        'and the old ones are believed for a day; every secret in the database is sealed anew within a minute.',
    )
    .option('--at-once', 'a key may be known to somebody: end the old signing keys now')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples(['berth keys rotate --yes', 'berth keys list']))
    .action(
      run<{ atOnce?: boolean; yes?: boolean }>(io, async (berth, _args, options) => {
        await berth.confirm(
          options.atOnce === true
            ? 'Make new keys, and end the old signing keys now? Apps that sign in through Berth sign their people in anew.'
            : 'Make new keys?',
          options.yes,
        );
        const atOnce = options.atOnce === true;
        const made = await (await berth.client()).call('keysRotate', { body: { atOnce } });
        berth.print(made, () => describe(berth, made));
      }),
    );
  keys
    .command('rotate-audit')
    .summary('Sign the audit logs with a new key')
    .description(
      'Sign the audit logs with a new key. The old one names the new one with its signature and loses its private\n' +
        'half; what it signed is still checked. Who noted the thumbprint of the old key needs to do nothing.',
    )
    .option('--leaked', 'the old key may be known to somebody: it names nobody; make the new thumbprint known')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples(['berth keys rotate-audit --yes', 'berth audit keys > audit-keys.json']))
    .action(
      run<{ leaked?: boolean; yes?: boolean }>(io, async (berth, _args, options) => {
        const leaked = options.leaked === true;
        await berth.confirm(
          leaked
            ? 'Make a new key for the audit logs? Who verifies exports with the old thumbprint has to be given the new one.'
            : 'Make a new key for the audit logs?',
          options.yes,
        );
        const made = await (await berth.client()).call('keysRotateAudit', { body: { leaked } });
        berth.print(made, () => describe(berth, made));
      }),
    );
}
