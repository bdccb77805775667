/** Every page of the console in both themes and at phone width: accessible, nothing refused by the browser, nothing cut off. */
import AxeBuilder from '@axe-core/playwright';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Instance } from '#contract/instances.ts';
import { openBrowser } from '#testkit/browser.ts';
import type { Client } from '#testkit/client.ts';
import { create, ownerClient, purge, sharedStack, signInBrowser } from './shared.ts';

type Theme = 'light' | 'dark';

const stack = sharedStack();
const domain = new URL(stack.info.consoleUrl).hostname;
const NAME = 'walked';
const DESKTOP = { width: 1360, height: 850 };
const PHONE = { width: 390, height: 844 };
/** Pages that are looked at side by side. */
const TABS = 2;
/** For what draws itself anew after the window became narrow. */
const SETTLED_MS_MAX = 30_000;
const NARROW_MS_MAX = 3_000;
/** How much wider than the window the page is, and what reaches beyond its edge. */
const BEYOND = `document.documentElement.scrollWidth - innerWidth + ' px: ' + [...document.querySelectorAll('body *')]
  .filter((each) => each.getBoundingClientRect().right > innerWidth && each.closest('.overflow-x-auto') === null)
  .map((each) => each.tagName + '.' + each.getAttribute('class')).slice(0, 8).join(' ')`;
/** Tables that have to be pushed sideways. Raw data has as many columns as the database. */
const SIDEWAYS = `[...document.querySelectorAll('.overflow-x-auto > table')]
  .filter((each) => each.offsetWidth > each.parentElement.clientWidth + 1)
  .map((each) => each.getAttribute('aria-label') + ' ' + (each.offsetWidth - each.parentElement.clientWidth) + ' px')`;
let browser: BrowserContext;
let tabs: Page[];
let client: Client;
let server: Instance;
/** `/p/<project>` and `/o/<organization>`. */
let project: string;
let organization: string;
const complaints: string[] = [];
/** What axe found in each theme, and pages wider than a phone. */
const found: Record<Theme, string[]> = { light: [], dark: [] };
const wide: string[] = [];
const sideways: string[] = [];

beforeAll(async () => {
  const owner = await ownerClient(stack);
  client = owner.client;
  server = await create(client, owner.project, 'server', NAME);
  browser = await openBrowser(stack.info.caCertificate, domain, DESKTOP);
  const page = await signInBrowser(browser, stack);
  project = new URL(page.url()).pathname.split('/').slice(0, 3).join('/');
  const link = await page.locator('a[href^="/o/"]').first().getAttribute('href');
  organization = (link ?? '').split('/').slice(0, 3).join('/');
  tabs = [page];
  while (tabs.length < TABS) tabs.push(await browser.newPage());
  for (const tab of tabs) watch(tab);
});

afterAll(async () => {
  await browser?.close();
  if (server !== undefined) await purge(client, server);
  await client?.close();
});

const inProject = [
  '',
  '/instances',
  '/instances/new',
  '/routes',
  '/backups',
  '/domains',
  '/firewall',
  '/operations',
  '/people',
];
const ofInstance = [
  ...[
    '',
    '/terminal',
    '/ssh',
    '/metrics',
    '/flows',
    '/logs',
    '/files',
    '/stacks',
    '/snapshots',
    '/backups',
    '/routes',
    '/activity',
    '/settings',
  ],
];
const inOrganization = [
  ...['/members', '/groups', '/roles', '/service-accounts', '/apps', '/entries', '/dns', '/sign-in'],
  ...['/quotas', '/audit', '/settings'],
];
const elsewhere = [
  ...['/images', '/hosts', '/identity-providers', '/oidc-clients', '/apps'],
  ...['/platform/organizations', '/platform/keys', '/platform/data', '/platform/data?table=operation'],
  ...[
    '/platform/users',
    '/platform/registration',
    '/platform/mail',
    '/platform/dns',
    '/platform/limits',
    '/platform/audit',
  ],
  ...['', '/security', '/sessions', '/ssh-keys', '/tokens', '/appearance'].map((path) => `/account${path}`),
];

