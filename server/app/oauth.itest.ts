import { createHmac, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { exportSPKI, importJWK } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { DEVICE_GRANT } from '#contract/oauth.ts';
import { ACCESS_TOKEN_MINUTES, CLIENT_SESSION_DAYS, REFRESH_TOKEN_DAYS } from '#domain/sessions.ts';
import { beginDevice, pollDevice, postForm, refresh, signInProgram, tokenFor } from '#testkit/oauth.ts';
import { withDatabase } from '#testkit/postgres.ts';
import {
  idleWork,
  PASSWORD,
  type SetUp,
  startTestServer,
  TestClient,
  TestClock,
  type TestServer,
} from '#testkit/server.ts';

const clock = new TestClock();
let server: TestServer;
let second: TestServer;
let home: SetUp;
let program: TestClient;

beforeAll(async () => {
  const options = { database: await withDatabase(), startWork: idleWork, clock };
  server = await startTestServer(options);
  second = await startTestServer(options);
  home = await server.setUp();
});
beforeEach(async () => {
  // Codes that nobody confirmed are bounded by address; the clock clears them away.
  clock.advance({ minutes: 11 });
  home.owner = await home.owner.again('owner@example.test');
  program = new TestClient(server);
});
afterAll(async () => {
  await second.stop();
  await server.stop();
});

const audited = async (action: string) =>
  server.app.db.selectFrom('audit').selectAll().where('action', '=', action).orderBy('seq', 'desc').execute();

describe('I2: signing a program in with a code', () => {
  it('code, confirmation, tokens; the program acts as the person and is in the list of sessions', async () => {
    const begun = await beginDevice(program, { client_name: 'berth on laptop' });
    expect(begun.user_code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/);
    expect(begun.verification_uri_complete).toBe(`https://berth.localhost:9443/device?code=${begun.user_code}`);
    expect(await pollDevice(program, begun.device_code)).toMatchObject({ status: 400, error: 'authorization_pending' });
    // Typed as people type.
    const typed = begun.user_code.toLowerCase().replace('-', ' ');
    const asked = await home.owner.call(api.deviceLoginGet, { params: { code: typed } });
    expect(asked).toMatchObject({ client: 'berth on laptop', address: '192.0.2.7', sameAddress: true, scopes: null });
    await home.owner.call(api.deviceLoginDecide, { params: { code: typed }, body: { allow: true } });
    clock.advance({ seconds: 6 });
    const tokens = await pollDevice(program, begun.device_code);
    expect(tokens).toMatchObject({ status: 200, token_type: 'Bearer', expires_in: ACCESS_TOKEN_MINUTES * 60 });
    expect(tokens.refresh_token).toMatch(/^brr_[A-Za-z0-9_-]{43}$/);
    const [header, payload] = tokens.access_token
      .split('.')
      .slice(0, 2)
      .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()) as Record<string, unknown>);
    expect(header).toEqual({ alg: 'RS256', typ: 'at+jwt', kid: expect.stringMatching(/^key_/) });
    expect(payload).toMatchObject({
      iss: 'https://berth.localhost:9443',
      aud: 'https://berth.localhost:9443/api/v1',
      sub: home.owner.userId,
      client_id: 'berth-cli',
    });
    expect(Number(payload?.['exp']) - Number(payload?.['iat'])).toBe(ACCESS_TOKEN_MINUTES * 60);
    program.token = tokens.access_token;
    expect(await program.call(api.whoami)).toMatchObject({ via: 'session', user: { email: 'owner@example.test' } });
    const { items } = await home.owner.call(api.sessionsList);
    const mine = items.find((session) => session.id === payload?.['sid']);
    expect(mine).toMatchObject({ kind: 'client', device: 'berth on laptop', address: '192.0.2.7', current: false });
    const [row] = await audited('device.approve');
    expect(row).toMatchObject({ actor: 'owner@example.test', target: 'berth on laptop', result: 'ok' });
    await program.call(api.accountUpdate, { body: { name: 'Olivia Owner' } });
    expect((await audited('account.update'))[0]).toMatchObject({ actor: 'owner@example.test (berth on laptop)' });
    // The code is used up.
    expect(await pollDevice(program, begun.device_code)).toMatchObject({ error: 'invalid_grant' });
    const stored = JSON.stringify(await server.app.db.selectFrom('device_login').selectAll().execute());
    expect(stored).not.toContain(begun.device_code);
  });

  it('refused, expired, unknown, polled too fast: the answers of RFC 8628', async () => {
    const refused = await beginDevice(program);
    await home.owner.call(api.deviceLoginDecide, { params: { code: refused.user_code }, body: { allow: false } });
    expect(await pollDevice(program, refused.device_code)).toMatchObject({ status: 400, error: 'access_denied' });
    expect(await pollDevice(program, `brd_${'A'.repeat(43)}`)).toMatchObject({ error: 'invalid_grant' });
    const fast = await beginDevice(program);
    expect((await pollDevice(program, fast.device_code)).error).toBe('authorization_pending');
    clock.advance({ seconds: 2 });
    expect((await pollDevice(program, fast.device_code)).error).toBe('slow_down');
    clock.advance({ seconds: 6 });
    // 5 seconds more are owed now.
    expect((await pollDevice(program, fast.device_code)).error).toBe('slow_down');
    clock.advance({ seconds: 15 });
    expect((await pollDevice(program, fast.device_code)).error).toBe('authorization_pending');
    const late = await beginDevice(program);
    clock.advance({ minutes: 10 });
    expect((await pollDevice(program, late.device_code)).error).toBe('expired_token');
    const decide = { params: { code: late.user_code }, body: { allow: true } };
    home.owner = await home.owner.again('owner@example.test');
    expect((await home.owner.try(api.deviceLoginDecide, decide)).statusCode).toBe(404);
  });

  it('confirmed once, by one person; ten programs with one device code get one set of tokens', async () => {
    const begun = await beginDevice(program);
    const other = await home.owner.addMember(home.organization, 'viewer');
    const decide = { params: { code: begun.user_code }, body: { allow: true } };
    const answers = await Promise.all([home.owner, other].map((person) => person.try(api.deviceLoginDecide, decide)));
    expect(answers.map((answer) => answer.statusCode).sort()).toEqual([204, 404]);
    const polls = await Promise.all(
      Array.from({ length: 10 }, () => pollDevice(new TestClient(server), begun.device_code)),
    );
    expect(polls.filter((poll) => poll.status === 200)).toHaveLength(1);
  });

  it('nobody can be made to confirm: not signed in, from another site, without a fresh confirmation, by a program', async () => {
    const begun = await beginDevice(program);
    const decide = { params: { code: begun.user_code }, body: { allow: true } };
    expect((await server.anonymous.try(api.deviceLoginDecide, decide)).statusCode).toBe(401);
    const foreign = await home.owner.try(api.deviceLoginDecide, {
      ...decide,
      headers: { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    });
    expect(foreign.json().code).toBe('forbidden_origin');
    for (const client of [await home.owner.program(), (await signInProgram(server, home.owner)).client]) {
      expect((await client.try(api.deviceLoginGet, { params: decide.params })).json().code).toBe('forbidden');
      expect((await client.try(api.deviceLoginDecide, decide)).json().code).toBe('forbidden');
    }
    clock.advance({ minutes: 9 });
    const stale = await home.owner.try(api.deviceLoginDecide, decide);
    expect(stale.statusCode).toBe(204);
    clock.advance({ minutes: 2 });
    const later = await beginDevice(program);
    const unsure = await home.owner.try(api.deviceLoginDecide, { ...decide, params: { code: later.user_code } });
    expect(unsure.json().code).toBe('step_up_required');
    await home.owner.call(api.deviceLoginDecide, { params: { code: later.user_code }, body: { allow: false } });
  });

  it('codes cannot be tried out: after a few wrong ones no more answers', async () => {
    const narrow = await startTestServer({
      database: await withDatabase(),
      startWork: idleWork,
      config: { rateLimits: { signIn: 5, signInAddress: 50, provisioning: 100, api: 1000 } },
    });
    const { owner } = await narrow.setUp();
    const statuses: number[] = [];
    for (let index = 0; index < 7; index++) {
      const code = `BCDF-GHJ${'BCDFGHJ'.charAt(index)}`;
      statuses.push((await owner.try(api.deviceLoginGet, { params: { code } })).statusCode);
    }
    expect(statuses).toEqual([404, 404, 404, 404, 404, 429, 429]);
    await narrow.stop();
  });

  it('programs that wait are bounded by address', async () => {
    const flood = new TestClient(server);
    flood.address = '192.0.2.200';
    for (let index = 0; index < 20; index++) await beginDevice(flood);
    const more = await postForm(flood, api.oauthDevice.path, { client_id: 'berth-cli' });
    expect(more).toMatchObject({ error: 'temporarily_unavailable' });
    await beginDevice(program);
  });
});

