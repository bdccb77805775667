/** The documentation site is built once per version of its sources. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Say } from './packages.ts';
import { must } from './run.ts';

const STAMP = '.sources';
/** What the pages are made of, beside every file in docs/. */
const OTHERS = [
  'ARCHITECTURE.md',
  'SECURITY.md',
  'CONTRIBUTING.md',
  'bench/README.md',
  'contract/openapi.json',
  'console/styles.css',
  'console/lib/theme-boot.js',
];

/** Builds docs/dist when its sources changed since; true when it was built. The old pages stay until the new are complete. */
export async function buildDocs(checkout: string, say: Say): Promise<boolean> {
  const dist = join(checkout, 'docs/dist');
  const hash = sourcesHash(checkout);
  const stamp = join(dist, STAMP);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === hash) return false;
  const side = join(checkout, `docs/dist.${process.pid}`);
  const old = `${side}.old`;
  try {
    await must([process.execPath, join(checkout, 'docs/build.ts'), '--out', side], { cwd: checkout, onLine: say });
    writeFileSync(join(side, STAMP), hash);
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(side, dist);
    return true;
  } finally {
    rmSync(side, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

function sourcesHash(checkout: string): string {
  const files = readdirSync(join(checkout, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith('dist') && /\.(md|ts|css|js|png|svg)$/.test(name) && !name.endsWith('.test.ts'))
    .map((name) => `docs/${name}`);
  const hash = createHash('sha256');
  for (const file of [...files, ...OTHERS].sort()) {
    const path = join(checkout, file);
    if (existsSync(path)) hash.update(file).update('\0').update(readFileSync(path)).update('\0');
  }
  return hash.digest('hex');
}
