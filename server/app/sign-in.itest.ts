/** I3: no session before the second factor. Everything here goes through the real HTTP stack and PostgreSQL. */
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { SIGN_IN_ATTEMPTS_MAX, SIGN_IN_MINUTES } from '#domain/factors.ts';
import { enrolPasskey, enrolTotp, SoftPasskey, totpCode } from '#testkit/authenticator.ts';
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

let server: TestServer;
let world: SetUp;
const clock = new TestClock();
const site = { rpId: 'berth.localhost', origin: 'https://berth.localhost:9443' };

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork, clock });
  world = await server.setUp();
});
afterAll(() => server?.stop());
// A new time step, and rate windows that the test before did not fill.
beforeEach(() => clock.advance({ hours: 2 }));

let counter = 0;
/** Somebody new with an authenticator app; their own browser stays signed in as `client`. */
async function withTotp() {
  await refresh();
  const email = `totp-${++counter}@example.test`;
  const client = await world.owner.addMember(world.organization, 'member', email);
  const { secret, recoveryCodes } = await enrolTotp(client, clock.now());
  clock.advance({ minutes: 2 });
  return { email, client, secret, recoveryCodes };
}

/** Sessions end with the hours that tests let pass. */
async function refresh() {
  world.owner = await world.owner.again('owner@example.test');
}

async function firstStep(email: string) {
  const browser = new TestClient(server);
  const step = await browser.call(api.signIn, { body: { email, password: PASSWORD } });
  if (step.next !== 'factor') throw new Error('there should be a second step');
  return { browser, step };
}

const totp = (browser: TestClient, code: string) => browser.try(api.signInFactor, { body: { type: 'totp', code } });
const recovery = (browser: TestClient, code: string) =>
  browser.try(api.signInFactor, { body: { type: 'recovery', code } });