describe('I2: refresh tokens', () => {
  it('each is used once and brings the next; the session stays', async () => {
    const { client, tokens } = await signInProgram(server, home.owner);
    clock.advance({ minutes: ACCESS_TOKEN_MINUTES, seconds: 6 });
    expect((await client.try(api.whoami)).statusCode).toBe(401);
    const next = await refresh(client, tokens.refresh_token);
    expect(next.status).toBe(200);
    expect(next.refresh_token).not.toBe(tokens.refresh_token);
    client.token = next.access_token;
    expect((await client.try(api.whoami)).statusCode).toBe(200);
    const rows = await server.app.db.selectFrom('refresh_token').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(next.refresh_token);
  });

  it('reuse ends the whole family at once, on every replica, and is audited', async () => {
    const { client, tokens } = await signInProgram(server, home.owner);
    const thief = await refresh(new TestClient(second), tokens.refresh_token);
    expect(thief.status).toBe(200);
    // The rightful owner comes with the same token.
    expect(await refresh(client, tokens.refresh_token)).toMatchObject({ status: 400, error: 'invalid_grant' });
    expect(await refresh(client, thief.refresh_token)).toMatchObject({ error: 'invalid_grant' });
    for (const [replica, token] of [
      [server, thief.access_token],
      [second, tokens.access_token],
    ] as const) {
      const holder = new TestClient(replica);
      holder.token = token;
      expect((await holder.try(api.whoami)).statusCode).toBe(401);
    }
    const [row] = await audited('session.reuse');
    expect(row).toMatchObject({ result: 'refused', target: 'owner@example.test', actor: 'anonymous' });
  });

  it('a race of two refreshes: one answer at most, and the family is over', async () => {
    for (let round = 0; round < 5; round++) {
      const { tokens } = await signInProgram(server, home.owner);
      const answers = await Promise.all(
        [server, second, server, second].map((replica) => refresh(new TestClient(replica), tokens.refresh_token)),
      );
      const won = answers.filter((answer) => answer.status === 200);
      expect(won).toHaveLength(1);
      const late = await refresh(program, won[0]?.refresh_token ?? '');
      expect(late.error).toBe('invalid_grant');
    }
  });

  it('they end after 30 days without use, and with the session after 90, however busy', async () => {
    const idle = await signInProgram(server, home.owner);
    const busy = await signInProgram(server, home.owner);
    let token = busy.tokens.refresh_token;
    for (let day = 0; day < CLIENT_SESSION_DAYS - 1; day += 20) {
      const next = await refresh(program, token);
      expect(next.status, `day ${day}`).toBe(200);
      token = next.refresh_token;
      clock.advance({ days: day === 80 ? CLIENT_SESSION_DAYS - 81 : 20 });
      if (day + 20 > REFRESH_TOKEN_DAYS) {
        expect((await refresh(program, idle.tokens.refresh_token)).error).toBe('invalid_grant');
      }
    }
    clock.advance({ days: 2 });
    expect((await refresh(program, token)).error).toBe('invalid_grant');
  });

  it('signing out, ending the session, a new password and a disabled account end them', async () => {
    const email = 'programs@example.test';
    const person = await home.owner.addMember(home.organization, 'member', email);
    const ended: Record<string, string> = {};
    const dead = async (how: string, client: TestClient) => {
      expect((await client.try(api.whoami)).statusCode, how).toBe(401);
      expect((await refresh(program, ended[how] ?? '')).error, how).toBe('invalid_grant');
    };
    const fresh = async (how: string) => {
      const { client, tokens } = await signInProgram(server, person);
      ended[how] = tokens.refresh_token;
      return client;
    };
    const byRevoke = await fresh('revoke');
    await postForm(program, api.oauthRevoke.path, { client_id: 'berth-cli', token: ended['revoke'] ?? '' });
    await dead('revoke', byRevoke);
    const bySignOut = await fresh('sign-out');
    await bySignOut.call(api.signOut);
    await dead('sign-out', bySignOut);
    const byOthers = await fresh('others');
    await person.call(api.sessionsRevokeOthers);
    await dead('others', byOthers);
    expect((await person.try(api.whoami)).statusCode).toBe(200);
    const byPassword = await fresh('password');
    await person.call(api.accountPassword, { body: { current: PASSWORD, password: 'another four words' } });
    await dead('password', byPassword);
    const byDisabled = await fresh('disabled');
    await server.app.db.updateTable('app_user').set({ disabled_at: new Date() }).where('email', '=', email).execute();
    await dead('disabled', byDisabled);
  });

  it('revocation says nothing about what there was', async () => {
    for (const token of ['brr_nothing', `brr_${'A'.repeat(43)}`, 'x']) {
      expect(await postForm(program, api.oauthRevoke.path, { client_id: 'berth-cli', token })).toEqual({ status: 200 });
    }
  });
});

