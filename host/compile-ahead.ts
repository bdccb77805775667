/**
 * V8 keeps compiled code in a folder per process (`NODE_COMPILE_CACHE`). A process that finds its code there starts
 * faster and never loads the type stripper, which takes 20 MB and more for as long as the process lives. So before the
 * first start every program is run once without a configuration: it loads all of its code, refuses, and ends.
 */
import { existsSync, readdirSync } from 'node:fs';
import { run } from './run.ts';

const NOTHING = '/dev/null';
const TIMEOUT_MS = 60_000;

/** `argv` ends with the name of the configuration file; nothing happens where compiled code is kept already, and failing harms nothing. */
export async function compileAhead(program: {
  argv: readonly string[];
  env: Record<string, string>;
  user: { uid: number; gid: number } | null;
}): Promise<void> {
  const folder = program.env['NODE_COMPILE_CACHE'];
  if (folder === undefined || (existsSync(folder) && readdirSync(folder).length > 0)) return;
  const [node, ...rest] = program.argv;
  if (node === undefined) return;
  const account = program.user === null ? {} : { uid: program.user.uid, gid: program.user.gid };
  await run([node, ...rest.slice(0, -1), NOTHING], { env: program.env, timeoutMs: TIMEOUT_MS, cwd: '/', ...account });
}
