import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { AuditHeader } from '#domain/audit.ts';
import type { OrganizationId } from '#domain/ids.ts';
import { insertContent } from '#server/store/audit.ts';
import { listChains } from '#server/store/audit-chain.ts';
import { transact } from '#server/store/database.ts';
import { buryOld, isHeadDue, keepHead } from '#server/workflows/audit-proof.ts';
import { agedContent, verifyAuditText } from '#testkit/audit.ts';
import type { TestDatabase } from '#testkit/databases.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, type TestClient, type TestServer } from '#testkit/server.ts';

let database: TestDatabase;
let server: TestServer;
let home: SetUp;

beforeAll(async () => {
  database = await withDatabase();
  server = await startTestServer({ database, startWork: idleWork, masterKey: randomBytes(32).toString('base64') });
  home = await server.setUp();
});
afterAll(() => server.stop());

const parts = () => ({
  db: server.app.db,
  secrets: server.app.secrets,
  log: server.app.log,
  now: () => new Date(),
});

/** A tenant with a name of its own, deleted by its owner. */
async function deleted(): Promise<{ organization: OrganizationId; name: string; owner: TestClient }> {
  const { organization, project, owner } = await home.owner.addStranger();
  const { name } = await owner.call(api.organizationsGet, { params: { organization } });
  await owner.call(api.projectsDelete, { params: { project } });
  await owner.call(api.organizationsDelete, { params: { organization } });
  return { organization, name, owner };
}

async function platformEntries(action: string, organization: OrganizationId) {
  return server.app.db
    .selectFrom('audit')
    .selectAll()
    .where('action', '=', action)
    .where('target_id', '=', organization)
    .where('organization_id', 'is', null)
    .execute();
}

const header = (text: string): AuditHeader => JSON.parse(text.split('\n')[0] ?? '');

/** With the walls down, as somebody with every right over the database: the log begins anew with old entries. */
async function makeOld(organization: OrganizationId, days: readonly number[]): Promise<void> {
  const admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
  await admin.query("set session_replication_role = 'replica'");
  for (const [table, column] of [
    ['audit', 'organization_id'],
    ['audit_link', 'chain'],
    ['audit_head', 'chain'],
    ['audit_chain', 'chain'],
  ]) {
    await admin.query(`delete from ${table} where ${column} = $1`, [organization]);
  }
  await admin.end();
  for (const each of days) {
    await transact(server.app.db, (trx) => insertContent(trx, agedContent(organization, each, `old ${each}`)));
  }
}

