/**
 * Archives of files and Docker stacks as a person controls them in the console: what stands on the page, and what is true
 * inside the server, which is asked past Berth. One server, one browser, nothing simulated.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import type { Instance } from '#contract/instances.ts';
import { openBrowser } from '#testkit/browser.ts';
import { type Client, until } from '#testkit/client.ts';
import { owner, run } from '#testkit/stack.ts';
import { create, engineGuests, installationOf, ownerClient, purge, sharedStack, signInBrowser } from './shared.ts';

const stack = sharedStack();
const NAME = 'crane';
const HOME = '/home/berth';
let browser: BrowserContext;
let page: Page;
let client: Client;
let server: Instance;
let guest: { name: string; project: string };
let folder: string;
let base: string;

/** As root inside, by the engine. Errors: when it ends with another code than 0. */
async function inside(script: string): Promise<string> {
  const { code, stdout, stderr } = await run(
    'incus',
    ['exec', '--project', guest.project, guest.name, '--', 'sh', '-c', script],
    { timeoutMs: 60_000 },
  );
  if (code !== 0) throw new Error(`${script}: ${code} ${stderr}`);
  return stdout.trim();
}
const asBerth = (script: string) => inside(`su - berth -c '${script}'`);
/** Commands that Berth runs inside. */
const commands = async () =>
  Number(await inside("systemctl list-units --state=active,activating --plain --no-legend 'berth-opr*' | wc -l"));
const picture = (name: string) =>
  onTestFailed(async () => void (await page.screenshot({ path: `/tmp/berth-e2e-${name}.png` })));

beforeAll(async () => {
  const signedIn = await ownerClient(stack);
  client = signedIn.client;
  server = await create(client, signedIn.project, 'server', NAME);
  const found = (await engineGuests(installationOf(stack))).find(({ instance }) => instance === server.id);
  if (found === undefined) throw new Error('the engine does not know the server');
  guest = found;
  folder = mkdtempSync(join(tmpdir(), 'berth-controls-'));
  browser = await openBrowser(stack.info.caCertificate, new URL(stack.info.consoleUrl).hostname);
  page = await signInBrowser(browser, stack);
  const home = new URL(page.url()).pathname.split('/').slice(0, 3).join('/');
  base = new URL(`${home}/instances/${NAME}`, stack.info.consoleUrl).href;
});

