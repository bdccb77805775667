/** Kept answers never hide a committed change, whoever committed it and in whatever order. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { OrganizationId } from '#domain/ids.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { type Db, openDatabase, openPool } from '#server/store/database.ts';
import { emit } from '#server/store/outbox.ts';
import { changesSince, standpoint } from '#server/store/standpoint.ts';
import type { TestDatabase } from '#testkit/databases.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled } from '#testkit/work.ts';
import { BELIEVED_MS_MAX, Changes } from './changes.ts';
import { KEPT_BYTES_MAX, KeptAnswers } from './kept-answers.ts';
import { KeptRights } from './kept-rights.ts';

let database: TestDatabase;
let server: TestServer;
let people: SetUp;
let other: Db;
beforeAll(async () => {
  database = await withDatabase();
  server = await startTestServer({ database, driver: new SimulatedDriver(), work: fastWork });
  people = await server.setUp();
  other = openDatabase(openPool(database.url, { max: 2 }));
});
afterAll(async () => {
  await other?.destroy();
  await server?.stop();
});

const names = async () => {
  const { items } = await people.owner.call(api.instancesList, {
    params: { project: people.project },
    query: { limit: 100 },
  });
  return items.map((item) => item.name);
};
const organization = () => people.organization as OrganizationId;

it('V3: what was just made, renamed and described is in the next list, asked for at once', async () => {
  const { operation, instance } = await people.owner.call(api.instancesCreate, {
    params: { project: people.project },
    body: { kind: 'server', name: 'kept' },
  });
  expect(await names()).toEqual(['kept']);
  await settled(people.owner, operation.id);
  const id = instance?.id ?? '';
  for (let index = 0; index < 20; index++) {
    await people.owner.call(api.instancesUpdate, {
      params: { instance: id },
      body: { description: `the ${index}th` },
    });
    const { items } = await people.owner.call(api.instancesList, {
      params: { project: people.project },
      query: { limit: 100 },
    });
    expect(items[0]?.description).toBe(`the ${index}th`);
  }
});

it('V3: a change of another replica is seen as soon as it is committed, not before', async () => {
  await names();
  await other.transaction().execute(async (trx) => {
    await trx.updateTable('instance').set({ name: 'elsewhere' }).where('name', '=', 'kept').execute();
    await emit(trx, { kind: 'instance', ref: 'x', organizationId: organization(), projectId: people.project });
    expect(await names()).toEqual(['kept']);
  });
  expect(await names()).toEqual(['elsewhere']);
});

it('V3: a transaction that began before the answer was made and commits after it is news, whatever its numbers', async () => {
  const now = await other.transaction().execute(async (trx) => {
    await emit(trx, { kind: 'instance', ref: 'early', organizationId: organization() });
    // Made while the transaction above is open; a later one commits before.
    await server.app.db.transaction().execute((later) => emit(later, { kind: 'instance', ref: 'late' }));
    const stand = await standpoint(server.app.db);
    expect(await changesSince(server.app.db, stand)).toMatchObject({ organizations: [], rights: false });
    return stand;
  });
  expect(await changesSince(server.app.db, now)).toMatchObject({ organizations: [organization()], rights: true });
});

it('V3: hints of other organizations, sessions and the audit log change nothing that is shown', async () => {
  const changes = new Changes(other, () => 0);
  await changes.look();
  const before = { version: changes.version(organization()), rights: changes.rights };
  const hints = async (...written: Parameters<typeof emit>[1][]) => {
    await other.transaction().execute((trx) => emit(trx, ...(written as [Parameters<typeof emit>[1]])));
    await changes.look();
  };
  await hints({ kind: 'audit', ref: 'x', organizationId: organization() });
  expect(changes.version(organization())).toBe(before.version);
  expect(changes.rights).toBe(before.rights);
  await hints({ kind: 'instance', ref: 'x', organizationId: 'org_other' }, { kind: 'session', ref: 'x' });
  expect(changes.version(organization())).toBe(before.version);
  expect(changes.rights).toBeGreaterThan(before.rights);
  await hints({ kind: 'host', ref: 'x' });
  expect(changes.version(organization())).not.toBe(before.version);
});

it('V3: looks for changes at once share one query, and whoever comes while it runs gets the next', async () => {
  let queries = 0;
  const pool = openPool(database.url, { max: 4 });
  pool.on('acquire', () => queries++);
  const counted = openDatabase(pool);
  const changes = new Changes(counted, () => 0);
  await changes.look();
  expect(queries).toBe(1);
  const first = Array.from({ length: 50 }, () => changes.look());
  await Promise.resolve();
  // The look of the first fifty may have begun: what is committed now is only certain to be seen by another one.
  const second = Array.from({ length: 50 }, () => changes.look());
  await Promise.all([...first, ...second]);
  expect(queries).toBe(3);
  await counted.destroy();
});

it('V3: a look that fails is told to everybody who waits for it: nothing is taken for unchanged', async () => {
  const pool = openPool(database.url, { max: 1 });
  const changes = new Changes(openDatabase(pool), () => 0);
  await changes.look();
  const before = changes.rights;
  await other.transaction().execute((trx) => emit(trx, { kind: 'host', ref: 'x' }));
  const lost = await pool.connect();
  // The only connection is lost while the look waits for it: it takes another.
  const waiting = changes.look();
  lost.release(new Error('lost'));
  await waiting;
  expect(changes.rights).toBeGreaterThan(before);
  await pool.end();
  await expect(changes.look()).rejects.toThrow();
  await expect(changes.look()).rejects.toThrow();
});

it('V3: an answer is kept for a second at most, by its key, and all of them within their bound', async () => {
  const kept = new KeptAnswers(new Changes(other, () => 0));
  let made = 0;
  const ask = (key: string, at: number, size = 1) =>
    kept.answer(key, organization(), at, async () => {
      made++;
      return 'x'.repeat(size);
    });
  await ask('a', 0);
  await ask('a', BELIEVED_MS_MAX - 1);
  expect(made).toBe(1);
  await ask('a', BELIEVED_MS_MAX);
  await ask('b', BELIEVED_MS_MAX);
  expect(made).toBe(3);
  await ask('big', BELIEVED_MS_MAX, KEPT_BYTES_MAX - 4);
  await ask('b', BELIEVED_MS_MAX);
  expect(made).toBe(5);
});

it('I2: who somebody is and what they may is kept while nothing changes, and for a second at most', async () => {
  let now = 0;
  const changes = new Changes(other, () => now);
  const kept = new KeptRights(changes, () => now);
  let asked = 0;
  const ask = () => kept.recall('who', async () => ({ asked: ++asked }));
  await changes.look();
  await ask();
  await changes.look();
  expect(await ask()).toEqual({ asked: 1 });
  await other.transaction().execute((trx) => emit(trx, { kind: 'session', ref: 'x' }));
  await changes.look();
  expect(await ask()).toEqual({ asked: 2 });
  now = BELIEVED_MS_MAX;
  expect(await ask()).toEqual({ asked: 3 });
  // What was asked for while something changed may be old: the next one asks again.
  await kept.recall('slow', async () => {
    await other.transaction().execute((trx) => emit(trx, { kind: 'session', ref: 'x' }));
    await changes.look();
    return { asked: ++asked };
  });
  expect(await kept.recall('slow', async () => ({ asked: ++asked }))).toEqual({ asked: 5 });
});

it('I4: a person who loses the right does not get a kept answer', async () => {
  expect(await names()).toEqual(['elsewhere']);
  const hint = { kind: 'member', ref: 'x', organizationId: organization() } as const;
  await other.transaction().execute(async (trx) => {
    await sql`update membership set role = 'viewer' where organization_id = ${organization()}`.execute(trx);
    await emit(trx, hint);
  });
  const [first] = (
    await people.owner.call(api.instancesList, { params: { project: people.project }, query: { limit: 100 } })
  ).items;
  expect(first?.can.archive).toBeTypeOf('string');
  await other.transaction().execute(async (trx) => {
    await sql`delete from membership where organization_id = ${organization()}`.execute(trx);
    await emit(trx, hint);
  });
  const refused = await people.owner.try(api.instancesList, {
    params: { project: people.project },
    query: { limit: 100 },
  });
  expect(refused.statusCode).toBe(404);
});
