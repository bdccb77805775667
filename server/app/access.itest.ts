/** Who may open one instance, and sharing it; what the console's home of a guest and the list of organizations read. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { InstanceId, UserId } from '#domain/ids.ts';
import { makeInstance, newName, type Place } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, type TestClient, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let installation: SetUp;
let tenant: SetUp;
let place: Place;

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork });
  installation = await server.setUp();
  tenant = await installation.owner.addStranger('tenant');
  place = { organization: tenant.organization, project: tenant.project, person: idOf(tenant.owner) };
});
afterAll(() => server.stop());

function idOf(client: TestClient): UserId {
  if (client.userId === null) throw new Error('nobody is signed in');
  return client.userId;
}
const person = (role: Parameters<TestClient['addMember']>[1]) => tenant.owner.addMember(tenant.organization, role);
const at = () => ({ organization: tenant.organization });
const access = (client: TestClient, instance: InstanceId) =>
  client.call(api.instanceAccessGet, { params: { instance } });

describe('A7: who may open one instance', () => {
  it('says each person once, under the highest role that opens it, and what is granted on it', async () => {
    const app = await makeInstance(server.app.db, place);
    const before = await access(tenant.owner, app);
    expect(before).toMatchObject({
      grants: [],
      roles: [{ role: 'owner', place: 'organization', people: 1, permissions: ['open', 'terminal', 'ssh'] }],
      entries: [],
      can: { share: true },
    });
    const member = await person('member');
    const viewer = await person('viewer');
    const guest = await person('guest');
    // A viewer opens nothing; in this project one of them is an operator, and so is the member: by a group.
    const name = newName('group');
    const group = await tenant.owner.call(api.groupsCreate, { params: at(), body: { name, title: name, role: null } });
    for (const each of [member, viewer]) {
      await tenant.owner.call(api.groupMembersAdd, { params: { ...at(), group: group.id, user: idOf(each) } });
    }
    const subject = group.id;
    await tenant.owner.call(api.projectRolesSet, {
      params: { project: tenant.project, subject },
      body: { role: 'operator' },
    });
    await tenant.owner.call(api.instanceAccessSet, {
      params: { instance: app, subject: idOf(guest) },
      body: { permissions: ['open'] },
    });
    const { roles, grants } = await access(tenant.owner, app);
    expect(roles.map((each) => [each.role, each.place, each.people])).toEqual([
      ['owner', 'organization', 1],
      ['operator', 'project', 2],
    ]);
    expect(roles[1]?.shown).toHaveLength(2);
    expect(grants).toMatchObject([{ subject: idOf(guest), kind: 'person', permissions: ['open'] }]);
  });

  it('an administrator inside by an entry is named until they leave', async () => {
    const app = await makeInstance(server.app.db, place);
    const entry = await installation.owner.call(api.entriesCreate, {
      params: at(),
      body: { reason: 'Ada asked for help', minutes: 30 },
    });
    expect((await access(tenant.owner, app)).entries).toMatchObject([{ email: entry.user.email }]);
    await installation.owner.call(api.ownEntriesEnd, { params: { entry: entry.id } });
    expect((await access(tenant.owner, app)).entries).toEqual([]);
  });
});

describe('A7: sharing one instance', () => {
  it('gives, changes and takes back; each is felt at once and told in the activity of the instance', async () => {
    const app = await makeInstance(server.app.db, place);
    const guest = await person('guest');
    const set = (permissions: ('open' | 'terminal')[]) =>
      tenant.owner.call(api.instanceAccessSet, {
        params: { instance: app, subject: idOf(guest) },
        body: { permissions },
      });
    const seen = async () => (await guest.try(api.instancesGet, { params: { instance: app } })).statusCode;
    expect(await seen()).toBe(404);
    expect((await set(['open'])).grants).toHaveLength(1);
    const opened = await guest.call(api.instancesGet, { params: { instance: app } });
    expect(opened.can.share).toBe('Only opening it was granted to you.');
    expect((await guest.try(api.instanceAccessGet, { params: { instance: app } })).statusCode).toBe(404);
    expect((await set(['open', 'terminal'])).grants[0]?.permissions).toEqual(['open', 'terminal']);
    expect((await set([])).grants).toEqual([]);
    expect(await seen()).toBe(404);
    // Nothing is different: nothing is written.
    await set([]);
    const { items } = await tenant.owner.call(api.activityList, {
      params: { project: tenant.project },
      query: { instance: app },
    });
    expect(items.map((each) => each.action)).toEqual(['grants.remove', 'grants.set', 'grants.set']);
  });

  it('I4: an administrator of the project shares what is in it, and nothing of another project', async () => {
    const lead = await person('guest');
    await tenant.owner.call(api.projectRolesSet, {
      params: { project: tenant.project, subject: idOf(lead) },
      body: { role: 'admin' },
    });
    const second = await tenant.owner.call(api.projectsCreate, {
      params: at(),
      body: { name: newName('project'), title: 'Second' },
    });
    const mine = await makeInstance(server.app.db, place);
    const other = await makeInstance(server.app.db, { ...place, project: second.id });
    const subject = idOf(await person('guest'));
    const share = (instance: InstanceId) =>
      lead.try(api.instanceAccessSet, { params: { instance, subject }, body: { permissions: ['open'] } });
    expect((await share(mine)).statusCode).toBe(200);
    expect((await share(other)).statusCode).toBe(404);
    const stranger = idOf(installation.owner);
    const foreign = await lead.try(api.instanceAccessSet, {
      params: { instance: mine, subject: stranger },
      body: { permissions: ['open'] },
    });
    expect([foreign.statusCode, foreign.json().code]).toEqual([400, 'invalid_input']);
    expect((await access(lead, mine)).grants).toHaveLength(1);
  });
});

describe('I4: what somebody is told of where they may go', () => {
  it('projects come with the role held there; guest where only single apps are granted', async () => {
    const guest = await person('guest');
    const app = await makeInstance(server.app.db, place);
    await tenant.owner.call(api.instanceAccessSet, {
      params: { instance: app, subject: idOf(guest) },
      body: { permissions: ['open'] },
    });
    expect((await guest.call(api.whoami)).projects).toMatchObject([{ id: tenant.project, role: 'guest' }]);
    await tenant.owner.call(api.projectRolesSet, {
      params: { project: tenant.project, subject: idOf(guest) },
      body: { role: 'viewer' },
    });
    expect((await guest.call(api.whoami)).projects).toMatchObject([{ id: tenant.project, role: 'viewer' }]);
  });

  it('the list of all organizations has their use and the own entry, and is for administrators only', async () => {
    expect((await tenant.owner.try(api.organizationsList)).statusCode).toBe(404);
    const find = async () => {
      const { items } = await installation.owner.call(api.organizationsList, { query: { limit: 200 } });
      return items.find((each) => each.id === tenant.organization);
    };
    expect(await find()).toMatchObject({ use: { cpus: 0, memoryBytes: 0, diskBytes: 0 }, entry: null });
    const entry = await installation.owner.call(api.entriesCreate, {
      params: at(),
      body: { reason: 'A disk is full, they say', minutes: 30 },
    });
    expect(await find()).toMatchObject({ entry: { id: entry.id, reason: 'A disk is full, they say' } });
    await installation.owner.call(api.ownEntriesEnd, { params: { entry: entry.id } });
    expect((await find())?.entry).toBeNull();
  });
});
