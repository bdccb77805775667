/** A session's secret changes with whatever changes what its person may do, by every way that gives or takes rights. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { UserId } from '#domain/ids.ts';
import { RENEWAL_GRACE_SECONDS } from '#domain/sessions.ts';
import { makeInstance, newName } from '#testkit/factories.ts';
import { signInProgram } from '#testkit/oauth.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, TestClock, type TestServer } from '#testkit/server.ts';

const clock = new TestClock();
let server: TestServer;
let second: TestServer;
let installation: SetUp;
let tenant: SetUp;

beforeAll(async () => {
  const options = { database: await withDatabase(), startWork: idleWork, clock };
  server = await startTestServer(options);
  second = await startTestServer(options);
  installation = await server.setUp();
  tenant = await installation.owner.addStranger('renewals');
});
afterAll(async () => {
  await second.stop();
  await server.stop();
});

const idOf = (client: TestClient): UserId => client.userId as UserId;
const at = () => ({ organization: tenant.organization });
const alive = async (client: TestClient): Promise<boolean> => (await client.try(api.whoami)).statusCode === 200;

function copyOf(client: TestClient, on: TestServer = server): TestClient {
  const copy = new TestClient(on);
  copy.cookie = client.cookie;
  return copy;
}

/** Whether the change made the next request of the person bring a new secret (on the other replica, too). */
async function renews(person: TestClient, change: () => Promise<unknown>): Promise<boolean> {
  expect(await alive(person)).toBe(true);
  await change();
  const stolen = copyOf(person);
  const there = copyOf(person, second);
  expect(await alive(there)).toBe(true);
  const renewed = there.cookie !== person.cookie;
  person.cookie = there.cookie;
  clock.advance({ seconds: RENEWAL_GRACE_SECONDS });
  expect(await alive(stolen)).toBe(!renewed);
  expect(await alive(person)).toBe(true);
  return renewed;
}

async function makeGroup(role: 'member' | 'viewer' | null): Promise<string> {
  const name = newName('group');
  return (await tenant.owner.call(api.groupsCreate, { params: at(), body: { name, title: name, role } })).id;
}

