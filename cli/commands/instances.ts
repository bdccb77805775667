/** instances: everything but logs and shell, which have files of their own. */
import { Argument, type Command, Option } from 'commander';
import { ARCHIVE_DAYS, type InstanceAction, type InstanceKind, instanceKinds } from '#domain/instances.ts';
import { defaultPreset, sizePresets } from '#domain/sizes.ts';
import type { InputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatBytes, formatRelative, paintState, parseBytes, plain } from '../format.ts';
import { newIdempotencyKey } from '../random.ts';
import { collect, findInstance, findProject, findSnapshot, type Instance, LIST_ROWS_MAX } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderProperties, renderTable } from '../table.ts';
import { finishAccepted, type WaitOptions, withWait } from '../wait.ts';
import { addInstanceLogs } from './logs.ts';
import { examples } from './session.ts';
import { addInstanceShell } from './shell.ts';

type SizeOptions = { size?: string; cpus?: string; memory?: string; disk?: string };
type Size = NonNullable<InputOf<'instancesCreate'>['body']['size']>;

export function sizeText(size: { cpus: number; memoryBytes: number; diskBytes: number }): string {
  return `${size.cpus} CPU, ${formatBytes(size.memoryBytes)}, ${formatBytes(size.diskBytes)}`;
}

/** A preset's name, or figures that replace some of `base`. Undefined when nothing was said. */
export function sizeFromOptions(
  options: SizeOptions,
  base: { cpus: number; memoryBytes: number; diskBytes: number },
): Size | undefined {
  const figures = [options.cpus, options.memory, options.disk].some((value) => value !== undefined);
  if (options.size === undefined && !figures) return undefined;
  if (options.size !== undefined && !figures) return options.size as Size;
  const preset = sizePresets.find((item) => item.name === options.size);
  const from = preset ?? base;
  const cpus = options.cpus === undefined ? from.cpus : Number(options.cpus);
  if (!Number.isInteger(cpus) || cpus < 1) throw usageError(`"${options.cpus}" is not a number of CPUs.`);
  return {
    cpus,
    memoryBytes: options.memory === undefined ? from.memoryBytes : parseBytes(options.memory),
    diskBytes: options.disk === undefined ? from.diskBytes : parseBytes(options.disk),
  };
}

function withSize(command: Command): Command {
  return command
    .addOption(new Option('-s, --size <preset>', 'size preset').choices(sizePresets.map((preset) => preset.name)))
    .option('--cpus <n>', 'CPUs, instead of the preset')
    .option('--memory <size>', 'memory, such as 4GiB')
    .option('--disk <size>', 'disk, such as 40GiB');
}

function stateLine(instance: Instance | null, verb: string): string {
  if (instance === null) return `${verb}.\n`;
  const address = instance.url !== null && instance.state === 'running' ? `: ${instance.url}` : '';
  return `${plain(instance.name)} is ${instance.state}${address}\n`;
}

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

const powerVerbs: Record<InstanceAction, { summary: string; done: string }> = {
  start: { summary: 'Start a stopped instance', done: 'Started' },
  stop: { summary: 'Shut down; the disk is kept', done: 'Stopped' },
  restart: { summary: 'Shut down and start again', done: 'Restarted' },
  pause: { summary: 'Freeze; memory is kept', done: 'Paused' },
  resume: { summary: 'Go on after a pause', done: 'Resumed' },
};

async function power(
  berth: Runtime,
  action: InstanceAction,
  ref: string,
  options: WaitOptions & { force?: boolean },
): Promise<void> {
  const instance = await findInstance(berth, ref);
  const client = await berth.client();
  const accepted = await client.call('instancesPower', {
    params: { instance: instance.id, action },
    body: { force: options.force === true },
  });
  await finishAccepted(berth, accepted, options, (after) => stateLine(after, powerVerbs[action].done));
}

function addPowerVerbs(instances: Command, io: Io): void {
  for (const action of Object.keys(powerVerbs) as InstanceAction[]) {
    const command = withWait(instances.command(`${action} <instance>`).description(powerVerbs[action].summary));
    if (action === 'stop' || action === 'restart') command.option('-f, --force', 'switch off instead of shutting down');
    command.action(
      run<WaitOptions & { force?: boolean }>(io, (berth, [ref = ''], options) => power(berth, action, ref, options)),
    );
  }
}

