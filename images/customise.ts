import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  lstatSync,
  mkdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, dirname, join, relative } from 'node:path';
import { BerthError } from '#domain/errors.ts';
import { imagesFolder, placedFiles } from './recipe-files.ts';
import type { Recipe, RecipeUser } from './recipes.ts';
import { run } from './run.ts';

export type CustomiseContext = {
  recipe: Recipe;
  root: string;
  npmCache: string;
  /** npm's name of the architecture: `x64`, `arm64`. */
  cpu: string;
  signal?: AbortSignal | undefined;
  onStep: (fraction: number, line: string) => void;
};

/** The environment of commands run inside the new root: nothing of the building machine's. */
const chrootEnv: NodeJS.ProcessEnv = {
  PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C.UTF-8',
  HOME: '/root',
  SYSTEMD_OFFLINE: '1',
};

/** Makes the recipe's machine out of the freshly installed packages below `root`. */
export async function customise(context: CustomiseContext): Promise<void> {
  const { recipe, root, signal, onStep } = context;
  const inside = (...argv: string[]) => run('chroot', [root, ...argv], { signal, env: chrootEnv });

  onStep(0, 'placing files');
  for (const file of placedFiles(recipe)) {
    const target = join(root, file.to);
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    rmSync(target, { force: true });
    copyFileSync(file.from, target);
    chmodSync(target, file.mode);
  }

  for (const user of recipe.users) {
    onStep(0.05, `adding user ${user.name}`);
    await addUser(user, inside);
  }
  await inside('passwd', '--lock', 'root');

  if (recipe.npm) {
    onStep(0.1, `installing ${recipe.npm.folder} from the npm registry`);
    await installNpm(context, recipe.npm.folder, recipe.npm.target);
    linkNode(context, recipe.npm.target);
    for (const argv of recipe.npm.finish) await runConfined(context, argv);
  }

  onStep(0.85, 'enabling services');
  if (recipe.disable.length > 0) await inside('systemctl', 'disable', '--quiet', ...recipe.disable);
  await inside('systemctl', 'enable', '--quiet', ...recipe.enable);
  await inside('systemctl', 'mask', '--quiet', ...recipe.mask);

  onStep(0.9, 'rebuilding caches');
  for (const refresh of cacheRefreshers) {
    if (lstatSync(join(root, refresh[0]), { throwIfNoEntry: false })) await inside(...refresh);
  }

  onStep(0.95, 'taking out what belongs to one machine only');
  prune(root, recipe.prune);
  for (const [path, target] of Object.entries(recipe.links)) {
    rmSync(join(root, path), { force: true });
    mkdirSync(dirname(join(root, path)), { recursive: true });
    symlinkSync(target, join(root, path));
  }
  forgetIdentity(root);
}

/** Programs that rebuild an index over placed files, run when the image has them. */
const cacheRefreshers: readonly [string, ...string[]][] = [
  ['/usr/bin/fc-cache', '--force', '--system-only'],
  ['/usr/bin/glib-compile-schemas', '/usr/share/glib-2.0/schemas'],
  ['/usr/bin/update-desktop-database', '--quiet'],
  ['/usr/sbin/update-icon-caches', '/usr/share/icons/hicolor'],
];

async function addUser(user: RecipeUser, inside: (...argv: string[]) => Promise<void>): Promise<void> {
  await inside('groupadd', '--gid', String(user.uid), user.name);
  await inside(
    'useradd',
    ...['--create-home', '--uid', String(user.uid), '--gid', user.name, '--shell', user.shell],
    ...['--comment', user.title, '--groups', user.groups.join(','), user.name],
  );
  const home = `/home/${user.name}`;
  for (const directory of user.directories) {
    const mode = directory.startsWith('.') ? '0700' : '0755';
    await inside('install', '-d', '-o', user.name, '-g', user.name, '-m', mode, `${home}/${directory}`);
  }
  await inside('chmod', '0750', home);
}

