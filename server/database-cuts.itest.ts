/** The database goes away and comes back while workflows run: everything that was accepted ends, and rows and engine agree. */
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { OperationId } from '#domain/ids.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import type { TestDatabase } from '#testkit/databases.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { clearAll, disagreements, otherProject, type World } from '#testkit/scenarios.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

/** More than the steps of a create, at random times, so that the bookkeeping between steps is met too. */
const CUTS = 12;

let database: TestDatabase;
let server: TestServer;
let people: SetUp;
let world: World;
const driver = new SimulatedDriver();

beforeAll(async () => {
  database = await withDatabase();
  server = await startTestServer({ database, driver, work: fastWork });
  people = await server.setUp();
  const call: World['call'] = (route, params, body, query) =>
    people.owner.call(route, {
      params,
      ...(body === undefined ? {} : { body }),
      ...(query === undefined ? {} : { query }),
    });
  world = {
    project: people.project,
    other: await otherProject(call, people.organization),
    call,
    settled: (operation) => settled(people.owner, operation, 60_000),
    guests: () => driver.behind.guests(),
    repositories: () => driver.behind.repositories(),
  };
});
afterAll(() => server?.stop());

/** Ends every connection to the database but this one, as a crash of PostgreSQL does. */
async function cut(): Promise<void> {
  const admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  await admin.query(
    'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
  );
  await admin.end();
}

it('A7: all connections cut again and again in the middle of creates: all end well, nothing is left over', async () => {
  driver.faults.delay('*', 30);
  const operations: OperationId[] = [];
  for (let index = 0; index < 6; index++) {
    const { operation } = await people.owner.call(api.instancesCreate, {
      params: { project: people.project },
      body: { kind: 'server', name: `cut-${index}` },
    });
    operations.push(operation.id);
  }
  for (let round = 0; round < CUTS; round++) {
    await sleep(randomInt(20, 200));
    await cut();
  }
  driver.faults.clear();
  // Whoever asks while it is away gets an honest 5xx and asks again.
  await until(async () => (await people.owner.try(api.whoami)).statusCode === 200, 30_000);
  for (const operation of operations) {
    const ended = await settled(people.owner, operation, 90_000);
    const why = () =>
      server.logLines
        .filter((line) => /"level":"(?:warn|error)"/.test(line))
        .slice(-20)
        .join('\n');
    expect(ended, `${JSON.stringify(ended)}\n${why()}`).toMatchObject({ state: 'succeeded' });
  }
  let last: string[] = [];
  await until(async () => {
    last = await disagreements(world);
    return last.length === 0;
  }, 30_000).catch(() => expect(last).toEqual([]));
  await clearAll(world);
});
