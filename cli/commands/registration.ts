/** registration: who may make an account, and codes that let people do so. For administrators of the installation. */
import { type Command, Option } from 'commander';
import { type WorkingRole, workingRoles } from '#domain/authz.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderProperties, renderTable } from '../table.ts';
import { examples } from './session.ts';

type Settings = { open: boolean; ownOrganization: boolean };
const onOff = (name: string, words: string) => new Option(`${name} <on|off>`, words).choices(['on', 'off']);

function describe(berth: Runtime, settings: Settings): string {
  return renderProperties(
    [
      ['Open sign-up', settings.open ? 'on: anybody may register' : 'off: only with a code'],
      ['Organization for everybody', settings.ownOrganization ? 'on' : 'off'],
    ],
    berth.paint,
  );
}

function addSettings(registration: Command, io: Io): void {
  registration
    .command('show')
    .description('Show who may register')
    .action(
      run(io, async (berth) => {
        const settings = await (await berth.client()).call('registrationSettingsGet', {});
        berth.print(settings, () => describe(berth, settings));
      }),
    );
  registration
    .command('update')
    .description('Change who may register')
    .addOption(onOff('--open', 'whether anybody may register without a code'))
    .addOption(onOff('--own-organization', 'whether newcomers get an organization of their own'))
    .addHelpText('after', examples(['berth registration update --open on']))
    .action(
      run<{ open?: string; ownOrganization?: string }>(io, async (berth, _args, options) => {
        const body = {
          ...(options.open === undefined ? {} : { open: options.open === 'on' }),
          ...(options.ownOrganization === undefined ? {} : { ownOrganization: options.ownOrganization === 'on' }),
        };
        if (Object.keys(body).length === 0) throw usageError('Change what?', 'See: berth registration update --help');
        const settings = await (await berth.client()).call('registrationSettingsUpdate', { body });
        berth.print(settings, () => describe(berth, settings));
      }),
    );
}

type CodeOptions = { uses: string; days: string; role?: WorkingRole };

function addCodes(registration: Command, io: Io): void {
  registration
    .command('codes')
    .description('List registration codes')
    .action(
      run(io, async (berth) => {
        const page = await (await berth.client()).call('registrationCodesList', {});
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Begins with', value: (row) => row.prefix },
              { title: 'For', value: (row) => row.note },
              { title: 'State', value: (row) => row.state },
              { title: 'Used', value: (row) => `${row.uses}/${row.usesMax}`, align: 'right' },
              {
                title: 'Joins',
                value: (row) => (row.joins === null ? '-' : `${row.joins.organization.name} as ${row.joins.role}`),
              },
              { title: 'Ends', value: (row) => formatRelative(row.expiresAt, berth.io.now()) },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'No registration codes.' },
          ),
        );
      }),
    );
  registration
    .command('create-code <for>')
    .description('Make a registration code; it is printed this once, alone on stdout')
    .option('--uses <n>', 'how many people may register with it', '1')
    .option('--days <n>', 'how long it lasts', '7')
    .addOption(
      new Option('--role <role>', 'joins the organization (of --organization) in this role').choices([...workingRoles]),
    )
    .addHelpText('after', examples(['berth registration create-code "Autumn class" --uses 30 --role member']))
    .action(
      run<CodeOptions>(io, async (berth, [note = ''], options) => {
        const whole = (text: string, name: string): number => {
          if (!/^[1-9]\d{0,5}$/.test(text)) throw usageError(`${name} takes a whole number.`);
          return Number(text);
        };
        const organization = options.role === undefined ? null : await berth.organization();
        const code = await (await berth.client()).call('registrationCodesCreate', {
          body: {
            note,
            usesMax: whole(options.uses, '--uses'),
            expiresInDays: whole(options.days, '--days'),
            joins:
              organization === null || options.role === undefined
                ? null
                : { organization: organization.id, role: options.role },
          },
        });
        if (!berth.json) {
          const end = formatRelative(code.expiresAt, berth.io.now());
          berth.note(`Code for ${plain(code.note)} (${code.usesMax} uses, ends ${end}); it is not shown again:\n`);
        }
        berth.print(code, () => `${code.code}\n`);
      }),
    );
  registration
    .command('revoke-code <code>')
    .description('Withdraw a registration code (id, first characters, or what it is for)')
    .action(
      run(io, async (berth, [ref = '']) => {
        const client = await berth.client();
        const { items } = await client.call('registrationCodesList', {});
        const found = items.filter((each) => each.state === 'open' && [each.id, each.prefix, each.note].includes(ref));
        const [code] = found;
        if (found.length > 1) throw usageError(`Several codes match "${ref}".`, 'Use an id.');
        if (code === undefined) throw usageError(`There is no open code "${ref}".`, 'See: berth registration codes');
        await client.call('registrationCodesRevoke', { params: { code: code.id } });
        berth.print({ revoked: code.id }, () => `The code for ${plain(code.note)} is withdrawn.\n`);
      }),
    );
}

export function addRegistrationCommands(program: Command, io: Io): void {
  const registration = program
    .command('registration')
    .description('Who may make an account (administrators of the installation)');
  addSettings(registration, io);
  addCodes(registration, io);
}