describe('I3: the second step of signing in', () => {
  it('I3: the right password alone gives no session, only a handle that opens nothing', async () => {
    const { email, secret } = await withTotp();
    const { browser, step } = await firstStep(email);
    expect(step.factors).toEqual(['totp', 'recovery']);
    expect(browser.cookie).toBeNull();
    expect((await browser.try(api.whoami)).statusCode).toBe(401);
    const passed = await totp(browser, totpCode(secret, clock.now()));
    expect(passed.statusCode, passed.body).toBe(201);
    expect((await browser.call(api.whoami)).user.email).toBe(email);
    expect(browser.signInHandle, 'the handle is taken away').toBeNull();
  });

  it('I3: a code works once: the same again, and any older one, is refused', async () => {
    const { email, secret } = await withTotp();
    const code = totpCode(secret, clock.now());
    const one = await firstStep(email);
    expect((await totp(one.browser, code)).statusCode).toBe(201);
    const two = await firstStep(email);
    expect((await totp(two.browser, code)).statusCode).toBe(401);
    expect((await totp(two.browser, totpCode(secret, clock.now(), -1))).statusCode).toBe(401);
    clock.advance({ seconds: 30 });
    expect((await totp(two.browser, totpCode(secret, clock.now()))).statusCode).toBe(201);
  });

  it('I3: the code that set the app up is used as well', async () => {
    await refresh();
    const email = `totp-${++counter}@example.test`;
    const client = await world.owner.addMember(world.organization, 'member', email);
    const { secret } = await enrolTotp(client, clock.now());
    const { browser } = await firstStep(email);
    expect((await totp(browser, totpCode(secret, clock.now()))).statusCode).toBe(401);
  });

  it('I3: ten requests with the same right code at the same time make one session', async () => {
    const { email, secret } = await withTotp();
    const code = totpCode(secret, clock.now());
    const browsers = await Promise.all(Array.from({ length: 10 }, () => firstStep(email)));
    const answers = await Promise.all(browsers.map(({ browser }) => totp(browser, code)));
    expect(answers.map((each) => each.statusCode).filter((status) => status === 201)).toHaveLength(1);
    expect(browsers.filter(({ browser }) => browser.cookie !== null)).toHaveLength(1);
  });

  it('I3: a recovery code works once, also when it is given twice at the same time', async () => {
    const { email, recoveryCodes } = await withTotp();
    const [first = '', second = ''] = recoveryCodes;
    const browsers = await Promise.all([firstStep(email), firstStep(email), firstStep(email)]);
    const answers = await Promise.all(browsers.map(({ browser }) => recovery(browser, first)));
    expect(answers.filter((each) => each.statusCode === 201)).toHaveLength(1);
    const later = await firstStep(email);
    expect((await recovery(later.browser, first)).statusCode).toBe(401);
    // As people type: capitals and spaces do not matter.
    expect((await recovery(later.browser, second.toUpperCase().replaceAll('-', ' '))).statusCode).toBe(201);
    expect((await later.browser.call(api.securityGet)).recoveryCodesLeft).toBe(8);
  });

  it("I3: another account's code, recovery code or passkey does not help", async () => {
    const ada = await withTotp();
    const bob = await withTotp();
    const bobsKey = await enrolPasskey(await freshlySignedIn(bob), site);
    const { browser } = await firstStep(ada.email);
    expect((await totp(browser, totpCode(bob.secret, clock.now()))).statusCode).toBe(401);
    expect((await recovery(browser, bob.recoveryCodes[1] ?? '')).statusCode).toBe(401);
    const { options } = await browser.call(api.signInPasskeyOptions, { body: { for: 'factor' } });
    const passkey = bobsKey.answer(options);
    expect((await browser.try(api.signInFactor, { body: { type: 'passkey', passkey } })).statusCode).toBe(401);
    expect(browser.cookie).toBeNull();
  });

  it(`I3: a sign-in ends after ${SIGN_IN_ATTEMPTS_MAX} wrong answers and after ${SIGN_IN_MINUTES} minutes`, async () => {
    const { email, secret } = await withTotp();
    const { browser } = await firstStep(email);
    for (let n = 0; n < SIGN_IN_ATTEMPTS_MAX; n++) expect((await totp(browser, '000000')).statusCode).toBe(401);
    const right = totpCode(secret, clock.now());
    expect((await totp(browser, right)).json().code).toBe('gone');
    const slow = await firstStep(email);
    clock.advance({ minutes: SIGN_IN_MINUTES, seconds: 1 });
    expect((await totp(slow.browser, totpCode(secret, clock.now()))).json().code).toBe('gone');
  });

  it('I3: wrong codes are counted per account over all sign-ins and addresses; a recovery code still lets the owner in', async () => {
    const { email, recoveryCodes, secret } = await withTotp();
    const statuses: number[] = [];
    for (let n = 0; n < 12; n++) {
      const { browser } = await firstStep(email);
      browser.address = `198.51.100.${n}`;
      statuses.push((await totp(browser, '000000')).statusCode);
    }
    expect(statuses.slice(0, 10)).toEqual(Array(10).fill(401));
    expect(statuses.slice(10)).toEqual([429, 429]);
    const { browser } = await firstStep(email);
    const limited = await totp(browser, totpCode(secret, clock.now()));
    expect(limited.statusCode).toBe(429);
    expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
    expect((await recovery(browser, recoveryCodes[0] ?? '')).statusCode).toBe(201);
  });

  it('I3: the handle belongs to one browser and one purpose: it is no session, no token, and a session is no handle', async () => {
    const { email, secret, client } = await withTotp();
    const { browser } = await firstStep(email);
    const handle = browser.signInHandle ?? '';
    const asSession = new TestClient(server);
    asSession.cookie = handle;
    expect((await asSession.try(api.whoami)).statusCode).toBe(401);
    const asToken = new TestClient(server);
    asToken.token = handle;
    expect((await asToken.try(api.whoami)).statusCode).toBe(401);
    const sessionAsHandle = new TestClient(server);
    sessionAsHandle.signInHandle = client.cookie;
    const code = totpCode(secret, clock.now());
    expect((await totp(sessionAsHandle, code)).json().code).toBe('gone');
    // Another browser that stole the handle.
    const thief = await server.anonymous.raw({
      method: 'POST',
      url: api.signInFactor.path,
      payload: { type: 'totp', code },
      headers: { cookie: `__Host-berth-sign-in=${handle}`, 'user-agent': 'another browser' },
    });
    expect(thief.json().code).toBe('gone');
    // The handle of the second step is not one of a passkey alone.
    const passkey = new SoftPasskey(site).answer({ challenge: 'AAAA' });
    expect((await browser.try(api.signInPasskey, { body: { passkey } })).json().code).toBe('gone');
    expect((await totp(browser, code)).statusCode).toBe(201);
  });

  it('I3: session fixation: passing the factor makes a new session, and one that was there before ends', async () => {
    const { email, secret, client } = await withTotp();
    const planted = client.cookie;
    expect(planted).not.toBeNull();
    const step = await client.call(api.signIn, { body: { email, password: PASSWORD } });
    expect(step.next).toBe('factor');
    expect(client.cookie, 'nothing changes before the factor').toBe(planted);
    expect((await totp(client, totpCode(secret, clock.now()))).statusCode).toBe(201);
    expect(client.cookie).not.toBe(planted);
    const old = new TestClient(server);
    old.cookie = planted;
    expect((await old.try(api.whoami)).statusCode).toBe(401);
  });

  it('I3: a handle is used up by the session it made', async () => {
    const { email, secret } = await withTotp();
    const { browser } = await firstStep(email);
    const handle = browser.signInHandle;
    expect((await totp(browser, totpCode(secret, clock.now()))).statusCode).toBe(201);
    const again = new TestClient(server);
    again.signInHandle = handle;
    clock.advance({ seconds: 31 });
    expect((await totp(again, totpCode(secret, clock.now()))).json().code).toBe('gone');
  });

  it('I3: an account that is disabled between the steps does not get in', async () => {
    const { email, secret } = await withTotp();
    const { browser } = await firstStep(email);
    await server.app.db.updateTable('app_user').set({ disabled_at: clock.now() }).where('email', '=', email).execute();
    expect((await totp(browser, totpCode(secret, clock.now()))).json().code).toBe('gone');
  });

  it('I3: both steps, and refused ones, are in the audit log', async () => {
    const { email, secret } = await withTotp();
    const { browser } = await firstStep(email);
    await totp(browser, '000000');
    await totp(browser, totpCode(secret, clock.now()));
    await refresh();
    const { items } = await world.owner.call(api.auditList, {
      params: { organization: world.organization },
      query: { limit: 200 },
    });
    const mine = items.filter((each) => each.target === email).map((each) => `${each.action} ${each.result}`);
    expect(mine).toEqual(expect.arrayContaining(['session.begin ok', 'session.factor refused', 'session.create ok']));
  });
});

