/** V7, M2: security groups as sources of rules through the API: what reaches the host, and what is refused. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { InstanceId, ProjectId } from '#domain/ids.ts';
import { parseRule, RULES_FROM_GROUPS_MAX } from '#domain/network-rules.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

let server: TestServer;
let world: SetUp;
let side: ProjectId;
let shop: InstanceId;
let store: InstanceId;
const driver = new SimulatedDriver();

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), driver, work: fastWork });
  world = await server.setUp();
  const body = { name: 'side', title: 'Side' };
  side = (await world.owner.call(api.projectsCreate, { params: { organization: world.organization }, body })).id;
  shop = await instance('shop');
  store = await instance('store');
});
afterAll(async () => {
  await server?.stop();
});

async function instance(name: string): Promise<InstanceId> {
  const params = { project: world.project };
  const made = await world.owner.call(api.instancesCreate, { params, body: { kind: 'server', name } });
  await settled(world.owner, made.operation.id, 120_000);
  if (made.instance === null) throw new Error('no instance');
  return made.instance.id;
}
const rule = (text: string) => {
  const read = parseRule(text);
  if (typeof read === 'string') throw new Error(read);
  return read;
};
const make = (name: string, rules: string[] = [], project: ProjectId = world.project) =>
  world.owner.try(api.securityGroupsCreate, {
    params: { project },
    body: { name, description: '', rules: rules.map(rule) },
  });
const change = (group: string, body: object) =>
  world.owner.try(api.securityGroupsUpdate, { params: { group: group as never }, body: body as never });
const drop = (group: string) => world.owner.try(api.securityGroupsDelete, { params: { group: group as never } });
const listed = async () =>
  (await world.owner.call(api.securityGroupsList, { params: { project: world.project } })).items;
const atHost = (group: string) => driver.behind.policies().groups.find((each) => each.group === group);

describe('V7, M2: groups as sources', () => {
  it('V7: reach the host by id, each as a rule of its own, with the instances that have them', async () => {
    const web = (await make('web')).json();
    const database = (await make('database', ['allow in tcp 5432 from group:web, 203.0.113.7'])).json();
    expect(database.rules[0]).toMatchObject({ groups: ['web'], ranges: ['203.0.113.7/32'] });
    await change(web.id, { instances: [shop] });
    await change(database.id, { instances: [store] });
    await until(() => driver.behind.policies().instances.length === 2);
    expect(atHost(database.id)?.rules.map(({ ranges, groups }) => ({ ranges, groups }))).toEqual([
      { ranges: ['203.0.113.7/32'], groups: [] },
      { ranges: [], groups: [web.id] },
    ]);
    expect(driver.behind.policies().instances).toEqual(
      expect.arrayContaining([
        { instance: shop, groups: [web.id] },
        { instance: store, groups: [database.id] },
      ]),
    );
    // Nobody has it any more: the rule stays, and whom it means is told.
    await change(web.id, { instances: [] });
    await until(() => driver.behind.policies().instances.length === 1);
    expect(atHost(database.id)?.rules).toHaveLength(2);
    expect(atHost(web.id)).toBeUndefined();
  });

  it('V7: follow a new name, and do not go while another group names them', async () => {
    const [database, web] = await listed();
    if (database === undefined || web === undefined) throw new Error('no groups');
    expect(web).toMatchObject({ name: 'web', usedBy: ['database'] });
    expect(web.can.delete).toContain('database');
    const refused = await drop(web.id);
    expect(refused.json()).toMatchObject({ code: 'conflict' });
    expect(refused.json().detail ?? refused.json().title).toContain('database');
    // With rules of its own that name it, by its name until now.
    const renamed = await change(web.id, { name: 'front', rules: [rule('allow in tcp 7000 from group:web')] });
    expect(renamed.json()).toMatchObject({ name: 'front', rules: [{ groups: ['front'] }], usedBy: ['database'] });
    expect((await listed()).find((each) => each.name === 'database')?.rules[0]?.groups).toEqual(['front']);
    await until(async () => (await listed()).every((each) => each.state === 'applied'));
    await until(() => atHost(database.id)?.rules.some(({ groups }) => groups.includes(web.id)) === true);
    await change(database.id, { rules: [] });
    // Its own rule does not keep it.
    expect((await drop(web.id)).statusCode).toBe(204);
    expect((await drop(database.id)).statusCode).toBe(204);
  });

  it('V7: are groups of the same project, for what comes in, and not too many', async () => {
    expect((await make('elsewhere', [], side)).statusCode).toBe(201);
    for (const wrong of [['allow in tcp 1 from group:elsewhere'], ['deny in any from group:nobody']])
      expect((await make('wrong', wrong)).json()).toMatchObject({ code: 'invalid_input' });
    expect((await make('own', ['allow in tcp 7000 from group:own'])).statusCode).toBe(201);
    const [own] = await listed();
    if (own === undefined) throw new Error('no group');
    const groups = ['own'];
    const out = { ...rule('allow out tcp 1'), groups };
    expect((await change(own.id, { rules: [out] })).json().code).toBe('invalid_input');
    const many = Array.from({ length: RULES_FROM_GROUPS_MAX + 1 }, (_, index) => ({
      ...rule(`allow in tcp ${index + 1}`),
      groups,
    }));
    expect((await change(own.id, { rules: many })).json().code).toBe('invalid_input');
    expect((await change(own.id, { rules: many.slice(1) })).statusCode).toBe(200);
    const strange = { ...rule('allow in tcp 1'), groups: ['a; drop'] };
    expect((await change(own.id, { rules: [strange] })).json().code).toBe('invalid_input');
    const policy = { default: 'allow', connectionsMax: null, bytesPerSecondMax: null } as const;
    const body = { ...policy, rules: [{ ...out }] };
    const params = { project: world.project };
    expect((await world.owner.try(api.egressUpdate, { params, body })).json().code).toBe('invalid_input');
    expect((await drop(own.id)).statusCode).toBe(204);
  });

  it('V7: nobody deletes one while another names it, however close they come', async () => {
    for (let round = 0; round < 5; round++) {
      const source = (await make(`source-${round}`)).json();
      const user = (await make(`user-${round}`)).json();
      const [naming, deleting] = await Promise.all([
        change(user.id, { rules: [rule(`allow in tcp 1 from group:source-${round}`)] }),
        drop(source.id),
      ]);
      expect([naming.statusCode === 200, deleting.statusCode === 204].filter(Boolean)).toHaveLength(1);
      expect((await drop(user.id)).statusCode).toBe(204);
      await drop(source.id);
    }
  });
});
