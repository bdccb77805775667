/** containers: those of the Docker Engine inside a server, what it keeps, and cleaning up. */
import type { Command } from 'commander';
import { type CleanPart, type ContainerAction, containerActions } from '#domain/stacks.ts';
import type { OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatBytes, plain } from '../format.ts';
import { findInstance } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { finishAccepted, type WaitOptions, withWait } from '../wait.ts';
import { type LogsOptions, logs, withLogOptions } from './logs.ts';
import { examples } from './session.ts';
import { dockerNote } from './stacks.ts';

type Item = OutputOf<'instancesContainers'>['items'][number];
type Use = OutputOf<'containersUsage'>['items'][number];
type Part = OutputOf<'dockerUsage'>['parts'][number];

const partWords: Record<CleanPart, string> = {
  containers: 'containers',
  networks: 'unused networks',
  images: 'images',
  cache: 'build cache',
  volumes: 'volumes',
};

function table(berth: Runtime, items: readonly Item[], usage: readonly Use[], empty: string): string {
  const use = (row: Item) => usage.find(({ id }) => id === row.id);
  return renderTable(
    items,
    [
      { title: 'Name', value: (row) => plain(row.name) },
      { title: 'Image', value: (row) => plain(row.image) },
      { title: 'State', value: (row) => plain(row.state) },
      { title: 'Status', value: (row) => plain(row.status) },
      { title: 'Stack', value: (row) => plain(row.stack) },
      { title: 'CPU', value: (row) => (use(row) === undefined ? '' : `${use(row)?.cpuPercent}%`), align: 'right' },
      {
        title: 'Memory',
        value: (row) => (use(row) === undefined ? '' : formatBytes(use(row)?.memoryBytes ?? 0)),
        align: 'right',
      },
      { title: 'Ports', value: (row) => plain(row.ports) },
    ],
    { paint: berth.paint, empty },
  );
}

function partsTable(berth: Runtime, parts: readonly Part[]): string {
  return renderTable(
    parts,
    [
      { title: 'What', value: (row) => partWords[row.part] },
      { title: 'There', value: (row) => String(row.count), align: 'right' },
      { title: 'Unused', value: (row) => String(row.unused), align: 'right' },
      { title: 'Size', value: (row) => formatBytes(row.bytes), align: 'right' },
      { title: 'Can be freed', value: (row) => formatBytes(row.reclaimableBytes), align: 'right' },
    ],
    { paint: berth.paint, empty: 'Docker does not run inside.' },
  );
}

export function addContainerCommands(program: Command, io: Io): void {
  const containers = program
    .command('containers')
    .alias('container')
    .description('Containers of the Docker Engine inside a server, and cleaning up behind them');
  containers
    .command('list <instance>')
    .alias('ls')
    .description('List the containers; with --usage also what each uses now')
    .option('--usage', 'measure CPU and memory (takes about two seconds)')
    .action(
      run<{ usage?: boolean }>(io, async (berth, [ref = ''], options) => {
        const instance = await findInstance(berth, ref);
        const client = await berth.client();
        const params = { instance: instance.id };
        const { items } = await client.call('instancesContainers', { params });
        const usage = options.usage === true ? (await client.call('containersUsage', { params })).items : [];
        const merged = items.map((item) => ({ ...item, usage: usage.find(({ id }) => id === item.id) ?? null }));
        berth.print({ items: options.usage === true ? merged : items }, () =>
          table(berth, items, usage, `No containers inside ${plain(instance.name)}.`),
        );
      }),
    );
  for (const action of containerActions) addAction(containers, io, action);
  withLogOptions(containers.command('logs <instance> <container>').description('What a container writes')).action(
    run<LogsOptions>(io, (berth, [ref = '', container = ''], options) =>
      logs(berth, ref, { ...options, of: `container:${container}` }),
    ),
  );
  containers
    .command('usage <instance>')
    .alias('df')
    .description('What Docker keeps inside, and what of it nobody uses')
    .action(
      run(io, async (berth, [ref = '']) => {
        const instance = await findInstance(berth, ref);
        const usage = await (await berth.client()).call('dockerUsage', { params: { instance: instance.id } });
        const note = dockerNote(usage.state);
        if (note !== null) berth.note(`${note}\n`);
        berth.print(usage, () => partsTable(berth, usage.parts));
      }),
    );
  withWait(
    containers
      .command('clean <instance>')
      .alias('prune')
      .description('Remove stopped containers, unused networks, unused images and the build cache'),
  )
    .option('--only <parts>', 'only these, with commas: containers,networks,images,cache,volumes')
    .option('--volumes', 'unused volumes too, with the data in them')
    .option('-y, --yes', 'do not ask')
    .addHelpText('after', examples(['berth containers usage web', 'berth containers clean web --only images --wait']))
    .action(
      run<WaitOptions & { only?: string; volumes?: boolean; yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const parts = partsOf(options);
        const instance = await findInstance(berth, ref);
        const what = parts.map((part) => partWords[part]).join(', ');
        const lost = parts.includes('volumes') ? ' The data in unused volumes is lost.' : '';
        await berth.confirm(`Remove unused ${what} on ${plain(instance.name)}?${lost}`, options.yes);
        const accepted = await (await berth.client()).call('dockerClean', {
          params: { instance: instance.id },
          body: { parts },
        });
        await finishAccepted(
          berth,
          accepted,
          options,
          (_instance, operation) => `${operation.steps[0]?.message ?? 'Cleaned up'}.\n`,
        );
      }),
    );
}

/** Errors: usage. */
function partsOf({ only, volumes }: { only?: string; volumes?: boolean }): CleanPart[] {
  const known = Object.keys(partWords) as CleanPart[];
  const named = only?.split(',').map((part) => part.trim());
  const wrong = named?.find((part) => !known.includes(part as CleanPart));
  if (wrong !== undefined) throw usageError(`"${plain(wrong)}" is none of ${known.join(', ')}.`);
  const parts = (named as CleanPart[] | undefined) ?? known.filter((part) => part !== 'volumes');
  return [...new Set<CleanPart>(volumes === true ? [...parts, 'volumes'] : parts)];
}

const done: Record<ContainerAction, string> = { start: 'is started', stop: 'is stopped', restart: 'is restarted' };

function addAction(containers: Command, io: Io, action: ContainerAction): void {
  containers
    .command(`${action} <instance> <container>`)
    .description(`${action[0]?.toUpperCase()}${action.slice(1)} one container (name or id)`)
    .action(
      run(io, async (berth, [ref = '', container = '']) => {
        const instance = await findInstance(berth, ref);
        const params = { instance: instance.id, container, action };
        const answer = await (await berth.client()).call('containersAct', { params });
        berth.print(answer, () => `${plain(container)} ${done[action]}.\n`);
      }),
    );
}