describe('I6: the log of a deleted organization', () => {
  it('I6: is listed, read, exported and verified by administrators of the installation, and by nobody else', async () => {
    const { organization, name, owner } = await deleted();
    const listed = await home.owner.call(api.platformAuditDeletedList, { query: { search: name } });
    expect(listed.items).toMatchObject([{ organization, name, first: 1, retentionDays: 90 }]);
    const query = { organization };
    const page = await home.owner.call(api.platformAuditList, { query });
    expect(page.items[0]).toMatchObject({ action: 'organizations.delete', target: name, targetId: organization });
    const state = await home.owner.call(api.platformAuditState, { query });
    expect(state).toMatchObject({ chain: organization, problem: null, can: { setRetention: expect.any(String) } });
    const response = await home.owner.try(api.platformAuditExport, { query });
    const report = verifyAuditText(response.body);
    expect(report).toMatchObject({ chain: organization, first: 1, last: listed.items[0]?.entries });
    expect(report.head?.position).toBe(report.last);
    expect(response.body).toContain('"action":"organizations.delete"');
    const member = await home.owner.addMember(home.organization, 'owner');
    for (const client of [owner, member]) {
      expect((await client.try(api.platformAuditList, { query })).statusCode).toBe(404);
      expect((await client.try(api.platformAuditExport, { query })).statusCode).toBe(404);
      expect((await client.try(api.platformAuditState, { query })).statusCode).toBe(404);
      expect((await client.try(api.platformAuditDeletedList)).statusCode).toBe(404);
      expect((await client.try(api.auditList, { params: { organization } })).statusCode).toBe(404);
    }
    expect((await home.owner.try(api.auditExport, { params: { organization } })).statusCode).toBe(404);
  });

  it('I6: the log of a living tenant is not read this way: that needs an entry, announced and with a reason', async () => {
    const { organization } = await home.owner.addStranger();
    for (const route of [api.platformAuditList, api.platformAuditExport, api.platformAuditState]) {
      expect((await home.owner.try(route, { query: { organization } })).statusCode).toBe(404);
    }
    expect((await home.owner.call(api.platformAuditDeletedList)).items.map((log) => log.organization)).not.toContain(
      organization,
    );
  });

  it('I6: nothing is added to it: who reads or exports it stands in the log of the installation', async () => {
    const { organization } = await deleted();
    const before = (await home.owner.call(api.platformAuditState, { query: { organization } })).entries;
    await home.owner.call(api.platformAuditList, { query: { organization } });
    await home.owner.call(api.platformAuditList, { query: { organization } });
    expect((await home.owner.try(api.platformAuditExport, { query: { organization } })).statusCode).toBe(200);
    expect((await home.owner.call(api.platformAuditState, { query: { organization } })).entries).toBe(before);
    expect(await platformEntries('audit.read', organization)).toHaveLength(2);
    expect(await platformEntries('audit.export', organization)).toHaveLength(1);
  });

  it('I6: its end is signed as soon as the audit keeper comes by, not an hour later', async () => {
    const { organization } = await home.owner.addStranger();
    await keepHead(parts(), organization);
    const other = await home.owner.addStranger();
    await keepHead(parts(), other.organization);
    await other.owner.call(api.projectsDelete, { params: { project: other.project } });
    expect(await isHeadDue(parts(), other.organization)).toBe(false);
    await other.owner.call(api.organizationsDelete, { params: { organization: other.organization } });
    expect(await isHeadDue(parts(), other.organization)).toBe(true);
    await keepHead(parts(), other.organization);
    expect(await isHeadDue(parts(), other.organization)).toBe(false);
  });

  it('I6: retention removes it entry by entry, then all of it; the signed tombstone stays, and can be exported for ever', async () => {
    const { organization, name } = await deleted();
    await makeOld(organization, [100, 99, 95, 40, 35]);
    const kept = await keepHead(parts(), organization);
    expect(await listChains(server.app.db)).toContain(organization);
    expect(await buryOld(parts(), organization)).toBe(3);
    const query = { organization };
    const first = (await home.owner.try(api.platformAuditExport, { query })).body;
    expect(verifyAuditText(first, { kept: kept === null ? [] : [kept] })).toMatchObject({ first: 4, removed: 3 });
    expect(await platformEntries('audit.remove', organization)).toMatchObject([{ target: 'entries 1 to 3' }]);
    // Its owner had chosen ninety days; the rest is old enough for a shorter time.
    await server.app.db.insertInto('audit_setting').values({ chain: organization, retention_days: 30 }).execute();
    expect(await buryOld(parts(), organization)).toBe(2);
    expect(await buryOld(parts(), organization)).toBe(0);
    const rest = (await home.owner.try(api.platformAuditExport, { query })).body;
    expect(verifyAuditText(rest)).toMatchObject({ entries: 0, first: 6, removed: 5 });
    expect(header(rest).tombstones).toMatchObject([
      { from: 1, to: 3, retentionDays: 90 },
      { from: 4, to: 5, retentionDays: 30 },
    ]);
    const listed = await home.owner.call(api.platformAuditDeletedList, { query: { search: name } });
    expect(listed.items).toMatchObject([{ entries: 5, first: 6, lastAt: null }]);
    // Nothing grows back: a removal that were recorded in the same log would never end.
    expect((await home.owner.call(api.platformAuditState, { query })).entries).toBe(5);
  });

  it('I6: what an owner chose to keep for ever is kept, and an administrator of the installation cannot shorten it', async () => {
    const { organization } = await deleted();
    await makeOld(organization, [4000, 200]);
    await server.app.db.insertInto('audit_setting').values({ chain: organization, retention_days: null }).execute();
    expect(await buryOld(parts(), organization)).toBe(0);
    const refused = await home.owner.try(api.auditRetention, { params: { organization }, body: { days: 30 } });
    expect(refused.statusCode).toBe(404);
    expect(await buryOld(parts(), organization)).toBe(0);
  });

  it('I6: what is changed in it is found, said in the log of the installation, and never signed or removed', async () => {
    const { organization } = await deleted();
    await makeOld(organization, [100, 99, 98]);
    const admin = new pg.Client({ connectionString: database.adminUrl });
    await admin.connect();
    await admin.query("set session_replication_role = 'replica'");
    await admin.query("update audit set actor = 'eve' where organization_id = $1 and target = 'old 99'", [
      organization,
    ]);
    await admin.end();
    expect(await keepHead(parts(), organization)).toBeNull();
    expect(await buryOld(parts(), organization)).toBe(0);
    expect(await platformEntries('audit.problem', organization)).toMatchObject([
      { result: 'failed', target: 'entry 2' },
    ]);
    const text = (await home.owner.try(api.platformAuditExport, { query: { organization } })).body;
    expect(() => verifyAuditText(text)).toThrow(/was changed/);
  });
});
