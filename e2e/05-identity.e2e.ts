/** A person's way in: invited, a second factor, a passkey; and what an administrator takes away is gone at once. */
import { generate } from 'otplib';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { openBrowser } from '#testkit/browser.ts';
import type { Client } from '#testkit/client.ts';
import { ownerClient, sharedStack } from './shared.ts';

const stack = sharedStack();
const domain = new URL(stack.info.consoleUrl).hostname;
const at = (path: string): string => new URL(path, stack.info.consoleUrl).href;
const person = { email: 'nora@example.test', name: 'Nora Neu', password: 'violet anchor meadow 58 kite' };

let owner: Client;
let organization: string;
let browser: BrowserContext;
let page: Page;

beforeAll(async () => {
  const signedIn = await ownerClient(stack);
  owner = signedIn.client;
  organization = signedIn.organization;
  browser = await openBrowser(stack.info.caCertificate, domain);
  page = await browser.newPage();
  page.setDefaultTimeout(30_000);
});

afterAll(async () => {
  await browser?.close();
  await owner?.close();
});

async function passwordStep(): Promise<void> {
  await page.goto(at('/sign-in'));
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

async function signOut(): Promise<void> {
  await page.getByRole('button', { name: /account of/ }).click();
  await page.getByRole('menuitem', { name: 'Sign out' }).click();
  await page.waitForURL(/\/sign-in/);
}

const home = /\/p\/[^/]+/;

describe('a new person', () => {
  it('I1: opens the link of an invitation, chooses name and password, and is in; the link works once', async () => {
    const { link } = await owner.call(api.invitationsCreate, {
      params: { organization },
      body: { email: person.email, role: 'member' },
    });
    if (link === null) throw new Error('the invitation went by mail');
    await page.goto(link);
    await page.getByLabel('Your name').fill(person.name);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Create the account and join' }).click();
    await page.waitForURL(home);
    await page.getByRole('button', { name: `account of ${person.name}` }).waitFor();
    const again = await browser.newPage();
    await again.goto(link);
    await again.getByRole('heading', { name: 'This invitation does not work' }).waitFor();
    await again.close();
  });
});

describe('second factors', () => {
  let secret: string;
  let recovery: string;

  it('I3: an authenticator app is set up, and asked for at the next sign-in; there is no session before', async () => {
    await page.goto(at('/account/security'));
    await page.getByRole('button', { name: 'Set up an authenticator app' }).click();
    const dialog = page.getByRole('dialog');
    await dialog.getByRole('img', { name: 'QR code of the key' }).waitFor();
    secret = ((await dialog.locator('.mono, code').first().textContent()) ?? '').replace(/\s/g, '');
    await dialog.getByLabel('Code', { exact: true }).fill(await generate({ secret }));
    await dialog.getByRole('button', { name: 'Turn it on' }).click();
    const codes = page.getByRole('dialog', { name: /recovery codes/i });
    await codes.waitFor();
    recovery = /[a-z0-9]{4}(-[a-z0-9]{4}){5}/.exec((await codes.textContent()) ?? '')?.[0] ?? '';
    expect(recovery).not.toBe('');
    await page.goto(at('/account'));
    await signOut();
    await passwordStep();
    await page.getByRole('heading', { name: 'One more step' }).waitFor();
    const status = await page.evaluate<number>(`fetch('/api/v1/session').then((answer) => answer.status)`);
    expect(status).toBe(401);
  });

  it('I3: a recovery code signs in once; a code of the app does as well', async () => {
    await page.getByRole('button', { name: 'Use a recovery code' }).click();
    await page.getByLabel('Recovery code').fill(recovery);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.waitForURL(home);
    await signOut();
    await passwordStep();
    await page.getByRole('button', { name: 'Use a recovery code' }).click();
    await page.getByLabel('Recovery code').fill(recovery);
    await page.getByRole('button', { name: 'Sign in', exact: true }).click();
    await page.getByRole('alert').filter({ hasText: /\S/ }).first().waitFor();
    expect(page.url()).toContain('/sign-in');
    await page.getByRole('button', { name: 'Use a code of the authenticator app' }).click();
    // The next period's code is one the server accepts (clocks differ) and has not seen.
    await page
      .getByLabel('Code of your authenticator app')
      .fill(await generate({ secret, epoch: Date.now() / 1000 + 30 }));
    await page.waitForURL(home);
  });

  it('I3: a passkey made in the browser signs in alone', async () => {
    const cdp: CDPSession = await browser.newCDPSession(page);
    await cdp.send('WebAuthn.enable');
    await cdp.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        protocol: 'ctap2',
        transport: 'internal',
        hasResidentKey: true,
        hasUserVerification: true,
        isUserVerified: true,
        automaticPresenceSimulation: true,
      },
    });
    await page.goto(at('/account/security'));
    await page.getByRole('button', { name: 'Add a passkey' }).click();
    await page.getByRole('dialog').getByLabel('Name').fill('test key');
    await page.getByRole('button', { name: 'Go on' }).click();
    await page.getByText('test key').first().waitFor();
    await page.goto(at('/account'));
    await signOut();
    await page.getByRole('button', { name: 'Sign in with a passkey' }).click();
    await page.waitForURL(home);
    await page.getByRole('button', { name: `account of ${person.name}` }).waitFor();
  });
});

describe('what is taken away', () => {
  it('I4: a role that changes is felt at once in the page that is open', async () => {
    const { items } = await owner.call(api.membersList, { params: { organization } });
    const user = items.find((member) => member.user.email === person.email)?.user.id ?? '';
    await page.goto(at(`${new URL(page.url()).pathname.split('/').slice(0, 3).join('/')}/instances`));
    const start = page.getByRole('link', { name: /new (desktop|instance)/i }).first();
    await start.waitFor();
    await owner.call(api.membersUpdate, { params: { organization, user }, body: { role: 'viewer' } });
    await start.waitFor({ state: 'detached', timeout: 5_000 });
    await owner.call(api.membersUpdate, { params: { organization, user }, body: { role: 'member' } });
    await start.waitFor({ timeout: 5_000 });
  });
});
