/** Nothing that a stranger writes into a link sends a browser anywhere but to a known host name of this Berth. */
import { describe, expect, it } from 'vitest';
import type { Knowledge } from './callers.ts';
import { RoutePasses, SignInCodes } from './route-pass.ts';
import { SignIn } from './sign-in.ts';
import { EdgeState } from './state.ts';

const site = { domain: 'berth.localhost', consoleOrigin: 'https://berth.localhost:9443', httpsPort: 443 };

/** Targets that a check by prefix, by suffix or by eye would let through. */
const hostileTargets = [
  'https://evil.example/',
  '//evil.example/',
  '///evil.example/',
  '////evil.example/',
  '/\\evil.example/',
  '\\\\evil.example\\',
  '/\t/evil.example/',
  '/\n/evil.example',
  'https:evil.example',
  'https:/evil.example',
  'https:///evil.example',
  'http://evil.example',
  'javascript:alert(1)',
  'JaVaScRiPt:alert(1)',
  'java\nscript:alert(1)',
  'data:text/html,<script>alert(1)</script>',
  'vbscript:x',
  'blob:https://evil.example/x',
  'file:///etc/passwd',
  'https://berth.localhost@evil.example/',
  'https://berth.localhost:9443@evil.example/',
  'https://app.berth.localhost@evil.example/',
  'https://user:pw@app.berth.localhost/',
  'https://app.berth.localhost.evil.example/',
  'https://app.berth.localhost%2eevil.example/',
  'https://evilberth.localhost/',
  'https://evil.example/app.berth.localhost',
  'https://evil.example#app.berth.localhost',
  'https://evil.example?app.berth.localhost',
  'https://evil.example\\.app.berth.localhost/',
  'https://evil.example%00.app.berth.localhost/',
  'https://evil。example/',
  'https://evil%E3%80%82example/',
  'http://app.berth.localhost/',
  'https://app.berth.localhost:8443/',
  'https://unknown.berth.localhost/',
  'https://berth.localhost:9443/',
  'https://[::1]/',
  'https://127.0.0.1/',
  'https://2130706433/',
  '',
  ' ',
  '/',
  'x'.repeat(5_000),
] as const;

function signIn(): SignIn {
  const state = new EdgeState();
  const knowledge: Knowledge = { state, now: () => 1_000_000, lookup: async () => {} };
  return new SignIn({
    knowledge,
    passes: new RoutePasses(new Uint8Array(32)),
    codes: new SignInCodes(() => 'random-random-random-random'),
    site,
    random: () => 'random-random-random-random',
  });
}

const request = (uri: string) => ({
  host: 'app.berth.localhost',
  uri,
  method: 'GET',
  accept: 'text/html',
  cookie: '',
  authorization: '',
  origin: '',
  fetchSite: '',
  upgrade: '',
  address: '192.0.2.1',
  length: '',
});

describe('D4: no open redirect', () => {
  it.each(hostileTargets)('the console lends its sign-in to nobody for %j', async (target) => {
    const query = `?${new URLSearchParams({ return: target, state: 'state-state-state-state' })}`;
    const answer = await signIn().lend({}, query);
    expect(answer.status).toBe(400);
    expect(answer.headers['location']).toBeUndefined();
    expect(answer.body).not.toContain('evil.example');
    expect(answer.body).toContain('href="https://berth.localhost:9443/"');
  });

  it.each(hostileTargets)('a private address asked for as %j sends to the console, to come back to itself', (uri) => {
    const { headers } = signIn().begin(request(uri), 'app.berth.localhost');
    const location = new URL(String(headers['location']));
    expect(location.origin).toBe(site.consoleOrigin);
    expect(String(headers['location'])).not.toMatch(/[\r\n\t]/);
    const back = new URL(location.searchParams.get('return') ?? '');
    expect(back.origin).toBe('https://app.berth.localhost');
  });

  it('a callback with a made-up code leads nowhere', () => {
    for (const target of hostileTargets) {
      const uri = `/.berth/callback?${new URLSearchParams({ code: target })}`;
      const answer = signIn().callback(request(uri), 'app.berth.localhost');
      expect(answer.headers['location']).toBeUndefined();
    }
  });
});
