/**
 * Several people and one cloud: what is shared with a guest and what a role in one project shows them, an instance that
 * moves, and an administrator who enters a tenant's organization. Real browsers, real instances.
 */
import type { BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest';
import { api } from '#contract/api.ts';
import type { Instance } from '#contract/instances.ts';
import { openBrowser } from '#testkit/browser.ts';
import { type Client, until } from '#testkit/client.ts';
import { run } from '#testkit/stack.ts';
import { create, engineGuests, installationOf, ownerClient, purge, sharedStack, signInBrowser } from './shared.ts';

const stack = sharedStack();
const domain = new URL(stack.info.consoleUrl).hostname;
const at = (path: string): string => new URL(path, stack.info.consoleUrl).href;
const PASSWORD = 'coral lantern ferry 93 moss';
const guest = { email: 'gina@example.test', name: 'Gina Gast' };
const tenant = { email: 'tess@example.test', name: 'Tess Tenant' };
const REASON = 'Tess asked: the disk of dock is full';
const APP_PORT = 8124;

let owner: Client;
let organization: string;
let project: string;
/** Of a tenant with whom the owner of the installation has nothing to do. */
let tessClient: Client;
let harbour: string;
let dock: Instance;
let lagoon: string;
let pearl: Instance;
let reef: Instance;
const browsers: BrowserContext[] = [];
/** The owner's console, at the project's home, and the guest's. */
let page: Page;
let view: Page;
let home: string;

async function newBrowser(): Promise<BrowserContext> {
  const browser = await openBrowser(stack.info.caCertificate, domain);
  browsers.push(browser);
  return browser;
}

async function invitation(by: Client, place: string, email: string, role: 'guest' | 'owner'): Promise<string> {
  const { link } = await by.call(api.invitationsCreate, { params: { organization: place }, body: { email, role } });
  if (link === null) throw new Error('the invitation went by mail');
  return link;
}

/** An organization with an owner of its own; whoever made it leaves. */
async function newTenant(): Promise<{ client: Client; organization: string; project: string }> {
  const made = await owner.call(api.organizationsCreate, { body: { name: 'harbour', title: 'Harbour' } });
  const link = await invitation(owner, made.id, tenant.email, 'owner');
  const client = stack.client();
  const who = await client.call(api.invitationAccept, {
    params: { secret: new URL(link).pathname.split('/').at(-1) ?? '' },
    body: { name: tenant.name, password: PASSWORD },
  });
  const { user } = await owner.call(api.whoami);
  await client.call(api.membersRemove, { params: { organization: made.id, user: user.id } });
  return { client, organization: made.id, project: who.projects[0]?.id ?? '' };
}

/**
 * Chromium gives up what is under way when an interface of the machine comes or goes, as those of instances do: a page
 * that does not show what it has to is opened again.
 */
async function go(on: Page, url: string, shown: Locator): Promise<void> {
  const arrived = async (): Promise<boolean> => {
    await on.goto(url);
    await shown.waitFor({ timeout: 15_000 });
    return true;
  };
  await until(`the page ${url}`, arrived, { timeoutMs: 60_000 });
}

/** Makes an account of the link in a browser of its own. */
async function accept(link: string, name: string): Promise<Page> {
  const joined = await (await newBrowser()).newPage();
  joined.setDefaultTimeout(30_000);
  await go(joined, link, joined.getByLabel('Your name'));
  await joined.getByLabel('Your name').fill(name);
  await joined.getByLabel('Password').fill(PASSWORD);
  await joined.getByRole('button', { name: 'Create the account and join' }).click();
  await joined.getByRole('button', { name: `account of ${name}` }).waitFor();
  return joined;
}

beforeAll(async () => {
  ({ client: owner, organization, project } = await ownerClient(stack));
  const tess = await newTenant();
  tessClient = tess.client;
  harbour = tess.organization;
  const params = { organization };
  lagoon = (await owner.call(api.projectsCreate, { params, body: { name: 'lagoon', title: 'Lagoon' } })).id;
  [pearl, reef, dock] = await Promise.all([
    create(owner, project, 'desktop', 'pearl'),
    create(owner, project, 'server', 'reef'),
    create(tessClient, tess.project, 'server', 'dock'),
  ]);
  view = await accept(await invitation(owner, organization, guest.email, 'guest'), guest.name);
  page = await signInBrowser(await newBrowser(), stack);
  home = `/p/${project}`;
});

afterAll(async () => {
  for (const browser of browsers) await browser.close();
  for (const instance of [pearl, reef]) if (instance !== undefined) await purge(owner, instance);
  if (dock !== undefined) await purge(tessClient, dock);
  if (lagoon !== undefined) await owner.call(api.projectsDelete, { params: { project: lagoon } });
  await tessClient?.close();
  await owner?.close();
});

const pictures = (name: string) =>
  onTestFailed(async () => {
    await page?.screenshot({ path: `/tmp/berth-e2e-people-${name}.png` });
    await view?.screenshot({ path: `/tmp/berth-e2e-people-${name}-guest.png` });
  });

/** What the API says to whoever is signed in on this page. */
const statusOf = (of: Page, path: string): Promise<number> =>
  until(
    `an answer to ${path}`,
    () => of.evaluate<number | null>(`fetch('/api/v1/${path}').then((answer) => answer.status, () => null)`),
    { timeoutMs: 10_000, everyMs: 200 },
  );

/** The instances of a project that whoever is signed in on this page is shown. */
const namesIn = (of: Page, place: string): Promise<string[]> =>
  until(
    `the instances of ${place}`,
    () =>
      of.evaluate<string[] | null>(
        `fetch('/api/v1/projects/${place}/instances').then((answer) => answer.json()).then((page) => page.items.map((each) => each.name), () => null)`,
      ),
    { timeoutMs: 10_000, everyMs: 200 },
  );

const secretOf = async (of: Page): Promise<string | undefined> =>
  (await of.context().cookies()).find((each) => each.name === '__Host-berth')?.value;

/** What somebody may do changes, and with it the secret of their session: a page left before that comes would miss it. */
async function renewing(of: Page, change: () => Promise<void>): Promise<void> {
  const before = await secretOf(of);
  await change();
  await until('a new secret of the session', async () => (await secretOf(of)) !== before, { timeoutMs: 30_000 });
}

async function choose(within: Locator, label: string, option: string | RegExp): Promise<void> {
  await within.getByRole('combobox', { name: label, exact: true }).click();
  // The list lies beside the dialog, not in it.
  await within.page().getByRole('option', { name: option }).click();
}

describe('a guest of the organization', () => {
  it('A7, I4: is given one desktop in the console: it appears by itself, it opens, and nothing else is there', async () => {
    pictures('share');
    await go(view, at('/apps'), view.getByText('Nothing is shared with you yet'));
    const share = page.getByRole('button', { name: 'Share', exact: true });
    await go(page, at(`${home}/instances/pearl`), share);
    await share.click();
    const dialog = page.getByRole('dialog', { name: 'Share pearl' });
    await dialog.getByLabel('Find a person or a group').fill('gina');
    await choose(dialog, 'Person or group', /Gina Gast/);
    await renewing(view, () => dialog.getByRole('button', { name: 'Share', exact: true }).click());
    await page.getByText(`${guest.name} may open it now`).waitFor();
    await dialog.getByRole('button', { name: 'Done' }).click();

    await view.getByRole('heading', { name: 'pearl', exact: true }).waitFor();
    expect(await view.getByRole('listitem').getByRole('heading').allTextContents()).toEqual(['pearl']);
    expect(await statusOf(view, `instances/${pearl.id}`)).toBe(200);
    for (const path of [`instances/${reef.id}`, `instances/${pearl.id}/access`]) {
      expect([path, await statusOf(view, path)]).toEqual([path, 404]);
    }
    expect(await namesIn(view, project)).toEqual(['pearl']);
    await view.getByRole('link', { name: 'Open pearl' }).click();
    const canvas = view.locator('canvas').first();
    await canvas.waitFor({ timeout: 60_000 });
    await until('a picture', async () => (await canvas.screenshot()).length > 20_000, { timeoutMs: 60_000 });
  });

  it('I4: is given a role in one project, and sees that project and no other', async () => {
    pictures('role');
    const give = page.getByRole('button', { name: 'Give a role' });
    await go(page, at('/p/lagoon/people'), give);
    await give.click();
    const panel = page.getByRole('dialog', { name: 'Give a role in Lagoon' });
    await panel.getByLabel('Find somebody').fill(guest.email);
    await choose(panel, 'Who', /Gina Gast/);
    await choose(panel, 'Role', /^Viewer/);
    await renewing(view, () => panel.getByRole('button', { name: 'Give the role' }).click());
    await page.getByRole('row').filter({ hasText: guest.name }).waitFor();

    await go(view, at('/p/lagoon/instances'), view.getByRole('heading', { name: 'Instances', exact: true }));
    expect(await namesIn(view, lagoon)).toEqual([]);
    expect(await namesIn(view, project)).toEqual(['pearl']);
    expect(await statusOf(view, `organizations/${organization}/members`)).toBe(404);
  });
});

/** Runs as root inside, past Berth. */
async function inside(instance: Instance, ...command: string[]): Promise<void> {
  const found = (await engineGuests(installationOf(stack))).find((each) => each.instance === instance.id);
  if (found === undefined) throw new Error('the engine has no such guest');
  const result = await run('incus', ['exec', '--project', found.project, found.name, '--', ...command], {
    timeoutMs: 30_000,
  });
  if (result.code !== 0) throw new Error(result.stderr);
}

const APP = `mkdir -p /srv/www && echo '<h1>Ahoy from the reef</h1>' > /srv/www/index.html
cat > /etc/systemd/system/app.service <<'UNIT'
[Service]
ExecStart=/usr/bin/python3 -m http.server ${APP_PORT} -d /srv/www
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable --now app.service`;

describe('an instance', () => {
  it('I4: moves to another project in the console: the page follows, its addresses lead there, its new people see it', async () => {
    pictures('move');
    await inside(reef, 'sh', '-c', APP);
    const hostname = `lagoon-app.${domain}`;
    await owner.call(api.routesCreate, {
      params: { instance: reef.id },
      body: { hostname, port: APP_PORT, visibility: 'private' },
    });
    await go(page, at(`${home}/instances/reef/routes`), page.getByText(hostname).first());
    await page.getByRole('button', { name: 'More actions' }).click();
    await page.getByRole('menuitem', { name: /^Move to another project/ }).click();
    const panel = page.getByRole('dialog', { name: 'Move reef to another project' });
    await choose(panel, 'To', /^Lagoon/);
    await panel.getByRole('button', { name: 'Move', exact: true }).click();

    await page.waitForURL(/\/p\/lagoon\/instances\/reef\/routes/, { timeout: 120_000 });
    await page.getByText(hostname).first().waitFor();
    await view.getByRole('row').filter({ hasText: 'reef' }).waitFor();
    expect(await statusOf(view, `instances/${reef.id}`)).toBe(200);
    const after = await until(
      'it runs again',
      async () => {
        const seen = await owner.call(api.instancesGet, { params: { instance: reef.id } });
        return seen.observed === 'running' && seen.operation === null ? seen : null;
      },
      { timeoutMs: 120_000 },
    );
    expect(after).toMatchObject({ project: lagoon, url: reef.url });
    expect(after.address4).not.toBe(reef.address4);
    const answers = async () => {
      await page.goto(stack.url(hostname));
      return (await page.getByRole('heading').first().textContent()) === 'Ahoy from the reef';
    };
    await until('its address answers from there', answers, { timeoutMs: 60_000, everyMs: 500 });
  });
});

describe('an administrator of the installation', () => {
  it('I4: enters a tenant with a reason, is seen there and in the audit log, and sees nothing before and after', async () => {
    pictures('entry');
    const enter = page.getByRole('button', { name: 'Enter Harbour' });
    await go(page, at('/platform/organizations'), enter);
    expect(await statusOf(page, `instances/${dock.id}`)).toBe(404);
    await enter.click();
    const dialog = page.getByRole('dialog', { name: 'Enter Harbour?' });
    await dialog.getByLabel('Why').fill(REASON);
    await renewing(page, () => dialog.getByRole('button', { name: 'Enter', exact: true }).click());
    const banner = page.getByRole('region', { name: 'Entry of an administrator' });
    await banner.getByText(REASON, { exact: false }).waitFor();
    const base = new URL(page.url()).pathname.split('/').slice(0, 3).join('/');
    await go(page, at(`${base}/instances/dock`), page.getByRole('heading', { name: 'dock', exact: true }));
    await banner.waitFor();

    const theirs = await (await newBrowser()).newPage();
    theirs.setDefaultTimeout(30_000);
    await go(theirs, at('/sign-in'), theirs.getByLabel('E-mail'));
    await theirs.getByLabel('E-mail').fill(tenant.email);
    await theirs.getByLabel('Password').fill(PASSWORD);
    await theirs.getByRole('button', { name: 'Sign in', exact: true }).click();
    await theirs.getByRole('button', { name: `account of ${tenant.name}` }).waitFor();
    const entry = theirs.getByRole('row').filter({ hasText: REASON });
    await go(theirs, at('/o/harbour/entries'), entry);
    await entry.getByText('Olivia Owner').waitFor();
    await go(theirs, at('/o/harbour/audit'), theirs.getByRole('row').filter({ hasText: 'owner@example.test' }).first());
    const { items } = await tessClient.call(api.auditList, { params: { organization: harbour } });
    expect(items.find((each) => each.action === 'entries.create')).toMatchObject({
      actor: 'owner@example.test',
      after: { reason: REASON },
    });

    // Whoever owns it shows them out: what is open says so, and is worth nothing any more.
    await go(theirs, at('/o/harbour/entries'), entry);
    await entry.getByRole('button', { name: 'End now' }).click();
    await theirs.getByText('Ended: they are out').waitFor();
    await until('they are out', async () => (await statusOf(page, `instances/${dock.id}`)) === 404, {
      timeoutMs: 5_000,
    });
    await banner.waitFor({ state: 'detached' });
  });
});
