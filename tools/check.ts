/**
 * Every check that needs no running system, side by side: types, lint and format, layers, unused code, API document, size of
 * the console.
 * `node tools/check.ts [name ...]`. Prints one line per check, and what a failed one said.
 */
import { spawn } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tool = (...parts: string[]) => join(root, 'node_modules', ...parts);
const OUTPUT_LINES_MAX = 200;

export const checks: Readonly<Record<string, [string, ...string[]]>> = {
  types: [process.execPath, tool('typescript/bin/tsc'), '--noEmit', '-p', 'tsconfig.json'],
  'console types': [process.execPath, tool('typescript/bin/tsc'), '--noEmit', '-p', 'console/tsconfig.json'],
  'lint and format': [process.execPath, tool('@biomejs/biome/bin/biome'), 'check', '--diagnostic-level=error', '.'],
  layers: [process.execPath, 'tools/layers.ts'],
  unused: [process.execPath, tool('knip/bin/knip.js'), '--no-progress', '--no-config-hints'],
  'API document': [process.execPath, 'contract/emit.ts', '--check'],
  'console size': [process.execPath, 'console/dev/budget.ts', '--build'],
};

export type CheckResult = { name: string; ok: boolean; seconds: number; output: string };

function runCheck(name: string): Promise<CheckResult> {
  const started = Date.now();
  const argv = checks[name];
  if (argv === undefined) throw new Error(`there is no check ${name}: ${Object.keys(checks).join(', ')}`);
  return new Promise((resolve) => {
    const [program, ...args] = argv;
    const child = spawn(program, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, FORCE_COLOR: '0' },
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        output += chunk;
      });
    }
    const done = (ok: boolean) => resolve({ name, ok, seconds: (Date.now() - started) / 1000, output });
    child.once('error', (error) => {
      output += error.message;
      done(false);
    });
    child.once('close', (code) => done(code === 0));
  });
}

/** Runs checks at the same time and prints each as it ends. */
export async function runChecks(names: readonly string[], print: (line: string) => void): Promise<CheckResult[]> {
  return Promise.all(
    names.map(async (name) => {
      const result = await runCheck(name);
      print(`${result.ok ? '✓' : '✗'} ${name} (${result.seconds.toFixed(1)} s)`);
      if (!result.ok)
        for (const line of result.output.trim().split('\n').slice(0, OUTPUT_LINES_MAX)) print(`    ${line}`);
      return result;
    }),
  );
}

if (import.meta.main) {
  const wanted = process.argv.slice(2);
  const results = await runChecks(wanted.length === 0 ? Object.keys(checks) : wanted, (line) =>
    process.stdout.write(`${line}\n`),
  );
  process.exitCode = results.every((result) => result.ok) ? 0 : 1;
}
