/**
 * Ways in that go through the mailbox, with a mail server that really takes the mails; and a program on somebody's
 * machine that is signed in by a code confirmed in the browser.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { openBrowser } from '#testkit/browser.ts';
import { type Client, until } from '#testkit/client.ts';
import { type Delivered, TestSmtp } from '#testkit/smtp.ts';
import { run } from '#testkit/stack.ts';
import { ownerClient, sharedStack } from './shared.ts';

const stack = sharedStack();
const domain = new URL(stack.info.consoleUrl).hostname;
const at = (path: string): string => new URL(path, stack.info.consoleUrl).href;
const cli = fileURLToPath(new URL('../cli/main.ts', import.meta.url));
const person = {
  email: 'mira@example.test',
  moved: 'mira@harbour.test',
  name: 'Mira Mail',
  password: 'amber lantern quay 71 fog',
  renewed: 'silver compass dune 34 rain',
};

const smtp = new TestSmtp();
let owner: Client;
let organization: string;
let browser: BrowserContext;
let page: Page;

beforeAll(async () => {
  await smtp.start();
  ({ client: owner, organization } = await ownerClient(stack));
  await owner.call(api.mailSettingsUpdate, {
    body: {
      host: '127.0.0.1',
      port: smtp.port,
      security: 'plain',
      fromAddress: 'berth@example.test',
      fromName: 'Berth',
    },
  });
  browser = await openBrowser(stack.info.caCertificate, domain);
  page = await browser.newPage();
  page.setDefaultTimeout(30_000);
});

afterAll(async () => {
  await browser?.close();
  // The other files read links from answers, which is so only without a mail server.
  await owner?.call(api.mailSettingsDelete);
  await owner?.close();
  await smtp.stop();
});

/** The one link of a mail, as the person would follow it. */
function linkIn({ mail }: Delivered): string {
  const link = /https:\/\/\S+\/[A-Za-z0-9_-]{43}(?=\s|$)/.exec(mail.text ?? '')?.[0];
  if (link === undefined) throw new Error(`no link in: ${mail.text}`);
  return link;
}

/** What a page says after a press; the same for everybody. */
const inMailbox = () => page.getByRole('heading', { name: 'Look into your mail' }).waitFor();

async function signIn(email: string, password: string): Promise<void> {
  await page.goto(at('/sign-in'));
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
}

const isIn = () => page.getByRole('button', { name: `account of ${person.name}` }).waitFor();
const sessionStatus = () => page.evaluate<number>(`fetch('/api/v1/session').then((answer) => answer.status)`);

describe('registering', () => {
  let code: string;

  it('I1: with a code, through the mailbox: no account before the link is followed, and the link works once', async () => {
    ({ code } = await owner.call(api.registrationCodesCreate, {
      body: { note: 'course', usesMax: 1, joins: { organization: organization as never, role: 'member' } },
    }));
    await page.goto(at(`/register?code=${code}`));
    await page.getByLabel('E-mail').fill(person.email);
    await page.getByRole('button', { name: 'Send me the link' }).click();
    await inMailbox();
    const link = linkIn(await smtp.awaitMail(person.email));
    expect((await owner.call(api.usersList, { query: { search: person.email } })).items).toEqual([]);
    await page.goto(link);
    await page.getByLabel('Your name').fill(person.name);
    await page.getByLabel('Password').fill(person.password);
    await page.getByRole('button', { name: 'Create the account' }).click();
    await isIn();
    const { items } = await owner.call(api.membersList, { params: { organization } });
    expect(items.find((member) => member.user.email === person.email)?.role).toBe('member');
    const again = await browser.newPage();
    await again.goto(link);
    await again.getByRole('heading', { name: 'This link does not work' }).waitFor();
    await again.close();
  });

  it('I1: a code that is used up opens nothing for the next one, and no mail goes out', async () => {
    const stranger = await openBrowser(stack.info.caCertificate, domain);
    try {
      const view = await stranger.newPage();
      view.setDefaultTimeout(30_000);
      await view.goto(at(`/register?code=${code}`));
      await view.getByLabel('E-mail').fill('late@example.test');
      await view.getByRole('button', { name: 'Send me the link' }).click();
      await view.getByText('This code is not known, is used up, or has ended.').first().waitFor();
      expect(await smtp.taken('late@example.test')).toEqual([]);
    } finally {
      await stranger.close();
    }
  });
});

