/** groups, grants, apps: who is in which group, and who may use which app. */
import { type Command, Option } from 'commander';
import { type GrantPermission, grantPermissions, type WorkingRole, workingRoles } from '#domain/authz.ts';
import type { OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { collect, findGroup, findInstance, findPrincipal, findSubject, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

const NO_ROLE = 'none';
const roleChoice = () =>
  new Option('-r, --role <role>', 'what every member of it may do in the whole organization').choices([
    ...workingRoles,
    NO_ROLE,
  ]);
const roleOf = (text: WorkingRole | typeof NO_ROLE): WorkingRole | null => (text === NO_ROLE ? null : text);

function addGroups(program: Command, io: Io): void {
  const groups = program.command('groups').alias('group').description('People who are given rights together');
  groups
    .command('list')
    .alias('ls')
    .description('List the groups of the organization')
    .action(
      run(io, async (berth) => {
        const organization = await berth.organization();
        const page = await (await berth.client()).call('groupsList', { params: { organization: organization.id } });
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Name', value: (row) => row.name },
              { title: 'Title', value: (row) => row.title },
              { title: 'Gives', value: (row) => row.role ?? '-' },
              { title: 'Members', value: (row) => String(row.members), align: 'right' },
            ],
            { paint: berth.paint, empty: 'No groups.' },
          ),
        );
      }),
    );
  groups
    .command('create <name>')
    .alias('new')
    .description('Create a group')
    .option('--title <text>', 'name for people')
    .addOption(roleChoice().default(NO_ROLE))
    .addHelpText('after', examples(['berth groups create course --title "Spring course"']))
    .action(
      run<{ title?: string; role: WorkingRole | typeof NO_ROLE }>(io, async (berth, [name = ''], options) => {
        const organization = await berth.organization();
        const group = await (await berth.client()).call('groupsCreate', {
          params: { organization: organization.id },
          body: { name, title: options.title ?? name, role: roleOf(options.role) },
        });
        berth.print(group, () => `Group ${plain(group.name)} is created.\n`);
      }),
    );
  groups
    .command('update <group>')
    .description('Rename a group or change what it gives')
    .option('--name <name>', 'new name')
    .option('--title <text>', 'new name for people')
    .addOption(roleChoice())
    .action(
      run<{ name?: string; title?: string; role?: WorkingRole | typeof NO_ROLE }>(
        io,
        async (berth, [ref = ''], { name, title, role }) => {
          const organization = await berth.organization();
          const { id: group } = await findGroup(berth, organization.id, ref);
          const after = await (await berth.client()).call('groupsUpdate', {
            params: { organization: organization.id, group },
            body: {
              ...(name === undefined ? {} : { name }),
              ...(title === undefined ? {} : { title }),
              ...(role === undefined ? {} : { role: roleOf(role) }),
            },
          });
          berth.print(after, () => `Group ${plain(after.name)} is changed.\n`);
        },
      ),
    );
  groups
    .command('delete <group>')
    .alias('rm')
    .description('Delete a group; its members lose what it gave')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const organization = await berth.organization();
        const group = await findGroup(berth, organization.id, ref);
        await berth.confirm(`Delete ${plain(group.name)}? ${group.members} people lose what it gives.`, options.yes);
        await (await berth.client()).call('groupsDelete', {
          params: { organization: organization.id, group: group.id },
        });
        berth.print({ deleted: group.id }, () => `Group ${plain(group.name)} is deleted.\n`);
      }),
    );
  groups
    .command('members <group>')
    .description('List who is in a group')
    .action(
      run(io, async (berth, [ref = '']) => {
        const organization = await berth.organization();
        const { id: group } = await findGroup(berth, organization.id, ref);
        const page = await (await berth.client()).call('groupMembersList', {
          params: { organization: organization.id, group },
        });
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'E-mail', value: (row) => row.user.email },
              { title: 'Name', value: (row) => row.user.name },
              { title: 'Added', value: (row) => formatRelative(row.addedAt, berth.io.now()) },
            ],
            { paint: berth.paint, empty: 'Nobody.' },
          ),
        );
      }),
    );
  for (const { verb, route, done } of [
    { verb: 'add', route: 'groupMembersAdd', done: 'is in' },
    { verb: 'remove', route: 'groupMembersRemove', done: 'is out of' },
  ] as const) {
    groups
      .command(`${verb} <group> <member>`)
      .description(
        verb === 'add'
          ? 'Add a member of the organization, or service:<name>, to a group'
          : 'Take somebody out of a group',
      )
      .action(
        run(io, async (berth, [ref = '', who = '']) => {
          const organization = await berth.organization();
          const group = await findGroup(berth, organization.id, ref);
          const user = await findPrincipal(berth, organization.id, who);
          await (await berth.client()).call(route, {
            params: { organization: organization.id, group: group.id, user: user.id },
          });
          berth.print({ group: group.id, user: user.id }, () => `${plain(user.email)} ${done} ${plain(group.name)}.\n`);
        }),
      );
  }
}