function addChangeVerbs(instances: Command, io: Io): void {
  withWait(
    instances.command('rename <instance> <name>').description('Rename; the address follows, the old one ends'),
  ).action(
    run<WaitOptions>(io, async (berth, [ref = '', name = ''], options) => {
      const instance = await findInstance(berth, ref);
      const accepted = await (await berth.client()).call('instancesRename', {
        params: { instance: instance.id },
        body: { name },
      });
      await finishAccepted(berth, accepted, options, (after) => stateLine(after, 'Renamed'));
    }),
  );
  withWait(withSize(instances.command('resize <instance>').description('Change CPUs, memory and disk while it runs')))
    .addHelpText(
      'after',
      examples(['berth instances resize web --memory 4GiB --wait', 'berth instances resize web --size large']),
    )
    .action(
      run<SizeOptions & WaitOptions>(io, async (berth, [ref = ''], options) => {
        const instance = await findInstance(berth, ref);
        const size = sizeFromOptions(options, instance.size);
        if (size === undefined) throw usageError('Resize to what?', 'Add --size, --cpus, --memory or --disk.');
        const accepted = await (await berth.client()).call('instancesResize', {
          params: { instance: instance.id },
          body: { size },
        });
        await finishAccepted(berth, accepted, options, (after) =>
          after === null ? 'Resized.\n' : `${plain(after.name)}: ${sizeText(after.size)}\n`,
        );
      }),
    );
  instances
    .command('update <instance>')
    .description('Change the description or the protection against deletion')
    .option('--description <text>', 'what it is for')
    .option('--protect', 'refuse to delete it')
    .option('--no-protect', 'allow to delete it')
    .action(
      run<{ description?: string; protect?: boolean }>(io, async (berth, [ref = ''], options) => {
        if (options.description === undefined && options.protect === undefined) {
          throw usageError('Change what?', 'Add --description, --protect or --no-protect.');
        }
        const instance = await findInstance(berth, ref);
        const after = await (await berth.client()).call('instancesUpdate', {
          params: { instance: instance.id },
          body: {
            ...(options.description === undefined ? {} : { description: options.description }),
            ...(options.protect === undefined ? {} : { protected: options.protect }),
          },
        });
        berth.print(after, () => `${plain(after.name)} is changed.\n`);
      }),
    );
  withWait(
    instances.command('clone <instance> <name>').description('Copy it, or one of its snapshots, with a fresh identity'),
  )
    .option('--snapshot <snapshot>', 'copy this snapshot instead of the present state')
    .action(
      run<WaitOptions & { snapshot?: string }>(io, async (berth, [ref = '', name = ''], options) => {
        const instance = await findInstance(berth, ref);
        const snapshot =
          options.snapshot === undefined ? null : (await findSnapshot(berth, instance, options.snapshot)).id;
        const accepted = await (await berth.client()).call(
          'instancesClone',
          { params: { instance: instance.id }, body: { name, snapshot } },
          { idempotencyKey: newIdempotencyKey() },
        );
        await finishAccepted(berth, accepted, options, (after) => stateLine(after, 'Cloned'));
      }),
    );
}

function addMove(instances: Command, io: Io): void {
  withWait(
    instances
      .command('move <instance>')
      .description('Move it to another project, with disk, snapshots and routes; it restarts')
      .requiredOption('--to <project>', 'where to: ORGANIZATION/PROJECT, or the name or id of a project'),
  )
    .addHelpText('after', examples(['berth instances move web --to acme/production --wait']))
    .action(
      run<WaitOptions & { to: string }>(io, async (berth, [ref = ''], options) => {
        const instance = await findInstance(berth, ref);
        const target = await findProject(berth, options.to);
        const accepted = await (await berth.client()).call(
          'instancesTransfer',
          { params: { instance: instance.id }, body: { project: target.id } },
          { idempotencyKey: newIdempotencyKey() },
        );
        const ending = accepted.grantsEnding;
        if (ending > 0) {
          berth.note(`${ending} ${ending === 1 ? 'grant' : 'grants'} on it end when it is there.\n`);
        }
        await finishAccepted(berth, accepted, options, (after) => stateLine(after, 'Moved'));
      }),
    );
}

function addEndVerbs(instances: Command, io: Io): void {
  withWait(
    instances
      .command('delete <instance>')
      .alias('rm')
      .description(`Delete; it can be restored for ${ARCHIVE_DAYS} days`),
  ).action(
    run<WaitOptions>(io, async (berth, [ref = ''], options) => {
      const instance = await findInstance(berth, ref);
      const accepted = await (await berth.client()).call('instancesArchive', { params: { instance: instance.id } });
      await finishAccepted(
        berth,
        accepted,
        options,
        () => `${plain(instance.name)} is deleted. Bring it back with: berth instances restore ${instance.id}\n`,
      );
    }),
  );
  withWait(instances.command('restore <instance>').description('Bring a deleted instance back')).action(
    run<WaitOptions>(io, async (berth, [ref = ''], options) => {
      const instance = await findInstance(berth, ref, 'archived');
      const accepted = await (await berth.client()).call('instancesRestore', { params: { instance: instance.id } });
      await finishAccepted(berth, accepted, options, (after) => stateLine(after, 'Restored'));
    }),
  );
  withWait(
    instances.command('purge <instance>').description('Remove a deleted or failed instance for good, with its data'),
  )
    .option('--confirm <name>', 'its name, to confirm')
    .action(
      run<WaitOptions & { confirm?: string }>(io, async (berth, [ref = ''], options) => {
        const instance = await findInstance(berth, ref, 'both');
        let confirmName = options.confirm;
        if (confirmName === undefined) {
          if (io.stdin.isTTY !== true) throw usageError('This removes all data.', `Add --confirm ${instance.name}.`);
          confirmName = await berth.ask(
            `This removes ${instance.name} and all its data for good. Type its name to go on: `,
          );
        }
        const accepted = await (await berth.client()).call('instancesPurge', {
          params: { instance: instance.id },
          body: { confirmName: confirmName.trim() },
        });
        await finishAccepted(berth, accepted, options, () => `${plain(instance.name)} is gone.\n`);
      }),
    );
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
