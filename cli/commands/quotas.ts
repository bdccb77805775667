/** quotas: what a project and its organization may use, and what they use. */
import { Argument, type Command } from 'commander';
import { countsBytes, type Quota, type QuotaResource, quotaResources, quotaTitles } from '#domain/quotas.ts';
import type { InputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatBytes, parseBytes } from '../format.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { examples } from './session.ts';

type State = { limit: Quota; used: Quota };

function figure(resource: QuotaResource, value: number): string {
  return countsBytes(resource) ? formatBytes(value) : String(value);
}

function quotaTable(berth: Runtime, quota: State): string {
  return renderTable(
    quotaResources.map((resource) => ({ resource, used: quota.used[resource], limit: quota.limit[resource] })),
    [
      { title: 'Resource', value: (row) => quotaTitles[row.resource] },
      {
        title: 'Used',
        value: (row) => figure(row.resource, row.used),
        align: 'right',
        paint: (text, row) => (row.used >= row.limit ? berth.paint.red(text) : text),
      },
      { title: 'Limit', value: (row) => figure(row.resource, row.limit), align: 'right' },
    ],
    { paint: berth.paint, empty: '' },
  );
}

function projectsTable(berth: Runtime, projects: (State & { project: { name: string } })[]): string {
  const cell = (row: State, resource: QuotaResource) =>
    `${figure(resource, row.used[resource])} of ${figure(resource, row.limit[resource])}`;
  return renderTable(
    projects,
    [
      { title: 'Project', value: (row) => row.project.name },
      { title: 'Instances', value: (row) => cell(row, 'instances'), align: 'right' },
      { title: 'CPUs', value: (row) => cell(row, 'cpus'), align: 'right' },
      { title: 'Memory', value: (row) => cell(row, 'memoryBytes'), align: 'right' },
      { title: 'Disk', value: (row) => cell(row, 'diskBytes'), align: 'right' },
    ],
    { paint: berth.paint, empty: 'No projects.' },
  );
}

const scope = () => new Argument('[scope]', 'whose quota').choices(['project', 'organization']).default('project');

type Options = Partial<
  Record<
    | 'instances'
    | 'desktops'
    | 'servers'
    | 'cpus'
    | 'memory'
    | 'disk'
    | 'routes'
    | 'snapshots'
    | 'portForwards'
    | 'backups'
    | 'backupStorage',
    string
  >
>;

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0) throw usageError(`"${text}" is not a whole number.`);
  return value;
}

function changesOf(options: Options): InputOf<'quotaUpdate'>['body'] {
  const { memory, disk, backupStorage, ...counts } = options;
  const body = {
    ...Object.fromEntries(
      (['instances', 'desktops', 'servers', 'cpus', 'routes', 'snapshots', 'portForwards', 'backups'] as const).flatMap(
        (name) => {
          const text = counts[name];
          return text === undefined ? [] : [[name, count(text)]];
        },
      ),
    ),
    ...(memory === undefined ? {} : { memoryBytes: parseBytes(memory) }),
    ...(disk === undefined ? {} : { diskBytes: parseBytes(disk) }),
    ...(backupStorage === undefined ? {} : { backupBytes: parseBytes(backupStorage) }),
  };
  if (Object.keys(body).length === 0) {
    throw usageError('Change what?', 'Add one or more of the options of: berth quotas set --help');
  }
  return body;
}

export function addQuotaCommands(program: Command, io: Io): void {
  const quotas = program.command('quotas').alias('quota').description('What projects and the organization may use');
  quotas
    .command('show')
    .alias('get')
    .description('Show limits and use of the project, or of the organization and its projects')
    .addArgument(scope())
    .addHelpText('after', examples(['berth quotas show', 'berth quotas show organization']))
    .action(
      run(io, async (berth, [of]) => {
        const client = await berth.client();
        if (of !== 'organization') {
          const answer = await client.call('quotaGet', { params: { project: (await berth.project()).id } });
          berth.print(answer, () => quotaTable(berth, answer));
          return;
        }
        const { id } = await berth.organization();
        const answer = await client.call('organizationQuotaGet', { params: { organization: id } });
        berth.print(answer, () => `${quotaTable(berth, answer)}\n${projectsTable(berth, answer.projects)}`);
      }),
    );
  quotas
    .command('set')
    .description(
      "Change limits: a project's (administrators of the organization) or an organization's (of the installation)",
    )
    .addArgument(scope())
    .option('--instances <n>', 'instances of all kinds')
    .option('--desktops <n>', 'desktops')
    .option('--servers <n>', 'servers')
    .option('--cpus <n>', 'CPUs of all instances together')
    .option('--memory <size>', 'memory of all instances together')
    .option('--disk <size>', 'disk of all instances together')
    .option('--routes <n>', 'routes')
    .option('--snapshots <n>', 'snapshots')
    .option('--port-forwards <n>', 'port forwards')
    .option('--backups <n>', 'backups')
    .option('--backup-storage <size>', 'what backups take on the host')
    .addHelpText(
      'after',
      `\nLowering a limit below the use blocks new things and harms nothing that runs.\n${examples([
        'berth quotas set --project class-7 --instances 30 --memory 60GiB',
        'berth quotas set organization --organization school --desktops 200',
      ])}`,
    )
    .action(
      run<Options>(io, async (berth, [of], options) => {
        const body = changesOf(options);
        const client = await berth.client();
        const answer =
          of === 'organization'
            ? await client.call('platformQuotaUpdate', { params: { organization: await organizationId(berth) }, body })
            : await client.call('quotaUpdate', { params: { project: (await berth.project()).id }, body });
        berth.print(answer, () => quotaTable(berth, answer));
      }),
    );
}

/** Administrators of the installation also name organizations they do not belong to, by id. */
async function organizationId(berth: Runtime): Promise<string> {
  const named = berth.options.organization;
  return named?.startsWith('org_') === true ? named : (await berth.organization()).id;
}
