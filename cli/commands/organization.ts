/** members, projects: the organization. */
import { type Command, Option } from 'commander';
import { roles, type WorkingRole, workingRoles } from '#domain/authz.ts';
import { usageError } from '../errors.ts';
import { formatRelative, plain } from '../format.ts';
import { collect, findMember, findSubject, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, run } from '../runtime.ts';
import { renderTable } from '../table.ts';

function addMembers(program: Command, io: Io): void {
  const members = program.command('members').alias('member').description('People of the organization');
  members
    .command('list')
    .alias('ls')
    .description('List members')
    .action(
      run(io, async (berth) => {
        const organization = await berth.organization();
        const client = await berth.client();
        const page = await collect(LIST_ROWS_MAX, (query) =>
          client.call('membersList', { params: { organization: organization.id }, query }),
        );
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'E-mail', value: (row) => row.user.email },
              { title: 'Name', value: (row) => row.user.name },
              { title: 'Role', value: (row) => row.role },
              { title: 'Joined', value: (row) => formatRelative(row.joinedAt, berth.io.now()) },
            ],
            { paint: berth.paint, empty: 'No members.' },
          ),
        );
      }),
    );
  members
    .command('set-role <member> <role>')
    .description(`Change what a member may do (${roles.join(', ')})`)
    .action(
      run(io, async (berth, [ref = '', role = '']) => {
        const wanted = roles.find((item) => item === role);
        if (wanted === undefined) throw usageError(`"${role}" is not a role.`, `One of: ${roles.join(', ')}.`);
        const organization = await berth.organization();
        const member = await findMember(berth, organization.id, ref);
        const after = await (await berth.client()).call('membersUpdate', {
          params: { organization: organization.id, user: member.user.id },
          body: { role: wanted },
        });
        berth.print(after, () => `${plain(after.user.email)} is now ${after.role}.\n`);
      }),
    );
  members
    .command('remove <member>')
    .alias('rm')
    .description('Remove a member; what they made stays')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const organization = await berth.organization();
        const member = await findMember(berth, organization.id, ref);
        await berth.confirm(`Remove ${plain(member.user.email)} from ${plain(organization.name)}?`, options.yes);
        await (await berth.client()).call('membersRemove', {
          params: { organization: organization.id, user: member.user.id },
        });
        berth.print({ removed: member.user.id }, () => `${plain(member.user.email)} is removed.\n`);
      }),
    );
}

function addProjects(program: Command, io: Io): void {
  const projects = program.command('projects').alias('project').description('Groups of instances with a quota');
  projects
    .command('list')
    .alias('ls')
    .description('List the projects of the organization')
    .action(
      run(io, async (berth) => {
        const organization = await berth.organization();
        const page = await (await berth.client()).call('projectsList', { params: { organization: organization.id } });
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Name', value: (row) => row.name },
              { title: 'Title', value: (row) => row.title },
              { title: 'Created', value: (row) => formatRelative(row.createdAt, berth.io.now()) },
              { title: 'Id', value: (row) => row.id },
            ],
            { paint: berth.paint, empty: 'No projects.' },
          ),
        );
      }),
    );
  projects
    .command('create <name>')
    .alias('new')
    .description('Create a project')
    .option('--title <text>', 'name for people')
    .action(
      run<{ title?: string }>(io, async (berth, [name = ''], options) => {
        const organization = await berth.organization();
        const project = await (await berth.client()).call('projectsCreate', {
          params: { organization: organization.id },
          body: { name, title: options.title ?? name },
        });
        berth.print(project, () => `Project ${project.name} is created. Use it with: --project ${project.name}\n`);
      }),
    );
  projects
    .command('rename')
    .description('Change name or title of the project in use; host names that exist stay')
    .option('--name <name>', 'new name')
    .option('--title <text>', 'new name for people')
    .action(
      run<{ name?: string; title?: string }>(io, async (berth, _, { name, title }) => {
        const { id } = await berth.project();
        const after = await (await berth.client()).call('projectsUpdate', {
          params: { project: id },
          body: { ...(name === undefined ? {} : { name }), ...(title === undefined ? {} : { title }) },
        });
        berth.print(after, () => `It is now ${plain(after.name)} (${plain(after.title)}).\n`);
      }),
    );
  projects
    .command('delete')
    .alias('rm')
    .description('Delete the project in use, without instances, with its network')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, _, options) => {
        const { id, name } = await berth.project();
        await berth.confirm(`Delete the project ${plain(name)} and its network?`, options.yes);
        await (await berth.client()).call('projectsDelete', { params: { project: id } });
        berth.print({ deleted: id }, () => `The project ${plain(name)} is deleted.\n`);
      }),
    );
  projects
    .command('roles')
    .description('List roles held in this project alone')
    .action(
      run(io, async (berth) => {
        const { id: project } = await berth.project();
        const page = await (await berth.client()).call('projectRolesList', { params: { project } });
        berth.print(page, () =>
          renderTable(
            page.items,
            [
              { title: 'Who', value: (row) => row.email ?? `${row.name} (group)` },
              { title: 'Role', value: (row) => row.role },
            ],
            { paint: berth.paint, empty: 'Nobody: roles of the organization cover it.' },
          ),
        );
      }),
    );
  projects
    .command('share <subject>')
    .description('Give a person (e-mail) or a group (name) a role in the project in use')
    .addOption(new Option('-r, --role <role>', 'what they may do').choices([...workingRoles]).default('member'))
    .action(
      run<{ role: WorkingRole }>(io, async (berth, [ref = ''], options) => {
        const project = await berth.project();
        const subject = await findSubject(berth, project.organization, ref);
        const after = await (await berth.client()).call('projectRolesSet', {
          params: { project: project.id, subject },
          body: { role: options.role },
        });
        berth.print(after, () => `${plain(after.name)} is now ${after.role} in ${plain(project.name)}.\n`);
      }),
    );
  projects
    .command('unshare <subject>')
    .description('Take a role in the project in use away')
    .action(
      run(io, async (berth, [ref = '']) => {
        const project = await berth.project();
        const subject = await findSubject(berth, project.organization, ref);
        await (await berth.client()).call('projectRolesRemove', { params: { project: project.id, subject } });
        berth.print({ removed: subject }, () => `The role in ${plain(project.name)} is taken away.\n`);
      }),
    );
}

export function addOrganizationCommands(program: Command, io: Io): void {
  addMembers(program, io);
  addProjects(program, io);
}
