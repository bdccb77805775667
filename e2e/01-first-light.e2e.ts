/**
 * The main job, as a person does it: set up with the printed code, create a desktop and use its screen, create a server,
 * start a web server from its terminal in the browser, give it an address, open it signed in and not signed in, run a
 * container inside it.
 */
import { mkdir } from 'node:fs/promises';
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { api } from '#contract/api.ts';
import { openBrowser } from '#testkit/browser.ts';
import { type Client, until } from '#testkit/client.ts';
import { home, owner } from '#testkit/stack.ts';
import { sharedStack } from './shared.ts';

const stack = sharedStack();
const domain = new URL(stack.info.consoleUrl).hostname;
const shots = process.env.BERTH_SHOTS;
let browser: BrowserContext;
let page: Page;
let client: Client;
let project: string;

beforeAll(async () => {
  if (shots !== undefined) await mkdir(shots, { recursive: true });
  browser = await openBrowser(stack.info.caCertificate, domain);
  page = await browser.newPage();
  page.setDefaultTimeout(30_000);
});

afterAll(async () => {
  await browser?.close();
  await client?.close();
});

/** A picture for people (BERTH_SHOTS=folder), and one when the test fails. */
async function shot(name: string): Promise<void> {
  if (shots !== undefined) await page.screenshot({ path: `${shots}/${name}.png` });
}

function pictureOnFailure(name: string): void {
  onTestFailed(async () => {
    await page.screenshot({ path: `/tmp/berth-e2e-${name}.png` }).catch(() => undefined);
  });
}

async function createInConsole(kind: 'desktop' | 'server', name: string): Promise<string> {
  await page.goto(new URL(`/p/${await projectSlug()}/instances/new?kind=${kind}`, stack.info.consoleUrl).href);
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByText(`https://${name}.${domain}`).waitFor();
  await page.getByRole('button', { name: `Create ${kind}` }).click();
  await page.waitForURL(new RegExp(`/instances/${name}$`));
  await shot(`${kind}-creating`);
  const id = await until(
    `${name} is healthy`,
    async () => {
      const { items } = await client.call(api.instancesList, { params: { project } });
      const found = items.find((item) => item.name === name);
      if (found?.phase === 'failed') throw new Error('creation failed');
      return found !== undefined && found.health === 'healthy' ? found.id : null;
    },
    { timeoutMs: 600_000, everyMs: 500 },
  );
  return id;
}

let slug: string | undefined;
async function projectSlug(): Promise<string> {
  if (slug !== undefined) return slug;
  await page.waitForURL(/\/p\/[^/]+/);
  slug = new URL(page.url()).pathname.split('/')[2] ?? '';
  return slug;
}

/** What a person reads in a terminal, row by row. */
function textOf(terminal: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: rows are block elements; textContent would glue them together
  return terminal.innerText();
}

/** Bytes of what is drawn; two equal pictures are equal strings. */
async function pixels(canvas: Locator): Promise<string> {
  return (await canvas.screenshot()).toString('base64');
}

