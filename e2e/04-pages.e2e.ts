/** Every page of the console in both themes and at phone width: accessible, nothing refused by the browser, nothing cut off. */
import AxeBuilder from '@axe-core/playwright';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Instance } from '#contract/instances.ts';
import { openBrowser } from '#testkit/browser.ts';
import type { Client } from '#testkit/client.ts';
import { create, ownerClient, purge, sharedStack, signInBrowser } from './shared.ts';

const stack = sharedStack();
const domain = new URL(stack.info.consoleUrl).hostname;
const NAME = 'walked';
let browser: BrowserContext;
let page: Page;
let client: Client;
let server: Instance;
/** `/p/<project>` and `/o/<organization>`. */
let project: string;
let organization: string;
const complaints: string[] = [];

beforeAll(async () => {
  const owner = await ownerClient(stack);
  client = owner.client;
  server = await create(client, owner.project, 'server', NAME);
  browser = await openBrowser(stack.info.caCertificate, domain);
  page = await signInBrowser(browser, stack);
  project = new URL(page.url()).pathname.split('/').slice(0, 3).join('/');
  const link = await page.locator('a[href^="/o/"]').first().getAttribute('href');
  organization = (link ?? '').split('/').slice(0, 3).join('/');
  page.on('console', (message) => {
    // Networks of guests come and go on this machine; the browser asks again by itself.
    if (message.text().includes('ERR_NETWORK_CHANGED')) return;
    if (message.type() === 'error') complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
});

afterAll(async () => {
  await browser?.close();
  if (server !== undefined) await purge(client, server);
  await client?.close();
});

const inProject = ['', '/instances', '/instances/new', '/routes', '/domains', '/firewall', '/operations', '/people'];
const ofInstance = [
  ...['', '/terminal', '/ssh', '/metrics', '/logs', '/files', '/snapshots', '/routes', '/activity', '/settings'],
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

async function open(path: string): Promise<void> {
  await page.goto(new URL(path, stack.info.consoleUrl).href);
  await page.locator('main h1').first().waitFor({ state: 'attached' });
  await page.waitForFunction(`document.querySelector('[aria-busy="true"]') === null`);
  expect(await page.locator('h1').allInnerTexts(), path).toEqual([expect.not.stringMatching(/not found|wrong/i)]);
}

describe.each(['light', 'dark'] as const)('in %s', (theme) => {
  it('U2: axe finds nothing serious on any page', async () => {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const found: string[] = [];
    for (const path of pages()) {
      await open(path);
      const { violations } = await new AxeBuilder({ page }).analyze();
      for (const violation of violations) {
        if (violation.impact !== 'serious' && violation.impact !== 'critical') continue;
        found.push(`${path}: ${violation.id} at ${violation.nodes.map((node) => node.target.join(' ')).join('; ')}`);
      }
    }
    expect(found).toEqual([]);
  });
});

describe('at phone width', () => {
  it('U2: no page is wider than the screen', async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    const wide: string[] = [];
    for (const path of pages()) {
      await open(path);
      const over = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      if (over > 0) wide.push(`${path}: ${over} px`);
    }
    expect(wide).toEqual([]);
  });
});

it('I7: the browser refused nothing on any page: no content policy, no script error', () => {
  expect(complaints).toEqual([]);
});
