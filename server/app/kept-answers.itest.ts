/** Kept answers never hide a committed change, whoever committed it and in whatever order. */
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { OrganizationId } from '#domain/ids.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { type Db, openDatabase, openPool } from '#server/store/database.ts';
import { emit } from '#server/store/outbox.ts';
import { standpoint } from '#server/store/standpoint.ts';
import type { TestDatabase } from '#testkit/databases.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled } from '#testkit/work.ts';
import { KEPT_BYTES_MAX, KEPT_MS_MAX, KeptAnswers } from './kept-answers.ts';

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
    const stand = await standpoint(server.app.db, organization(), null);
    expect((await standpoint(server.app.db, organization(), stand.now)).changed).toBe(false);
    return stand.now;
  });
  expect((await standpoint(server.app.db, organization(), now)).changed).toBe(true);
});

it('V3: hints of other organizations, sessions and the audit log change nothing', async () => {
  const { now } = await standpoint(other, organization(), null);
  await other
    .transaction()
    .execute((trx) =>
      emit(
        trx,
        { kind: 'instance', ref: 'x', organizationId: 'org_other' },
        { kind: 'session', ref: 'x' },
        { kind: 'audit', ref: 'x', organizationId: organization() },
      ),
    );
  expect((await standpoint(other, organization(), now)).changed).toBe(false);
  await other.transaction().execute((trx) => emit(trx, { kind: 'host', ref: 'x' }));
  expect((await standpoint(other, organization(), now)).changed).toBe(true);
});

it('V3: an answer is kept for a second at most, by its key, and all of them within their bound', async () => {
  const kept = new KeptAnswers();
  let made = 0;
  const ask = (key: string, at: number, size = 1) =>
    kept.answer(server.app.db, key, organization(), at, async () => {
      made++;
      return 'x'.repeat(size);
    });
  await ask('a', 0);
  await ask('a', KEPT_MS_MAX - 1);
  expect(made).toBe(1);
  await ask('a', KEPT_MS_MAX);
  await ask('b', KEPT_MS_MAX);
  expect(made).toBe(3);
  await ask('big', KEPT_MS_MAX, KEPT_BYTES_MAX - 4);
  await ask('b', KEPT_MS_MAX);
  expect(made).toBe(5);
});

it('I4: a person who loses the right does not get a kept answer', async () => {
  expect(await names()).toEqual(['elsewhere']);
  await sql`update membership set role = 'viewer' where organization_id = ${organization()}`.execute(other);
  const [first] = (
    await people.owner.call(api.instancesList, { params: { project: people.project }, query: { limit: 100 } })
  ).items;
  expect(first?.can.archive).toBeTypeOf('string');
  await sql`delete from membership where organization_id = ${organization()}`.execute(other);
  const refused = await people.owner.try(api.instancesList, {
    params: { project: people.project },
    query: { limit: 100 },
  });
  expect(refused.statusCode).toBe(404);
});
