import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { OrganizationId } from '#domain/ids.ts';
import { type Db, openDatabase, openPool } from '#server/store/database.ts';
import { KillableInstallation, type KillableServer } from '#testkit/killable.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { TestSmtp } from '#testkit/smtp.ts';
import { until } from '#testkit/work.ts';

const MAILS = 60;
const database = await withDatabase();
const installation = new KillableInstallation(database.url);
const smtp = new TestSmtp();
const pool = openPool(database.url);
const db: Db = openDatabase(pool);
let one: KillableServer;
let two: KillableServer;
let organization: OrganizationId;

beforeAll(async () => {
  await smtp.start();
  one = await installation.start();
  await installation.setUp(one);
  two = await installation.start({}, 'two');
  const row = await db.selectFrom('organization').select('id').executeTakeFirstOrThrow();
  organization = row.id;
  await one.call(
    api.mailSettingsUpdate,
    {},
    { host: '127.0.0.1', port: smtp.port, security: 'plain', fromAddress: 'berth@example.test', fromName: 'Berth' },
  );
});
afterAll(async () => {
  await Promise.all([one.kill(), two.kill()]);
  await smtp.stop();
  await pool.end();
  installation.remove();
});

const invite = (on: KillableServer, email: string) =>
  on.call(api.invitationsCreate, { organization }, { email, role: 'viewer' });
const taken = async () => (await smtp.taken()).flatMap((each) => each.to);

describe('I1: mail with two replicas', () => {
  it(`both send what anybody queued, each of ${MAILS} mails once`, async () => {
    const people = Array.from({ length: MAILS }, (_, n) => `crowd-${n}@example.test`);
    await Promise.all(people.map((email, n) => invite(n % 2 === 0 ? one : two, email)));
    await until(async () => (await one.call(api.mailSettingsGet)).counts.queued === 0, 60_000);
    expect((await taken()).sort()).toEqual([...people].sort());
  });

  it('one is killed with a mail in its hands: nobody takes it while the claim lasts, then the other sends it', async () => {
    await smtp.kill();
    await smtp.start({ slowMs: 60_000 });
    await two.kill();
    await invite(one, 'orphan@example.test');
    const claimed = () =>
      db
        .selectFrom('mail')
        .select(['claimed_until', 'attempts'])
        .where('recipient', '=', 'orphan@example.test')
        .executeTakeFirstOrThrow();
    await until(async () => (await claimed()).claimed_until !== null);
    await one.kill();
    await smtp.kill();
    await smtp.start();
    two = await installation.start({}, 'two');
    await invite(two, 'another@example.test');
    await smtp.awaitMail('another@example.test');
    expect((await claimed()).attempts).toBe(1);
    expect(await smtp.taken('orphan@example.test')).toEqual([]);
    // The minute passes.
    await sql`update mail set claimed_until = now() - interval '1 second' where recipient = 'orphan@example.test'`.execute(
      db,
    );
    await smtp.awaitMail('orphan@example.test');
    await until(async () => (await two.call(api.mailSettingsGet)).counts.queued === 0);
    expect(await smtp.taken('orphan@example.test')).toHaveLength(1);
    expect((await claimed()).attempts).toBe(2);
  });
});
