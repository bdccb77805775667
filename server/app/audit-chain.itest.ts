import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { AUDIT_RETENTION_DAYS_DEFAULT } from '#domain/audit.ts';
import type { OrganizationId } from '#domain/ids.ts';
import { insertContent, record } from '#server/store/audit.ts';
import { asSystem } from '#server/store/authorized.ts';
import { openDatabase, openPool, transact } from '#server/store/database.ts';
import { buryOld, checkChain, isHeadDue, keepHead } from '#server/workflows/audit-proof.ts';
import { agedContent, exportAuditText, verifyAuditText } from '#testkit/audit.ts';
import type { TestDatabase } from '#testkit/databases.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, type TestServer } from '#testkit/server.ts';

let database: TestDatabase;
let server: TestServer;
let home: SetUp;
let admin: pg.Client;

beforeAll(async () => {
  database = await withDatabase();
  server = await startTestServer({ database, startWork: idleWork });
  home = await server.setUp();
  admin = new pg.Client({ connectionString: database.adminUrl });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await server.stop();
});

const parts = () => ({
  db: server.app.db,
  secrets: server.app.secrets,
  log: server.app.log,
  now: () => new Date(),
});
const change = (db = server.app.db, target = 'a thing', organizationId: OrganizationId | null = home.organization) =>
  transact(db, (trx) =>
    record(trx, asSystem('a test'), { action: 'test.change', targetKind: 'test', target, organizationId }),
  );

/** As somebody with every right over the database: the walls are down, and up again afterwards. */
async function tamper(statement: string, values: unknown[]): Promise<void> {
  await admin.query("set session_replication_role = 'replica'");
  await admin.query(statement, values);
  await admin.query("set session_replication_role = 'origin'");
}

async function aged(organization: OrganizationId, days: number, target: string): Promise<void> {
  await transact(server.app.db, (trx) => insertContent(trx, agedContent(organization, days, target)));
}

