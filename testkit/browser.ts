/** Headless Chromium for whole-system tests: trusts Berth's own CA, resolves the installation's names to loopback. */
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium } from 'playwright-core';
import { run } from './stack.ts';

const CHROMIUM = process.env.BERTH_CHROMIUM ?? '/usr/bin/chromium';

/**
 * Starts Chromium with a profile of its own. The CA is put into a fresh NSS database in a home folder of the test, so
 * that certificates are really checked; every other host name stays unresolvable.
 */
export async function openBrowser(
  caFile: string,
  domain: string,
  viewport = { width: 1360, height: 850 },
): Promise<BrowserContext> {
  const home = await mkdtemp(join(tmpdir(), 'berth-home-'));
  const nss = join(home, '.pki/nssdb');
  new X509Certificate(await readFile(caFile));
  await mustRun('mkdir', ['-p', nss]);
  await mustRun('certutil', ['-d', `sql:${nss}`, '-N', '--empty-password']);
  await mustRun('certutil', ['-d', `sql:${nss}`, '-A', '-n', 'berth', '-t', 'C,,', '-i', caFile]);
  return chromium.launchPersistentContext(join(home, 'profile'), {
    executablePath: CHROMIUM,
    headless: true,
    viewport,
    env: { ...process.env, HOME: home } as Record<string, string>,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      `--host-resolver-rules=MAP ${domain} 127.0.0.1, MAP *.${domain} 127.0.0.1, EXCLUDE localhost, EXCLUDE 127.0.0.1, MAP * ~NOTFOUND`,
    ],
  });
}

async function mustRun(file: string, args: string[]): Promise<void> {
  const result = await run(file, args, { timeoutMs: 30_000 });
  if (result.code !== 0) throw new Error(`${file} ${args.join(' ')}: ${result.stderr}`);
}
