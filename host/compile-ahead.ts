/**
 * V8 keeps compiled code in a folder per process (`NODE_COMPILE_CACHE`). A process that finds its code there starts
 * faster and never loads the type stripper, which takes 20 MB and more for as long as the process lives. So before the
 * first start of a version every program is run once without a configuration: it loads all of its code, refuses, and ends.
 */
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ownedFolder } from './files.ts';
import { run } from './run.ts';

const NOTHING = '/dev/null';
const TIMEOUT_MS = 60_000;
const NAME_CHARS = 16;

/** Own code that a process loads only when it is first needed: by then it has to be compiled as well. */
export const lazyModules: { readonly [process: string]: readonly string[] } = {
  server: [
    'server/app/oidc-provider.ts',
    'drivers/agent/files.ts',
    'integrations/dns/cloudflare.ts',
    'integrations/dns/rfc2136.ts',
  ],
};

/** The folder for this version's compiled code of `name`; what other versions left there is removed. */
export function compiledFolder(root: string, name: string, code: string, owner?: { uid: number; gid: number }): string {
  const folder = join(root, name);
  const version = code.slice(0, NAME_CHARS);
  ownedFolder(root, 0o755);
  ownedFolder(folder, 0o700, owner);
  for (const entry of readdirSync(folder)) {
    if (entry !== version) rmSync(join(folder, entry), { recursive: true, force: true });
  }
  ownedFolder(join(folder, version), 0o700, owner);
  return join(folder, version);
}

/** `argv` ends with the name of the configuration file; nothing happens where compiled code is kept already, and failing harms nothing. */
export async function compileAhead(
  program: {
    name: string;
    argv: readonly string[];
    env: Record<string, string>;
    user: { uid: number; gid: number } | null;
  },
  app: string,
): Promise<void> {
  const folder = program.env['NODE_COMPILE_CACHE'];
  if (folder === undefined || readdirSync(folder).length > 0) return;
  const [node, ...rest] = program.argv;
  if (node === undefined) return;
  const lazy = (lazyModules[program.name] ?? []).flatMap((path) => ['--import', pathToFileURL(join(app, path)).href]);
  const account = program.user === null ? {} : { uid: program.user.uid, gid: program.user.gid };
  const argv: [string, ...string[]] = [node, ...lazy, ...rest.slice(0, -1), NOTHING];
  await run(argv, { env: program.env, timeoutMs: TIMEOUT_MS, cwd: '/', ...account });
}
