/**
 * `node bench/run.ts [name ...]`: runs benchmarks one after the other and writes bench/results/<time>.json with the
 * machine's description. Each benchmark is a program of its own that prints one JSON object.
 */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machine } from './measure.ts';

export const benchmarks = [
  'api',
  'ingress',
  'status',
  'idle',
  'create',
  'start',
  'audit',
  'auth',
  'metrics',
  'egress',
  'routes',
  'ssh',
] as const;

function one(name: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.ts`)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.once('error', reject);
    child.once('close', (code) => {
      if (code !== 0) reject(new Error(`${name} ended with code ${code}`));
      else resolve(JSON.parse(text));
    });
  });
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : [...benchmarks];
for (const name of wanted) {
  if (!(benchmarks as readonly string[]).includes(name)) {
    console.error(`there is no benchmark ${name}: ${benchmarks.join(', ')}`);
    process.exit(2);
  }
}
const report: { at: string; machine: object; results: Record<string, unknown> } = {
  at: new Date().toISOString(),
  machine: machine(),
  results: {},
};
for (const name of wanted) {
  console.error(`${name} ...`);
  try {
    report.results[name] = await one(name);
  } catch (error) {
    report.results[name] = { failed: error instanceof Error ? error.message : String(error) };
    process.exitCode = 1;
  }
  console.error(JSON.stringify(report.results[name]));
}
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
const file = join(folder, `${report.at.replace(/[:.]/g, '-')}.json`);
writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
console.log(file);