describe('a forgotten password', () => {
  it('I1: a link by mail sets a new one: the open session ends, the old password is worth nothing, the link works once', async () => {
    const asking = await openBrowser(stack.info.caCertificate, domain);
    const before = (await smtp.taken(person.email)).length;
    try {
      const view = await asking.newPage();
      view.setDefaultTimeout(30_000);
      for (const email of ['nobody@example.test', person.email]) {
        await view.goto(at('/forgot-password'));
        await view.getByLabel('E-mail').fill(email);
        await view.getByRole('button', { name: 'Send the link' }).click();
        await view.getByRole('heading', { name: 'Look into your mail' }).waitFor();
      }
      const link = linkIn(await smtp.awaitMail(person.email, before + 1));
      expect(await smtp.taken('nobody@example.test')).toEqual([]);
      await view.goto(link);
      await view.getByLabel('New password', { exact: true }).fill(person.renewed);
      await view.getByLabel('New password again').fill(person.renewed);
      await view.getByRole('button', { name: 'Set the password' }).click();
      await view.getByRole('heading', { name: 'The new password is set' }).waitFor();
      await view.goto(link);
      await view.getByLabel('New password', { exact: true }).fill(person.password);
      await view.getByLabel('New password again').fill(person.password);
      await view.getByRole('button', { name: 'Set the password' }).click();
      await view.getByRole('heading', { name: 'This link does not work' }).waitFor();
    } finally {
      await asking.close();
    }
    expect(await sessionStatus()).toBe(401);
    await signIn(person.email, person.password);
    await page.getByRole('alert').filter({ hasText: /\S/ }).first().waitFor();
    await signIn(person.email, person.renewed);
    await isIn();
  });
});

describe('another address', () => {
  it('I1: counts when both addresses have confirmed; then the old one signs in no more', async () => {
    const seen = (await smtp.taken(person.email)).length;
    await page.goto(at('/account'));
    await page.getByRole('button', { name: 'Change', exact: true }).first().click();
    await page.getByLabel('New address').fill(person.moved);
    await page.getByRole('button', { name: 'Send the links' }).click();
    await page.getByText(`Moving to ${person.moved}`).waitFor();
    const links = [
      linkIn(await smtp.awaitMail(person.moved)),
      linkIn(await smtp.awaitMail(person.email, seen + 1)),
    ] as const;
    const reading = await openBrowser(stack.info.caCertificate, domain);
    try {
      const view = await reading.newPage();
      view.setDefaultTimeout(30_000);
      await view.goto(links[0]);
      await view.getByRole('button', { name: 'Confirm' }).click();
      await view.getByRole('heading', { name: 'Half done' }).waitFor();
      // Half is nothing: the account is where it was.
      expect((await owner.call(api.usersList, { query: { search: person.moved } })).items).toEqual([]);
      expect(await sessionStatus()).toBe(200);
      await view.goto(links[1]);
      await view.getByRole('button', { name: 'Confirm' }).click();
      await view.getByRole('heading', { name: 'The address has changed' }).waitFor();
    } finally {
      await reading.close();
    }
    await until('the session ended', async () => (await sessionStatus()) === 401, { timeoutMs: 5_000 });
    await signIn(person.email, person.renewed);
    await page.getByRole('alert').filter({ hasText: /\S/ }).first().waitFor();
    await signIn(person.moved, person.renewed);
    await isIn();
  });
});

describe('a program', () => {
  const folder = mkdtempSync(join(tmpdir(), 'berth-e2e-cli-'));
  const env = { HOME: folder, XDG_CONFIG_HOME: join(folder, 'config'), BERTH_DATA_DIR: join(folder, 'none') };
  let login: ChildProcess | null = null;

  afterAll(() => {
    login?.kill();
    rmSync(folder, { recursive: true, force: true });
  });

  it('I2: `berth login` is confirmed in the browser, acts as the person, is among the sessions, and ends from there', async () => {
    const words = ['login', '--url', stack.info.consoleUrl, '--ca', stack.info.caCertificate, '--no-browser'];
    const child = spawn(process.execPath, [cli, ...words], { env: { ...process.env, ...env } });
    login = child;
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const withCode = await until('an address', async () => /https:\/\/\S+\/device\?code=\S+/.exec(said)?.[0] ?? null, {
      timeoutMs: 30_000,
    });
    const code = new URL(withCode).searchParams.get('code') ?? '';
    await page.goto(withCode);
    await page.getByText(code, { exact: true }).waitFor();
    await page.getByRole('button', { name: 'Sign it in as me' }).click();
    await page.getByRole('heading', { name: 'The program is signed in' }).waitFor();
    expect(await ended, said).toBe(0);
    const who = await run(process.execPath, [cli, 'whoami'], { env, timeoutMs: 60_000 });
    expect(who, who.stderr).toMatchObject({ code: 0, stdout: expect.stringContaining(person.moved) });
    await page.goto(at('/account/sessions'));
    await page
      .getByText(/berth on /)
      .first()
      .waitFor();
    await page.getByRole('button', { name: 'End all others' }).click();
    await page.getByRole('button', { name: 'End them' }).click();
    await page.getByText('All other sessions have ended').waitFor();
    const after = await run(process.execPath, [cli, 'whoami'], { env, timeoutMs: 60_000 });
    expect(after.code, after.stdout + after.stderr).toBe(3);
  });
});