describe('first light', () => {
  it('U1, I1: the printed code makes the owner, who lands in the console', async () => {
    pictureOnFailure('setup');
    await page.goto(stack.info.consoleUrl);
    await page.getByLabel('Set-up code').waitFor();
    await shot('setup');
    await page.getByLabel('Set-up code').fill(stack.info.setupCode);
    await page.getByLabel('Your name').fill(owner.name);
    await page.getByLabel('E-mail').fill(owner.email);
    await page.getByLabel('Password').fill(owner.password);
    await page.getByLabel('Organization').fill('Harbour Lab');
    await page.getByRole('button', { name: /Create the owner/ }).click();
    await projectSlug();
    await page.getByRole('navigation').first().waitFor();
    await shot('home-empty');
    client = await stack.signIn();
    ({ project } = await home(client));
    await expect(
      client.call(api.setup, {
        body: { code: stack.info.setupCode, email: 'second@example.test', name: 'Two', password: owner.password },
      }),
    ).rejects.toMatchObject({ status: expect.any(Number) });
  });

  it('D1, D2, D6, D7: a desktop is created in the browser and its pixels change after typing', async () => {
    pictureOnFailure('desktop');
    const id = await createInConsole('desktop', 'studio');
    await page.goto(`${page.url()}/screen`);
    const canvas = page.locator('canvas').first();
    await canvas.waitFor({ timeout: 60_000 });
    await until('a picture that is not blank', async () => (await pixels(canvas)).length > 20_000, {
      timeoutMs: 60_000,
    });
    await page.waitForTimeout(3000);
    await shot('desktop-screen');
    await client.call(api.instancesGet, { params: { instance: id } });
    // Open a terminal in the desktop by its keyboard shortcut and type into it.
    await canvas.click({ position: { x: 400, y: 300 } });
    const before = await pixels(canvas);
    await page.keyboard.press('Control+Alt+KeyT');
    await until('the terminal window appears', async () => (await pixels(canvas)) !== before, { timeoutMs: 30_000 });
    await page.waitForTimeout(3000);
    const opened = await pixels(canvas);
    await page.keyboard.type('echo ahoy && uname -n', { delay: 30 });
    await page.keyboard.press('Enter');
    await until('typing shows', async () => (await pixels(canvas)) !== opened, { timeoutMs: 30_000 });
    await page.waitForTimeout(1000);
    await shot('desktop-typed');
  });

  it('D2, V5: the desktop answers at its own name: signed in to its screen, a stranger to the sign-in page', async () => {
    pictureOnFailure('desktop-name');
    const open = await browser.newPage();
    await open.goto(stack.url(`studio.${domain}`));
    await open.locator('canvas').first().waitFor({ timeout: 60_000 });
    await open.close();
    const stranger = await client.get(stack.url(`studio.${domain}`), { accept: 'text/html' });
    expect(stranger.status).toBe(302);
    expect(stranger.headers.get('location')).toContain(new URL(stack.info.consoleUrl).host);
  });

  it('V1, V2: a server is created, and a web server started from its terminal in the browser', async () => {
    pictureOnFailure('server');
    const id = await createInConsole('server', 'workshop');
    await page.goto(`${page.url()}/terminal`);
    const terminal = page.locator('.xterm').first();
    await terminal.waitFor({ timeout: 60_000 });
    await until('a prompt', async () => /[$#]/.test(await textOf(terminal)), { timeoutMs: 60_000 });
    await terminal.click();
    await page.keyboard.type(
      'mkdir -p ~/www && cd ~/www && echo "<h1>Ahoy from $(hostname)</h1>" > index.html && (setsid python3 -m http.server 8000 >/dev/null 2>&1 &) ; echo started-$((40+2))\n',
      { delay: 4 },
    );
    await until('the command ran', async () => (await textOf(terminal)).includes('started-42'), {
      timeoutMs: 30_000,
    });
    await shot('server-terminal');
    await page.reload();
    await terminal.waitFor();
    await until('the scrollback is there after a reload', async () => (await textOf(terminal)).includes('started-42'), {
      timeoutMs: 30_000,
    });
    const route = await client.call(api.routesCreate, {
      params: { instance: id },
      body: { hostname: `ahoy.${domain}`, port: 8000, visibility: 'private' },
    });
    expect(route.url).toBe(
      `https://ahoy.${domain}:${stack.ports.https}`.replace(/\/?$/, route.url.endsWith('/') ? '/' : ''),
    );
  });

  it('V5, D7: its address works over HTTPS: private for members only, public for everybody', async () => {
    pictureOnFailure('route');
    const address = stack.url(`ahoy.${domain}`);
    const visitor = await browser.newPage();
    await visitor.goto(address);
    await visitor.getByRole('heading', { name: 'Ahoy from workshop' }).waitFor();
    expect(visitor.url()).toBe(address);
    await visitor.close();
    const stranger = await client.get(address, { accept: 'text/html' });
    expect(stranger.status).toBe(302);
    const program = await client.get(address, { accept: 'application/json' });
    expect(program.status).toBe(401);
    const { items } = await client.call(api.routesListProject, { params: { project } });
    const route = items.find((item) => item.hostname === `ahoy.${domain}`);
    await client.call(api.routesUpdate, { params: { route: route?.id ?? '' }, body: { visibility: 'public' } });
    await until(
      'open to everybody within a second',
      async () => {
        const seen = await client.get(address);
        return seen.status === 200 && seen.body.includes('Ahoy from workshop');
      },
      { timeoutMs: 1500, everyMs: 50 },
    );
  });

  it('V1: a locally imported image runs in the Docker Engine inside the server and is listed', async () => {
    pictureOnFailure('docker');
    await page.goto(new URL(`/p/${await projectSlug()}/instances/workshop/terminal`, stack.info.consoleUrl).href);
    const terminal = page.locator('.xterm').first();
    await until('a prompt', async () => /[$#]/.test(await textOf(terminal)), { timeoutMs: 60_000 });
    await terminal.click();
    await page.keyboard.type(
      'clear; tar -C / -ch usr/bin/sleep usr/bin/echo lib64/ld-linux-x86-64.so.2 lib/x86_64-linux-gnu/libc.so.6 | docker import - tiny:1 && docker run -d --name sleeper -m 64m tiny:1 /usr/bin/sleep 3600 && docker run --rm tiny:1 /usr/bin/echo inner-$((20+1))\n',
      { delay: 4 },
    );
    await until('the container answered', async () => (await textOf(terminal)).includes('inner-21'), {
      timeoutMs: 120_000,
    });
    await shot('server-docker');
    const { items } = await client.call(api.instancesList, { params: { project } });
    const id = items.find((item) => item.name === 'workshop')?.id ?? '';
    const inner = await client.call(api.instancesContainers, { params: { instance: id } });
    expect(inner.items).toEqual(
      expect.arrayContaining([expect.objectContaining({ name: 'sleeper', state: 'running' })]),
    );
    await shot('server-overview');
  });
});