describe('I6: the chain', () => {
  it('an export verifies, of an organization and of the installation, whole and in part', async () => {
    await change();
    const text = await exportAuditText(home.owner, home.organization);
    const report = verifyAuditText(text);
    expect(report.chain).toBe(home.organization);
    expect(report.entries).toBeGreaterThan(1);
    expect(report.head?.position).toBe(report.last);
    expect(text.trim().split('\n').at(-1)).toContain('"action":"audit.export"');
    const middle = JSON.parse(text.split('\n')[2] ?? '').entry.at as string;
    const later = verifyAuditText(await exportAuditText(home.owner, home.organization, { since: middle }));
    expect(later.first).toBeGreaterThan(1);
    const earlier = verifyAuditText(await exportAuditText(home.owner, home.organization, { until: middle }));
    expect(earlier.last).toBeLessThan(report.last);
    expect(earlier.head?.position).toBe(earlier.last);
    await server.anonymous.try(api.signIn, { body: { email: 'ghost@example.test', password: 'wrong' } });
    const platform = await exportAuditText(home.owner, null);
    expect(verifyAuditText(platform).chain).toBe('platform');
    expect(platform).toContain('ghost@example.test');
  });

  it('keeps what the database gives back differently spelled: numbers, times, odd text', async () => {
    await transact(server.app.db, (trx) =>
      record(trx, asSystem('odd \ud800 name'), {
        action: 'test.odd',
        targetKind: 'test',
        target: 'nul \u0000 and \ud83d\ude00',
        organizationId: home.organization,
        before: {
          z: 1.0,
          a: 1e21,
          tiny: 1e-7,
          big: 2 ** 60,
          minus: -0,
          at: new Date(0),
          list: [undefined, Number.NaN],
        },
        after: { text: 'ąč \u2028 "quoted" \\ \u007f', password: 'canary', nested: { token: { deep: 'canary' } } },
      }),
    );
    const text = await exportAuditText(home.owner, home.organization);
    verifyAuditText(text);
    expect(text).not.toContain('canary');
  });

  it('what is rolled back leaves no gap; two organizations in one transaction link into both', async () => {
    await expect(
      transact(server.app.db, async (trx) => {
        await record(trx, asSystem('a test'), {
          action: 'test.x',
          targetKind: 'test',
          target: 'x',
          organizationId: home.organization,
        });
        throw new Error('rolled back');
      }),
    ).rejects.toThrow('rolled back');
    const both = (first: OrganizationId | null, second: OrganizationId | null) =>
      transact(server.app.db, async (trx) => {
        for (const organizationId of [first, second])
          await record(trx, asSystem('a test'), {
            action: 'test.both',
            targetKind: 'test',
            target: 'x',
            organizationId,
          });
      });
    // Crossing orders: the database ends one of two that wait for each other, and `transact` repeats it.
    await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        n % 2 === 0 ? both(home.organization, null) : both(null, home.organization),
      ),
    );
    verifyAuditText(await exportAuditText(home.owner, home.organization));
    verifyAuditText(await exportAuditText(home.owner, null));
  });

  it('50 writers in two replicas: no gap, no fork, nothing twice', { timeout: 120_000 }, async () => {
    const other = await startTestServer({ database, startWork: idleWork });
    const before = verifyAuditText(await exportAuditText(home.owner, home.organization)).last;
    await Promise.all(
      Array.from({ length: 50 }, async (_, writer) => {
        const db = (writer % 2 === 0 ? server : other).app.db;
        for (let n = 0; n < 8; n++) await change(db, `writer ${writer} change ${n}`);
      }),
    );
    const text = await exportAuditText(home.owner, home.organization);
    const report = verifyAuditText(text);
    // The 400 changes and the export itself.
    expect(report.last - before).toBe(401);
    const targets = [...text.matchAll(/"target":"(writer \d+ change \d+)"/g)].map((match) => match[1]);
    expect(new Set(targets).size).toBe(400);
    expect(targets).toHaveLength(400);
    await other.stop();
  });

  it('changes of one organization wait for each other only while they commit', async () => {
    let release: () => void = () => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const slow = transact(server.app.db, async (trx) => {
      await record(trx, asSystem('a test'), {
        action: 'test.slow',
        targetKind: 'test',
        target: 'slow',
        organizationId: home.organization,
      });
      await held;
    });
    await sleep(50);
    await change(server.app.db, 'not held up');
    release();
    await slow;
    const { rows } = await sql<{ target: string }>`select a.target from audit a join audit_link l on l.seq = a.seq
      where a.target in ('slow', 'not held up') order by l.position`.execute(server.app.db);
    expect(rows.map((row) => row.target)).toEqual(['not held up', 'slow']);
  });
});

describe('I6: signed heads', () => {
  it('are due an hour after the last when anything is new, and not before', async () => {
    await change();
    const head = await keepHead(parts(), home.organization);
    expect(head).not.toBeNull();
    const inMinutes = (minutes: number) => ({ ...parts(), now: () => new Date(Date.now() + minutes * 60_000) });
    expect(await isHeadDue(inMinutes(120), home.organization)).toBe(false);
    await change();
    expect(await isHeadDue(inMinutes(59), home.organization)).toBe(false);
    expect(await isHeadDue(inMinutes(61), home.organization)).toBe(true);
    expect(await keepHead(parts(), home.organization)).toMatchObject({ position: (head?.position ?? 0) + 1 });
  });
});

