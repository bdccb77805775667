/** V7, M2: address sets through the API: written once, used in several rules, changed with all of them. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { ADDRESS_SETS_PER_PROJECT_MAX, parseRule } from '#domain/network-rules.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

let server: TestServer;
let world: SetUp;
const driver = new SimulatedDriver();

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), driver, work: fastWork });
  world = await server.setUp();
});
afterAll(async () => {
  await server?.stop();
});

const rule = (text: string) => {
  const read = parseRule(text);
  if (typeof read === 'string') throw new Error(read);
  return read;
};
const put = (name: string, ranges: string[]) =>
  world.owner.try(api.addressSetsPut, { params: { project: world.project, name }, body: { ranges } });
const drop = (name: string) => world.owner.try(api.addressSetsDelete, { params: { project: world.project, name } });
const policy = (rules: string[]) =>
  world.owner.try(api.egressUpdate, {
    params: { project: world.project },
    body: { default: 'deny', rules: rules.map(rule), connectionsMax: null, bytesPerSecondMax: null },
  });
const listed = async () => (await world.owner.call(api.addressSetsList, { params: { project: world.project } })).items;

describe('V7, M2: address sets', () => {
  it('V7: one set is in several rules, and a change of it reaches the host in all of them', async () => {
    const params = { project: world.project };
    const made = await world.owner.call(api.instancesCreate, { params, body: { kind: 'server', name: 'web' } });
    await settled(world.owner, made.operation.id, 120_000);
    expect((await put('office', ['203.0.113.7', '2001:DB8::/32'])).json()).toMatchObject({
      ranges: ['203.0.113.7/32', '2001:db8::/32'],
      usedBy: { securityGroups: [], egress: false },
    });
    const body = { name: 'entry', rules: [rule('allow in tcp 22 from @office, 198.51.100.1')] };
    const group = await world.owner.call(api.securityGroupsCreate, { params, body });
    const instances = made.instance === null ? [] : [made.instance.id];
    await world.owner.call(api.securityGroupsUpdate, { params: { group: group.id }, body: { instances } });
    expect((await policy(['allow out tcp 443 to @office'])).statusCode).toBe(200);
    await until(() => driver.behind.policies().groups.length === 1 && driver.behind.policies().projects.length === 1);
    const host = driver.behind.policies();
    expect(host.groups[0]?.rules.map(({ ranges, sets }) => ({ ranges, sets }))).toEqual([
      { ranges: ['198.51.100.1/32'], sets: [] },
      { ranges: ['203.0.113.7/32', '2001:db8::/32'], sets: [] },
    ]);
    expect(host.projects[0]?.rules[0]?.ranges).toEqual(['203.0.113.7/32', '2001:db8::/32']);
    expect((await listed())[0]?.usedBy).toEqual({ securityGroups: ['entry'], egress: true });

    await put('office', ['192.0.2.9']);
    await until(() => driver.behind.policies().projects[0]?.rules[0]?.ranges.join() === '192.0.2.9/32');
    expect(driver.behind.policies().groups[0]?.rules[1]?.ranges).toEqual(['192.0.2.9/32']);
    await until(async () => (await world.owner.call(api.securityGroupsList, { params })).items[0]?.state === 'applied');
  });

  it('V7: one that rules use stays, and rules use none that is not there', async () => {
    const refused = await drop('office');
    expect(refused.json().code).toBe('conflict');
    expect((await policy(['allow out any to @nowhere'])).json()).toMatchObject({ code: 'invalid_input' });
    const params = { project: world.project };
    const body = { name: 'other', rules: [rule('allow in any from @nowhere')] };
    expect((await world.owner.try(api.securityGroupsCreate, { params, body })).json().code).toBe('invalid_input');
    const [group] = (await world.owner.call(api.securityGroupsList, { params })).items;
    if (group === undefined) throw new Error('no group');
    await world.owner.call(api.securityGroupsUpdate, { params: { group: group.id }, body: { rules: [] } });
    await policy([]);
    expect((await drop('office')).statusCode).toBe(204);
    expect((await drop('office')).json().code).toBe('not_found');
  });

  it('V7: nobody deletes one while a rule begins to use it, however close they come', async () => {
    for (let round = 0; round < 5; round++) {
      const name = `near-${round}`;
      await put(name, ['203.0.113.9']);
      const [using, deleting] = await Promise.all([policy([`allow out tcp 443 to @${name}`]), drop(name)]);
      expect([using.statusCode === 200, deleting.statusCode === 204].filter(Boolean)).toHaveLength(1);
      expect((await policy([])).statusCode).toBe(200);
      await drop(name);
    }
  });

  it('V7: whoever may not change the policy does not change what it lets through', async () => {
    await put('shared', ['192.0.2.1']);
    await put('own', ['192.0.2.2']);
    await policy(['allow out any to @shared']);
    const member = await world.owner.addMember(world.organization, 'member');
    const change = (name: string) =>
      member.try(api.addressSetsPut, { params: { project: world.project, name }, body: { ranges: ['0.0.0.0/0'] } });
    expect((await change('own')).statusCode).toBe(200);
    expect((await change('shared')).json().code).toBe('not_found');
    expect((await listed()).find((set) => set.name === 'shared')?.ranges).toEqual(['192.0.2.1/32']);
  });

  it('V7: what is no address is refused, and there are not too many', async () => {
    for (const wrong of [['example.org'], ['1.2.3.4/33'], ['10.0.0.0/8; drop'], []]) {
      expect((await put('wrong', wrong)).json().code, wrong.join()).toBe('invalid_input');
    }
    await sql`insert into address_set (project_id, name, organization_id, ranges)
      select ${world.project}, 'set-' || n, ${world.organization}, '["192.0.2.3/32"]' from generate_series(1, ${
        ADDRESS_SETS_PER_PROJECT_MAX - (await listed()).length - 1
      }::int) n`.execute(server.app.db);
    expect((await put('last', ['192.0.2.3'])).statusCode).toBe(200);
    expect((await put('more', ['192.0.2.3'])).json().code).toBe('quota_exceeded');
    expect((await put('last', ['192.0.2.4'])).statusCode).toBe(200);
  });
});
