import { randomBytes } from 'node:crypto';
import { createLocalJWKSet, jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { UserId } from '#domain/ids.ts';
import { SIGNING_KEY_LEAD_MINUTES, SIGNING_KEY_OVERLAP_HOURS } from '#domain/keys.ts';
import { keyKeeper } from '#server/reconcilers/key-keeper.ts';
import { KeyMissing } from '#server/runtime/secrets.ts';
import { sealedColumns } from '#server/store/sealing-keys.ts';
import { newId } from '#testkit/factories.ts';
import { KillableInstallation } from '#testkit/killable.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClock, type TestServer } from '#testkit/server.ts';
import { totpPlace } from './factor-proofs.ts';

const masterKey = randomBytes(32).toString('base64');
const clock = new TestClock();
let server: TestServer;
let second: TestServer;
let home: SetUp;
let database: Awaited<ReturnType<typeof withDatabase>>;

beforeAll(async () => {
  database = await withDatabase();
  const options = { database, startWork: idleWork, clock, masterKey };
  server = await startTestServer(options);
  second = await startTestServer(options);
  home = await server.setUp();
});
afterAll(async () => {
  await second.stop();
  await server.stop();
});

async function until(what: string, probe: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Somebody with a sealed key of an authenticator app. */
async function addSecret(on: TestServer, secret: string): Promise<UserId> {
  const id = newId('usr');
  const { db, secrets } = on.app;
  await db
    .insertInto('app_user')
    .values({ id, email: `${id}@example.test`, name: 'Pat', password_hash: 'none' })
    .execute();
  await db
    .insertInto('totp')
    .values({ user_id: id, secret_sealed: secrets.seal(totpPlace(id), secret), created_at: new Date() })
    .execute();
  return id;
}

async function readSecrets(on: TestServer): Promise<Map<string, string>> {
  const rows = await on.app.db.selectFrom('totp').select(['user_id', 'secret_sealed']).execute();
  return new Map(rows.map((row) => [row.user_id, on.app.secrets.open(totpPlace(row.user_id), row.secret_sealed)]));
}

/** One round of the reconciler, with the pace of production. */
async function keep(on: TestServer): Promise<string | null> {
  const services = { ...on.app.services, now: () => clock.now().getTime() };
  return keyKeeper(services, on.app.secrets).run(new AbortController().signal);
}

describe('I2: keys that sign', () => {
  it('public keys are 4096-bit RSA with id, use and algorithm, cacheable, and hold no private part', async () => {
    const response = await server.anonymous.try(api.jwks);
    expect(response.headers['cache-control']).toBe('public, max-age=300');
    const { keys } = response.json();
    expect(keys).toHaveLength(1);
    expect(Object.keys(keys[0]).sort()).toEqual(['alg', 'e', 'kid', 'kty', 'n', 'use']);
    expect(keys[0]).toMatchObject({ kty: 'RSA', use: 'sig', alg: 'RS256' });
    expect(Buffer.from(keys[0].n, 'base64url')).toHaveLength(512);
    const row = await server.app.db.selectFrom('signing_key').selectAll().executeTakeFirstOrThrow();
    expect(row.private_sealed).toMatch(/^v1\.[0-9a-f]{8}\./);
    expect(row.private_sealed).not.toContain('PRIVATE');
  });

  it('rotation: published first, signs later, checked for long after; every moment has exactly one that signs', async () => {
    const { signingKeys } = server.app;
    const old = await signingKeys.signer('access');
    const token = await new SignJWT({}).setProtectedHeader({ alg: 'RS256', kid: old.kid }).sign(old.key);
    const check = async (on: TestServer) =>
      jwtVerify(token, createLocalJWKSet({ keys: (await on.anonymous.call(api.jwks)).keys }));
    await home.owner.call(api.keysRotate, { body: {} });
    const signing = async () =>
      (await home.owner.call(api.keysList)).signing.filter((key) => key.purpose === 'access').map((key) => key.state);
    expect(await signing()).toEqual(['waiting', 'signing']);
    expect((await signingKeys.signer('access')).kid).toBe(old.kid);
    await until('the other replica has it', async () => (await second.anonymous.call(api.jwks)).keys.length === 2);
    clock.advance({ minutes: SIGNING_KEY_LEAD_MINUTES });
    home.owner = await home.owner.again('owner@example.test');
    expect(await signing()).toEqual(['signing', 'verifying']);
    const now = await signingKeys.signer('access');
    expect(now.kid).not.toBe(old.kid);
    expect((await second.app.signingKeys.signer('access')).kid).toBe(now.kid);
    await check(server);
    await check(second);
    expect(await signingKeys.checker('access', old.kid)).not.toBeNull();
    clock.advance({ hours: SIGNING_KEY_OVERLAP_HOURS });
    expect(await signingKeys.checker('access', old.kid)).toBeNull();
    await keep(server);
    home.owner = await home.owner.again('owner@example.test');
    expect(await signing()).toEqual(['signing']);
    await expect(check(server)).rejects.toThrow();
  });

  it('a key of one purpose is none of the other', async () => {
    const access = await server.app.signingKeys.signer('access');
    const identity = await server.app.signingKeys.signer('identity');
    expect(access.kid).not.toBe(identity.kid);
    expect(await server.app.signingKeys.checker('access', identity.kid)).toBeNull();
    expect(await server.app.signingKeys.checker('identity', access.kid)).toBeNull();
    expect(await server.app.signingKeys.checker('access', 'no such key')).toBeNull();
  });

  it('two replicas that need the first key at once make one', async () => {
    const fresh = await withDatabase();
    const options = { database: fresh, startWork: idleWork, masterKey };
    const [one, two] = await Promise.all([startTestServer(options), startTestServer(options)]);
    const kids = await Promise.all(
      [one, two].map(async (each) => (await (each as TestServer).app.signingKeys.signer('access')).kid),
    );
    expect(kids[0]).toBe(kids[1]);
    await Promise.all([one, two].map((each) => (each as TestServer).stop()));
  });

  it('a leaked key: at once, what it signed is worth nothing', async () => {
    const old = await server.app.signingKeys.signer('access');
    home.owner = await home.owner.again('owner@example.test');
    await home.owner.call(api.keysRotate, { body: { atOnce: true } });
    await until('forgotten', async () => (await server.app.signingKeys.checker('access', old.kid)) === null);
    await until('there too', async () => (await second.app.signingKeys.checker('access', old.kid)) === null);
    expect((await server.app.signingKeys.signer('access')).kid).not.toBe(old.kid);
  });
});

describe('keys that seal', () => {
  it('every column that holds sealed text is known to the rotation', async () => {
    const { rows } = await import('kysely').then(({ sql }) =>
      sql<{ table: string; column: string }>`select table_name as table, column_name as column
        from information_schema.columns where table_schema = 'public' and column_name like '%\\_sealed'
         and table_name <> 'sealing_key'`.execute(server.app.db),
    );
    const known = sealedColumns.map(({ table, column }) => ({ table, column }));
    const byName = (a: { table: string; column: string }, b: { table: string; column: string }) =>
      `${a.table}.${a.column}`.localeCompare(`${b.table}.${b.column}`);
    expect(known.toSorted(byName)).toEqual(rows.toSorted(byName));
  });

  it('rotation seals everything anew while both replicas go on reading and writing; the old key is forgotten', async () => {
    const made = new Map<string, string>();
    for (let index = 0; index < 250; index++) made.set(await addSecret(server, `secret ${index}`), `secret ${index}`);
    home.owner = await home.owner.again('owner@example.test');
    // What earlier tests announced comes first.
    clock.advance({ minutes: 1 });
    await keep(server);
    const before = server.app.secrets.currentId;
    const { sealing } = await home.owner.call(api.keysRotate, { body: {} });
    const next = sealing.find((key) => key.state === 'next')?.id ?? 'none';
    await until('known to both', () => server.app.secrets.has(next) && second.app.secrets.has(next));
    // Announced, not in force.
    expect(await keep(server)).toBeNull();
    expect(server.app.secrets.currentId).toBe(before);
    clock.advance({ seconds: 11 });
    expect(await keep(server)).toMatch(`key ${next} seals from now on, sealed `);
    await until('in force there', () => second.app.secrets.currentId === next);
    // A replica that was slow wrote with the old key: the next round finds it.
    const late = newId('usr');
    await addSecret(server, 'on time');
    await server.app.db
      .insertInto('app_user')
      .values({ id: late, email: `${late}@example.test`, name: 'Pat', password_hash: 'none' })
      .execute();
    const sealedLate = second.app.secrets.sealWith(before, totpPlace(late), 'late');
    await second.app.db
      .insertInto('totp')
      .values({ user_id: late, secret_sealed: sealedLate, created_at: new Date() })
      .execute();
    for (const replica of [server, second]) {
      const read = await readSecrets(replica);
      for (const [id, secret] of made) expect(read.get(id)).toBe(secret);
      expect(read.get(late)).toBe('late');
    }
    expect(await keep(server)).toContain('sealed 1 secrets anew');
    clock.advance({ hours: 2 });
    expect(await keep(server)).toContain('forgot');
    home.owner = await home.owner.again('owner@example.test');
    const after = (await home.owner.call(api.keysList)).sealing;
    expect(after.map((key) => [key.id, key.state])).toEqual([[next, 'current']]);
    expect(await keep(server)).toBeNull();
    expect((await readSecrets(second)).size).toBe(made.size + 2);
  });

  it('a second rotation while one is under way changes nothing about the sealing key', async () => {
    const first = await home.owner.call(api.keysRotate, { body: {} });
    const again = await home.owner.call(api.keysRotate, { body: {} });
    const next = (keys: typeof first) => keys.sealing.filter((key) => key.state === 'next').map((key) => key.id);
    expect(next(again)).toEqual(next(first));
  });

  it('D4: no start with another master key, in words; a new one in front of the old one is taken up', async () => {
    const other = randomBytes(32).toString('base64');
    const start = (key: string) => startTestServer({ database, startWork: idleWork, clock, masterKey: key });
    await expect(start(other)).rejects.toThrow(KeyMissing);
    await expect(start(other)).rejects.toThrow('Put the right master.key back');
    const both = await start(`${other}\n${masterKey}\n`);
    expect((await readSecrets(both)).size).toBeGreaterThan(250);
    await both.stop();
    // From now on the new one is enough; the old one is not.
    const alone = await start(other);
    expect((await readSecrets(alone)).size).toBeGreaterThan(250);
    await alone.stop();
    await expect(start(masterKey)).rejects.toThrow(KeyMissing);
    const back = await start(`${masterKey}\n${other}`);
    await back.stop();
  });

  it('only administrators of the installation who have just confirmed may rotate; it is audited without any key', async () => {
    const member = await home.owner.addMember(home.organization, 'owner');
    expect((await member.try(api.keysList)).statusCode).toBe(404);
    expect((await member.try(api.keysRotate, { body: {} })).statusCode).toBe(404);
    clock.advance({ hours: 1 });
    expect((await home.owner.try(api.keysRotate, { body: {} })).json().code).toBe('step_up_required');
    const rows = await server.app.db
      .selectFrom('audit')
      .select(['actor', 'after'])
      .where('action', '=', 'platform.keys.rotate')
      .execute();
    expect(rows.length).toBeGreaterThanOrEqual(4);
    expect(JSON.stringify(rows)).not.toContain('v1.');
  });
});

it('R1: kill -9 in the middle of rotations: everything stays readable and comes under one key', {
  timeout: 180_000,
}, async () => {
  const fresh = await withDatabase();
  const installation = new KillableInstallation(fresh.url);
  try {
    let running = await installation.start();
    await installation.setUp(running);
    await running.kill();
    const look = () => startTestServer({ database: fresh, startWork: idleWork, masterKey: installation.masterKey });
    const writer = await look();
    for (let index = 0; index < 600; index++) await addSecret(writer, `secret ${index}`);
    await writer.stop();
    for (const ms of [320, 420, 600]) {
      running = await installation.start();
      await running.call(api.keysRotate, {}, { atOnce: false });
      await new Promise((resolve) => setTimeout(resolve, ms));
      await running.kill();
      const reader = await look();
      const values = [...(await readSecrets(reader)).values()];
      expect(new Set(values).size).toBe(600);
      await reader.app.signingKeys.signer('access');
      await reader.stop();
    }
    running = await installation.start();
    await until('all under one key', async () => {
      const { sealing } = await running.call(api.keysList);
      return sealing.length === 1 && (sealing[0]?.secrets ?? 0) > 600;
    });
    await running.kill();
  } finally {
    installation.remove();
  }
});
