/** account: the own profile, a change of address, deletion. */
import { readFile } from 'node:fs/promises';
import { type Command, Option } from 'commander';
import { languages, themes } from '#domain/profiles.ts';
import type { InputOf, OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderProperties } from '../table.ts';
import { examples } from './session.ts';

type Account = OutputOf<'accountGet'>;

function describe(berth: Runtime, { user, preferences, emailVerified, emailChange }: Account): string {
  return renderProperties(
    [
      ['Name', plain(user.name)],
      ['E-mail', `${plain(user.email)}${emailVerified ? '' : ' (not verified)'}`],
      [
        'Moving to',
        emailChange === null
          ? null
          : `${plain(emailChange.email)} (old address ${emailChange.oldConfirmed ? 'confirmed' : 'not yet'}, new address ${emailChange.newConfirmed ? 'confirmed' : 'not yet'})`,
      ],
      ['Dates', preferences.language],
      ['Time zone', preferences.timeZone ?? 'that of the browser'],
      ['Theme', preferences.theme],
      ['Picture', preferences.avatar === null ? 'none' : 'yes'],
      ['Administrator', user.platformAdmin ? 'of the installation' : null],
    ],
    berth.paint,
  );
}

type UpdateOptions = { name?: string; language?: string; timeZone?: string; theme?: (typeof themes)[number] };

function addProfile(account: Command, io: Io): void {
  account
    .command('show')
    .description('Show your account')
    .action(
      run(io, async (berth) => {
        const found = await (await berth.client()).call('accountGet', {});
        berth.print(found, () => describe(berth, found));
      }),
    );
  account
    .command('update')
    .description('Change your profile')
    .option('--name <name>', 'your name')
    .addOption(new Option('--language <language>', 'how dates are written').choices(Object.keys(languages)))
    .option('--time-zone <zone>', 'such as Europe/Vilnius, or "browser"')
    .addOption(new Option('--theme <theme>', 'of the console').choices([...themes]))
    .addHelpText('after', examples(['berth account update --name "Ada Brandt" --time-zone Europe/Vilnius']))
    .action(
      run<UpdateOptions>(io, async (berth, _args, options) => {
        const body: InputOf<'accountUpdate'>['body'] = {
          ...(options.name === undefined ? {} : { name: options.name }),
          ...(options.language === undefined ? {} : { language: options.language as keyof typeof languages }),
          ...(options.timeZone === undefined
            ? {}
            : { timeZone: options.timeZone === 'browser' ? null : options.timeZone }),
          ...(options.theme === undefined ? {} : { theme: options.theme }),
        };
        if (Object.keys(body).length === 0) throw usageError('Change what?', 'See: berth account update --help');
        const changed = await (await berth.client()).call('accountUpdate', { body });
        berth.print(changed, () => describe(berth, changed));
      }),
    );
  account
    .command('picture [file]')
    .description('Set your picture from a PNG, JPEG or WebP file; without a file it is removed')
    .action(
      run(io, async (berth, [file]) => {
        const client = await berth.client();
        if (file === undefined) {
          await client.call('avatarDelete', {});
          berth.print({ picture: null }, () => 'Your picture is removed.\n');
          return;
        }
        const bytes = await readFile(file).catch(() => {
          throw usageError(`"${file}" cannot be read.`);
        });
        const changed = await client.call('avatarUpdate', { body: { image: bytes.toString('base64') } });
        berth.print(changed, () => 'Your picture is set.\n');
      }),
    );
}

function addEmail(account: Command, io: Io): void {
  account
    .command('change-email <email>')
    .description('Begin a change of your e-mail address: a link goes to both addresses')
    .action(
      run(io, async (berth, [email = '']) => {
        const change = await (await berth.client()).call('emailChangeCreate', { body: { email } });
        berth.print(
          change,
          () =>
            `Both addresses have a link; the change counts when both have confirmed, and ends ${formatRelative(change.expiresAt, berth.io.now())}.\n`,
        );
      }),
    );
  account
    .command('keep-email')
    .description('Drop a change of address that is under way')
    .action(
      run(io, async (berth) => {
        await (await berth.client()).call('emailChangeDelete', {});
        berth.print({ emailChange: null }, () => 'Your address stays as it is.\n');
      }),
    );
}

/** `organization=address` of each hand-over, turned into ids. Errors: usage. */
export function handOvers(
  deletion: OutputOf<'deletionGet'>,
  said: readonly string[],
): { organization: string; to: string }[] {
  return said.map((text) => {
    const at = text.indexOf('=');
    const [name, email] = [text.slice(0, Math.max(at, 0)), text.slice(at + 1).toLowerCase()];
    const organization = deletion.organizations.find((each) => each.name === name || each.id === name);
    if (at < 1 || organization === undefined)
      throw usageError(`--hand-over takes ORGANIZATION=ADDRESS, not "${text}".`);
    const to = organization.successors.find((each) => each.email === email || each.id === email);
    if (to === undefined) throw usageError(`${email} cannot become the owner of ${name}.`);
    return { organization: organization.id, to: to.id };
  });
}

/** What deleting means, for the question before it. */
export function consequences(deletion: OutputOf<'deletionGet'>): string {
  const lines = deletion.organizations.map((each) => {
    const owner = each.needsOwner ? '; it needs a new owner: --hand-over' : '';
    return `  leaves ${plain(each.title)} (${each.role}); ${each.instances} instances stay there${owner}\n`;
  });
  return `${lines.join('')}  ends ${deletion.sessions} sessions and ${deletion.tokens} API tokens\n`;
}

export const collectOption = (value: string, before: string[]): string[] => [...before, value];

function addDelete(account: Command, io: Io): void {
  account
    .command('delete')
    .description('Delete your account')
    .option('--hand-over <organization=address>', 'who owns an organization of yours from now on', collectOption, [])
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples(['berth account delete --hand-over harbour=ada@example.com']))
    .action(
      run<{ handOver: string[]; yes?: boolean }>(io, async (berth, _args, options) => {
        const client = await berth.client();
        const { user } = await berth.whoami();
        const deletion = await client.call('deletionGet', {});
        if (deletion.can !== true) throw usageError(deletion.can);
        berth.note(consequences(deletion));
        await berth.confirm(`Delete the account of ${plain(user.email)} for good?`, options.yes);
        await client.call('accountDelete', {
          body: { email: user.email, handOver: handOvers(deletion, options.handOver) },
        });
        berth.print({ deleted: user.id }, () => 'The account is deleted.\n');
      }),
    );
}

export function addAccountCommands(program: Command, io: Io): void {
  const account = program.command('account').description('Your account');
  addProfile(account, io);
  addEmail(account, io);
  addDelete(account, io);
}