describe('I6: nobody changes it', () => {
  it('the role of the server cannot change or remove entries, links, heads or tombstones, nor take the tables back', async () => {
    const client = new pg.Client({ connectionString: database.url });
    await client.connect();
    const refused = [
      "update audit set actor = 'eve'",
      'delete from audit',
      'truncate audit',
      'drop table audit cascade',
      'alter table audit disable trigger all',
      'alter table audit owner to berth_server',
      'drop trigger audit_append on audit',
      "set session_replication_role = 'replica'",
      'set role berth_audit',
      'grant berth_audit to berth_server',
      "grant update on audit to berth_server; update audit set actor = 'eve'",
      'update audit_link set position = position + 1',
      'delete from audit_link',
      "insert into audit_link (chain, position, seq, link) values ('x', 1, 1, '\\x00')",
      "update audit_chain set position = 0, link = '\\x00'",
      'delete from audit_chain',
      'update audit_head set position = 1',
      'delete from audit_head',
      'delete from audit_tombstone',
      "insert into audit_tombstone (chain, to_position, statement) values ('x', 1, '{}')",
      'create or replace function audit_link_of(text, bigint, bytea, bytea) returns bytea language sql as $$ select null::bytea $$',
      'drop function audit_append() cascade',
      'drop schema public cascade',
      'select berth_hand_over_audit()',
    ];
    for (const statement of refused) {
      await client.query('begin');
      await client.query("select set_config('berth.audit_remove', 'on', true)");
      await expect(client.query(statement), statement).rejects.toThrow(
        /permission denied|must be owner|must be able to SET ROLE|handed over before|already exists|no privileges|ADMIN option/,
      );
      await client.query('rollback');
    }
    expect((await client.query('select count(*)::int as n from audit')).rows[0].n).toBeGreaterThan(400);
    await client.end();
    const edge = new pg.Client({ connectionString: database.edgeUrl });
    await edge.connect();
    await expect(edge.query('select * from audit_link')).rejects.toThrow(/permission denied/);
    await expect(edge.query("select audit_remove('x', 1, '{}')")).rejects.toThrow(/permission denied|read-only/);
    await edge.end();
  });

  it('a database with a single role refuses too, and links all the same', async () => {
    const single = await withDatabase({ empty: true });
    const { migrate } = await import('#server/store/migrate.ts');
    await migrate(single.url);
    const pool = openPool(single.url);
    const db = openDatabase(pool);
    await change(db, 'alone', null);
    for (const statement of [
      "update audit set actor = 'eve'",
      'delete from audit',
      'truncate audit',
      'delete from audit_link',
    ]) {
      await expect(pool.query(statement), statement).rejects.toThrow('only ever added to');
    }
    expect((await pool.query('select position from audit_link')).rows).toEqual([{ position: 1 }]);
    await pool.end();
  });

  it('retention cannot be used to remove what is young, what is in the middle, or with another story', async () => {
    const remove = (chain: string, to: number, tombstone: object) =>
      sql`select audit_remove(${chain}, ${to}, ${JSON.stringify(tombstone)}::jsonb)`.execute(server.app.db);
    await expect(remove(home.organization, 3, { chain: home.organization, from: 1, to: 3 })).rejects.toThrow(
      'younger than 30 days',
    );
    const { organization } = await home.owner.addStranger();
    await tamper('delete from audit where organization_id = $1', [organization]);
    await tamper('delete from audit_link where chain = $1', [organization]);
    await tamper('delete from audit_chain where chain = $1', [organization]);
    for (const n of [1, 2, 3]) await aged(organization, 200 - n, `old ${n}`);
    for (const story of [
      { chain: organization, from: 2, to: 3 },
      { chain: organization, from: 1, to: 3, link: '00' },
      { chain: 'platform', from: 1, to: 3 },
    ]) {
      await expect(remove(organization, 3, story)).rejects.toThrow('does not tell of these entries');
    }
  });

  it('what somebody with every right over the database changes is found, said once, and not signed', async () => {
    const { organization, owner } = await home.owner.addStranger();
    for (let n = 0; n < 5; n++) await change(server.app.db, `thing ${n}`, organization);
    const head = await keepHead(parts(), organization);
    expect(head?.position).toBeGreaterThan(5);
    await change(server.app.db, 'after the head', organization);
    await tamper("update audit set actor = 'eve' where organization_id = $1 and target = 'after the head'", [
      organization,
    ]);
    expect(await keepHead(parts(), organization)).toBeNull();
    const state = await owner.call(api.auditState, { params: { organization } });
    expect(state.problem?.position).toBe((head?.position ?? 0) + 1);
    expect(state.head?.position).toBe(head?.position);
    await checkChain(parts(), organization);
    const told = await owner.call(api.auditList, { params: { organization }, query: { action: 'audit.problem' } });
    expect(told.items).toHaveLength(1);
    const text = await exportAuditText(owner, organization);
    expect(() => verifyAuditText(text)).toThrow(/was changed/);
    // Put right again, as from a backup: the chain goes on and is signed again.
    await tamper("update audit set actor = 'a test' where organization_id = $1 and target = 'after the head'", [
      organization,
    ]);
    expect((await keepHead(parts(), organization))?.position).toBeGreaterThan(head?.position ?? 0);
    verifyAuditText(await exportAuditText(owner, organization));
    // Long ago, before the newest head: the daily look at everything finds it.
    await tamper("update audit set actor = 'eve' where organization_id = $1 and target = 'thing 2'", [organization]);
    expect((await checkChain(parts(), organization)).problem).toBeNull();
    expect((await checkChain(parts(), organization, true)).problem?.message).toContain('changed after');
  });
});

