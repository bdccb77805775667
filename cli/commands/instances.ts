/** instances: list, show, create; what acts on one that exists, logs and shell have files of their own. */
import { Argument, type Command, Option } from 'commander';
import { type InstanceKind, instanceKinds } from '#domain/instances.ts';
import { defaultPreset, sizePresets } from '#domain/sizes.ts';
import { usageError } from '../errors.ts';
import { formatBytes, formatRelative, paintState, plain } from '../format.ts';
import { newIdempotencyKey } from '../random.ts';
import { collect, findInstance, type Instance, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderProperties, renderTable } from '../table.ts';
import { finishAccepted, type WaitOptions, withWait } from '../wait.ts';
import { type SizeOptions, sizeFromOptions, sizeText, stateLine, withSize } from './instance-size.ts';
import { addChangeVerbs, addEndVerbs, addMove, addPowerVerbs } from './instance-verbs.ts';
import { addInstanceLogs } from './logs.ts';
import { examples } from './session.ts';
import { addInstanceShell } from './shell.ts';

async function list(
  berth: Runtime,
  options: { kind?: string; search?: string; deleted?: boolean; limit: string },
): Promise<void> {
  const limit = Number(options.limit);
  if (!Number.isInteger(limit) || limit < 1) throw usageError('--limit takes a whole number.');
  const client = await berth.client();
  const project = await berth.project();
  const page = await collect(Math.min(limit, LIST_ROWS_MAX), (query) =>
    client.call('instancesList', {
      params: { project: project.id },
      query: {
        ...query,
        archived: options.deleted === true ? 'true' : 'false',
        ...(options.kind === undefined ? {} : { kind: options.kind as Instance['kind'] }),
        ...(options.search === undefined ? {} : { search: options.search }),
      },
    }),
  );
  const now = berth.io.now();
  berth.print(page, () =>
    renderTable(
      page.items,
      [
        { title: 'Name', value: (row) => row.name },
        { title: 'Kind', value: (row) => row.kind },
        {
          title: 'State',
          value: (row) => row.state,
          paint: (text, row) => text.replace(row.state, paintState(row.state, berth.paint)),
        },
        { title: 'Size', value: (row) => sizeText(row.size) },
        { title: 'Memory used', value: (row) => formatBytes(row.usage.memoryBytes), align: 'right' },
        options.deleted === true
          ? { title: 'Removed for good', value: (row: Instance) => formatRelative(row.purgeAt, now) }
          : { title: 'Address', value: (row: Instance) => row.url ?? '-' },
        { title: 'Created', value: (row) => formatRelative(row.createdAt, now) },
      ],
      {
        paint: berth.paint,
        empty:
          options.deleted === true
            ? 'Nothing deleted that could be restored.'
            : 'No instances yet. Create one with: berth instances create desktop NAME',
      },
    ),
  );
}

function describe(berth: Runtime, instance: Instance): string {
  const now = berth.io.now();
  const checks = instance.healthChecks.map(
    (check) =>
      [`Health: ${plain(check.name)}`, `${paintState(check.state, berth.paint)} ${plain(check.message)}`] as const,
  );
  return renderProperties(
    [
      ['Name', plain(instance.name)],
      ['Id', instance.id],
      ['Kind', instance.kind],
      ['State', paintState(instance.state, berth.paint)],
      ['Drift', instance.drift === null ? null : berth.paint.yellow(plain(instance.drift))],
      [
        'Working on',
        instance.operation === null ? null : `${plain(instance.operation.title)} (${instance.operation.id})`,
      ],
      ...checks,
      ['Address', instance.url],
      ['IPv4', instance.address4],
      ['IPv6', instance.address6],
      ['Size', sizeText(instance.size)],
      ['Memory used', instance.usage.memoryBytes === null ? null : formatBytes(instance.usage.memoryBytes)],
      ['Disk used', instance.usage.diskBytes === null ? null : formatBytes(instance.usage.diskBytes)],
      ['Processes', instance.usage.processes === null ? null : String(instance.usage.processes)],
      ['Image', `${plain(instance.image.name)} ${instance.image.fingerprint?.slice(0, 12) ?? ''}`.trim()],
      ['Host', instance.host === null ? null : plain(instance.host.name)],
      ['Protected', instance.protected ? 'yes' : null],
      ['Description', instance.description === '' ? null : plain(instance.description)],
      ['Created', `${formatRelative(instance.createdAt, now)} by ${plain(instance.createdBy)}`],
      ['Started', instance.startedAt === null ? null : formatRelative(instance.startedAt, now)],
      ['Removed for good', instance.purgeAt === null ? null : formatRelative(instance.purgeAt, now)],
    ],
    berth.paint,
  );
}

