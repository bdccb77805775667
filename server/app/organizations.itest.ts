import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { overlaps4, parseCidr4 } from '#domain/addresses.ts';
import { json } from '#server/store/database.ts';
import { makeHost } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let home: SetUp;

beforeAll(async () => {
  server = await startTestServer({
    database: await withDatabase(),
    startWork: idleWork,
    config: { network: { pool4: '10.64.0.0/19', prefix6: 'fd42:1:2' } },
  });
  home = await server.setUp();
});
afterAll(() => server.stop());

const params = () => ({ organization: home.organization });

describe('I4: organizations and projects', () => {
  it('twelve projects at once get twelve networks that overlap neither each other nor the host', async () => {
    const host = await makeHost(server.app.db);
    await server.app.db
      .updateTable('host')
      .set({ facts: json({ usedRanges4: ['10.64.2.0/23', '192.168.0.0/16', 'nonsense'] }) })
      .where('id', '=', host)
      .execute();
    const made = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        home.owner.call(api.projectsCreate, {
          params: params(),
          body: { name: `team-${index}`, title: `Team ${index}` },
        }),
      ),
    );
    const rows = await server.app.db
      .selectFrom('project')
      .select(['id', 'network_index', 'subnet4', 'subnet6'])
      .execute();
    expect(rows.filter((row) => made.some((project) => project.id === row.id))).toHaveLength(12);
    const own = Object.values(networkInterfaces())
      .flatMap((addresses) => addresses ?? [])
      .filter((address) => address.family === 'IPv4' && !address.internal);
    for (const [index, row] of rows.entries()) {
      const subnet = parseCidr4(row.subnet4);
      expect(subnet.prefix).toBe(24);
      expect(overlaps4(subnet, parseCidr4('10.64.0.0/19'))).toBe(true);
      if (made.some((project) => project.id === row.id)) {
        expect(overlaps4(subnet, parseCidr4('10.64.2.0/23')), row.subnet4).toBe(false);
      }
      for (const address of own) {
        expect(overlaps4(subnet, parseCidr4(`${address.address}/32`)), address.address).toBe(false);
      }
      for (const other of rows.slice(index + 1)) {
        expect(overlaps4(subnet, parseCidr4(other.subnet4)), `${row.subnet4} ${other.subnet4}`).toBe(false);
        expect(row.subnet6).not.toBe(other.subnet6);
      }
    }
  });

  it('a taken name is said on the field; the same name in another organization is fine', async () => {
    const response = await home.owner.try(api.projectsCreate, {
      params: params(),
      body: { name: 'team-1', title: 'X' },
    });
    expect([response.statusCode, response.json().code]).toEqual([409, 'name_taken']);
    expect(response.json().fields[0].field).toBe('name');
    const other = await home.owner.addStranger();
    await other.owner.call(api.projectsCreate, {
      params: { organization: other.organization },
      body: { name: 'team-1', title: 'Theirs' },
    });
  });

  it('when the address pool is used up, that is said, and nothing is half made', async () => {
    const count = async () => (await server.app.db.selectFrom('project').select('id').execute()).length;
    let response = await home.owner.try(api.projectsCreate, {
      params: params(),
      body: { name: 'fill-0', title: 'Fill' },
    });
    for (let i = 1; i < 40 && response.statusCode === 201; i++) {
      response = await home.owner.try(api.projectsCreate, {
        params: params(),
        body: { name: `fill-${i}`, title: 'Fill' },
      });
    }
    expect([response.statusCode, response.json().code]).toEqual([503, 'unavailable']);
    const before = await count();
    const organization = await home.owner.try(api.organizationsCreate, { body: { name: 'no-room', title: 'No Room' } });
    expect(organization.statusCode).toBe(503);
    expect(await count()).toBe(before);
    const rows = await server.app.db.selectFrom('organization').select('id').where('name', '=', 'no-room').execute();
    expect(rows).toEqual([]);
  });
});

describe('I5: quotas', () => {
  it('only the given limits change; use is never touched; nobody below an administrator may', async () => {
    const where = { project: home.project };
    const before = await home.owner.call(api.quotaGet, { params: where });
    await server.app.db
      .updateTable('quota')
      .set({ used_instances: 3 })
      .where('project_id', '=', home.project)
      .execute();
    const after = await home.owner.call(api.quotaUpdate, { params: where, body: { instances: 1 } });
    expect(after.limit).toEqual({ ...before.limit, instances: 1 });
    expect(after.used.instances).toBe(3);
    const operator = await home.owner.addMember(home.organization, 'operator');
    expect((await operator.try(api.quotaUpdate, { params: where, body: { instances: 1000 } })).statusCode).toBe(404);
    for (const body of [
      { instances: -1 },
      { instances: 1.5 },
      { instances: '5' },
      { used: { instances: 0 } },
      { cpus: null },
    ]) {
      expect((await home.owner.try(api.quotaUpdate, { params: where, body: body as object })).statusCode).toBe(400);
    }
  });

  it('fifty changes at once lose none: every limit is the last one written to it', async () => {
    const where = { project: home.project };
    const keys = ['instances', 'cpus', 'routes', 'snapshots'] as const;
    await Promise.all(
      Array.from({ length: 48 }, (_, index) =>
        home.owner.call(api.quotaUpdate, { params: where, body: { [keys[index % 4] ?? 'cpus']: 500 } }),
      ),
    );
    const { limit } = await home.owner.call(api.quotaGet, { params: where });
    for (const key of keys) expect(limit[key], key).toBe(500);
  });
});