describe('I6: retention', () => {
  it('removes what is older than the organization keeps, leaves a signed tombstone, and the rest verifies', async () => {
    const { organization, owner } = await home.owner.addStranger();
    // The chain begins anew, so that old entries come first, as they do in life.
    for (const table of ['audit', 'audit_link', 'audit_chain']) {
      await tamper(`delete from ${table} where ${table === 'audit' ? 'organization_id' : 'chain'} = $1`, [
        organization,
      ]);
    }
    for (let n = 0; n < 6; n++) await aged(organization, 100 - n, `old ${n}`);
    for (let n = 0; n < 3; n++) await aged(organization, 50 - n, `younger ${n}`);
    const before = verifyAuditText(await exportAuditText(owner, organization));
    expect((await owner.call(api.auditState, { params: { organization } })).retentionDays).toBe(
      AUDIT_RETENTION_DAYS_DEFAULT,
    );
    expect(await buryOld(parts(), organization)).toBe(6);
    const text = await exportAuditText(owner, organization);
    const report = verifyAuditText(text, { kept: before.head === null ? [] : [before.head] });
    expect(report).toMatchObject({ first: 7, removed: 6 });
    expect(JSON.parse(text.split('\n')[0] ?? '').tombstones).toMatchObject([
      { from: 1, to: 6, count: 6, retentionDays: 90 },
    ]);
    expect(text).not.toContain('"old 3"');
    expect(text).toContain('"action":"audit.remove"');
    const changed = await owner.call(api.auditRetention, { params: { organization }, body: { days: 40 } });
    expect(changed.retentionDays).toBe(40);
    expect(await buryOld(parts(), organization)).toBe(3);
    expect(verifyAuditText(await exportAuditText(owner, organization))).toMatchObject({ first: 10, removed: 9 });
    await owner.call(api.auditRetention, { params: { organization }, body: { days: null } });
    expect(await buryOld(parts(), organization)).toBe(0);
    const audited = await owner.call(api.auditList, { params: { organization }, query: { action: 'audit.retention' } });
    expect(audited.items[0]).toMatchObject({ before: { days: 40 }, after: { days: null } });
    for (const days of [0, 29, 5000, 1.5]) {
      expect((await owner.try(api.auditRetention, { params: { organization }, body: { days } })).statusCode).toBe(400);
    }
    const administrator = await owner.addMember(organization, 'admin');
    const refused = await administrator.try(api.auditRetention, { params: { organization }, body: { days: 90 } });
    expect(refused.statusCode).toBe(404);
  });
});

