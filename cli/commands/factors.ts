/** factors and confirm: second factors of the own account, of members who lost theirs, and an organization's rule. */
import { type Command, Option } from 'commander';
import { RECOVERY_CODES_FEW } from '#domain/factors.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { findMember } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { askCode, codeAnswer } from '../second-step.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

const APP = 'totp';

async function list(berth: Runtime): Promise<void> {
  const security = await (await berth.client()).call('securityGet', {});
  const now = berth.io.now();
  const rows = [
    ...(security.totp === null
      ? []
      : [{ kind: 'authenticator app', name: APP, since: security.totp.since, used: '-', id: APP }]),
    ...security.passkeys.map((each) => ({
      kind: 'passkey',
      name: each.name,
      since: each.createdAt,
      used: each.lastUsedAt === null ? 'never' : formatRelative(each.lastUsedAt, now),
      id: each.id,
    })),
  ];
  berth.print(security, () => {
    const table = renderTable(
      rows,
      [
        { title: 'Kind', value: (row) => row.kind },
        { title: 'Name', value: (row) => row.name },
        { title: 'Since', value: (row) => formatRelative(row.since, now) },
        { title: 'Last used', value: (row) => row.used },
        { title: 'Id', value: (row) => row.id },
      ],
      { paint: berth.paint, empty: 'No second factor. Set one up in the console under Account, Security.' },
    );
    const left = security.recoveryCodesLeft;
    const few = left <= RECOVERY_CODES_FEW ? ' Make new ones with: berth factors recovery-codes' : '';
    return rows.length === 0 ? table : `${table}Recovery codes left: ${left}.${few}\n`;
  });
}

async function remove(berth: Runtime, ref: string, yes: boolean | undefined): Promise<void> {
  const client = await berth.client();
  const { totp, passkeys } = await client.call('securityGet', {});
  const found = passkeys.filter((each) => each.id === ref || each.name === ref);
  if (ref === APP && totp !== null) {
    await berth.confirm('Remove the authenticator app? Its codes stop working.', yes);
    await client.call('totpRemove', {});
    berth.print({ removed: APP }, () => 'The authenticator app is removed.\n');
    return;
  }
  if (found.length > 1) {
    throw usageError(`Several passkeys are called "${ref}".`, `Use an id: ${found.map((each) => each.id).join(', ')}.`);
  }
  const [passkey] = found;
  if (passkey === undefined) throw usageError(`There is no second factor "${ref}".`, 'See: berth factors list');
  await berth.confirm(`Remove the passkey ${plain(passkey.name)}? It no longer signs you in.`, yes);
  await client.call('passkeysDelete', { params: { passkey: passkey.id } });
  berth.print({ removed: passkey.id }, () => `The passkey ${plain(passkey.name)} is removed.\n`);
}

async function confirm(berth: Runtime, options: { passwordStdin?: boolean; code?: string }): Promise<void> {
  const client = await berth.client();
  const { confirmWith } = await client.call('securityGet', {});
  const password = options.code === undefined && confirmWith.includes('password');
  const body = password
    ? {
        type: 'password' as const,
        password: options.passwordStdin === true ? await berth.readStdin() : await berth.askSecret('Password: '),
      }
    : options.code !== undefined
      ? codeAnswer(options.code)
      : await askCode(
          berth,
          confirmWith.filter((kind) => kind !== 'password'),
          undefined,
        );
  const { confirmedUntil } = await client.call('confirm', { body });
  berth.print({ confirmedUntil }, () => `Confirmed; it holds ${formatRelative(confirmedUntil, berth.io.now())}.\n`);
}

async function rule(berth: Runtime, options: { required?: boolean; optional?: boolean }): Promise<void> {
  const client = await berth.client();
  const { id, name } = await berth.organization();
  const params = { organization: id };
  const answer =
    options.required === true || options.optional === true
      ? await client.call('organizationSignInUpdate', {
          params,
          body: { secondFactorRequired: options.required === true },
        })
      : await client.call('organizationSignInGet', { params });
  berth.print(answer, () => {
    const without = answer.membersWithout ?? 0;
    const who = without === 0 ? '' : ` Members without one: ${without}.`;
    return answer.secondFactorRequired
      ? `${plain(name)} asks every member for a second factor.${who}\n`
      : `A second factor is optional in ${plain(name)}.${who}\n`;
  });
}

export function addFactorCommands(program: Command, io: Io): void {
  const factors = program.command('factors').alias('factor').description('Second factors: yours, and who lost theirs');
  factors
    .command('list')
    .alias('ls')
    .description('List your second factors and how many recovery codes are left')
    .action(run(io, (berth) => list(berth)));
  factors
    .command('remove <factor>')
    .alias('rm')
    .description(`Remove a second factor: a passkey (name or id) or "${APP}", the authenticator app`)
    .option('-y, --yes', 'do not ask')
    .action(run<{ yes?: boolean }>(io, (berth, [ref = ''], options) => remove(berth, ref, options.yes)));
  factors
    .command('recovery-codes')
    .description('Make new recovery codes, printed this once; the old ones stop working')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, _args, options) => {
        await berth.confirm('Make new recovery codes? The ones you have stop working.', options.yes);
        const answer = await (await berth.client()).call('recoveryCodesCreate', {});
        berth.print(answer, () => `${answer.recoveryCodes.join('\n')}\n`);
      }),
    );
  factors
    .command('reset-member <member>')
    .description('Remove all second factors of a member who lost them (e-mail or id); ends their sessions')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const organization = await berth.organization();
        const member = await findMember(berth, organization.id, ref);
        const who = plain(member.user.email);
        await berth.confirm(
          `Remove the second factors of ${who}? Their password alone opens the account then.`,
          options.yes,
        );
        const params = { organization: organization.id, user: member.user.id };
        await (await berth.client()).call('memberFactorsReset', { params });
        berth.print({ reset: member.user.id }, () => `${who} has no second factor any more; their sessions ended.\n`);
      }),
    );
  factors
    .command('reset-user <user>')
    .description('The same for anybody of the installation, by id (platform administrators)')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [user = ''], options) => {
        await berth.confirm(
          `Remove the second factors of ${plain(user)}? Their password alone opens the account then.`,
          options.yes,
        );
        await (await berth.client()).call('factorsReset', { params: { user } });
        berth.print({ reset: user }, () => `${plain(user)} has no second factor any more; their sessions ended.\n`);
      }),
    );
  factors
    .command('rule')
    .description('Show whether the organization asks every member for a second factor, or change it')
    .addOption(new Option('--required', 'ask every member for one').conflicts('optional'))
    .addOption(new Option('--optional', 'ask no longer'))
    .action(run<{ required?: boolean; optional?: boolean }>(io, (berth, _args, options) => rule(berth, options)));
  program
    .command('confirm')
    .summary('Confirm that it is you before something dangerous')
    .description(
      'Some actions ask for a fresh confirmation; it holds for some minutes.\n' +
        'Asks for the password, or takes a code of the authenticator app or a recovery code.',
    )
    .addOption(new Option('--password-stdin', 'read the password from stdin').conflicts('code'))
    .option('--code <code>', 'code of the authenticator app, or a recovery code')
    .addHelpText('after', examples(['berth confirm --code 123456 && berth factors recovery-codes']))
    .action(run<{ passwordStdin?: boolean; code?: string }>(io, (berth, _args, options) => confirm(berth, options)));
}
