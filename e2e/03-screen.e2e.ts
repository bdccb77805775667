/** What people do with a desktop's screen besides looking: clipboard both ways, watching only, connecting again. */
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import type { Instance } from '#contract/instances.ts';
import { openBrowser } from '#testkit/browser.ts';
import { type Client, until } from '#testkit/client.ts';
import { run } from '#testkit/stack.ts';
import { create, engineGuests, installationOf, ownerClient, purge, sharedStack, signInBrowser } from './shared.ts';

const stack = sharedStack();
const domain = new URL(stack.info.consoleUrl).hostname;
let browser: BrowserContext;
let page: Page;
let client: Client;
let desktop: Instance;
let canvas: Locator;
let guest: { name: string; project: string };

beforeAll(async () => {
  const owner = await ownerClient(stack);
  client = owner.client;
  desktop = await create(client, owner.project, 'desktop', 'mirror');
  const found = (await engineGuests(installationOf(stack))).find((each) => each.instance === desktop.id);
  if (found === undefined) throw new Error('the engine has no such guest');
  guest = found;
  browser = await openBrowser(stack.info.caCertificate, domain);
  page = await signInBrowser(browser, stack);
  const home = new URL(page.url()).pathname.split('/').slice(0, 3).join('/');
  await page.goto(new URL(`${home}/instances/mirror/screen`, stack.info.consoleUrl).href);
  canvas = page.locator('canvas').first();
  await canvas.waitFor({ timeout: 60_000 });
  await until('a picture', async () => (await canvas.screenshot()).length > 20_000, { timeoutMs: 60_000 });
});

afterAll(async () => {
  await browser?.close();
  if (desktop !== undefined) await purge(client, desktop);
  await client?.close();
});

/** Prints where the X server has its pointer. */
const POINTER = `
import ctypes as c
x = c.CDLL('libX11.so.6')
x.XOpenDisplay.restype = c.c_void_p
d = c.c_void_p(x.XOpenDisplay(None))
x.XDefaultRootWindow.restype = c.c_ulong
n = [c.c_ulong() for _ in range(2)] + [c.c_int() for _ in range(4)] + [c.c_uint()]
x.XQueryPointer(d, c.c_ulong(x.XDefaultRootWindow(d)), *[c.byref(v) for v in n])
print(n[2].value, n[3].value)
`;

/** A program in the desktop's session, past Berth, as its own person. Answers what it printed. */
async function inSession(...argv: string[]): Promise<string> {
  const session = ['env', 'DISPLAY=:1', 'XAUTHORITY=/run/berth-xvnc/authority'];
  const where = ['exec', '--project', guest.project, guest.name, '--user', '1000', '--group', '1000', '--'];
  const result = await run('incus', [...where, ...session, ...argv], { timeoutMs: 20_000 });
  if (result.code !== 0) throw new Error(`${argv[0]}: ${result.stderr}`);
  return result.stdout;
}

describe('the screen of a desktop', () => {
  it('D7, D9: text sent from the browser is on the desktop’s clipboard', async () => {
    onTestFailed(async () => void (await page.screenshot({ path: '/tmp/berth-e2e-clipboard.png' })));
    await page.getByRole('button', { name: 'Clipboard', exact: true }).click();
    await page.getByLabel('Text of the desktop’s clipboard').fill('Ahoy — grüße 42');
    await page.getByRole('button', { name: 'Send to the desktop' }).click();
    await until(
      'the desktop pastes it',
      async () => (await inSession('xclip', '-o', '-selection', 'clipboard')) === 'Ahoy — grüße 42',
      { timeoutMs: 15_000 },
    );
  });

  it('D7, D9: text copied in the desktop appears in the browser', async () => {
    onTestFailed(async () => void (await page.screenshot({ path: '/tmp/berth-e2e-clipboard-back.png' })));
    // xclip stays to hand the text out; -loops ends it after the screen has read it.
    await inSession('sh', '-c', 'printf "from the desktop 43" | timeout 20 xclip -selection clipboard >/dev/null 2>&1');
    await until(
      'the panel shows it',
      async () => (await page.getByLabel('Text of the desktop’s clipboard').inputValue()) === 'from the desktop 43',
      { timeoutMs: 15_000 },
    );
    await page.getByRole('button', { name: 'Close' }).first().click();
  });

  it('D7: who only watches sees the screen and moves nothing', async () => {
    onTestFailed(async () => void (await page.screenshot({ path: '/tmp/berth-e2e-watching.png' })));
    const place = () => inSession('python3', '-c', POINTER);
    await canvas.hover({ position: { x: 200, y: 200 } });
    await page.waitForTimeout(500);
    const before = await place();
    await canvas.hover({ position: { x: 300, y: 260 } });
    await until('the pointer follows', async () => (await place()) !== before, { timeoutMs: 10_000 });
    await page.getByRole('button', { name: 'Watch only' }).click();
    await page.getByRole('button', { name: 'Watching only' }).waitFor();
    await canvas.waitFor();
    await until('a picture again', async () => (await canvas.screenshot()).length > 20_000, { timeoutMs: 30_000 });
    const still = await place();
    await canvas.hover({ position: { x: 420, y: 380 } });
    await canvas.click({ position: { x: 450, y: 390 } });
    await page.waitForTimeout(1500);
    expect(await place()).toBe(still);
    await page.getByRole('button', { name: 'Watching only' }).click();
  });

  it('D7: a screen whose connection is cut comes back by itself', async () => {
    onTestFailed(async () => void (await page.screenshot({ path: '/tmp/berth-e2e-reconnect.png' })));
    const edge = (await stack.status()).processes.find((each) => each.name === 'edge')?.pid;
    expect(edge).toBeTypeOf('number');
    process.kill(edge as number, 'SIGKILL');
    await page.getByText(/The connection was lost/).waitFor({ timeout: 15_000 });
    await page.getByText(/The connection was lost/).waitFor({ state: 'detached', timeout: 30_000 });
    await until('a picture again', async () => (await canvas.screenshot()).length > 20_000, { timeoutMs: 30_000 });
  });
});
