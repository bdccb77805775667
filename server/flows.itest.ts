/** V7: what left instances, from the host's count to list, search, top and export; bounded, counted once, forgotten. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { FLOW_DAYS_KEPT, FLOWS_PER_HOUR_MAX, FLOWS_PER_INSTANCE_MAX, type Flow } from '#domain/flows.ts';
import type { InstanceId } from '#domain/ids.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';
import { flowCollector } from './reconcilers/flow-collector.ts';
import { forgetFlows } from './store/flows.ts';

let server: TestServer;
let world: SetUp;
let web: InstanceId;
let other: InstanceId;
const driver = new SimulatedDriver();

async function instance(name: string): Promise<InstanceId> {
  const params = { project: world.project };
  const made = await world.owner.call(api.instancesCreate, { params, body: { kind: 'server', name } });
  await settled(world.owner, made.operation.id, 120_000);
  if (made.instance === null) throw new Error('no instance');
  return made.instance.id;
}
let batches = 0;
/** Told by the host and taken over. */
async function left(...flows: (Partial<Flow> & { instance?: InstanceId })[]): Promise<void> {
  const at = new Date().toISOString();
  driver.behind.flowed({
    batch: `piece-${batches++}`,
    flows: flows.map((flow) => ({
      instance: web,
      address: '198.51.100.7',
      protocol: 'tcp',
      port: 443,
      verdict: 'allowed',
      name: null,
      connections: 1,
      sentBytes: 100,
      receivedBytes: 1_000,
      firstAt: at,
      lastAt: at,
      ...flow,
    })),
  });
  await collect();
}
const collect = () => flowCollector(server.app.services).run(new AbortController().signal);
const list = async (query: object = {}) =>
  (await world.owner.call(api.flowsList, { params: { project: world.project }, query: { limit: 100, ...query } }))
    .items;
const rows = async (): Promise<number> =>
  Number((await sql<{ n: string }>`select count(*) as n from flow`.execute(server.app.db)).rows[0]?.n);

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), driver, work: fastWork });
  world = await server.setUp();
  web = await instance('web');
  other = await instance('other');
});
afterAll(async () => {
  await server?.stop();
});

