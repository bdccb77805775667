/** images: what instances are made from. */
import { type Command, Option } from 'commander';
import { type InstanceKind, instanceKinds } from '#domain/instances.ts';
import { usageError } from '../errors.ts';
import { formatBytes, formatRelative, paintState, plain } from '../format.ts';
import { newIdempotencyKey } from '../random.ts';
import { findImage, type Image } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderTable } from '../table.ts';
import { finishAccepted, type WaitOptions, withWait } from '../wait.ts';
import { examples } from './session.ts';

const BUILD_TIMEOUT_DEFAULT = '60m';

function stateText(image: Image): string {
  if (image.state !== 'building') return image.outdated && image.state === 'ready' ? 'ready (outdated)' : image.state;
  const percent = image.operation?.percent;
  return percent === null || percent === undefined ? 'building' : `building ${Math.floor(percent)}%`;
}

async function list(berth: Runtime): Promise<void> {
  const page = await (await berth.client()).call('imagesList', {});
  berth.print(page, () =>
    renderTable(
      page.items,
      [
        { title: 'Name', value: (row) => row.name },
        { title: 'Kind', value: (row) => row.kind },
        {
          title: 'State',
          value: stateText,
          paint: (text, row) => (text === row.state ? paintState(text, berth.paint) : berth.paint.yellow(text)),
        },
        { title: 'Size', value: (row) => formatBytes(row.sizeBytes), align: 'right' },
        { title: 'Source', value: (row) => row.source },
        { title: 'Built', value: (row) => formatRelative(row.builtAt, berth.io.now()) },
        { title: 'In use', value: (row) => String(row.instances), align: 'right' },
        { title: 'Fingerprint', value: (row) => row.fingerprint?.slice(0, 12) ?? '-' },
      ],
      { paint: berth.paint, empty: 'No images.' },
    ),
  );
  const broken = page.items.filter((image) => image.error !== null);
  if (!berth.json) for (const image of broken) berth.note(`${plain(image.name)}: ${plain(image.error ?? '')}\n`);
}

type ImportOptions = WaitOptions & {
  file?: string;
  server?: string;
  alias?: string;
  protocol: 'simplestreams' | 'incus';
  kind: InstanceKind;
  title?: string;
};

async function importImage(berth: Runtime, name: string, options: ImportOptions): Promise<void> {
  if ((options.file === undefined) === (options.server === undefined)) {
    throw usageError(
      'Import from where?',
      'Give either --file NAME (in the import folder of the host) or --server URL with --alias.',
    );
  }
  const common = { name, kind: options.kind, title: options.title ?? name };
  const client = await berth.client();
  if (options.server !== undefined && options.alias === undefined) {
    throw usageError('Which image of that server?', 'Add --alias, such as --alias debian/13/cloud.');
  }
  const accepted = await client.call('imagesImport', {
    body:
      options.file !== undefined
        ? { type: 'file', path: options.file, ...common }
        : {
            type: 'server',
            url: options.server ?? '',
            alias: options.alias ?? '',
            protocol: options.protocol,
            ...common,
          },
  });
  await finishAccepted(berth, accepted, options, () => `Image ${name} is imported and allowed.\n`);
}

export function addImageCommands(program: Command, io: Io): void {
  const images = program.command('images').alias('image').description('What instances are made from');
  images
    .command('list')
    .alias('ls')
    .description('List images and recipes')
    .action(run(io, (berth) => list(berth)));
  images
    .command('build <image>')
    .description('Build an image from its recipe, with live progress; joins a build that already runs')
    .option('--force', 'build again although nothing changed')
    .option('--no-wait', 'do not wait for the end')
    .option('--timeout <duration>', 'how long to wait; the build goes on after that', BUILD_TIMEOUT_DEFAULT)
    .addHelpText('after', examples(['berth images build desktop', 'berth images build server --force --no-wait']))
    .action(
      run<WaitOptions & { force?: boolean }>(io, async (berth, [ref = ''], options) => {
        const image = await findImage(berth, ref);
        const accepted = await (await berth.client()).call(
          'imagesBuild',
          { params: { image: image.id }, body: { force: options.force === true } },
          { idempotencyKey: newIdempotencyKey() },
        );
        await finishAccepted(berth, accepted, options, () => `Image ${plain(image.name)} is ready.\n`);
      }),
    );
  withWait(
    images.command('import <name>').description('Import an image and allow it (platform administrators)'),
    BUILD_TIMEOUT_DEFAULT,
  )
    .option('--file <name>', "file in the host's import folder")
    .option('--server <url>', 'image server (https)')
    .option('--alias <alias>', 'image on that server')
    .addOption(
      new Option('--protocol <protocol>', 'of that server')
        .choices(['simplestreams', 'incus'])
        .default('simplestreams'),
    )
    .addOption(new Option('-k, --kind <kind>', 'what it is for').choices(instanceKinds).makeOptionMandatory())
    .option('--title <text>', 'name for people')
    .addHelpText(
      'after',
      examples([
        'berth images import trixie --kind server --server https://images.linuxcontainers.org --alias debian/13/cloud --wait',
        'berth images import golden --kind desktop --file golden.tar.xz --wait',
      ]),
    )
    .action(run<ImportOptions>(io, (berth, [name = ''], options) => importImage(berth, name, options)));
  withWait(
    images.command('delete <image>').alias('rm').description('Remove an image from the allow-list and the engine'),
  )
    .option('-y, --yes', 'do not ask')
    .action(
      run<WaitOptions & { yes?: boolean }>(io, async (berth, [ref = ''], options) => {
        const image = await findImage(berth, ref);
        await berth.confirm(`Delete the image ${plain(image.name)}?`, options.yes);
        const accepted = await (await berth.client()).call('imagesDelete', { params: { image: image.id } });
        await finishAccepted(berth, accepted, options, () => `Image ${plain(image.name)} is deleted.\n`);
      }),
    );
}