function pages(): string[] {
  return [
    ...inProject.map((path) => project + path),
    ...ofInstance.map((path) => `${project}/instances/${NAME}${path}`),
    ...inOrganization.map((path) => organization + path),
    ...elsewhere,
  ];
}

function watch(page: Page): void {
  page.setDefaultTimeout(30_000);
  page.on('console', (message) => {
    // Networks of guests come and go on this machine; the browser asks again by itself.
    if (message.text().includes('ERR_NETWORK_CHANGED')) return;
    if (message.type() === 'error') complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
}

/** False when it does not become true in time. Asked from here: inside the page, the content policy forbids to poll. */
async function becomes(page: Page, expression: string, ms = SETTLED_MS_MAX): Promise<boolean> {
  for (const end = Date.now() + ms; ; ) {
    if (await page.evaluate<boolean>(expression)) return true;
    if (Date.now() > end) return false;
    await page.waitForTimeout(50);
  }
}

async function open(page: Page, path: string): Promise<void> {
  await page.goto(new URL(path, stack.info.consoleUrl).href);
  await page.locator('main h1').first().waitFor({ state: 'attached' });
  expect(await becomes(page, `document.querySelector('[aria-busy="true"]') === null`), `${path} settles`).toBe(true);
  expect(await page.locator('h1').allInnerTexts(), path).toEqual([expect.not.stringMatching(/not found|wrong/i)]);
}

async function axe(page: Page, path: string, theme: Theme, all: boolean): Promise<void> {
  // No frames of other origins here: the mode without a second page for each look.
  const builder = new AxeBuilder({ page }).setLegacyMode(true);
  const { violations } = await (all ? builder : builder.withRules(['color-contrast', 'link-in-text-block'])).analyze();
  for (const { id, impact, nodes } of violations) {
    if (impact !== 'serious' && impact !== 'critical') continue;
    found[theme].push(`${path}: ${id} at ${nodes.map((node) => node.target.join(' ')).join('; ')}`);
  }
}

/**
 * Opens a page in the first theme and looks at all of it; then at its colours in the other theme (nothing else differs:
 * one attribute of the document), then at its width on a phone (style sheets alone know how wide the window is).
 */
async function look(page: Page, path: string, first: Theme): Promise<void> {
  const second = first === 'light' ? 'dark' : 'light';
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: first, reducedMotion: 'reduce' });
  await open(page, path);
  await axe(page, path, first, true);
  await page.emulateMedia({ colorScheme: second, reducedMotion: 'reduce' });
  await becomes(
    page,
    `document.documentElement.dataset.theme === '${second}' && document.getAnimations().every((each) => !(each instanceof CSSTransition))`,
  );
  await axe(page, path, second, false);
  await page.setViewportSize(PHONE);
  if (!path.startsWith('/platform/data'))
    sideways.push(...(await page.evaluate<string[]>(SIDEWAYS)).map((table) => `${path}: ${table}`));
  if (await becomes(page, 'document.documentElement.scrollWidth <= innerWidth', NARROW_MS_MAX)) return;
  wide.push(`${path}: ${await page.evaluate<string>(BEYOND)}`);
}

it('U2: axe finds nothing serious on any page, in light and in dark', async () => {
  const left = pages().map((path, index) => ({
    path,
    first: index % 2 === 0 ? ('light' as const) : ('dark' as const),
  }));
  await Promise.all(
    tabs.map(async (tab) => {
      for (let next = left.shift(); next !== undefined; next = left.shift()) await look(tab, next.path, next.first);
    }),
  );
  expect(found).toEqual({ light: [], dark: [] });
});

it('U2: no page is wider than the screen of a phone', () => {
  expect(wide).toEqual([]);
});

it('U2: no table has to be pushed sideways on a phone', () => {
  expect(sideways).toEqual([]);
});

it('I7: the browser refused nothing on any page: no content policy, no script error', () => {
  expect(complaints).toEqual([]);
});