describe('I6: reading it', () => {
  it('is recorded: of a member once an hour, of an administrator of the installation every time; exports always', async () => {
    const { organization, owner } = await home.owner.addStranger();
    const reads = async (action: string, scope: OrganizationId | null = organization) =>
      (
        await server.app.db
          .selectFrom('audit')
          .select('actor')
          .where('action', '=', action)
          .where('organization_id', scope === null ? 'is' : '=', scope)
          .execute()
      ).length;
    for (let n = 0; n < 3; n++) await owner.call(api.auditList, { params: { organization }, query: { q: 'x' } });
    expect(await reads('audit.read')).toBe(1);
    const second = await owner.addMember(organization, 'operator');
    await second.call(api.auditList, { params: { organization } });
    expect(await reads('audit.read')).toBe(2);
    await exportAuditText(owner, organization);
    await exportAuditText(owner, organization);
    expect(await reads('audit.export')).toBe(2);
    const platform = await reads('audit.read', null);
    for (let n = 0; n < 3; n++) await home.owner.call(api.platformAuditList);
    expect(await reads('audit.read', null)).toBe(platform + 3);
    expect((await owner.try(api.platformAuditList)).statusCode).toBe(404);
    expect((await owner.try(api.platformAuditExport)).statusCode).toBe(404);
    expect((await new TestClient(server).try(api.auditExport, { params: { organization } })).statusCode).toBe(401);
  });

  it('finds words anywhere in an entry, parts of names, and filters by result and time', async () => {
    const { organization, owner } = await home.owner.addStranger();
    const params = { organization };
    const at = new Date().toISOString();
    await transact(server.app.db, (trx) =>
      record(trx, asSystem('a test'), {
        action: 'instances.rename',
        targetKind: 'instance',
        target: 'blue-harbour.example',
        result: 'failed',
        organizationId: organization,
        before: { name: 'Old Lighthouse' },
        after: { name: 'blue', cpus: 4711 },
      }),
    );
    const found = async (query: Record<string, string>) =>
      (await owner.call(api.auditList, { params, query })).items.filter((item) => item.action === 'instances.rename')
        .length;
    for (const q of ['lighthouse', 'harbour blue', 'renam', '4711', 'BLUE-HARBOUR.example', 'light 4711']) {
      expect(await found({ q }), q).toBe(1);
    }
    for (const q of ['lighthouse nowhere', '!!!', "';drop", 'zz:b & | ! ( )']) expect(await found({ q }), q).toBe(0);
    expect(await found({ result: 'failed' })).toBe(1);
    expect(await found({ result: 'ok' })).toBe(0);
    expect(await found({ since: at })).toBe(1);
    expect(await found({ until: at })).toBe(0);
    const page = await owner.call(api.auditList, { params });
    expect(page.items.every((item) => item.position !== null)).toBe(true);
  });
});

describe('I6: every sign-in', () => {
  it('refused by the limits is recorded, once for each network in a quarter of an hour', async () => {
    const narrow = await startTestServer({
      database: await withDatabase(),
      startWork: idleWork,
      config: { rateLimits: { signIn: 3, signInAddress: 1_000, provisioning: 1_000, api: 1_000_000 } },
    });
    const { owner } = await narrow.setUp();
    const attempt = (email: string) => narrow.anonymous.try(api.signIn, { body: { email, password: 'wrong' } });
    const statuses: number[] = [];
    for (let n = 0; n < 8; n++) statuses.push((await attempt('ghost@example.test')).statusCode);
    expect(statuses).toContain(429);
    for (let n = 0; n < 8; n++) await attempt('another@example.test');
    const { items } = await owner.call(api.platformAuditList, { query: { action: 'session.limited' } });
    expect(items).toHaveLength(1);
    expect(items[0]).toMatchObject({ result: 'refused', target: 'ghost@example.test', address: '192.0.2.7' });
    const wrong = await owner.call(api.platformAuditList, { query: { action: 'session.create', result: 'refused' } });
    expect(wrong.items.length).toBeGreaterThan(0);
    await narrow.stop();
  });
});
