/**
 * I4 as people see it: Chromium, the built console, the real server and PostgreSQL. Settings of an organization, its
 * projects, roles in one project, and switching between organizations. Only the guests are simulated.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { PIXEL_PNG } from '#testkit/account-rows.ts';
import { buildConsole, launchChromium } from '#testkit/built-console.ts';
import { makeInstance } from '#testkit/factories.ts';
import { freePort } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, PASSWORD, type SetUp, startTestServer, type TestClient, type TestServer } from '#testkit/server.ts';

const OWNER = 'owner@example.test';
let server: TestServer;
let world: SetUp;
let built: Awaited<ReturnType<typeof buildConsole>>;
let chromium: Browser;
let context: BrowserContext;
let page: Page;
let url = '';

beforeAll(async () => {
  built = await buildConsole();
  const port = await freePort();
  url = `http://localhost:${port}`;
  server = await startTestServer({
    database: await withDatabase(),
    startWork: idleWork,
    config: { consoleOrigin: url, domain: 'localhost', consoleDir: built.dir },
  });
  world = await server.setUp();
  await server.http.fastify.listen({ host: 'localhost', port });
  chromium = await launchChromium();
});
afterAll(async () => {
  await chromium?.close();
  await server?.stop();
  await built?.remove();
});
beforeEach(async () => {
  await context?.close();
  context = await chromium.newContext();
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
});

async function signIn(email: string): Promise<void> {
  await page.goto(`${url}/sign-in`);
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.waitForURL(/\/p\/[^/]+/);
}
const path = () => new URL(page.url()).pathname;

/** An organization of the owner's own, beside the first. */
async function another(name: string, client: TestClient = world.owner) {
  return client.call(api.organizationsCreate, { body: { name, title: `The ${name}` } });
}
async function choose(item: string): Promise<void> {
  await page.getByRole('button', { name: /switch project/ }).click();
  await page.getByRole('menuitem', { name: item }).first().click();
}

describe('I4: settings of an organization in a browser', () => {
  it('it is renamed, its projects are made, renamed and deleted, and then it is deleted itself', async () => {
    const { id } = await another('harbour');
    await signIn(OWNER);
    await page.goto(`${url}/o/harbour/settings`);
    const names = page.locator('section').filter({ has: page.getByRole('heading', { name: 'Name', exact: true }) });
    await names.getByLabel('Title').fill('The quay');
    await names.getByLabel('Name').fill('quay');
    await names.getByRole('button', { name: 'Save' }).click();
    await page.waitForURL(`${url}/o/quay/settings`);
    expect(await world.owner.call(api.organizationsGet, { params: { organization: id } })).toMatchObject({
      name: 'quay',
      title: 'The quay',
    });

    // Not while it has a project.
    const end = page.getByRole('button', { name: 'Delete…' });
    expect(await end.getAttribute('aria-disabled')).toBe('true');

    await page.getByRole('button', { name: 'Create a project' }).click();
    const panel = page.getByRole('dialog');
    await panel.getByLabel('Title').fill('Dry dock');
    await panel.getByLabel('Name').fill('Not A Name');
    await panel.getByRole('button', { name: 'Create' }).click();
    expect(await panel.getByLabel('Name').getAttribute('aria-invalid')).toBe('true');
    await panel.getByLabel('Name').fill('dock');
    await panel.getByRole('button', { name: 'Create' }).click();
    await page.getByRole('link', { name: 'Dry dock' }).waitFor();

    await page.getByRole('button', { name: 'Actions of Dry dock' }).click();
    await page.getByRole('menuitem', { name: 'Rename…' }).click();
    await page.getByRole('dialog').getByLabel('Title').fill('Wet dock');
    await page.getByRole('dialog').getByRole('button', { name: 'Rename' }).click();
    await page.getByRole('link', { name: 'Wet dock' }).waitFor();

    for (const [title, name] of [
      ['Wet dock', 'dock'],
      ['Main', 'main'],
    ] as const) {
      await page.getByRole('button', { name: `Actions of ${title}` }).click();
      await page.getByRole('menuitem', { name: 'Delete…' }).click();
      const dialog = page.getByRole('dialog');
      await dialog.getByLabel(/to confirm/).fill('something else');
      await dialog.getByRole('button', { name: 'Delete the project' }).click();
      await dialog.getByText('The name does not match.').waitFor();
      await dialog.getByLabel(/to confirm/).fill(name);
      await dialog.getByRole('button', { name: 'Delete the project' }).click();
      await dialog.waitFor({ state: 'detached' });
      await page.getByRole('link', { name: title, exact: true }).waitFor({ state: 'detached' });
    }
    expect((await world.owner.call(api.projectsList, { params: { organization: id } })).items).toEqual([]);

    await end.click();
    const last = page.getByRole('dialog');
    await last.getByLabel(/to confirm/).fill('quay');
    await last.getByRole('button', { name: 'Delete the organization' }).click();
    await page.waitForURL(/\/p\/main$/);
    expect((await world.owner.try(api.organizationsGet, { params: { organization: id } })).statusCode).toBe(404);
  });

  it('who may not change it reads why', async () => {
    await world.owner.addMember(world.organization, 'operator', 'operator@example.test');
    await signIn('operator@example.test');
    const { name } = await world.owner.call(api.organizationsGet, { params: { organization: world.organization } });
    await page.goto(`${url}/o/${name}/settings`);
    // One of the name, one of the recordings of SSH.
    const saves = page.getByRole('button', { name: 'Save' });
    await saves.nth(1).waitFor();
    expect(await saves.count()).toBe(2);
    for (const button of [...(await saves.all()), page.getByRole('button', { name: 'Create a project' })]) {
      expect(await button.getAttribute('aria-disabled')).toBe('true');
    }
    await saves.first().hover();
    await page
      .getByText(/Your role.* does not allow this/)
      .first()
      .waitFor();
  });
});

