/** V7, M2: security groups and egress policies through the API: what reaches the host, and what is refused. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { InstanceId, ProjectId } from '#domain/ids.ts';
import {
  parseRule,
  RULES_PER_GROUP_MAX,
  SECURITY_GROUPS_PER_INSTANCE_MAX,
  SECURITY_GROUPS_PER_PROJECT_MAX,
} from '#domain/network-rules.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

let server: TestServer;
let world: SetUp;
let side: ProjectId;
const driver = new SimulatedDriver();

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), driver, work: fastWork });
  world = await server.setUp();
  const body = { name: 'side', title: 'Side' };
  side = (await world.owner.call(api.projectsCreate, { params: { organization: world.organization }, body })).id;
});
afterAll(async () => {
  await server?.stop();
});

async function instance(name: string, project: ProjectId = world.project): Promise<InstanceId> {
  const made = await world.owner.call(api.instancesCreate, { params: { project }, body: { kind: 'server', name } });
  await settled(world.owner, made.operation.id);
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
const listed = async (project: ProjectId = world.project) =>
  (await world.owner.call(api.securityGroupsList, { params: { project } })).items;

describe('V7, M2: security groups', () => {
  it('V7: rules reach the host with who has them, and the page says when', async () => {
    const web = await instance('web');
    const group = (await make('web', ['allow in tcp 443,80 from 203.0.113.0/24'])).json();
    expect(group).toMatchObject({ name: 'web', instances: [], rules: [{ ports: '80,443' }] });
    expect((await change(group.id, { instances: [web] })).json()).toMatchObject({
      instances: [{ id: web, name: 'web' }],
    });
    await until(async () => (await listed())[0]?.state === 'applied');
    expect(driver.behind.policies()).toEqual({
      projects: [],
      groups: [{ group: group.id, rules: [rule('allow in tcp 80,443 from 203.0.113.0/24')] }],
      instances: [{ instance: web, groups: [group.id] }],
    });
    await change(group.id, { rules: [rule('deny in any')] });
    await until(() => driver.behind.policies().groups[0]?.rules[0]?.action === 'deny');
    const { items } = await world.owner.call(api.auditList, {
      params: { organization: world.organization },
      query: { action: 'security-group.update' },
    });
    expect(items[0]).toMatchObject({
      before: { rules: ['allow in tcp 80,443 from 203.0.113.0/24'] },
      after: { rules: ['deny in any'] },
    });
    await world.owner.call(api.securityGroupsDelete, { params: { group: group.id } });
    await until(() => driver.behind.policies().instances.length === 0);
  });

  it('V7: bounds have names: rules, groups of a project, groups of an instance', async () => {
    const many = Array.from({ length: RULES_PER_GROUP_MAX + 1 }, (_, index) => `allow in tcp ${index + 1}`);
    expect((await make('many', many)).json().code).toBe('invalid_input');
    const member = await instance('member', side);
    const ids: string[] = [];
    for (let index = 0; index < SECURITY_GROUPS_PER_PROJECT_MAX; index++) {
      ids.push((await make(`group-${index}`, [], side)).json().id);
    }
    expect((await make('one-more', [], side)).json().code).toBe('quota_exceeded');
    expect((await make('group-1', [], side)).json().code).toBe('quota_exceeded');
    for (const id of ids.slice(0, SECURITY_GROUPS_PER_INSTANCE_MAX)) {
      expect((await change(id, { instances: [member] })).statusCode).toBe(200);
    }
    const last = ids[SECURITY_GROUPS_PER_INSTANCE_MAX] ?? '';
    expect((await change(last, { instances: [member] })).json()).toMatchObject({
      code: 'invalid_input',
      fields: [{ field: 'instances' }],
    });
    expect((await change(ids[0] ?? '', { name: 'group-1' })).json().code).toBe('name_taken');
  });

  it('V7: rules that are none are refused with what is wrong', async () => {
    for (const wrong of [
      { ports: '0' },
      { ports: '80;drop' },
      { ranges: ['example.org'] },
      { protocol: 'icmp', ports: '1' },
    ]) {
      const body = { name: 'wrong', rules: [{ action: 'allow', direction: 'in', protocol: 'tcp', ...wrong }] };
      const answer = await world.owner.try(api.securityGroupsCreate, {
        params: { project: world.project },
        body: body as never,
      });
      expect(answer.json().code, JSON.stringify(wrong)).toBe('invalid_input');
    }
  });

  it('V7: an instance of another project cannot be a member, and one that moves away leaves its groups', async () => {
    const here = await instance('moves');
    const strange = await instance('strange', side);
    const group = (await make('stays', ['deny out udp'])).json();
    expect((await change(group.id, { instances: [strange] })).json().code).toBe('invalid_input');
    await change(group.id, { instances: [here] });
    const moved = await world.owner.call(api.instancesTransfer, {
      params: { instance: here },
      body: { project: side },
    });
    expect(await settled(world.owner, moved.operation.id)).toMatchObject({ state: 'succeeded' });
    expect((await listed()).find((each) => each.id === group.id)?.instances).toEqual([]);
    await until(() => !driver.behind.policies().instances.some((each) => each.instance === here));
  });
});

describe('V7: egress policies', () => {
  it('V7: everything that Berth allows is open until a project says otherwise', async () => {
    const params = { project: world.project };
    expect(await world.owner.call(api.egressGet, { params })).toMatchObject({
      default: 'allow',
      rules: [],
      state: 'applied',
    });
    const body = {
      default: 'deny',
      rules: [rule('allow out tcp 443')],
      connectionsMax: 500,
      bytesPerSecondMax: 12_500_000,
    } as const;
    await world.owner.call(api.egressUpdate, { params, body: { ...body, rules: [...body.rules] } });
    await until(async () => (await world.owner.call(api.egressGet, { params })).state === 'applied');
    expect(driver.behind.policies().projects).toEqual([{ project: world.project, ...body }]);
    const inwards = await world.owner.try(api.egressUpdate, {
      params,
      body: { ...body, rules: [rule('allow in tcp 1')] },
    });
    expect(inwards.json().code).toBe('invalid_input');
  });
});
