/** The console is built once per version of its sources. */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeHash } from './code-hash.ts';
import type { Say } from './packages.ts';
import { must } from './run.ts';

const STAMP = '.sources';

/** Builds console/dist when the sources changed since; true when it was built. The old files stay until the new are complete. */
export async function buildConsole(checkout: string, say: Say): Promise<boolean> {
  const dist = join(checkout, 'console/dist');
  const hash = codeHash(checkout, ['console', 'contract', 'domain']);
  const stamp = join(dist, STAMP);
  if (existsSync(stamp) && existsSync(join(dist, 'index.html')) && readFileSync(stamp, 'utf8') === hash) return false;
  const side = join(checkout, `console/dist.${process.pid}`);
  try {
    const vite = join(checkout, 'node_modules/vite/bin/vite.js');
    const argv: [string, ...string[]] = [
      process.execPath,
      vite,
      'build',
      join(checkout, 'console'),
      '--outDir',
      side,
      '--emptyOutDir',
    ];
    await must(argv, { cwd: checkout, onLine: say, env: { ...process.env, NODE_ENV: 'production' } });
    writeFileSync(join(side, STAMP), hash);
    const old = `${side}.old`;
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(side, dist);
    rmSync(old, { recursive: true, force: true });
    return true;
  } finally {
    rmSync(side, { recursive: true, force: true });
  }
}