/** Another browser of a person with an authenticator app, past the second step. */
async function freshlySignedIn(person: { email: string; secret: string }): Promise<TestClient> {
  clock.advance({ seconds: 31 });
  const { browser } = await firstStep(person.email);
  expect((await totp(browser, totpCode(person.secret, clock.now()))).statusCode).toBe(201);
  clock.advance({ seconds: 31 });
  return browser;
}

describe('I3: ways to a session', () => {
  it('I2: signed out by an administrator, disabled or deleted: every session and token ends at once', async () => {
    await refresh();
    const { owner, organization } = world;
    const ways: ((user: string) => Promise<unknown>)[] = [
      (user) => owner.call(api.usersSignOut, { params: { user } }),
      (user) => owner.call(api.usersUpdate, { params: { user }, body: { disabled: true } }),
      (user) => owner.call(api.usersDelete, { params: { user }, body: { handOver: [] } }),
    ];
    for (const [index, end] of ways.entries()) {
      const email = `ended-${index}@example.test`;
      const client = await owner.addMember(organization, 'member', email);
      const clients = [client, await client.again(email), await client.program()];
      for (const each of clients) expect((await each.try(api.whoami)).statusCode).toBe(200);
      await end(client.userId ?? '');
      for (const each of clients) expect((await each.try(api.whoami)).statusCode, `way ${index}`).toBe(401);
      const again = await client.try(api.signIn, { body: { email, password: PASSWORD } });
      expect(again.statusCode).toBe(index === 0 ? 201 : 401);
    }
  });

  it('I3: a forgotten password that is set anew does not go round the second factor; its link works once', async () => {
    const { email, secret, client } = await withTotp();
    await server.anonymous.call(api.passwordForgotten, { body: { email } });
    const { items } = await world.owner.call(api.mailMessagesList, { query: { state: 'queued' } });
    const mail = items.find((each) => each.kind === 'password-reset' && each.recipient === email);
    const { link } = await world.owner.call(api.mailMessagesLink, { params: { message: mail?.id ?? '' } });
    const password = 'another harbour altogether';
    const body = { token: link.split('/').at(-1) ?? '', password };
    const browser = new TestClient(server);
    await browser.call(api.passwordReset, { body });
    expect(browser.cookie, 'it signs nobody in').toBeNull();
    expect((await browser.try(api.passwordReset, { body })).statusCode).not.toBe(200);
    expect((await client.try(api.whoami)).statusCode, 'old sessions end').toBe(401);
    expect((await browser.try(api.signIn, { body: { email, password: PASSWORD } })).statusCode).toBe(401);
    const step = await browser.call(api.signIn, { body: { email, password } });
    expect(step).toMatchObject({ next: 'factor', factors: ['totp', 'recovery'] });
    expect(browser.cookie).toBeNull();
    expect((await totp(browser, totpCode(secret, clock.now()))).statusCode).toBe(201);
  });

  it('I3: sessions are started where accounts are made, and behind the second step: nowhere else', () => {
    const folder = new URL('.', import.meta.url);
    const files = readdirSync(folder).filter(
      (file) =>
        file.endsWith('.ts') &&
        !file.endsWith('test.ts') &&
        /(?<!function )startSession\(/.test(readFileSync(new URL(file, folder), 'utf8')),
    );
    // Set-up; an accepted invitation; a first sign-in by a provider; a registration; both steps of signing in.
    expect(files).toEqual(['identity.ts', 'members.ts', 'outside-sign-in.ts', 'registration.ts', 'sign-in.ts']);
  });
});

describe('I3: passkeys', () => {
  async function withPasskey() {
    await refresh();
    const email = `key-${++counter}@example.test`;
    const client = await world.owner.addMember(world.organization, 'member', email);
    return { email, client, passkey: await enrolPasskey(client, site) };
  }
  async function alone(passkey: SoftPasskey, wrong: Parameters<SoftPasskey['answer']>[1] = {}) {
    const browser = new TestClient(server);
    const { options } = await browser.call(api.signInPasskeyOptions, { body: { for: 'sign-in' } });
    const response = await browser.try(api.signInPasskey, { body: { passkey: passkey.answer(options, wrong) } });
    return { browser, response, options };
  }

  it('I3: a passkey alone signs in, without password and e-mail address', async () => {
    const { email, passkey } = await withPasskey();
    const { browser, response } = await alone(passkey);
    expect(response.statusCode, response.body).toBe(201);
    expect((await browser.call(api.whoami)).user.email).toBe(email);
  });

  it('I3: alone it needs finger, face or PIN; as the second step the device is enough', async () => {
    const { email, passkey } = await withPasskey();
    expect((await alone(passkey, { verified: false })).response.statusCode).toBe(401);
    const { browser } = await firstStep(email);
    const { options } = await browser.call(api.signInPasskeyOptions, { body: { for: 'factor' } });
    const answer = passkey.answer(options, { verified: false });
    const passed = await browser.try(api.signInFactor, { body: { type: 'passkey', passkey: answer } });
    expect(passed.statusCode, passed.body).toBe(201);
  });

  it('I3: another origin, another relying party, another key and a made-up challenge are refused', async () => {
    const { passkey } = await withPasskey();
    const { generateKeyPairSync } = await import('node:crypto');
    const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    for (const wrong of [{ origin: 'https://evil.berth.localhost' }, { rpId: 'evil.example' }, { key }]) {
      expect((await alone(passkey, wrong)).response.statusCode).toBe(401);
    }
    const browser = new TestClient(server);
    await browser.call(api.signInPasskeyOptions, { body: { for: 'sign-in' } });
    const made = passkey.answer({ challenge: Buffer.alloc(32, 7).toString('base64url') });
    expect((await browser.try(api.signInPasskey, { body: { passkey: made } })).statusCode).toBe(401);
    expect((await alone(passkey)).response.statusCode, 'the right one still works').toBe(201);
  });

  it('I3: an answer is good once, and only for the browser and the purpose that its challenge was made for', async () => {
    const { client, passkey } = await withPasskey();
    const { browser, options } = await alone(passkey);
    const again = passkey.answer(options);
    expect((await browser.try(api.signInPasskey, { body: { passkey: again } })).statusCode).not.toBe(201);
    // A confirmation's challenge does not sign anybody in.
    const confirm = await client.call(api.confirmPasskeyOptions);
    const other = new TestClient(server);
    await other.call(api.signInPasskeyOptions, { body: { for: 'sign-in' } });
    const moved = passkey.answer(confirm.options);
    expect((await other.try(api.signInPasskey, { body: { passkey: moved } })).statusCode).toBe(401);
    // And one browser's challenge is of no use in another.
    const third = new TestClient(server);
    const mine = await third.call(api.signInPasskeyOptions, { body: { for: 'sign-in' } });
    const stolen = passkey.answer(mine.options);
    expect((await other.try(api.signInPasskey, { body: { passkey: stolen } })).statusCode).toBe(401);
  });

  it('I3: a counter that goes back means a copy: refused', async () => {
    const { passkey } = await withPasskey();
    passkey.counter = 50;
    expect((await alone(passkey)).response.statusCode).toBe(201);
    passkey.counter = 10;
    expect((await alone(passkey)).response.statusCode).toBe(401);
  });

  it('I3: a removed passkey no longer signs in; somebody else cannot touch it', async () => {
    const { client, passkey } = await withPasskey();
    const [row] = (await client.call(api.securityGet)).passkeys;
    const params = { passkey: row?.id ?? '' };
    expect((await world.owner.try(api.passkeysDelete, { params })).statusCode).toBe(404);
    expect((await world.owner.try(api.passkeysUpdate, { params, body: { name: 'Mine' } })).statusCode).toBe(404);
    await client.call(api.passkeysDelete, { params });
    expect((await alone(passkey)).response.statusCode).toBe(401);
  });
});
