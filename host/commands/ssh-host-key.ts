/** `berth ssh-host-key`: shows the host key of the SSH gateway, and changes it in two steps that cut nobody. */
import { createHash } from 'node:crypto';
import { processUser } from '../accounts.ts';
import { canAsk, confirm } from '../ask.ts';
import { installed } from '../installed.ts';
import type { Layout } from '../layout.ts';
import { dataDirOf, parse, UsageError } from '../options.ts';
import { Refusal } from '../refusal.ts';
import { dropNextHostKey, makeNextHostKey, sshHostKeys, switchHostKey } from '../ssh-host-key.ts';

/** As `ssh-keygen -l` shows it. */
function fingerprint(line: string): string {
  const digest = createHash('sha256').update(Buffer.from(line.split(' ')[1] ?? '', 'base64'));
  return `SHA256:${digest.digest('base64').replace(/=+$/, '')}`;
}

export async function sshHostKeyCommand(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(
    args,
    {
      'data-dir': { type: 'string' },
      json: { type: 'boolean', default: false },
      yes: { type: 'boolean', short: 'y', default: false },
    },
    true,
  );
  const { layout } = installed(dataDirOf(values['data-dir'] as string | undefined));
  const [verb = 'show', ...rest] = positionals;
  if (rest.length > 0) throw new UsageError('berth ssh-host-key takes one word: next, switch or drop');
  const said = await change(layout, verb, values.yes === true);
  const keys = sshHostKeys(layout);
  const shown = {
    current: keys.current === null ? null : { key: keys.current, fingerprint: fingerprint(keys.current) },
    next: keys.next === null ? null : { key: keys.next, fingerprint: fingerprint(keys.next) },
  };
  if (values.json === true) {
    process.stdout.write(`${JSON.stringify(shown)}\n`);
    return 0;
  }
  const lines = [
    ...said,
    `current  ${shown.current?.fingerprint ?? 'none yet'}`,
    ...(shown.next === null ? [] : [`next     ${shown.next.fingerprint}`]),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}

/** Words about what was done. */
async function change(layout: Layout, verb: string, yes: boolean): Promise<string[]> {
  if (verb === 'show') return [];
  const user = processUser('berth-ssh');
  switch (verb) {
    case 'next':
      if (!(await makeNextHostKey(layout, user)))
        throw new Refusal('There is a next key already: switch to it or drop it.');
      return ['The next key is made. Whoever connects from now on, with an OpenSSH client, learns it by itself.'];
    case 'switch':
      await agree(
        'Prove the gateway with the next key from now on? Who has not connected since it was made is warned of a changed host key.',
        yes,
      );
      if (!switchHostKey(layout, user)) throw new Refusal('There is no next key: berth ssh-host-key next makes one.');
      return ['The gateway proves itself with the new key. Open connections go on.'];
    case 'drop':
      if (!dropNextHostKey(layout, user)) throw new Refusal('There is no next key.');
      return ['The next key is gone.'];
    default:
      throw new UsageError(`berth ssh-host-key knows next, switch and drop, not ${verb}`);
  }
}

async function agree(question: string, yes: boolean): Promise<void> {
  if (yes) return;
  if (!canAsk()) throw new Refusal('Nothing was changed: there is no terminal to ask on. Run again with --yes.');
  if (!(await confirm(question))) throw new Refusal('Nothing was changed.');
}
