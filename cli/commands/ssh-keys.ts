/** ssh-keys: keys of the own account that open servers through the SSH gateway. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { SSH_KEY_LENGTH_MAX } from '#domain/ssh.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

export function addSshKeyCommands(program: Command, io: Io): void {
  const keys = program.command('ssh-keys').alias('ssh-key').description('SSH keys of your account');
  keys
    .command('list')
    .alias('ls')
    .description('List your SSH keys')
    .action(
      run(io, async (berth) => {
        const page = await (await berth.client()).call('sshKeysList', {});
        const now = berth.io.now();
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Label', value: (row) => row.label },
              { title: 'Kind', value: (row) => `${row.type} ${row.bits}` },
              { title: 'Fingerprint', value: (row) => row.fingerprint },
              { title: 'Added', value: (row) => formatRelative(row.createdAt, now) },
              {
                title: 'Last used',
                value: (row) => (row.lastUsedAt === null ? 'never' : formatRelative(row.lastUsedAt, now)),
              },
              { title: 'From', value: (row) => row.lastUsedAddress ?? '-' },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'No SSH keys. Add one: berth ssh-keys add ~/.ssh/id_ed25519.pub' },
          ),
        );
      }),
    );
  keys
    .command('add <file>')
    .description('Add the public key in a .pub file ("-" reads it from stdin)')
    .option('--label <label>', 'what to call it (default: the comment in the key)')
    .addHelpText(
      'after',
      examples([
        'berth ssh-keys add ~/.ssh/id_ed25519.pub',
        'ssh-add -L | head -1 | berth ssh-keys add - --label laptop',
      ]),
    )
    .action(
      run<{ label?: string }>(io, async (berth, [file = ''], options) => {
        const publicKey = (file === '-' ? await berth.readStdin() : await readPublicFile(file)).trim();
        const { label } = options;
        const key = await (await berth.client()).call('sshKeysAdd', {
          body: { publicKey, ...(label === undefined ? {} : { label }) },
        });
        berth.print(key, () => `Added ${plain(key.label)}: ${key.fingerprint}\n`);
      }),
    );
  keys
    .command('remove <key>')
    .aliases(['delete', 'rm'])
    .description('Remove a key (label, fingerprint or id); connections made with it end at once')
    .action(
      run(io, async (berth, [ref = '']) => {
        const client = await berth.client();
        const { items } = await client.call('sshKeysList', {});
        const found = items.filter((key) => key.id === ref || key.fingerprint === ref || key.label === ref);
        if (found.length > 1) {
          throw usageError(
            `Several keys are called "${ref}".`,
            `Use a fingerprint: ${found.map((key) => key.fingerprint).join(', ')}.`,
          );
        }
        const key = found[0];
        if (key === undefined) throw usageError(`There is no SSH key "${ref}".`, 'See: berth ssh-keys list');
        await client.call('sshKeysRemove', { params: { key: key.id } });
        berth.print({ removed: key.id }, () => `${plain(key.label)} is removed.\n`);
      }),
    );
}

/** Never sends a private key, not even to be refused. */
async function readPublicFile(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw usageError(`Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  });
  if (text.includes('PRIVATE KEY-----')) {
    throw usageError('This is a private key: never give it away.', `Give the file that ends in .pub: ${file}.pub`);
  }
  if (text.length > SSH_KEY_LENGTH_MAX * 2) throw usageError(`${file} is too long for a public key.`);
  return text;
}
