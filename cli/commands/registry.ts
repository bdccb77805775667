/** registry: the image cache that the Docker inside servers pulls through. For administrators of the installation. */
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { registryBytes } from '#domain/registry.ts';
import type { OutputOf } from '../client.ts';
import { usageError } from '../errors.ts';
import { formatBytes, formatRelative, paintState, plain } from '../format.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { renderProperties, renderTable } from '../table.ts';
import { examples } from './session.ts';

type Cache = OutputOf<'registryGet'>;

function describe(berth: Runtime, { status, ...settings }: Cache): string {
  const { paint } = berth;
  const limit = status?.limit ?? null;
  const left =
    limit === null ? null : `${limit.remaining} of ${limit.limit} pulls left${windowOf(limit.windowSeconds)}`;
  const rate = status === null || status.hitRate === null ? null : `${Math.round(status.hitRate * 100)} %`;
  return renderProperties(
    [
      ['Image cache', settings.enabled ? paintState(status?.state ?? 'starting', paint) : 'off'],
      ['Problem', status?.problem == null ? null : paint.red(plain(status.problem))],
      ['Upstream', plain(settings.upstream)],
      ['Upstream problem', status?.upstreamProblem == null ? null : paint.yellow(plain(status.upstreamProblem))],
      ['Signs in as', settings.username === null ? null : plain(settings.username)],
      ['Upstream limit', left === null ? null : limit?.low === true ? paint.yellow(`${left}: few`) : left],
      ['Used', status === null ? null : `${formatBytes(status.usedBytes)} of ${formatBytes(settings.bytesMax)}`],
      ['Hit rate', rate],
      [
        'Saved',
        status === null ? null : `${formatBytes(status.savedBytes)} of ${formatBytes(status.servedBytes)} served`,
      ],
      [
        'Servers',
        status === null
          ? null
          : `${status.mirrors.using} use it${status.mirrors.theirs === 0 ? '' : `, ${status.mirrors.theirs} arranged otherwise`}`,
      ],
    ],
    paint,
  );
}

function windowOf(seconds: number | null): string {
  if (seconds === null) return '';
  return seconds % 3600 === 0 ? ` in ${seconds / 3600} h` : ` in ${seconds} s`;
}

type SetOptions = {
  upstream?: string;
  user?: string;
  anonymous?: boolean;
  passwordStdin?: boolean;
  ca?: string;
  size?: string;
};

/** '40' is GiB. */
function bytesOf(text: string): number {
  const gib = Number(text);
  if (!Number.isFinite(gib)) throw usageError('--size takes a number of GiB.');
  return Math.round(gib * 1024 ** 3);
}

export function addRegistryCommands(program: Command, io: Io): void {
  const registry = program
    .command('registry')
    .description('Image cache that the Docker inside servers pulls through (platform administrators)');
  registry
    .command('show')
    .description('Show the image cache: settings, size, hit rate, what upstream still lets through')
    .action(
      run(io, async (berth) => {
        const cache = await (await berth.client()).call('registryGet', {});
        berth.print(cache, () => describe(berth, cache));
      }),
    );
  registry
    .command('set')
    .description('Switch the image cache on, or change it')
    .option('--upstream <url>', 'registry that images come from; absent: as it is, at first Docker Hub')
    .option('--user <name>', 'signs in upstream as; take an account that reads nothing private')
    .option('--anonymous', 'does not sign in upstream')
    .option('--password-stdin', 'read the password from stdin; absent: it stays as it is')
    .option('--ca <file>', 'PEM of a certificate authority of your own')
    .option('--size <GiB>', `storage it may take; at first ${registryBytes.default / 1024 ** 3}`)
    .addHelpText(
      'after',
      examples([
        'berth registry set',
        'berth registry set --size 50 --user berth-pulls --password-stdin',
        'berth registry set --upstream https://registry.example.com',
      ]),
    )
    .action(
      run<SetOptions>(io, async (berth, _args, options) => {
        const client = await berth.client();
        const before = await client.call('registryGet', {});
        const { ca } = options;
        const caCertificate =
          ca === undefined
            ? before.caCertificate
            : await readFile(ca, 'utf8').catch(() => {
                throw usageError(`"${ca}" cannot be read.`);
              });
        const password = options.passwordStdin === true ? { password: await berth.readStdin() } : {};
        const cache = await client.call('registryUpdate', {
          body: {
            enabled: true,
            upstream: options.upstream ?? before.upstream,
            username: options.anonymous === true ? null : (options.user ?? before.username),
            ...(options.anonymous === true ? { password: null } : password),
            caCertificate,
            bytesMax: options.size === undefined ? before.bytesMax : bytesOf(options.size),
          },
        });
        berth.print(cache, () => describe(berth, cache));
      }),
    );
  registry
    .command('off')
    .description('Switch the image cache off; servers pull from upstream themselves')
    .action(
      run(io, async (berth) => {
        const client = await berth.client();
        const { upstream, username, caCertificate, bytesMax } = await client.call('registryGet', {});
        const body = { enabled: false, upstream, username, caCertificate, bytesMax };
        const cache = await client.call('registryUpdate', { body });
        berth.print(cache, () => describe(berth, cache));
      }),
    );
  registry
    .command('images')
    .alias('ls')
    .description('List the images in the cache, the last used first')
    .action(
      run(io, async (berth) => {
        const { status } = await (await berth.client()).call('registryGet', {});
        const items = status?.images ?? [];
        berth.print({ items }, () =>
          renderTable(
            items,
            [
              { title: 'Image', value: (row) => `${row.name}:${row.tag}` },
              { title: 'Size', value: (row) => formatBytes(row.bytes), align: 'right' },
              { title: 'Last used', value: (row) => formatRelative(row.lastUsedAt, berth.io.now()) },
              { title: 'Digest', value: (row) => row.digest.slice(0, 19) },
            ],
            { paint: berth.paint, empty: 'Nothing is cached yet.' },
          ),
        );
      }),
    );
  registry
    .command('empty')
    .description('Remove every image from the cache')
    .option('-y, --yes', 'do not ask')
    .action(
      run<{ yes?: boolean }>(io, async (berth, _args, options) => {
        await berth.confirm('Remove every image from the cache? Servers pull them from upstream again.', options.yes);
        await (await berth.client()).call('registryEmpty', {});
        berth.print({ emptied: true }, () => 'The image cache is being emptied.\n');
      }),
    );
}