describe('I3: a session is renewed with every change of what its person may do', () => {
  it('I3: into a group, another role of the group, out of it, the end of the group; not by another title', async () => {
    const person = await tenant.owner.addMember(tenant.organization, 'guest');
    const other = await tenant.owner.addMember(tenant.organization, 'guest');
    const group = await makeGroup('viewer');
    const params = { ...at(), group };
    const into = () => tenant.owner.call(api.groupMembersAdd, { params: { ...params, user: idOf(person) } });
    expect(await renews(person, into)).toBe(true);
    expect(await renews(person, into), 'again').toBe(false);
    const update = (body: { title?: string; role?: 'member' }) => () =>
      tenant.owner.call(api.groupsUpdate, { params, body });
    expect(await renews(person, update({ title: 'Another title' }))).toBe(false);
    expect(await renews(person, update({ role: 'member' }))).toBe(true);
    expect(await renews(person, update({ role: 'member' })), 'the same').toBe(false);
    const out = () => tenant.owner.call(api.groupMembersRemove, { params: { ...params, user: idOf(person) } });
    expect(await renews(person, out)).toBe(true);
    await into();
    expect(await renews(person, () => tenant.owner.call(api.groupsDelete, { params }))).toBe(true);
    expect(await renews(other, async () => {}), 'who is in no group').toBe(false);
  });

  it('I3: a grant to the person and to a group of theirs, and its end; not one that changes nothing', async () => {
    const person = await tenant.owner.addMember(tenant.organization, 'guest');
    const place = { organization: tenant.organization, project: tenant.project, person: idOf(tenant.owner) };
    const app = await makeInstance(server.app.db, place);
    const group = await makeGroup(null);
    await tenant.owner.call(api.groupMembersAdd, { params: { ...at(), group, user: idOf(person) } });
    for (const subject of [idOf(person), group]) {
      const grant = (permissions: ('open' | 'terminal')[]) => () =>
        tenant.owner.call(api.grantsChange, {
          params: at(),
          body: { changes: [{ app, subject: subject as UserId, permissions }] },
        });
      expect(await renews(person, grant(['open'])), subject).toBe(true);
      expect(await renews(person, grant(['open'])), subject).toBe(false);
      expect(await renews(person, grant(['open', 'terminal'])), subject).toBe(true);
      expect(await renews(person, grant([])), subject).toBe(true);
    }
  });

  it('I3: changes that are made at once right after one are all let through, and the next reading renews', async () => {
    const person = await tenant.owner.addMember(tenant.organization, 'member');
    const params = { ...at(), user: idOf(person) };
    await tenant.owner.call(api.membersUpdate, { params, body: { role: 'admin' } });
    const before = person.cookie;
    const made = await Promise.all(
      Array.from({ length: 5 }, () =>
        person.try(api.projectsCreate, { params: at(), body: { name: newName('many'), title: 'Many' } }),
      ),
    );
    expect(made.map((answer) => answer.statusCode)).toEqual([201, 201, 201, 201, 201]);
    expect(person.cookie).toBe(before);
    expect(await alive(person)).toBe(true);
    expect(person.cookie).not.toBe(before);
  });

  it('I3: a role in a project, of the person and of a group', async () => {
    const person = await tenant.owner.addMember(tenant.organization, 'guest');
    const group = await makeGroup(null);
    await tenant.owner.call(api.groupMembersAdd, { params: { ...at(), group, user: idOf(person) } });
    for (const subject of [idOf(person), group]) {
      const params = { project: tenant.project, subject };
      const set = (role: 'viewer' | 'admin') => () =>
        tenant.owner.call(api.projectRolesSet, { params, body: { role } });
      expect(await renews(person, set('viewer')), subject).toBe(true);
      expect(await renews(person, set('viewer')), subject).toBe(false);
      expect(await renews(person, set('admin')), subject).toBe(true);
      expect(await renews(person, () => tenant.owner.call(api.projectRolesRemove, { params })), subject).toBe(true);
    }
  });

  it("I3: an organization's rule, an entry of an administrator and its end, leaving, and becoming an administrator", async () => {
    const person = await tenant.owner.addMember(tenant.organization, 'member');
    const { owner: stranger } = await installation.owner.addStranger('elsewhere');
    // The owner has a factor, so that the rule does not shut them out; the person has none.
    await server.app.db
      .updateTable('app_user')
      .set({ second_factor: true })
      .where('id', '=', idOf(tenant.owner))
      .execute();
    const rule = (secondFactorRequired: boolean) => () =>
      tenant.owner.call(api.organizationSignInUpdate, { params: at(), body: { secondFactorRequired } });
    expect(await renews(person, rule(true))).toBe(true);
    expect(await renews(person, rule(true)), 'as it was').toBe(false);
    expect(await renews(person, rule(false))).toBe(true);
    expect(await renews(stranger, rule(true)), 'of another organization').toBe(false);
    await rule(false)();
    const admin = await installation.owner.again('owner@example.test');
    let entry = '';
    expect(
      await renews(admin, async () => {
        entry = (
          await admin.call(api.entriesCreate, { params: at(), body: { reason: 'helping with a desktop', minutes: 60 } })
        ).id;
      }),
    ).toBe(true);
    expect(await renews(admin, () => tenant.owner.call(api.entriesEnd, { params: { ...at(), entry } }))).toBe(true);
    const user = idOf(person);
    expect(await renews(person, () => tenant.owner.call(api.membersRemove, { params: { ...at(), user } }))).toBe(true);
    expect(
      await renews(person, () => admin.call(api.usersUpdate, { params: { user }, body: { platformAdmin: true } })),
    ).toBe(true);
  });

  it('I3: programs keep their tokens, and feel the change at once all the same', async () => {
    const person = await tenant.owner.addMember(tenant.organization, 'guest');
    const { client } = await signInProgram(server, person);
    const project = { params: { project: tenant.project } };
    expect((await client.try(api.projectsGet, project)).statusCode).toBe(404);
    const group = await makeGroup('viewer');
    const params = { ...at(), group, user: idOf(person) };
    await tenant.owner.call(api.groupMembersAdd, { params });
    expect((await client.try(api.projectsGet, project)).statusCode).toBe(200);
    const there = new TestClient(second);
    there.token = client.token;
    expect((await there.try(api.projectsGet, project)).statusCode).toBe(200);
    await tenant.owner.call(api.groupMembersRemove, { params });
    expect((await there.try(api.projectsGet, project)).statusCode).toBe(404);
    expect((await client.try(api.projectsGet, project)).statusCode).toBe(404);
  });
});
