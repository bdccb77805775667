/** A person's way in: invited, a second factor, a passkey; and what an administrator takes away is gone at once. */
import { generate } from 'otplib';
import type { BrowserContext, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { Instance } from '#contract/instances.ts';
import { openBrowser } from '#testkit/browser.ts';
import { type Client, until } from '#testkit/client.ts';
import { startTestProvider } from '#testkit/identity-provider.ts';
import { run } from '#testkit/stack.ts';
import { create, engineGuests, installationOf, ownerClient, purge, sharedStack } from './shared.ts';

const stack = sharedStack();
const domain = new URL(stack.info.consoleUrl).hostname;
const at = (path: string): string => new URL(path, stack.info.consoleUrl).href;
const person = { email: 'nora@example.test', name: 'Nora Neu', password: 'violet anchor meadow 58 kite' };

let owner: Client;
let organization: string;
let desktop: Instance;
let browser: BrowserContext;
let page: Page;

beforeAll(async () => {
  const signedIn = await ownerClient(stack);
  owner = signedIn.client;
  organization = signedIn.organization;
  desktop = await create(owner, signedIn.project, 'desktop', 'lent');
  browser = await openBrowser(stack.info.caCertificate, domain);
  page = await browser.newPage();
  page.setDefaultTimeout(30_000);
});

afterAll(async () => {
  await browser?.close();
  if (desktop !== undefined) await purge(owner, desktop);
  await owner?.close();
});

async function invite(email: string, role: 'member' | 'guest'): Promise<string> {
  return (await owner.call(api.invitationsCreate, { params: { organization }, body: { email, role } })).link ?? '';
}

async function userOf(email: string): Promise<string> {
  const { items } = await owner.call(api.membersList, { params: { organization } });
  return items.find((member) => member.user.email === email)?.user.id ?? '';
}

const LIVE_PORT = 8123;
/** An app of a tenant: a page that counts what its WebSocket brings and says when that has ended. */
const LIVE_APP = `
import base64, hashlib, http.server, time
PAGE = b"""<!doctype html><h1>Live</h1><p id=s>waiting</p><script>
const s = document.getElementById('s'), w = new WebSocket('wss://' + location.host + '/live')
w.onmessage = (m) => { s.textContent = 'count ' + m.data }
w.onclose = () => { s.textContent = 'the connection ended' }
</script>"""
class App(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def do_GET(self):
        key = self.headers.get('Sec-WebSocket-Key')
        if key is None:
            self.send_response(200)
            self.send_header('Content-Type', 'text/html')
            self.send_header('Content-Length', str(len(PAGE)))
            self.end_headers()
            self.wfile.write(PAGE)
            return
        digest = hashlib.sha1((key + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11').encode()).digest()
        self.send_response(101)
        self.send_header('Upgrade', 'websocket')
        self.send_header('Connection', 'Upgrade')
        self.send_header('Sec-WebSocket-Accept', base64.b64encode(digest).decode())
        self.end_headers()
        for n in range(10000):
            text = str(n).encode()
            self.wfile.write(bytes([0x81, len(text)]) + text)
            time.sleep(0.1)
http.server.ThreadingHTTPServer(('0.0.0.0', ${LIVE_PORT}), App).serve_forever()
`;

/** Starts a program inside the desktop that stays, past Berth, as its own person. */
async function startInside(python: string): Promise<void> {
  const guest = (await engineGuests(installationOf(stack))).find((each) => each.instance === desktop.id);
  if (guest === undefined) throw new Error('the engine has no such guest');
  const where = ['exec', '--project', guest.project, guest.name, '--user', '1000', '--group', '1000', '--'];
  const result = await run(
    'incus',
    [...where, 'sh', '-c', 'setsid python3 -c "$0" >/dev/null 2>&1 </dev/null &', python],
    { timeoutMs: 20_000 },
  );
  if (result.code !== 0) throw new Error(result.stderr);
}

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
    const link = await invite(person.email, 'member');
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
    const user = await userOf(person.email);
    await page.goto(at('/'));
    // The home of whoever has a project is that project's.
    await page.waitForURL(/\/p\/[^/]+/);
    await page.goto(at(`${new URL(page.url()).pathname.split('/').slice(0, 3).join('/')}/instances`));
    const start = page.getByRole('link', { name: /new (desktop|instance)/i }).first();
    await start.waitFor();
    await owner.call(api.membersUpdate, { params: { organization, user }, body: { role: 'viewer' } });
    await start.waitFor({ state: 'detached', timeout: 5_000 });
    await owner.call(api.membersUpdate, { params: { organization, user }, body: { role: 'member' } });
    await start.waitFor({ timeout: 5_000 });
  });

  it('A7, D7: an app that was granted to a guest opens; revoked, its open screen closes', async () => {
    const guest = await openBrowser(stack.info.caCertificate, domain);
    try {
      const view = await guest.newPage();
      view.setDefaultTimeout(30_000);
      const email = 'gus@example.test';
      await view.goto(await invite(email, 'guest'));
      await view.getByLabel('Your name').fill('Gus Gast');
      await view.getByLabel('Password').fill(person.password);
      await view.getByRole('button', { name: 'Create the account and join' }).click();
      await view.getByRole('button', { name: /account of Gus/ }).waitFor();
      const subject = await userOf(email);
      const grant = (permissions: 'open'[]) =>
        owner.call(api.grantsChange, {
          params: { organization },
          body: { changes: [{ app: desktop.id, subject, permissions }] },
        });
      await view.goto(at(`/screen/${desktop.id}`));
      await view
        .getByText('There is nothing here, or it is not yours to see')
        .or(view.getByRole('alert'))
        .first()
        .waitFor();
      expect(await view.locator('canvas').count()).toBe(0);
      await grant(['open']);
      await view.goto(at(`/screen/${desktop.id}`));
      const canvas = view.locator('canvas').first();
      await canvas.waitFor({ timeout: 60_000 });
      await until('a picture', async () => (await canvas.screenshot()).length > 20_000, { timeoutMs: 60_000 });
      await grant([]);
      await view.locator('canvas').waitFor({ state: 'detached', timeout: 10_000 });
    } finally {
      await guest.close();
    }
  });
});

