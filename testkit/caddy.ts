/**
 * Real Caddys for tests: the one Berth runs on (from an installation, or fetched once as `up` fetches it) and the
 * distribution's own when it is another version. Kept between runs.
 */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { caddyVersion, compareVersions, gatherFacts } from '#host/machine.ts';
import { fetchCaddy } from '#host/packages.ts';
import { CADDY_FLOOR, CADDY_WANTED, planMachine } from '#host/plan.ts';

const run = promisify(execFile);
const KEPT = '/var/tmp/berth-test-caddy';

export type CaddyProgram = { path: string; version: string };

/** A Caddy as new as Berth wants. Errors: Error when none is here and none can be fetched. */
export async function testCaddy(): Promise<CaddyProgram> {
  const kept = join(KEPT, 'wanted');
  const candidates = [
    process.env['BERTH_TEST_CADDY'],
    join(kept, 'caddy'),
    '/var/lib/berth/bin/caddy',
    '/usr/bin/caddy',
  ];
  for (const path of candidates) {
    const version = path === undefined ? null : await caddyVersion(path);
    if (version !== null && compareVersions(version, CADDY_WANTED) >= 0) return { path: path!, version };
  }
  await mkdir(kept, { recursive: true });
  const plan = planMachine({ ...(await gatherFacts([], [])), caddy: null });
  return fetchCaddy(plan.caddy!, kept, () => {});
}

/** The distribution's Caddy when it is older than the wanted one and Berth still supports it; else null. */
export async function oldCaddy(): Promise<CaddyProgram | null> {
  const path = join(KEPT, 'distribution', 'caddy');
  const fits = (version: string | null): version is string =>
    version !== null && compareVersions(version, CADDY_FLOOR) >= 0 && compareVersions(version, CADDY_WANTED) < 0;
  const known = await caddyVersion(path);
  if (fits(known)) return { path, version: known };
  const work = await mkdtemp(join(tmpdir(), 'berth-caddy-'));
  try {
    await run('apt-get', ['download', 'caddy'], { cwd: work });
    const file = (await readdir(work)).find((name) => name.endsWith('.deb'));
    if (file === undefined) return null;
    await run('dpkg-deb', ['-x', join(work, file), join(work, 'root')]);
    const version = await caddyVersion(join(work, 'root/usr/bin/caddy'));
    if (!fits(version)) return null;
    await mkdir(join(KEPT, 'distribution'), { recursive: true });
    await run('cp', [join(work, 'root/usr/bin/caddy'), `${path}.new`]);
    await rename(`${path}.new`, path);
    return { path, version };
  } catch {
    return null;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
