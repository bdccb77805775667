/** GitHub's OAuth and API as a small server on loopback: what it says about addresses decides. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { githubClient } from './github.ts';
import type { OutboundFetch } from './interface.ts';

const REDIRECT = 'https://berth.example.test/sign-in/github';
const servers: Server[] = [];
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))));
});

type Api = { user?: unknown; emails?: unknown; orgs?: unknown; token?: unknown; status?: number };

async function github(answers: Api) {
  const seen: { url: string; body: string; authorization: string | undefined }[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += String(chunk);
    });
    request.on('end', () => {
      const path = request.url?.split('?')[0] ?? '';
      seen.push({ url: request.url ?? '', body, authorization: request.headers.authorization });
      const answer = {
        '/login/oauth/access_token': answers.token ?? { access_token: 'gho_x', token_type: 'bearer', scope: 'a' },
        '/api/v3/user': answers.user ?? { id: 42, login: 'ada', name: 'Ada' },
        '/api/v3/user/emails': answers.emails ?? [],
        '/api/v3/user/orgs': answers.orgs ?? [{ login: 'acme' }, { login: 'other' }],
        '/api/v3/meta': {},
      }[path];
      const status = path.startsWith('/api/') ? (answers.status ?? 200) : 200;
      response.writeHead(answer === undefined ? 404 : status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(answer ?? {}));
    });
  });
  server.listen(0, '127.0.0.1');
  await new Promise((done) => server.once('listening', done));
  servers.push(server);
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const outbound: OutboundFetch = (url, init) => fetch(url, init as RequestInit);
  const client = githubClient(
    { kind: 'github', issuer, clientId: 'id', clientSecret: 'secret', scopes: ['read:user'], groupsClaim: 'orgs' },
    outbound,
  );
  return { client, seen, issuer };
}

const secrets = { redirectUri: REDIRECT, state: 'the-state', nonce: 'n', codeVerifier: 'v'.repeat(43) };
const back = { ...secrets, query: 'code=the-code&state=the-state' };
const code = (work: Promise<unknown>) =>
  work.then(
    () => 'passed',
    (error: { code?: string }) => error.code,
  );

describe('I3: GitHub', () => {
  it('I3: the browser is sent with state and PKCE; the code is traded with the secret', async () => {
    const { client, seen, issuer } = await github({});
    const url = new URL(await client.begin(secrets));
    expect(url.href.startsWith(`${issuer}/login/oauth/authorize?`)).toBe(true);
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      client_id: 'id',
      redirect_uri: REDIRECT,
      state: 'the-state',
      code_challenge_method: 'S256',
    });
    await client.finish(back);
    const form = new URLSearchParams(seen[0]?.body);
    expect(Object.fromEntries(form)).toMatchObject({
      code: 'the-code',
      client_secret: 'secret',
      code_verifier: secrets.codeVerifier,
    });
    expect(seen[1]?.authorization).toBe('Bearer gho_x');
  });

  it('I3: only the primary address, and only when GitHub has verified it', async () => {
    const cases: [unknown, string | null][] = [
      [[{ email: 'Ada@Example.test', primary: true, verified: true }], 'ada@example.test'],
      [[{ email: 'a@example.test', primary: true, verified: false }], null],
      [[{ email: 'a@example.test', primary: false, verified: true }], null],
      [[{ email: 'a@example.test', primary: 'true', verified: 'true' }], null],
      [[], null],
      [{ message: 'no' }, null],
    ];
    for (const [emails, expected] of cases) {
      const identity = await (await github({ emails })).client.finish(back);
      expect([identity.email, identity.emailVerified], JSON.stringify(emails)).toEqual([expected, expected !== null]);
      expect(identity).toMatchObject({ subject: '42', name: 'Ada', groups: ['acme', 'other'], sid: null });
    }
  });

  it('I3: another state, an error, a refused code and a user without an id are refused', async () => {
    const { client } = await github({});
    expect(await code(client.finish({ ...back, query: 'code=the-code&state=other' }))).toBe('unauthenticated');
    expect(await code(client.finish({ ...back, query: 'error=access_denied&state=the-state' }))).toBe(
      'unauthenticated',
    );
    const used = await github({ token: { error: 'bad_verification_code' } });
    expect(['unauthenticated', 'upstream_failed']).toContain(await code(used.client.finish(back)));
    const nobody = await github({ user: { id: '42', login: 'ada' } });
    expect(await code(nobody.client.finish(back))).toBe('unauthenticated');
  });

  it('I3: asked again: revoked there means ended, out of order means unknown', async () => {
    const token = { kind: 'access', value: 'gho_x', expiresAt: null } as const;
    expect(await (await github({})).client.recheck(token, '42')).toMatchObject({
      standing: 'good',
      groups: ['acme', 'other'],
    });
    expect(await (await github({})).client.recheck(token, '43')).toEqual({ standing: 'ended' });
    expect(await (await github({ status: 401 })).client.recheck(token, '42')).toEqual({ standing: 'ended' });
    expect(await code((await github({ status: 503 })).client.recheck(token, '42'))).toBe('upstream_failed');
    expect(await code((await github({})).client.logoutToken('x'))).toBe('unsupported');
    expect(await (await github({})).client.test()).toMatchObject({ logout: false });
  });
});