describe('V7: what left this box', () => {
  it('V7: is listed with name, bytes and verdict, by instance, summed by hour', async () => {
    await left({ name: 'shop.example.org' }, { name: 'shop.example.org', port: 80, sentBytes: 7 });
    await left({ connections: 2, sentBytes: 50, receivedBytes: 5 });
    await left({
      instance: other,
      address: '10.1.2.3',
      port: 22,
      verdict: 'denied',
      connections: 9,
      sentBytes: 0,
      receivedBytes: 0,
    });
    const all = await list();
    expect(all).toHaveLength(3);
    expect(all.find((row) => row.port === 443)).toMatchObject({
      instance: { id: web, name: 'web' },
      address: '198.51.100.7',
      name: 'shop.example.org',
      connections: 3,
      sentBytes: 150,
      receivedBytes: 1_005,
    });
    expect(await list({ instance: other })).toEqual([expect.objectContaining({ verdict: 'denied', connections: 9 })]);
  });

  it('V7: is found by address, range, name, port, verdict and time', async () => {
    await left({ address: '2001:db8::5', name: 'six.example.net', port: 8443 });
    for (const [query, found] of [
      [{ address: '198.51.100.7' }, 2],
      [{ address: '198.51.100.0/24' }, 2],
      [{ address: '2001:db8::/32' }, 1],
      [{ address: '203.0.113.1' }, 0],
      [{ name: 'EXAMPLE.net' }, 1],
      [{ name: '%' }, 0],
      [{ port: 80 }, 1],
      [{ verdict: 'denied' }, 1],
      [{ protocol: 'udp' }, 0],
      [{ since: new Date(Date.now() - 60_000).toISOString() }, 4],
      [{ since: new Date(Date.now() + 60_000).toISOString() }, 0],
    ] as const) {
      expect(await list(query), JSON.stringify(query)).toHaveLength(found);
    }
    const params = { project: world.project };
    const wrong = await world.owner.try(api.flowsList, { params, query: { limit: 10, address: '300.1.1.1' } });
    expect(wrong.json().code).toBe('invalid_input');
  });

  it('V7: top destinations, pages without gaps, and the whole as lines', async () => {
    const params = { project: world.project };
    const { items } = await world.owner.call(api.flowsTop, { params, query: {} });
    expect(items[0]).toMatchObject({ destination: 'shop.example.org', connections: 4 });
    expect(items.find((row) => row.destination === '10.1.2.3')).toMatchObject({ connections: 0, denied: 9 });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const query = { limit: 1, ...(cursor === undefined ? {} : { cursor }) };
      const page = await world.owner.call(api.flowsList, { params, query });
      seen.push(...page.items.map((row) => `${row.instance.name} ${row.address} ${row.port}`));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(new Set(seen).size).toBe(4);
    expect(seen).toHaveLength(4);
    const lines = (await world.owner.try(api.flowsExport, { params, query: {} })).body.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).address).sort()).toEqual(
      (await list()).map((row) => row.address).sort(),
    );
  });

  it('V7: a piece is counted once, also when the server dies before it has said so', async () => {
    const before = (await list({ port: 443 })).find((row) => row.name === 'shop.example.org')?.connections ?? 0;
    await left({ connections: 10 });
    // The host did not hear that it was kept, and tells it again.
    const [last] = (await sql<{ batch: string }>`select batch from flow_batch`.execute(server.app.db)).rows;
    driver.behind.flowed({ batch: last?.batch ?? '', flows: [] });
    await collect();
    await collect();
    expect((await list({ port: 443 })).find((row) => row.name === 'shop.example.org')?.connections).toBe(before + 10);
  });

  it('V7: a flood of destinations becomes one row, and does not push out what is known', async () => {
    const flood = Array.from({ length: 3_000 }, (_, index) => ({
      instance: other,
      address: `45.${index >> 8}.${index & 255}.1`,
      sentBytes: 1,
    }));
    await left(...flood.slice(0, 1_500));
    await left(...flood.slice(1_500), { instance: other, address: '45.0.0.1', sentBytes: 5 });
    const { rows: counted } = await sql<{ n: string; rest: string }>`
      select count(*) as n, max(connections) filter (where address = '') as rest from flow where instance_id = ${other} and verdict = 'allowed'`.execute(
      server.app.db,
    );
    expect(Number(counted[0]?.n)).toBeLessThanOrEqual(FLOWS_PER_HOUR_MAX + 2);
    expect(Number(counted[0]?.rest)).toBeGreaterThanOrEqual(3_000 - FLOWS_PER_HOUR_MAX);
    const [many] = (await list({ instance: other, limit: 200 })).filter((row) => row.address === null);
    expect(many).toMatchObject({ port: null, protocol: 'any', name: null });
  });

  it('V7: what is old, too much or of nobody is forgotten', async () => {
    const before = await rows();
    await sql`insert into flow select instance_id, hour - make_interval(days => ${FLOW_DAYS_KEPT + 1}::int), verdict, address, protocol,
      port, project_id, name, connections, sent_bytes, received_bytes, first_at, last_at from flow`.execute(
      server.app.db,
    );
    await sql`insert into flow select 'ins_gone', hour, verdict, address, protocol, port, project_id, name, connections,
      sent_bytes, received_bytes, first_at, last_at from flow where instance_id = ${web} and hour > now() - interval '1 day'`.execute(
      server.app.db,
    );
    await sql`insert into flow select ${web}, date_trunc('hour', now()) - make_interval(hours => (n % 100)::int), 'allowed', '46.0.0.' || n, 'tcp', 1,
      ${world.project}, null, 1, 1, 1, now() - interval '6 days', now() - interval '6 days'
      from generate_series(1, ${FLOWS_PER_INSTANCE_MAX}::int) n`.execute(server.app.db);
    while (await forgetFlows(server.app.db, Date.now()));
    const { rows: mine } = await sql<{ n: string }>`select count(*) as n from flow where instance_id = ${web}`.execute(
      server.app.db,
    );
    expect(Number(mine[0]?.n)).toBe(FLOWS_PER_INSTANCE_MAX);
    expect(await list({ name: 'shop.example.org' })).toHaveLength(2);
    expect(await rows()).toBeLessThanOrEqual(before + FLOWS_PER_INSTANCE_MAX);
  });

  it('V7: an instance of nobody here leaves nothing, and who may not look sees nothing', async () => {
    const before = await rows();
    await left({ instance: 'ins_01k0000000000000000000000a' as InstanceId });
    expect(await rows()).toBe(before);
    await until(async () => (await list({ limit: 1 })).length === 1);
  });
});
