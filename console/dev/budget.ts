/**
 * The console's size budgets, checked on the built files: `node console/dev/budget.ts [DIR]` after `vite build console`;
 * with `--build` it builds into a folder of its own and prints only what is over. Sizes are gzip level 9 in KiB. A chunk's own size counts for lazy ones; for the first load, everything fetched before the first page.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const building = process.argv[2] === '--build';
const dist = building ? built() : (process.argv[2] ?? fileURLToPath(new URL('../dist', import.meta.url)));

/** Builds the console as `up` does, into a folder that goes with this process. Ends the process when it does not build. */
function built(): string {
  const folder = mkdtempSync(join(tmpdir(), 'berth-console-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const root = fileURLToPath(new URL('../..', import.meta.url));
  const vite = join(root, 'node_modules/vite/bin/vite.js');
  const args = [vite, 'build', join(root, 'console'), '--outDir', folder, '--emptyOutDir', '--logLevel', 'warn'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) {
    console.log(stdout + stderr);
    process.exit(1);
  }
  return folder;
}

type Chunk = { file: string; name?: string; isEntry?: boolean; imports?: string[]; dynamicImports?: string[] };
const manifest = JSON.parse(readFileSync(join(dist, '.vite/manifest.json'), 'utf8')) as Record<string, Chunk>;

function size(file: string): number {
  return gzipSync(readFileSync(join(dist, file)), { level: 9 }).length / 1024;
}
/** Files of a chunk and of everything it imports statically. */
function closure(key: string, seen = new Set<string>()): Set<string> {
  if (seen.has(key)) return seen;
  seen.add(key);
  for (const each of manifest[key]?.imports ?? []) closure(each, seen);
  return seen;
}
const files = (keys: Iterable<string>) =>
  [...keys].map((key) => manifest[key]?.file ?? '').filter((file) => file.endsWith('.js'));
const sum = (list: readonly string[]) => list.reduce((total, file) => total + size(file), 0);

const entry = Object.keys(manifest).find((key) => manifest[key]?.isEntry === true) ?? '';
const first = closure(entry);
const lazy = (key: string) => files(closure(key)).filter((file) => !files(first).includes(file));

const rows: [what: string, kib: number, limit: number][] = [['first load, JS', sum(files(first)), 215]];
const styles = readdirSync(join(dist, 'assets')).filter((file) => file.startsWith('index-') && file.endsWith('.css'));
rows.push(['styles', sum(styles.map((file) => `assets/${file}`)), 25]);
// Own size of the two big libraries' chunks; the create form with everything it brings (zod, forms, messages).
const special: Record<string, number> = { 'create/create.tsx': 80 };
const big: Record<string, number> = { 'terminal/terminal.tsx': 130, 'screen/screen.tsx': 65 };
for (const key of Object.keys(manifest).filter(
  (each) => each.startsWith('pages/') || each.startsWith('shell/') || each.startsWith('actions/'),
)) {
  const named = Object.keys(special).find((each) => key.endsWith(each));
  if (manifest[key]?.file.endsWith('.js') !== true) continue;
  if (named !== undefined) rows.push([key, sum(lazy(key)), special[named] ?? 0]);
  else rows.push([key, size(manifest[key].file), big[Object.keys(big).find((each) => key.endsWith(each)) ?? ''] ?? 40]);
}

let failed = 0;
for (const [what, kib, limit] of rows.sort((a, b) => b[1] / b[2] - a[1] / a[2])) {
  const over = kib > limit;
  if (over) failed++;
  if (over || !building)
    console.log(`${over ? 'OVER' : 'ok  '} ${kib.toFixed(1).padStart(6)} of ${String(limit).padStart(3)} KiB  ${what}`);
}
const withZod = files(first).filter((file) => /ZodError/.test(readFileSync(join(dist, file), 'utf8')));
if (withZod.length > 0) {
  failed++;
  console.log(`OVER zod is in the first load: ${withZod.join(', ')}`);
}
process.exitCode = failed === 0 ? 0 : 1;
