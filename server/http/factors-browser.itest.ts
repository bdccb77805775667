/**
 * I3 as people see it: Chromium with a virtual authenticator, the built console, the real server with its real headers
 * and PostgreSQL. Only the guests are simulated, so no engine is needed.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { CONFIRMATION_MINUTES } from '#domain/factors.ts';
import { enrolTotp, totpCode } from '#testkit/authenticator.ts';
import { addAuthenticator, buildConsole, launchChromium } from '#testkit/built-console.ts';
import { freePort } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, PASSWORD, type SetUp, startTestServer, TestClock, type TestServer } from '#testkit/server.ts';

const clock = new TestClock();
let server: TestServer;
let world: SetUp;
let built: Awaited<ReturnType<typeof buildConsole>>;
let chromium: Browser;
let context: BrowserContext;
let page: Page;
let url = '';
const violations: string[] = [];

beforeAll(async () => {
  built = await buildConsole();
  const port = await freePort();
  url = `http://localhost:${port}`;
  server = await startTestServer({
    database: await withDatabase(),
    startWork: idleWork,
    clock,
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
  // The virtual finger is always on the reader, so a page that asks by itself would be answered at once.
  await context.addInitScript(`if (localStorage.getItem('suggestions') === null && window.PublicKeyCredential)
    PublicKeyCredential.isConditionalMediationAvailable = async () => false;`);
  page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.on('console', (line) => {
    if (line.text().includes('Content Security Policy')) violations.push(line.text());
  });
});

let counter = 0;
async function someone(): Promise<string> {
  world.owner = await world.owner.again('owner@example.test');
  const email = `person-${++counter}@example.test`;
  await world.owner.addMember(world.organization, 'member', email);
  return email;
}
async function passwordStep(email: string): Promise<void> {
  await page.goto(`${url}/sign-in`);
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(PASSWORD);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}
const home = /\/p\/[^/]+/;
async function signOut(): Promise<void> {
  await page.getByRole('button', { name: /account of/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.waitForURL(/\/sign-in/);
}
async function addPasskey(name: string): Promise<void> {
  await page.goto(`${url}/account/security`);
  await page.getByRole('button', { name: 'Add a passkey' }).click();
  await page.getByRole('dialog').getByLabel('Name').fill(name);
  await page.getByRole('button', { name: 'Go on' }).click();
}
async function sessionSecret(): Promise<string | undefined> {
  return (await context.cookies()).find((cookie) => cookie.name === '__Host-berth')?.value;
}

describe('I3: passkeys in a browser', () => {
  it('I1: password fields hide what is typed, take pasting, and tell password managers what they are', async () => {
    await page.goto(`${url}/sign-in`);
    const field = page.getByLabel('Password');
    expect(await field.getAttribute('type')).toBe('password');
    expect(await field.getAttribute('autocomplete')).toBe('current-password');
    expect(await page.getByLabel('E-mail').getAttribute('autocomplete')).toContain('username');
    const taken = await field.evaluate((element) =>
      element.dispatchEvent(new Event('paste', { bubbles: true, cancelable: true })),
    );
    expect(taken, 'nothing stops a paste').toBe(true);
  });

  it('I3: made in the console; then it is the second step, and signs in alone; a wrong finger does not', async () => {
    const email = await someone();
    await passwordStep(email);
    await page.waitForURL(home);
    const device = await addAuthenticator(page);
    await addPasskey('test laptop');
    await page.getByRole('dialog', { name: 'Your recovery codes' }).waitFor();
    expect(await device.credentials()).toBe(1);
    await page.getByRole('button', { name: 'I have kept them' }).click();
    await page.getByText('test laptop').first().waitFor();
    await signOut();

    // As the second step.
    await passwordStep(email);
    await page.getByRole('heading', { name: 'One more step' }).waitFor();
    expect(await sessionSecret(), 'no session before the factor').toBeUndefined();
    await page.getByRole('button', { name: 'Use a passkey' }).click();
    await page.waitForURL(home);
    await signOut();

    // Alone.
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.waitForURL(home);
    expect(await sessionSecret()).toMatch(/^[\w-]{43}$/);
    await signOut();

    await device.verify(false);
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.waitForTimeout(500);
    expect(await sessionSecret()).toBeUndefined();

    // Among the suggestions of the e-mail field: nothing has to be pressed on the page.
    await device.verify(true);
    await page.evaluate(`localStorage.setItem('suggestions', 'yes')`);
    await page.goto(`${url}/sign-in`);
    await page.waitForURL(home);
    expect(violations).toEqual([]);
  });

  it('I3: an authenticator app: QR code, first code, recovery codes; then a code at sign-in', async () => {
    const email = await someone();
    await passwordStep(email);
    await page.waitForURL(home);
    await page.goto(`${url}/account/security`);
    await page.getByRole('button', { name: 'Set up an authenticator app' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('img', { name: 'QR code of the key' }).waitFor();
    const secret = ((await dialog.locator('.mono, code').first().textContent()) ?? '').replace(/\s/g, '');
    await dialog.getByLabel('Code', { exact: true }).fill(totpCode(secret, clock.now()));
    await dialog.getByRole('button', { name: 'Turn it on' }).click();
    await page.getByRole('dialog', { name: 'Your recovery codes' }).waitFor();
    await page.getByRole('button', { name: 'I have kept them' }).click();
    await signOut();
    clock.advance({ seconds: 31 });
    await passwordStep(email);
    await page.getByLabel('Code of your authenticator app').fill('000000');
    await page.getByText('That did not work. Check it and try again.').waitFor();
    await page.getByLabel('Code of your authenticator app').fill(totpCode(secret, clock.now()));
    await page.waitForURL(home);
  });

  it('I3: what is dangerous asks who one is, and goes on by itself after the answer', async () => {
    const email = await someone();
    await passwordStep(email);
    await page.waitForURL(home);
    await addAuthenticator(page);
    clock.advance({ minutes: CONFIRMATION_MINUTES, seconds: 1 });
    await addPasskey('asked first');
    const question = page.getByRole('dialog', { name: 'Is it you?' });
    await question.getByLabel('Password').fill('not it at all');
    await question.getByRole('button', { name: 'Confirm' }).click();
    await question.getByRole('alert').filter({ hasText: /\S/ }).first().waitFor();
    await question.getByLabel('Password').fill(PASSWORD);
    await question.getByRole('button', { name: 'Confirm' }).click();
    await page.getByRole('dialog', { name: 'Your recovery codes' }).waitFor();
    await page.getByRole('button', { name: 'I have kept them' }).click();
    await page.getByText('asked first').first().waitFor();
  });

  it('I3: who lacks the factor that the organization asks for sets one up before anything else, and goes on from there', async () => {
    const email = await someone();
    const { owner } = world;
    await enrolTotp(owner, clock.now());
    await passwordStep(email);
    await page.waitForURL(home);
    await page.goto(`${url}/p/main/instances`);
    await page.getByRole('heading', { name: 'Instances' }).first().waitFor();
    await owner.call(api.organizationSignInUpdate, {
      params: { organization: world.organization },
      body: { secondFactorRequired: true },
    });
    // The rule reaches the page that is open.
    await page.waitForURL(/\/account\/security/);
    await signOut();
    await passwordStep(email);
    await page.waitForURL(/\/account\/security/);
    await page.getByText('asks for a second factor').waitFor();
    await page.goto(`${url}/p/main/instances`);
    await page.waitForURL(/\/account\/security\?return=/);
    await addAuthenticator(page);
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('enrolled');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByRole('button', { name: 'I have kept them' }).click();
    await page.waitForURL(/\/p\/main\/instances/);
    await page.getByRole('heading', { name: 'Instances' }).first().waitFor();
    expect((await owner.try(api.whoami)).statusCode).toBe(200);
  });
});