afterAll(async () => {
  await browser?.close();
  if (server !== undefined) await purge(client, server);
  await client?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

describe('archives of files', () => {
  const files = () => page.getByRole('table', { name: 'Files' });
  const choose = async (...names: string[]) => {
    for (const name of names)
      await files()
        .getByRole('checkbox', { name: `Select ${name}`, exact: true })
        .click();
    await page.getByText(`${names.length} chosen`).waitFor();
  };
  const pack = async (name: string) => {
    await page.getByRole('button', { name: 'Pack…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name of the archive').fill(name);
    await dialog.getByRole('button', { name: 'Pack', exact: true }).click();
    await dialog.waitFor({ state: 'hidden' });
  };
  const unpack = async (archive: string, to: string) => {
    await page.getByRole('button', { name: `Actions of ${archive}` }).click();
    await page.getByRole('menuitem', { name: 'Unpack…' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Into the folder').fill(to);
    await dialog.getByRole('button', { name: 'Unpack', exact: true }).click();
    return dialog;
  };
  /** The line about what goes on or has ended. */
  const line = (title: string) =>
    page.getByRole('region', { name: 'Archives' }).getByRole('listitem').filter({ hasText: title });

  it('V2: several files and folders come down as one .tar.gz with exactly what was chosen', async () => {
    picture('archive-download');
    await asBerth(
      'mkdir -p site/deep && echo "<h1>hello</h1>" > site/index.html && echo inside > site/deep/notes.txt && ln -s deep/notes.txt site/link && echo one > readme.txt && echo not-this > other.txt && chmod 750 site',
    );
    await page.goto(`${base}/files`);
    await choose('site', 'readme.txt');
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download', exact: true }).click(),
    ]);
    expect(download.suggestedFilename()).toMatch(/\.tar\.gz$/);
    const archive = join(folder, 'chosen.tar.gz');
    await download.saveAs(archive);
    const unpacked = await run('tar', ['-xzf', archive, '-C', folder, '--no-same-owner']);
    expect(unpacked.code, unpacked.stderr).toBe(0);
    const listed = await run('tar', ['-tzf', archive]);
    expect(listed.stdout.trim().split('\n').sort()).toEqual([
      'readme.txt',
      'site/',
      'site/deep/',
      'site/deep/notes.txt',
      'site/index.html',
      'site/link',
    ]);
    const seen = await run('sh', [
      '-c',
      'cd "$0" && cat readme.txt site/index.html site/link && stat -c %a site',
      folder,
    ]);
    expect(seen.stdout).toBe('one\n<h1>hello</h1>\ninside\n750\n');
  });

  it('V2: the tree of folders leads from one to the other', async () => {
    picture('folder-tree');
    await page.goto(`${base}/files`);
    const tree = page.getByRole('navigation', { name: 'Folders' });
    const link = (name: string) => tree.getByRole('link', { name, exact: true });
    // The way to here is open.
    await link('site').waitFor();
    expect(await link('berth').getAttribute('aria-current')).toBe('location');
    await link('site').click();
    await files().getByText('index.html').waitFor();
    expect(new URL(page.url()).searchParams.get('path')).toBe(`${HOME}/site`);
    await link('deep').waitFor();
    await tree.getByRole('button', { name: 'Folders in site', exact: true }).click();
    await link('deep').waitFor({ state: 'detached' });
    await link('home').click();
    await files().getByText('berth', { exact: true }).waitFor();
    await page.goBack();
    await files().getByText('index.html').waitFor();
    await page.goto(`${base}/files`);
  });

  it('V2: packed inside, unpacked elsewhere; what clashes is told by name and nothing is written over', async () => {
    picture('archive-pack');
    await page.reload();
    await choose('site', 'readme.txt');
    await pack('both.tar.gz');
    await line('Pack').getByText('Done', { exact: true }).waitFor();
    await files().getByText('both.tar.gz').waitFor();
    expect(await inside(`stat -c '%U:%a' ${HOME}/both.tar.gz`)).toBe('berth:644');

    await asBerth('mkdir there && echo mine > there/readme.txt');
    await unpack('both.tar.gz', `${HOME}/there`);
    const failed = line('Unpack').filter({ hasText: 'Failed' });
    await failed.waitFor();
    expect(await failed.textContent()).toContain('readme.txt');
    expect(await inside(`cd ${HOME}/there && find . -type f | sort && cat readme.txt`)).toBe('./readme.txt\nmine');

    await unpack('both.tar.gz', `${HOME}/elsewhere`);
    await line('Unpack').getByText('Done', { exact: true }).waitFor();
    await files().getByText('elsewhere').waitFor();
    expect(
      await inside(
        `cd ${HOME} && diff -r site elsewhere/site && cmp readme.txt elsewhere/readme.txt && stat -c %U elsewhere`,
      ),
    ).toBe('berth');
  });

  it('V2: a pack that runs is stopped: so it stands there, nothing runs on and nothing is left behind', async () => {
    picture('archive-stop');
    // Takes minutes to pack and no room on the disk.
    await asBerth('truncate -s 40G large.img');
    await page.reload();
    await choose('large.img');
    await pack('large.tar.gz');
    const running = line('Pack');
    await running.getByText('Running', { exact: true }).waitFor();
    await until('it packs inside', async () => (await commands()) === 1, { timeoutMs: 20_000 });
    await running.getByRole('button', { name: /^Stop: / }).click();
    await running.getByText('Stopped', { exact: true }).waitFor();
    expect(await running.textContent()).not.toContain('Failed');
    expect(await commands()).toBe(0);
    expect(await inside(`ls -A ${HOME} | grep -E "part$|large.tar" || true`)).toBe('');
    expect(await files().getByText('large.tar.gz').count()).toBe(0);
  });
});

describe('stacks', () => {
  const stacks = () => page.getByRole('region', { name: `Stacks of ${NAME}` });
  const card = (): Locator => stacks().getByRole('listitem').filter({ hasText: 'harbour' }).first();
  const containers = () => inside('docker ps --format "{{.Names}} {{.State}} {{.Image}}"');
  const COMPOSE = `services:
  web:
    image: tiny:1
    pull_policy: never
    stop_grace_period: 5m
    command: [/usr/bin/dash, -c, 'echo ready; while :; do sleep 1; done']
    ports: ["8080:80"]
`;

  it('V2: a stack is written and started in the console, and runs inside', async () => {
    picture('stack-up');
    // Nothing can be pulled here: an image of programs of the server itself.
    await inside(
      'tar -C / -ch usr/bin/dash usr/bin/sleep lib64/ld-linux-x86-64.so.2 lib/x86_64-linux-gnu/libc.so.6 | docker import - tiny:1',
    );
    await page.goto(`${base}/stacks`);
    await stacks().getByText('No stacks yet').waitFor();
    await stacks().getByRole('button', { name: 'New stack' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Name').fill('harbour');
    await dialog.getByLabel('Text of compose.yaml').click();
    await page.keyboard.press('Control+A');
    await page.keyboard.insertText(COMPOSE);
    await dialog.getByRole('button', { name: 'Save and start' }).click();
    await dialog.waitFor({ state: 'hidden' });
    const table = card().getByRole('table', { name: 'Containers of harbour' });
    await table.getByText('harbour-web-1').waitFor({ timeout: 60_000 });
    await card().getByRole('heading').getByText('Running', { exact: true }).waitFor();
    await card().getByText('Done', { exact: true }).waitFor();
    expect(await table.textContent()).toContain('8080');
    expect(await containers()).toBe('harbour-web-1 running tiny:1');
    expect(await inside('cat /srv/stacks/harbour/compose.yaml')).toBe(COMPOSE.trim());
  });

  it('V2: a command that runs is stopped: by whom stands there, and nothing of it runs on', async () => {
    picture('stack-stop');
    // The program does not heed being asked to end, and is given minutes for it.
    await card().getByRole('button', { name: 'Actions of harbour', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Restart' }).click();
    const stop = card().getByRole('button', { name: 'Stop: Restart' });
    await stop.waitFor();
    await card().getByRole('log').waitFor();
    await until('it restarts inside', async () => (await commands()) === 1, { timeoutMs: 20_000 });
    await stop.click();
    await card().getByText('Stopped', { exact: true }).waitFor();
    expect(await card().textContent()).toContain(`stopped by ${owner.email}`);
    await card()
      .getByRole('log')
      .getByText(/Restarting/)
      .waitFor();
    expect(await commands()).toBe(0);
    // Free for the next command.
    await until('it may be started again', () => card().getByRole('button', { name: 'Update' }).isEnabled(), {
      timeoutMs: 20_000,
    });
    await inside('docker kill harbour-web-1 >/dev/null || true');
  });
});