describe('I2: token confusion', () => {
  it('nothing passes for something else', async () => {
    const { tokens } = await signInProgram(server, home.owner);
    const begun = await beginDevice(program);
    const person = await home.owner.again('owner@example.test');
    const secrets = {
      session: person.cookie ?? '',
      refresh: tokens.refresh_token,
      access: tokens.access_token,
      device: begun.device_code,
      user: begun.user_code,
      token: (await home.owner.call(api.tokensCreate, { body: { name: 'x' } })).secret,
    };
    for (const [name, secret] of Object.entries(secrets)) {
      const bearer = new TestClient(server);
      bearer.token = secret;
      const good = name === 'access' || name === 'token';
      expect((await bearer.try(api.whoami)).statusCode, `${name} as bearer`).toBe(good ? 200 : 401);
      const cookie = new TestClient(server);
      cookie.cookie = secret;
      expect((await cookie.try(api.whoami)).statusCode, `${name} as cookie`).toBe(name === 'session' ? 200 : 401);
      if (name !== 'refresh')
        expect((await refresh(program, secret)).error, `${name} as refresh`).toBe('invalid_grant');
      if (name !== 'device') {
        expect((await pollDevice(program, secret)).error, `${name} as device code`).toBe('invalid_grant');
      }
      if (name !== 'user') {
        const code = await home.owner.try(api.deviceLoginGet, { params: { code: secret.slice(0, 40) } });
        expect(code.statusCode, `${name} as user code`).toBe(404);
      }
    }
    // All of that has used nothing up.
    expect((await refresh(program, tokens.refresh_token)).status).toBe(200);
  });

  it('access tokens: none, HS256 with the public key, wrong type, audience, issuer, key, time, owner, signature', async () => {
    const { tokens } = await signInProgram(server, home.owner);
    const [head = '', body = '', signature = ''] = tokens.access_token.split('.');
    const header = JSON.parse(Buffer.from(head, 'base64url').toString()) as Record<string, unknown>;
    const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as Record<string, unknown>;
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const { keys } = await server.anonymous.call(api.jwks);
    const jwk = keys.find((key) => key.kid === header['kid']);
    const publicPem = await exportSPKI((await importJWK(jwk as never, 'RS256', { extractable: true })) as never);
    const row = await server.app.db
      .selectFrom('signing_key')
      .selectAll()
      .where('purpose', '=', 'access')
      .executeTakeFirstOrThrow();
    const place = { table: 'signing_key', row: row.id, column: 'private_sealed' };
    const privateKey = createPrivateKey(server.app.secrets.open(place, row.private_sealed));
    const stranger = generateKeyPairSync('rsa', { modulusLength: 4096 }).privateKey;
    const signed = (h: object, c: object, key = privateKey) => {
      const text = `${part(h)}.${part(c)}`;
      return `${text}.${sign('sha256', Buffer.from(text), key).toString('base64url')}`;
    };
    const mac = (key: string) => {
      const text = `${part({ ...header, alg: 'HS256' })}.${body}`;
      return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
    };
    const identity = await server.app.signingKeys.signer('identity');
    const now = Math.floor(clock.now().getTime() / 1000);
    const other = await home.owner.addMember(home.organization, 'viewer');
    const { kid: _, ...noKid } = header;
    const { exp: __, ...noExp } = claims;
    const { sid: ___, ...noSid } = claims;
    const bad: Record<string, string> = {
      'alg none': `${part({ ...header, alg: 'none' })}.${body}.`,
      'alg none, old signature': `${part({ ...header, alg: 'none' })}.${body}.${signature}`,
      'HS256 with the public key': mac(publicPem),
      'HS256 with the modulus': mac(jwk?.n ?? ''),
      RS512: signed({ ...header, alg: 'RS512' }, claims),
      'type JWT': signed({ ...header, typ: 'JWT' }, claims),
      'no type': signed({ alg: 'RS256', kid: header['kid'] }, claims),
      'another audience': signed(header, { ...claims, aud: 'https://elsewhere.example/api/v1' }),
      'audience of the console': signed(header, { ...claims, aud: 'https://berth.localhost:9443' }),
      'another issuer': signed(header, { ...claims, iss: 'https://elsewhere.example' }),
      'unknown key id': signed({ ...header, kid: 'key_00000000000000000000000000' }, claims),
      'key id of the other purpose': signed({ ...header, kid: identity.kid }, claims),
      'key id with a path': signed({ ...header, kid: '../../../dev/null' }, claims),
      'no key id': signed(noKid, claims),
      'a key of its own in the header': signed({ ...noKid, jwk }, claims, stranger),
      "a stranger's key": signed(header, claims, stranger),
      expired: signed(header, { ...claims, iat: now - 1000, exp: now - 60 }),
      'not yet': signed(header, { ...claims, nbf: now + 600 }),
      'no expiry': signed(header, noExp),
      'no session': signed(header, noSid),
      "another's session": signed(header, { ...claims, sub: other.userId }),
      'a browser session': signed(header, {
        ...claims,
        sid: (await home.owner.call(api.sessionsList)).items.find((s) => s.current)?.id,
      }),
      'critical extension': signed({ ...header, crit: ['x'], x: 1 }, claims),
      'changed claims': `${head}.${part({ ...claims, sub: other.userId })}.${signature}`,
      'signature cut': `${head}.${body}.${signature.slice(0, -8)}`,
      'no signature': `${head}.${body}.`,
    };
    const bearer = new TestClient(server);
    bearer.token = signed(header, claims);
    expect((await bearer.try(api.whoami)).statusCode, 'the control').toBe(200);
    for (const [name, token] of Object.entries(bad)) {
      bearer.token = token;
      expect((await bearer.try(api.whoami)).statusCode, name).toBe(401);
    }
  });
});

