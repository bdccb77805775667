import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { BerthError } from '#domain/errors.ts';
import { imageSources, inheritedAptOptions, machineMirror, mirrorLines } from './apt-sources.ts';
import { customise } from './customise.ts';
import { fillFromCache, keepInCache } from './deb-cache.ts';
import { removeAbandoned, removeFolder } from './leftovers.ts';
import { cloneFolder, keepOnly, lock, machineCacheFolder, openCache } from './machine-cache.ts';
import { mmdebstrapArgs } from './mmdebstrap.ts';
import { engineArchitectures, pack } from './pack.ts';
import { type BuildProgress, ProgressMeter } from './progress.ts';
import { imagesFolder, recipeHash } from './recipe-files.ts';
import { isRecipeName, type Recipe, recipeNames, recipes } from './recipes.ts';
import { confined, run, runForText } from './run.ts';

export type BuildInput = {
  name: string;
  /** Absolute path. Receives the results in `out/`; everything else is removed again. */
  workDir: string;
  /** dpkg architecture; only that of the building machine. */
  arch: string;
  onProgress?: ((progress: BuildProgress) => void) | undefined;
  signal?: AbortSignal | undefined;
  /** Give back an earlier result of the same recipe instead of building again. Default true. */
  cache?: boolean;
  /** Where builds on this machine share packages and results. Default `/var/cache/berth/images`. */
  cacheDir?: string;
  now?: () => Date;
};

export type PackageVersion = { name: string; version: string };

export type BuiltImage = {
  metadataTar: string;
  rootfsTar: string;
  recipeHash: string;
  sizeBytes: number;
  packages: PackageVersion[];
};

const npmArchitectures: Readonly<Record<string, string>> = { amd64: 'x64', arm64: 'arm64' };
const debianKeyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** dpkg's name of the architecture this process runs on. */
export function machineArch(): string {
  for (const [dpkg, node] of Object.entries(npmArchitectures)) if (node === process.arch) return dpkg;
  throw new BerthError('unsupported', `Images cannot be built on ${process.arch}.`);
}

function checkInput(input: BuildInput): Recipe {
  if (!isRecipeName(input.name)) {
    throw new BerthError('invalid_input', `There is no such image recipe. Known: ${recipeNames.join(', ')}.`);
  }
  if (!isAbsolute(input.workDir)) throw new BerthError('invalid_input', 'The work directory must be an absolute path.');
  if (!engineArchitectures[input.arch] || input.arch !== machineArch()) {
    throw new BerthError('unsupported', `Images are built for this machine's own architecture, ${machineArch()}.`);
  }
  if (process.getuid?.() !== 0) throw new BerthError('unsupported', 'Building an image needs root.');
  return recipes[input.name];
}

/**
 * Builds one recipe from the Debian mirror that this machine's apt uses. Results lie in
 * `<workDir>/out/<name>-<12 digits of the hash>/`. What was downloaded and built stays in the machine's cache, so that the
 * next installation here need not do it again; of several builders of the same image one works and the others wait.
 * Throws BerthError: `invalid_input`, `unsupported`, `internal` (detail: last lines of the tool); or the abort reason.
 */
export async function buildImage(input: BuildInput): Promise<BuiltImage> {
  const recipe = checkInput(input);
  const { workDir, arch, signal } = input;
  signal?.throwIfAborted();
  const meter = new ProgressMeter(input.onProgress ?? (() => {}));
  const hash = recipeHash(recipe, arch);
  const id = `${recipe.name}-${hash.slice(0, 12)}`;
  const result = join(workDir, 'out', id);
  const earlier = input.cache === false ? null : readResult(result, hash);
  if (earlier) {
    meter.step('pack', 1, 'nothing to build: the recipe has not changed');
    return earlier;
  }

  mkdirSync(join(workDir, 'out'), { recursive: true, mode: 0o755 });
  const cacheDir = openCache(input.cacheDir ?? machineCacheFolder);
  const shared = join(cacheDir, 'results', id);
  const waiting = () =>
    meter.step('resolve', 0, 'another build of this image is running on this machine: waiting for it');
  const release = await lock(join(cacheDir, `${id}.lock`), waiting, signal);
  try {
    if (input.cache === false || !readResult(shared, hash)) {
      await buildInto({ recipe, hash, cacheDir, result: shared, input, meter });
      keepOnly(join(cacheDir, 'results'), `${recipe.name}-`, id);
    }
    cloneFolder(shared, result);
    keepOnly(join(workDir, 'out'), `${recipe.name}-`, id);
  } finally {
    release();
  }
  const built = readResult(result, hash);
  if (!built) throw new BerthError('internal', 'The image was built but cannot be read.', { detail: result });
  meter.step('pack', 1, `done: ${Math.round(built.sizeBytes / 1e6)} MB`);
  return built;
}

type BuildContext = {
  recipe: Recipe;
  hash: string;
  cacheDir: string;
  result: string;
  input: BuildInput;
  meter: ProgressMeter;
};

