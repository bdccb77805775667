/** instances: the verbs that act on one that exists: power, rename, resize, update, clone, move, delete, restore, purge. */
import type { Command } from 'commander';
import { ARCHIVE_DAYS, type InstanceAction } from '#domain/instances.ts';
import { usageError } from '../errors.ts';
import { plain } from '../format.ts';
import { newIdempotencyKey } from '../random.ts';
import { findInstance, findProject, findSnapshot } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { finishAccepted, type WaitOptions, withWait } from '../wait.ts';
import { type SizeOptions, sizeFromOptions, sizeText, stateLine, withSize } from './instance-size.ts';
import { examples } from './session.ts';

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

export function addPowerVerbs(instances: Command, io: Io): void {
  for (const action of Object.keys(powerVerbs) as InstanceAction[]) {
    const command = withWait(instances.command(`${action} <instance>`).description(powerVerbs[action].summary));
    if (action === 'stop' || action === 'restart') command.option('-f, --force', 'switch off instead of shutting down');
    command.action(
      run<WaitOptions & { force?: boolean }>(io, (berth, [ref = ''], options) => power(berth, action, ref, options)),
    );
  }
}

export function addChangeVerbs(instances: Command, io: Io): void {
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

export function addMove(instances: Command, io: Io): void {
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

export function addEndVerbs(instances: Command, io: Io): void {
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
