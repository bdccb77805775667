import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Recipe } from './recipes.ts';
import { run } from './run.ts';

/** The engine's names of architectures, by dpkg's. */
export const engineArchitectures: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64' };

/** The name a person gave the instance; the engine's own name where nobody did. */
const hostnameTemplate = '{{ config_get("user.berth.hostname", container.name) }}';

const hostsTemplate = `127.0.0.1	localhost
127.0.1.1	${hostnameTemplate}

::1	localhost ip6-localhost ip6-loopback
ff02::1	ip6-allnodes
ff02::2	ip6-allrouters
`;

/** The image's `metadata.yaml`. JSON is YAML: no serialiser, no quoting mistakes. */
export function imageMetadata(recipe: Recipe, arch: string, hash: string, createdAt: Date): string {
  const serial = createdAt.toISOString().slice(0, 16).replace(/[-:]/g, '').replace('T', '_');
  const template = (name: string) => ({ when: ['create', 'copy', 'rename'], create_only: false, template: name });
  return `${JSON.stringify(
    {
      architecture: engineArchitectures[arch],
      creation_date: Math.floor(createdAt.getTime() / 1000),
      properties: {
        os: recipe.os,
        release: recipe.release,
        version: recipe.releaseVersion,
        variant: recipe.name,
        architecture: arch,
        serial,
        name: `berth-${recipe.name}`,
        description: `Berth ${recipe.name}: ${recipe.description}`,
        'berth.recipe': hash,
        'berth.kind': recipe.kind,
      },
      templates: {
        '/etc/hostname': template('hostname.tpl'),
        '/etc/hosts': template('hosts.tpl'),
      },
    },
    null,
    2,
  )}\n`;
}

export type PackInput = {
  recipe: Recipe;
  arch: string;
  hash: string;
  root: string;
  /** A fresh directory that receives `metadata.tar` and `rootfs.tar`. */
  output: string;
  createdAt: Date;
  signal?: AbortSignal | undefined;
};

/** Writes the two tars the engine imports. The root is not compressed: an import then takes a third of the time. */
export async function pack(input: PackInput): Promise<{ metadataTar: string; rootfsTar: string; sizeBytes: number }> {
  const { output, root, signal } = input;
  const metadataFolder = join(output, 'metadata');
  mkdirSync(join(metadataFolder, 'templates'), { recursive: true });
  writeFileSync(
    join(metadataFolder, 'metadata.yaml'),
    imageMetadata(input.recipe, input.arch, input.hash, input.createdAt),
  );
  writeFileSync(join(metadataFolder, 'templates', 'hostname.tpl'), `${hostnameTemplate}\n`);
  writeFileSync(join(metadataFolder, 'templates', 'hosts.tpl'), hostsTemplate);

  const metadataTar = join(output, 'metadata.tar');
  const rootfsTar = join(output, 'rootfs.tar');
  const owner = ['--numeric-owner', '--owner=0', '--group=0'];
  await run('tar', ['-cf', metadataTar, ...owner, '-C', metadataFolder, 'metadata.yaml', 'templates'], { signal });
  await run(
    'tar',
    [
      ...['-cf', rootfsTar, '--numeric-owner', '--xattrs', '--xattrs-include=security.capability', '--sort=name'],
      ...['--exclude=./dev/*', '--exclude=./proc/*', '--exclude=./sys/*', '--exclude=./run/*'],
      ...['--exclude=./var/cache/apt/archives/*', '-C', root, '.'],
    ],
    { signal },
  );
  rmSync(metadataFolder, { recursive: true, force: true });
  return { metadataTar, rootfsTar, sizeBytes: statSync(metadataTar).size + statSync(rootfsTar).size };
}
