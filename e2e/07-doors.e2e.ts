/**
 * The front doors of a server, as a person meets them: a key of their own and OpenSSH, files by the browser, port forwards,
 * figures. One server, one browser, nothing simulated.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { api } from '#contract/api.ts';
import type { Instance } from '#contract/instances.ts';
import { openBrowser } from '#testkit/browser.ts';
import { type Client, until } from '#testkit/client.ts';
import { run } from '#testkit/stack.ts';
import { create, ownerClient, purge, sharedStack, signInBrowser } from './shared.ts';

const stack = sharedStack();
const domain = new URL(stack.info.consoleUrl).hostname;
const NAME = 'quay';
let browser: BrowserContext;
let page: Page;
let client: Client;
let project: string;
let server: Instance;
let folder: string;
let base: string;
const open: ChildProcess[] = [];

beforeAll(async () => {
  const owner = await ownerClient(stack);
  client = owner.client;
  project = owner.project;
  server = await create(client, project, 'server', NAME);
  folder = mkdtempSync(join(tmpdir(), 'berth-doors-'));
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'e2e', '-f', join(folder, 'key')]);
  browser = await openBrowser(stack.info.caCertificate, domain);
  page = await signInBrowser(browser, stack);
  const home = new URL(page.url()).pathname.split('/').slice(0, 3).join('/');
  base = new URL(`${home}/instances/${NAME}`, stack.info.consoleUrl).href;
});

afterAll(async () => {
  for (const child of open) child.kill('SIGKILL');
  await browser?.close();
  if (server !== undefined) await purge(client, server);
  await client?.close();
  rmSync(folder, { recursive: true, force: true });
});

const picture = (name: string) =>
  onTestFailed(async () => void (await page.screenshot({ path: `/tmp/berth-e2e-${name}.png` })));
const options = () => [
  ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR'],
  ...['-o', 'BatchMode=yes', '-o', 'IdentitiesOnly=yes', '-o', 'ConnectTimeout=20', '-i', join(folder, 'key')],
];
const ssh = (...command: string[]) =>
  run('ssh', [...options(), '-p', String(stack.ports.ssh), `${NAME}@127.0.0.1`, '--', ...command], {
    timeoutMs: 60_000,
  });

describe('SSH', () => {
  it('V4: a key that was added in the console opens the server, and nothing before that', async () => {
    picture('ssh-key');
    expect((await ssh('true')).code).toBe(255);
    await page.goto(new URL('/account/ssh-keys', stack.info.consoleUrl).href);
    await page.getByRole('button', { name: 'Add a key' }).first().click();
    const dialog = page.getByRole('dialog');
    await dialog.getByLabel('Public key').fill(readFileSync(join(folder, 'key.pub'), 'utf8'));
    await dialog.getByRole('button', { name: 'Add the key' }).click();
    await page.getByRole('row').filter({ hasText: 'e2e' }).waitFor();
    await until('the key opens the server', async () => (await ssh('true')).code === 0, { timeoutMs: 60_000 });
    expect((await ssh('id', '-un')).stdout.trim()).toBe('berth');
    expect((await ssh('sh', '-c', '"exit 7"')).code).toBe(7);
  });

  it('V4: files by scp and by the browser are the same files', async () => {
    picture('files');
    writeFileSync(join(folder, 'from-here.txt'), 'carried by scp\n');
    const copied = await run('scp', [
      ...options(),
      ...['-P', String(stack.ports.ssh), join(folder, 'from-here.txt'), `${NAME}@127.0.0.1:`],
    ]);
    expect(copied.code, copied.stderr).toBe(0);
    await page.goto(`${base}/files`);
    await page.getByText('from-here.txt').waitFor();
    await page
      .getByLabel('Files to upload')
      .setInputFiles([
        { name: 'from-the-browser.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(3_000_000, 7) },
      ]);
    await page.getByText('Is there').waitFor({ timeout: 60_000 });
    expect((await ssh('stat', '-c', '%s:%U:%a', 'from-the-browser.bin')).stdout.trim()).toBe('3000000:berth:644');
  });

  it('V2: a text is edited in the browser, and what changed meanwhile is not written over', async () => {
    picture('edit');
    await page.goto(`${base}/files`);
    await page.getByText('from-here.txt').click();
    const dialog = page.getByRole('dialog');
    const text = dialog.getByLabel('Text of from-here.txt');
    await text.click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('and by hand');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.getByText('from-here.txt is saved').waitFor();
    expect((await ssh('cat', 'from-here.txt')).stdout).toBe('carried by scp\nand by hand');
    await ssh('sh', '-c', '"sleep 1; echo somebody else > from-here.txt"');
    await text.click();
    await page.keyboard.press('Control+End');
    await page.keyboard.type('!');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.getByText('The file was changed meanwhile.', { exact: false }).waitFor();
    expect((await ssh('cat', 'from-here.txt')).stdout).toBe('somebody else\n');
    await dialog.getByRole('button', { name: 'Save over it' }).click();
    await page.getByText('from-here.txt is saved').first().waitFor();
    await until('it is written', async () => (await ssh('cat', 'from-here.txt')).stdout.endsWith('hand!'), {
      timeoutMs: 20_000,
    });
  });

  it('V4: who is in stands on the page, and is out within a second when somebody ends it', async () => {
    picture('ssh-end');
    const target = [...options(), '-p', String(stack.ports.ssh), `${NAME}@127.0.0.1`, '--', 'sleep', '120'];
    const child = spawn('ssh', target, { stdio: 'ignore' });
    open.push(child);
    const ended = new Promise<number>((resolve) => child.once('exit', () => resolve(performance.now())));
    await page.goto(`${base}/ssh`);
    const end = page.getByRole('button', { name: /^End/ }).first();
    await end.click();
    const pressed = performance.now();
    await page.getByRole('dialog').getByRole('button', { name: /^End/ }).click();
    // The press, the answer and the cut; a second is Berth's share of it.
    expect((await ended) - pressed).toBeLessThan(10_000);
  });
});

describe('the rest of the doors', () => {
  it('V8: a port is forwarded in the console, and its address stands there to be copied', async () => {
    picture('forward');
    await page.goto(`${base}/routes`);
    await page.getByRole('button', { name: 'Forward a port' }).first().click();
    const panel = page.getByRole('dialog');
    await panel.getByLabel('Port inside').fill('25565');
    await panel.getByRole('button', { name: 'Forward the port' }).click();
    await page.getByText(`${domain}:2`, { exact: false }).first().waitFor();
    const { items } = await until(
      'it is open at the host',
      async () => {
        const found = await client.call(api.forwardsList, { params: { instance: server.id } });
        return found.items[0]?.state === 'active' ? found : null;
      },
      { timeoutMs: 30_000 },
    );
    expect(items[0]).toMatchObject({ port: 25_565, protocol: 'tcp', problem: null });
  });

  it('V11: figures appear by themselves, as graphs and as a table', { timeout: 120_000 }, async () => {
    picture('metrics');
    await page.goto(`${base}/metrics`);
    await page.locator('canvas').first().waitFor({ timeout: 60_000 });
    await until(
      'memory is measured',
      async () => {
        const { current } = await client.call(api.instanceMetrics, { params: { instance: server.id } });
        return current !== null;
      },
      { timeoutMs: 60_000 },
    );
  });
});