function addGrants(program: Command, io: Io): void {
  const grants = program.command('grants').alias('grant').description('Who may use which app (an instance)');
  grants
    .command('list')
    .alias('ls')
    .description('List app permissions of the organization')
    .option('--app <instance>', 'of one instance (name or id)')
    .option('--subject <subject>', 'of one person (e-mail) or group (name)')
    .action(
      run<{ app?: string; subject?: string }>(io, async (berth, _, options) => {
        const organization = await berth.organization();
        const client = await berth.client();
        const params = { organization: organization.id };
        const app = options.app === undefined ? undefined : (await findInstance(berth, options.app)).id;
        const subject =
          options.subject === undefined ? undefined : await findSubject(berth, organization.id, options.subject);
        const page = await collect(LIST_ROWS_MAX, (query) =>
          client.call('grantsList', {
            params,
            query: { ...query, ...(app === undefined ? {} : { app }), ...(subject === undefined ? {} : { subject }) },
          }),
        );
        const apps = await collect(LIST_ROWS_MAX, (query) => client.call('appsList', { params, query }));
        const people = await collect(LIST_ROWS_MAX, (query) => client.call('membersList', { params, query }));
        const groups = await client.call('groupsList', { params });
        const names = new Map<string, string>([
          ...apps.items.map((each) => [each.app, `${each.project.name}/${each.name}`] as const),
          ...people.items.map((each) => [each.user.id, each.user.email] as const),
          ...groups.items.map((each) => [each.id, `${each.name} (group)`] as const),
        ]);
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'App', value: (row) => names.get(row.app) ?? row.app },
              { title: 'Who', value: (row) => names.get(row.subject) ?? row.subject },
              { title: 'May', value: (row) => row.permissions.join(', ') },
              { title: 'Granted by', value: (row) => row.grantedBy },
            ],
            { paint: berth.paint, empty: 'No app permissions.' },
          ),
        );
      }),
    );
  grants
    .command('add <subject> <app...>')
    .description('Let a person (e-mail) or a group (name) use apps; all of them or none')
    .option('--may <permissions>', `what, with commas: ${grantPermissions.join(', ')}`, 'open')
    .addHelpText(
      'after',
      examples(['berth grants add course pc1 pc2 pc3', 'berth grants add ada@example.com db --may open,terminal']),
    )
    .action(
      run<{ may: string }>(io, async (berth, [subject = '', ...apps], options) => {
        const permissions = options.may.split(',').map((word) => word.trim());
        for (const word of permissions) {
          if (!(grantPermissions as readonly string[]).includes(word)) {
            throw usageError(`"${word}" cannot be granted.`, `One of: ${grantPermissions.join(', ')}.`);
          }
        }
        await change(berth, subject, apps, permissions as GrantPermission[]);
      }),
    );
  grants
    .command('access <app>')
    .description('Show who may open an instance: by a grant, by their role, by an entry')
    .action(
      run(io, async (berth, [ref = '']) => {
        const app = await findInstance(berth, ref);
        const found = await (await berth.client()).call('instanceAccessGet', { params: { instance: app.id } });
        const now = berth.io.now();
        const rows = [
          ...found.grants.map((each) => ({
            who: each.email ?? `${each.name} (group)`,
            may: each.permissions.join(', '),
            why: `granted by ${each.grantedBy}`,
          })),
          ...found.roles.map((each) => ({
            who: peopleOf(each),
            may: each.permissions.join(', '),
            why: `${each.role} ${each.place === 'organization' ? 'of the organization' : 'in the project'}`,
          })),
          ...found.entries.map((each) => ({
            who: each.email,
            may: grantPermissions.join(', '),
            why: `administrator inside, ends ${formatRelative(each.expiresAt, now)}`,
          })),
        ];
        berth.print(found, () =>
          renderTable(
            rows,
            [
              { title: 'Who', value: (row) => row.who },
              { title: 'May', value: (row) => row.may },
              { title: 'Why', value: (row) => row.why },
            ],
            { paint: berth.paint, empty: 'Nobody.' },
          ),
        );
      }),
    );
  grants
    .command('remove <subject> <app...>')
    .alias('rm')
    .description('Take apps away from a person or a group; open screens close')
    .action(run(io, async (berth, [subject = '', ...apps]) => change(berth, subject, apps, [])));
}

function peopleOf({ people, services, shown }: OutputOf<'instanceAccessGet'>['roles'][number]): string {
  const names = shown.map((each) => each.email).join(', ');
  return [
    ...(people === 0 ? [] : [people > shown.length ? `${names} and ${people - shown.length} more` : names]),
    ...(services === 0 ? [] : [services === 1 ? '1 service account' : `${services} service accounts`]),
  ].join(', ');
}

async function change(
  berth: Parameters<Parameters<typeof run>[1]>[0],
  ref: string,
  apps: string[],
  permissions: GrantPermission[],
): Promise<void> {
  const organization = await berth.organization();
  const subject = await findSubject(berth, organization.id, ref);
  const changes = [];
  for (const app of new Set(apps)) changes.push({ app: (await findInstance(berth, app)).id, subject, permissions });
  const answer = await (await berth.client()).call('grantsChange', {
    params: { organization: organization.id },
    body: { changes },
  });
  berth.print(answer, () => `${answer.changed} of ${changes.length} changed.\n`);
}

function addApps(program: Command, io: Io): void {
  program
    .command('apps')
    .description('List what you may open, in every organization')
    .action(
      run(io, async (berth) => {
        const page = await (await berth.client()).call('ownApps', {});
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'App', value: (row) => row.name },
              { title: 'Kind', value: (row) => row.kind },
              { title: 'Where', value: (row) => `${row.organization.title} / ${row.project.name}` },
              { title: 'State', value: (row) => row.observed },
              { title: 'May', value: (row) => row.permissions.join(', ') },
              { title: 'Address', value: (row) => row.url ?? '' },
            ],
            { paint: berth.paint, empty: 'Nothing yet.' },
          ),
        );
      }),
    );
}

export function addGroupCommands(program: Command, io: Io): void {
  addGroups(program, io);
  addGrants(program, io);
  addApps(program, io);
}
