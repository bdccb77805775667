import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { asAdmin } from '#host/postgres.ts';
import { transact } from '#server/store/database.ts';
import { emit } from '#server/store/outbox.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let home: SetUp;
let database: Awaited<ReturnType<typeof withDatabase>>;

beforeAll(async () => {
  database = await withDatabase();
  server = await startTestServer({ database, startWork: idleWork });
  home = await server.setUp();
});
afterAll(() => server.stop());

async function until(what: string, probe: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!(await probe())) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const cutAll = () =>
  asAdmin(database.socketDir, 'postgres', (client) =>
    client
      .query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [database.name])
      .then(() => {}),
  );

describe('R1: the database goes away and comes back', () => {
  it('every connection cut, ten times under load: answers are right or 503, never 500, and everything goes on', {
    timeout: 90_000,
  }, async () => {
    const statuses: number[] = [];
    let running = true;
    const callers = Array.from({ length: 4 }, async () => {
      while (running) {
        statuses.push((await home.owner.try(api.whoami)).statusCode);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    });
    for (let i = 0; i < 10; i++) {
      await cutAll();
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    running = false;
    await Promise.all(callers);
    expect(statuses.filter((status) => status !== 200 && status !== 503)).toEqual([]);
    expect(statuses.length).toBeGreaterThan(20);
    await until('answers again', async () => (await home.owner.try(api.whoami)).statusCode === 200);
  });

  it('the feed of hints goes on where it was', async () => {
    const seen: string[] = [];
    const end = server.app.feed.subscribe((rows) => seen.push(...(rows ?? []).map((row) => row.ref)));
    await cutAll();
    await until('written', async () =>
      transact(server.app.db, (trx) => emit(trx, { kind: 'host', ref: 'after-the-cut' })).then(
        () => true,
        () => false,
      ),
    );
    await until('seen', async () => seen.includes('after-the-cut'));
    end();
  });

  it('a cut does not sign anybody out and does not count as a wrong password', async () => {
    const person = new TestClient(server);
    await cutAll();
    await until('signed in', async () => {
      const response = await person.try(api.signIn, {
        body: { email: 'owner@example.test', password: 'four plain words here' },
      });
      expect([201, 503]).toContain(response.statusCode);
      return response.statusCode === 201;
    });
    expect((await home.owner.try(api.whoami)).statusCode).toBe(200);
  });
});