describe('the token endpoint (RFC 6749)', () => {
  it('errors have the shape and the code of the standard, are not cached and set no cookie', async () => {
    const cases: [Record<string, string>, string][] = [
      [{}, 'invalid_request'],
      [{ grant_type: 'refresh_token' }, 'invalid_request'],
      [{ grant_type: 'refresh_token', refresh_token: 'x', scope: '*.read' }, 'invalid_scope'],
      [{ grant_type: 'password', username: 'owner@example.test', password: PASSWORD }, 'unsupported_grant_type'],
      [{ grant_type: 'client_credentials' }, 'unsupported_grant_type'],
      [{ grant_type: 'authorization_code', code: 'x' }, 'unsupported_grant_type'],
      [{ grant_type: DEVICE_GRANT }, 'invalid_request'],
      [{ grant_type: DEVICE_GRANT, device_code: 'x', client_id: 'another' }, 'invalid_client'],
    ];
    for (const [fields, error] of cases) {
      expect(await tokenFor(program, fields), JSON.stringify(fields)).toMatchObject({ status: 400, error });
    }
    const raw = (payload: string, type = 'application/x-www-form-urlencoded') =>
      program.raw({ method: 'POST', url: api.oauthToken.path, payload, headers: { 'content-type': type } });
    const twice = await raw('grant_type=refresh_token&grant_type=refresh_token&client_id=berth-cli');
    expect([twice.statusCode, twice.json().error]).toEqual([400, 'invalid_request']);
    expect(twice.headers['cache-control']).toBe('no-store');
    expect(twice.headers['set-cookie']).toBeUndefined();
    for (const [payload, type] of [
      ['{"grant_type":"refresh_token"}', 'application/json'],
      ['grant_type=x', 'text/plain'],
      ['%ff%fe=%00&client_id=%00', 'application/x-www-form-urlencoded'],
      ['__proto__=1&client_id=berth-cli&grant_type=x', 'application/x-www-form-urlencoded'],
      ['x'.repeat(20_000), 'application/x-www-form-urlencoded'],
    ] as const) {
      const response = await raw(payload, type);
      expect(response.statusCode, payload.slice(0, 30)).toBe(400);
      expect(response.json()).toMatchObject({ error: expect.any(String), error_description: expect.any(String) });
    }
    expect(
      await postForm(program, api.oauthDevice.path, { client_id: 'berth-cli', scope: 'everything' }),
    ).toMatchObject({
      error: 'invalid_scope',
    });
  });

  it('the metadata leads to every endpoint (RFC 8414)', async () => {
    const metadata = await program.call(api.oauthMetadata);
    for (const url of [metadata.token_endpoint, metadata.device_authorization_endpoint, metadata.revocation_endpoint]) {
      const response = await program.raw({ method: 'POST', url: new URL(url).pathname, payload: '' });
      expect(response.statusCode).toBe(400);
    }
    expect((await program.raw({ method: 'GET', url: new URL(metadata.jwks_uri).pathname })).statusCode).toBe(200);
  });

  it('nothing above was an error inside Berth, and no secret is in the log', () => {
    expect(server.logLines.filter((line) => JSON.parse(line).level === 'error')).toEqual([]);
    expect(server.logLines.join('')).not.toMatch(/brr_[A-Za-z0-9_-]{43}|brd_[A-Za-z0-9_-]{43}/);
  });
});