describe('an app permission', () => {
  it('A7, I4: an app permission revoked closes the open app: the WebSocket of its page ends, and the page with it', async () => {
    await startInside(LIVE_APP);
    const hostname = `live.${domain}`;
    await owner.call(api.routesCreate, {
      params: { instance: desktop.id },
      body: { hostname, port: LIVE_PORT, visibility: 'private' },
    });
    const guest = await openBrowser(stack.info.caCertificate, domain);
    try {
      const view = await guest.newPage();
      view.setDefaultTimeout(30_000);
      const email = 'gil@example.test';
      await view.goto(await invite(email, 'guest'));
      await view.getByLabel('Your name').fill('Gil Gast');
      await view.getByLabel('Password').fill(person.password);
      await view.getByRole('button', { name: 'Create the account and join' }).click();
      await view.getByRole('button', { name: /account of Gil/ }).waitFor();
      const subject = await userOf(email);
      const grant = (permissions: 'open'[]) =>
        owner.call(api.grantsChange, {
          params: { organization },
          body: { changes: [{ app: desktop.id, subject, permissions }] },
        });
      await grant(['open']);
      // Programs take a moment to listen, and a grant up to a second to be known at the edge.
      const counts = async () => {
        await view.goto(stack.url(hostname));
        const seen = view.getByText(/^count [1-9]/).waitFor({ timeout: 5_000 });
        return seen.then(
          () => true,
          () => false,
        );
      };
      await until('the open app', counts, { timeoutMs: 90_000 });
      await grant([]);
      await view.getByText('the connection ended').waitFor({ timeout: 5_000 });
      await view.reload();
      await view.getByRole('heading', { name: 'You may not enter here' }).waitFor();
    } finally {
      await guest.close();
    }
  });
});

describe('an identity provider outside', () => {
  it('I3: somebody it vouches for signs in and has the role of a group', async () => {
    const provider = await startTestProvider({ redirectUris: [at('/sign-in/campus')] });
    const outside = await openBrowser(stack.info.caCertificate, domain);
    try {
      await owner.call(api.outboundUpdate, { body: { allowed: [provider.issuer] } });
      const { redirectUri } = await owner.call(api.identityProvidersCreate, {
        body: {
          name: 'campus',
          kind: 'oidc',
          title: 'Campus',
          issuer: provider.issuer,
          clientId: provider.clientId,
          clientSecret: provider.clientSecret,
          provisioning: 'domains',
          domains: ['campus.test'],
          groupsClaim: 'groups',
          roleMappings: [{ value: 'staff', organization, role: 'viewer' }],
        },
      });
      expect(redirectUri).toBe(at('/sign-in/campus'));
      const account = {
        sub: 'c1',
        email: 'cleo@campus.test',
        emailVerified: true,
        name: 'Cleo Campus',
        groups: ['staff'],
      };
      await provider.control({ do: 'account', account });
      await provider.control({ do: 'signed-in', sub: 'c1' });
      const view = await outside.newPage();
      view.setDefaultTimeout(30_000);
      await view.goto(at('/sign-in'));
      await view.getByRole('button', { name: 'Sign in with Campus' }).click();
      await view.waitForURL(home);
      await view.getByRole('button', { name: 'account of Cleo Campus' }).waitFor();
      const { items } = await owner.call(api.membersList, { params: { organization } });
      expect(items.find((member) => member.user.email === account.email)?.role).toBe('viewer');
    } finally {
      await outside.close();
      await provider.stop();
    }
  });
});