/**
 * Installs by the building machine's npm and its registry settings, with install scripts off: nobody's code runs on this
 * machine. What the packages need beyond that is run inside the image by its own Node.
 */
async function installNpm(context: CustomiseContext, folder: string, target: string): Promise<void> {
  const destination = join(context.root, target);
  mkdirSync(destination, { recursive: true, mode: 0o755 });
  for (const name of ['package.json', 'package-lock.json']) {
    copyFileSync(join(imagesFolder, folder, name), join(destination, name));
  }
  let lines = 0;
  await run(
    process.execPath,
    [
      findNpm(),
      'ci',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--omit=dev',
      '--prefer-offline',
      '--os=linux',
      '--libc=glibc',
      `--cpu=${context.cpu}`,
      '--loglevel=http',
      `--cache=${context.npmCache}`,
      `--prefix=${destination}`,
    ],
    {
      signal: context.signal,
      cwd: destination,
      env: { ...process.env, NO_UPDATE_NOTIFIER: '1' },
      onLine: (line) => {
        lines += 1;
        // npm tells no total: close in on the end without ever claiming it.
        context.onStep(0.1 + 0.7 * (1 - Math.exp(-lines / 300)), line.replace(/^npm http fetch /, 'npm: '));
      },
    },
  );
}

/** Runs a downloaded program inside the image: own mounts and processes, no network. */
function runConfined({ root, signal }: CustomiseContext, argv: readonly string[]): Promise<void> {
  const confine = ['--net', '--ipc', '--pid', '--fork', '--kill-child', `--mount-proc=${join(root, 'proc')}`];
  const env = { ...chrootEnv, PATH: `/usr/local/bin:${chrootEnv.PATH}` };
  return run('unshare', [...confine, 'chroot', root, ...argv], { signal, env });
}

/** Makes the Node that came as an npm package (`node-linux-<cpu>`) the image's `node`. */
function linkNode(context: CustomiseContext, target: string): void {
  const link = join(context.root, 'usr/local/bin/node');
  rmSync(link, { force: true });
  symlinkSync(`${target}/node_modules/node-linux-${context.cpu}/bin/node`, link);
}

/** The npm program of this machine, as a script for the Node that runs us. */
function findNpm(): string {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const candidate = join(folder, 'npm');
    if (!existsSync(candidate)) continue;
    const real = realpathSync(candidate);
    if (real.endsWith('/npm-cli.js')) return real;
  }
  throw new BerthError('unavailable', 'This recipe needs npm to be built. Install npm and try again.');
}

/** Removes paths relative to `root`; a pattern that leads outside is refused. */
export function prune(root: string, patterns: readonly string[]): void {
  for (const pattern of patterns) {
    if (pattern.startsWith('/') || pattern.split('/').includes('..'))
      throw new Error(`unsafe path to remove: ${pattern}`);
    for (const match of globSync(pattern, { cwd: root })) {
      if (relative(root, join(root, match)).startsWith('..')) continue;
      rmSync(join(root, match), { recursive: true, force: true });
    }
  }
}

/** What two machines must never share: ids, host keys, random seeds, names, the builder's resolver and apt settings. */
function forgetIdentity(root: string): void {
  for (const path of [
    'etc/ssh/ssh_host_*',
    'var/lib/systemd/random-seed',
    'var/lib/dbus/machine-id',
    'root/.bash_history',
  ]) {
    prune(root, [path]);
  }
  prune(root, [
    'etc/hostname',
    'etc/apt/apt.conf.d/99mmdebstrap',
    'etc/dpkg/dpkg.cfg.d/99mmdebstrap',
    'tmp/*',
    'var/tmp/*',
  ]);
  // Empty (and not missing): systemd fills it at boot without taking the machine for one that was never set up.
  writeFileSync(join(root, 'etc/machine-id'), '', { mode: 0o444 });
}