describe('I4: roles in one project in a browser', () => {
  it('one is given, changed and taken away', async () => {
    await world.owner.addMember(world.organization, 'guest', 'guest@example.test');
    const roles = async () => {
      const { items } = await world.owner.call(api.projectRolesList, { params: { project: world.project } });
      return items.map((each) => [each.email, each.role]);
    };
    await signIn(OWNER);
    await page.goto(`${url}/p/${world.project}/people`);
    await page.getByText('Nobody holds a role in this project alone').waitFor();
    await page.getByRole('button', { name: 'Give a role' }).click();
    const panel = page.getByRole('dialog');
    await panel.getByRole('button', { name: 'Give the role' }).click();
    await panel.getByText('Choose somebody.').waitFor();
    await panel.getByLabel('Who').click();
    await page.getByRole('option', { name: /guest@example.test/ }).click();
    await panel.getByRole('button', { name: 'Give the role' }).click();
    const select = page.getByRole('combobox', { name: 'Role of The guest' });
    await select.click();
    expect(await roles()).toEqual([['guest@example.test', 'member']]);
    await page.getByRole('option', { name: /^Operator/ }).click();
    await expect.poll(roles).toEqual([['guest@example.test', 'operator']]);
    await page.getByRole('button', { name: 'Take the role of The guest' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Take the role' }).click();
    await expect.poll(roles).toEqual([]);
    await page.getByText('Nobody holds a role in this project alone').waitFor();
  });
});

describe('I4: switching the organization in a browser', () => {
  it('keeps the page where it makes sense, and the instance of one becomes the list of the other', async () => {
    const { id } = await another('other');
    const { items } = await world.owner.call(api.projectsList, { params: { organization: id } });
    const first = items[0]?.id;
    const { name } = await world.owner.call(api.organizationsGet, { params: { organization: world.organization } });
    const { organization, project, owner } = world;
    const person = owner.userId ?? ('' as never);
    await makeInstance(server.app.db, { organization, project, person }, { name: 'skiff' });
    await signIn(OWNER);
    await page.goto(`${url}/o/${name}/audit`);
    await choose('The other');
    await page.waitForURL(`${url}/o/other/audit`);
    await page.getByRole('heading', { name: 'Audit log', level: 1 }).waitFor();
    expect(await page.getByRole('navigation', { name: 'Main' }).innerText()).toContain('The other');

    for (const [from, to] of [
      ['/routes', '/routes'],
      ['/instances', '/instances'],
      ['/instances/skiff/settings', '/instances'],
    ] as const) {
      await page.goto(`${url}/p/${world.project}${from}`);
      await choose('The other');
      await page.waitForURL(`${url}/p/${first}${to}`);
      expect(path()).toBe(`/p/${first}${to}`);
    }
    await world.owner.call(api.projectsDelete, { params: { project: first ?? '' } });
    await world.owner.call(api.organizationsDelete, { params: { organization: id } });
  });
});

describe('I1: pictures of members in a browser', () => {
  it('stand in the list, for those who share the organization', async () => {
    const member = await world.owner.addMember(world.organization, 'member', 'pictured@example.test');
    const { preferences } = await member.call(api.avatarUpdate, { body: { image: PIXEL_PNG } });
    await signIn(OWNER);
    const { name } = await world.owner.call(api.organizationsGet, { params: { organization: world.organization } });
    await page.goto(`${url}/o/${name}/members`);
    const picture = page.getByRole('row').filter({ hasText: 'pictured@example.test' }).locator('img');
    expect(await picture.getAttribute('src')).toBe(preferences.avatar);
    await expect
      .poll(() => picture.evaluate((img) => (img as unknown as { naturalWidth: number }).naturalWidth))
      .toBeGreaterThan(0);
  });
});