type CreateOptions = SizeOptions &
  WaitOptions & { kind: (typeof instanceKinds)[number]; image?: string; description?: string };

async function create(berth: Runtime, kind: InstanceKind, name: string, options: CreateOptions): Promise<void> {
  const client = await berth.client();
  const project = await berth.project();
  const base = sizePresets.find((preset) => preset.name === defaultPreset[kind]) ?? sizePresets[0];
  if (base === undefined) throw new Error('there are no size presets');
  const size = sizeFromOptions(options, base);
  const accepted = await client.call(
    'instancesCreate',
    {
      params: { project: project.id },
      body: {
        kind,
        name,
        ...(size === undefined ? {} : { size }),
        ...(options.image === undefined ? {} : { image: options.image }),
        ...(options.description === undefined ? {} : { description: options.description }),
      },
    },
    { idempotencyKey: newIdempotencyKey() },
  );
  await finishAccepted(berth, accepted, options, (instance) => stateLine(instance, 'Created'));
}

export function addInstanceCommands(program: Command, io: Io): void {
  const instances = program.command('instances').alias('instance').description('Desktops and servers');
  instances
    .command('list')
    .alias('ls')
    .description('List the instances of the project')
    .addOption(new Option('--kind <kind>', 'only this kind').choices(instanceKinds))
    .option('--search <text>', 'only names or descriptions with this text')
    .option('--deleted', 'those that were deleted and can be restored')
    .option('--limit <n>', 'rows at most', String(LIST_ROWS_MAX))
    .addHelpText(
      'after',
      examples(['berth instances list', 'berth instances list --kind desktop --json | jq -r ".items[].url"']),
    )
    .action(
      run<{ kind?: string; search?: string; deleted?: boolean; limit: string }>(io, (berth, _args, options) =>
        list(berth, options),
      ),
    );
  instances
    .command('get <instance>')
    .alias('show')
    .description('Show one instance with its health')
    .action(
      run(io, async (berth, [ref = '']) => {
        const instance = await findInstance(berth, ref, 'both');
        berth.print(instance, () => describe(berth, instance));
      }),
    );
  withWait(
    withSize(
      instances
        .command('create')
        .alias('new')
        .description('Create a desktop or a server')
        .addArgument(new Argument('<kind>', 'what to create').choices(instanceKinds))
        .argument('<name>', 'its name: lower-case letters, digits, hyphens')
        .option('--image <name>', 'image (default: the one named like the kind)')
        .option('--description <text>', 'what it is for'),
    ),
  )
    .addHelpText(
      'after',
      examples([
        'berth instances create desktop ada --wait',
        'berth instances create server web --size medium --disk 40GiB',
        'berth instances create server web --wait --json',
      ]),
    )
    .action(
      run<CreateOptions>(io, (berth, [kind = '', name = ''], options) =>
        create(berth, kind as InstanceKind, name, options),
      ),
    );
  addPowerVerbs(instances, io);
  addChangeVerbs(instances, io);
  addMove(instances, io);
  addEndVerbs(instances, io);
  addInstanceLogs(instances, io);
  addInstanceShell(instances, io);
  instances
    .command('open <instance>')
    .description('Print the address to open in a browser')
    .action(
      run(io, async (berth, [ref = '']) => {
        const instance = await findInstance(berth, ref);
        if (instance.url === null) throw usageError(`${instance.name} has no address yet.`, 'See: berth instances get');
        berth.print({ url: instance.url }, () => `${instance.url}\n`);
      }),
    );
}