/** Does the work below a temporary folder and moves the finished image to `result`. */
async function buildInto({ recipe, hash, cacheDir, result, input, meter }: BuildContext): Promise<void> {
  const { workDir, arch, signal } = input;
  await removeAbandoned(workDir);
  const temporary = mkdtempSync(join(workDir, `build-${process.pid}-`));
  try {
    const root = join(temporary, 'root');
    const packages = await installPackages(recipe, root, join(cacheDir, 'debs'), input, meter);
    await customise({
      recipe,
      root,
      npmCache: join(cacheDir, 'npm'),
      cpu: npmArchitectures[arch] ?? arch,
      signal,
      onStep: (fraction, line) => meter.step('customise', fraction, line),
    });
    meter.step('pack', 0, 'packing');
    const output = join(temporary, 'out');
    mkdirSync(output);
    const createdAt = (input.now ?? (() => new Date()))();
    const packed = await pack({ recipe, arch, hash, root, output, createdAt, signal });
    const summary = { recipeHash: hash, sizeBytes: packed.sizeBytes, packages };
    writeFileSync(join(output, 'build.json'), `${JSON.stringify(summary, null, 1)}\n`);
    mkdirSync(dirname(result), { recursive: true, mode: 0o755 });
    cloneFolder(output, result);
  } finally {
    await removeFolder(temporary);
  }
}

async function installPackages(
  recipe: Recipe,
  root: string,
  debs: string,
  input: BuildInput,
  meter: ProgressMeter,
): Promise<PackageVersion[]> {
  const { signal, arch } = input;
  const archives = join(root, 'var/cache/apt/archives');
  const cached = fillFromCache(debs, archives);
  meter.step('resolve', 0, `${cached} packages in the cache`);
  const mirror = machineMirror();
  const keyring = existsSync(debianKeyring) ? debianKeyring : null;
  const dump = await runForText('apt-config', ['dump'], { signal });
  const args = mmdebstrapArgs({
    recipe,
    arch,
    root,
    mirrors: mirrorLines(mirror, recipe.release, keyring),
    aptOptions: [...inheritedAptOptions(dump), 'Acquire::Languages "none"', 'Acquire::Retries "3"'],
    dpkgOptions: [...leanDpkgOptions(), 'force-unsafe-io'],
  });
  let failed = true;
  try {
    await run(...confined(['mmdebstrap', ...args]), {
      signal,
      env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8', HOME: '/root', DEBIAN_FRONTEND: 'noninteractive' },
      onLine: (line) => meter.line(line),
    });
    failed = false;
  } finally {
    // Also after a failure: the next try need not download again.
    if (failed && existsSync(archives)) keepInCache(debs, archives, new Set());
  }
  const packages = await installedPackages(root, signal);
  const used = new Set(packages.map(({ name, version, architecture }) => debName(name, version, architecture)));
  keepInCache(debs, archives, used);
  rmSync(archives, { recursive: true, force: true });
  mkdirSync(join(archives, 'partial'), { recursive: true, mode: 0o755 });
  if (mirror) {
    rmSync(join(root, 'etc/apt/sources.list'), { force: true });
    for (const name of ['0000sources.list', '0001sources.list', '0002sources.list']) {
      rmSync(join(root, 'etc/apt/sources.list.d', name), { force: true });
    }
    writeFileSync(join(root, 'etc/apt/sources.list.d/debian.sources'), imageSources(mirror, recipe.release));
  }
  return packages.map(({ name, version }) => ({ name, version }));
}

/** apt's file name of a package: the colon of an epoch is written %3a. */
function debName(name: string, version: string, architecture: string): string {
  return `${name}_${version.replaceAll(':', '%3a')}_${architecture}.deb`;
}

/** The exclusions that the image carries anyway, so that build and later installs agree. */
function leanDpkgOptions(): string[] {
  const text = readFileSync(join(imagesFolder, 'files/base/etc/dpkg/dpkg.cfg.d/berth-lean'), 'utf8');
  return text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
}

async function installedPackages(root: string, signal: AbortSignal | undefined) {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders.
  const format = '${db:Status-Abbrev}\t${Package}\t${Version}\t${Architecture}\n';
  const text = await runForText('dpkg-query', [`--root=${root}`, '--show', `--showformat=${format}`], { signal });
  return text
    .split('\n')
    .map((line) => line.split('\t'))
    .filter(([status]) => status?.startsWith('ii'))
    .map(([, name = '', version = '', architecture = '']) => ({ name, version, architecture }));
}

function paths(result: string): { metadataTar: string; rootfsTar: string } {
  return { metadataTar: join(result, 'metadata.tar'), rootfsTar: join(result, 'rootfs.tar') };
}

function readResult(result: string, hash: string): BuiltImage | null {
  const { metadataTar, rootfsTar } = paths(result);
  if (!existsSync(metadataTar) || !existsSync(rootfsTar)) return null;
  try {
    const summary = JSON.parse(readFileSync(join(result, 'build.json'), 'utf8')) as Omit<
      BuiltImage,
      'metadataTar' | 'rootfsTar'
    >;
    return summary.recipeHash === hash ? { ...summary, metadataTar, rootfsTar } : null;
  } catch {
    return null;
  }
}
