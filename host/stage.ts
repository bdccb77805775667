/**
 * A copy of the checkout that the unprivileged users can read, for a checkout under a private home folder. Files are
 * hard links where their mode allows reading, so it is quick and takes no room; it is made again when the code changed.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeHash } from './code-hash.ts';
import { run } from './run.ts';

/** Rooms that running processes import. */
const ROOMS = [
  'agent',
  'contract',
  'db',
  'domain',
  'drivers',
  'edge',
  'images',
  'integrations',
  'registry',
  'server',
  'ssh-gateway',
];
/** What they need; the console is files only. */
const STAGED = ['package.json', ...ROOMS, 'node_modules', 'console/dist', 'docs'];
const STAMP = '.staged';

/** The folder to run from: the checkout when `user` can read it, else an up-to-date copy in `appDir`. */
export async function runnableApp(
  checkout: string,
  appDir: string,
  user: { uid: number; gid: number },
): Promise<string> {
  const probe = await run(
    [process.execPath, '-e', `require('node:fs').readFileSync(${JSON.stringify(join(checkout, 'package.json'))})`],
    {
      ...user,
      cwd: '/',
      env: {},
      timeoutMs: 20_000,
    },
  );
  if (probe.code === 0) return checkout;
  const hash = codeHash(checkout, ROOMS);
  const built = ['console/dist/index.html', 'docs/dist/.sources'].map((file) => join(checkout, file));
  const stamp = [hash, ...built.map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''))].join(' ');
  if (existsSync(join(appDir, STAMP)) && readFileSync(join(appDir, STAMP), 'utf8') === stamp) return appDir;
  const side = `${appDir}.new`;
  rmSync(side, { recursive: true, force: true });
  mkdirSync(join(side, 'console'), { recursive: true, mode: 0o755 });
  for (const name of STAGED) {
    if (existsSync(join(checkout, name))) stage(join(checkout, name), join(side, name));
  }
  writeFileSync(join(side, STAMP), stamp);
  rmSync(`${appDir}.old`, { recursive: true, force: true });
  if (existsSync(appDir)) renameSync(appDir, `${appDir}.old`);
  renameSync(side, appDir);
  rmSync(`${appDir}.old`, { recursive: true, force: true });
  return appDir;
}

function stage(from: string, to: string): void {
  const info = lstatSync(from);
  if (info.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else if (info.isDirectory()) {
    mkdirSync(to);
    chmodSync(to, 0o755);
    for (const name of readdirSync(from)) stage(join(from, name), join(to, name));
  } else if (info.isFile()) {
    const readable = (info.mode & 0o004) !== 0 && ((info.mode & 0o100) === 0 || (info.mode & 0o001) !== 0);
    if (readable) {
      try {
        linkSync(from, to);
        return;
      } catch {
        // Another file system: copy.
      }
    }
    copyFileSync(from, to);
    chmodSync(to, (info.mode & 0o100) !== 0 ? 0o755 : 0o644);
  }
}
