/** Groups, roles in projects, app permissions and entries: who may do what afterwards, and who may not hand it out. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { GroupId, InstanceId, OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
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

async function makeGroup(role: 'owner' | 'admin' | 'operator' | 'member' | 'viewer' | null = null): Promise<GroupId> {
  const name = newName('group');
  return (await tenant.owner.call(api.groupsCreate, { params: at(), body: { name, title: name, role } })).id;
}
const join = (group: GroupId, client: TestClient) =>
  tenant.owner.call(api.groupMembersAdd, { params: { ...at(), group, user: idOf(client) } });
const status = async (client: TestClient, app: InstanceId) =>
  (await client.try(api.instancesGet, { params: { instance: app } })).statusCode;
const grant = (app: InstanceId, subject: UserId | GroupId, permissions: ('open' | 'terminal')[]) =>
  tenant.owner.call(api.grantsChange, { params: at(), body: { changes: [{ app, subject, permissions }] } });

async function auditActions(): Promise<string[]> {
  const { items } = await tenant.owner.call(api.auditList, { params: at(), query: { limit: 100 } });
  return items.map((row) => row.action);
}

describe('I4: groups', () => {
  it('what a group gives, its members hold at once, and lose at once with the group', async () => {
    const guest = await person('guest');
    const seen = async () => (await guest.try(api.projectsGet, { params: { project: tenant.project } })).statusCode;
    expect(await seen()).toBe(404);
    expect((await guest.call(api.whoami)).projects).toEqual([]);
    const group = await makeGroup('viewer');
    await join(group, guest);
    expect(await seen()).toBe(200);
    expect(await guest.call(api.whoami)).toMatchObject({
      memberships: [{ role: 'viewer' }],
      projects: [{ id: tenant.project }],
    });
    await tenant.owner.call(api.groupsUpdate, { params: { ...at(), group }, body: { role: null } });
    expect(await seen()).toBe(404);
    await tenant.owner.call(api.groupsUpdate, { params: { ...at(), group }, body: { role: 'member' } });
    expect(await seen()).toBe(200);
    await tenant.owner.call(api.groupsDelete, { params: { ...at(), group } });
    expect(await seen()).toBe(404);
    expect(await auditActions()).toEqual(
      expect.arrayContaining(['groups.create', 'groups.members.add', 'groups.update', 'groups.delete']),
    );
  });

  it('an administrator makes nobody an owner by a group: not by its role, its members or its end', async () => {
    const admin = await person('admin');
    const refused = async (response: Promise<{ statusCode: number; json(): { code: string } }>) => {
      const answer = await response;
      expect([answer.statusCode, answer.json().code]).toEqual([409, 'state_conflict']);
    };
    const name = newName('group');
    await refused(admin.try(api.groupsCreate, { params: at(), body: { name, title: name, role: 'owner' } }));
    const owners = await makeGroup('owner');
    const params = { ...at(), group: owners };
    await refused(admin.try(api.groupMembersAdd, { params: { ...params, user: idOf(admin) } }));
    await refused(admin.try(api.groupsUpdate, { params, body: { role: 'viewer' } }));
    await refused(admin.try(api.groupsDelete, { params }));
    const plain = await makeGroup();
    await refused(admin.try(api.groupsUpdate, { params: { ...at(), group: plain }, body: { role: 'admin' } }));
    await tenant.owner.call(api.projectRolesSet, {
      params: { project: tenant.project, subject: plain },
      body: { role: 'owner' },
    });
    await refused(admin.try(api.groupMembersAdd, { params: { ...at(), group: plain, user: idOf(admin) } }));
    const { items } = await admin.call(api.groupsList, { params: at() });
    expect(items.filter((each) => [owners, plain].includes(each.id)).map((each) => each.can.update)).not.toContain(
      true,
    );
  });

  it('IDOR: groups, people and subjects of another organization are not found, even for an owner of both', async () => {
    const other = await installation.owner.addStranger();
    const name = newName('group');
    const theirs = await other.owner.call(api.groupsCreate, {
      params: { organization: other.organization },
      body: { name, title: name, role: null },
    });
    const own = await makeGroup();
    const owner = tenant.owner;
    const user = idOf(other.owner);
    const calls = [
      owner.try(api.groupsUpdate, { params: { ...at(), group: theirs.id }, body: { title: 'Mine' } }),
      owner.try(api.groupsDelete, { params: { ...at(), group: theirs.id } }),
      owner.try(api.groupMembersList, { params: { ...at(), group: theirs.id } }),
      owner.try(api.groupMembersAdd, { params: { ...at(), group: own, user } }),
      owner.try(api.projectRolesSet, { params: { project: place.project, subject: user }, body: { role: 'viewer' } }),
      owner.try(api.projectRolesSet, {
        params: { project: place.project, subject: theirs.id },
        body: { role: 'viewer' },
      }),
    ];
    for (const call of calls) expect((await call).statusCode).toBe(404);
    expect(
      (await other.owner.call(api.groupsList, { params: { organization: other.organization } })).items,
    ).toHaveLength(1);
  });
});

describe('I4: roles in one project', () => {
  it('cover that project and no other, and nothing of the organization', async () => {
    const guest = await person('guest');
    const second = await tenant.owner.call(api.projectsCreate, {
      params: at(),
      body: { name: newName('project'), title: 'Second' },
    });
    const subject = idOf(guest);
    const params = { project: tenant.project, subject };
    expect((await tenant.owner.call(api.projectRolesSet, { params, body: { role: 'admin' } })).can.update).toBe(true);
    const project = await guest.call(api.projectsGet, { params: { project: tenant.project } });
    expect(project.can).toMatchObject({ update: true, share: true, createInstance: true });
    expect((await guest.try(api.projectsGet, { params: { project: second.id } })).statusCode).toBe(404);
    expect((await guest.try(api.membersList, { params: at() })).statusCode).toBe(404);
    expect((await guest.try(api.grantsList, { params: at() })).statusCode).toBe(404);
    const above = {
      params: { project: tenant.project, subject: idOf(tenant.owner) },
      body: { role: 'owner' as const },
    };
    expect((await guest.try(api.projectRolesSet, above)).json().code).toBe('state_conflict');
    await tenant.owner.call(api.projectRolesRemove, { params });
    expect((await guest.try(api.projectsGet, { params: { project: tenant.project } })).statusCode).toBe(404);
  });

  it('end with the membership: who comes back comes back with nothing', async () => {
    const leaver = await person('guest');
    const user = idOf(leaver);
    await join(await makeGroup('member'), leaver);
    const app = await makeInstance(server.app.db, place);
    await grant(app, user, ['open']);
    await tenant.owner.call(api.membersRemove, { params: { ...at(), user } });
    await server.app.db
      .insertInto('membership')
      .values({ organization_id: tenant.organization, user_id: user, role: 'guest' })
      .execute();
    expect(await status(leaver, app)).toBe(404);
    expect((await leaver.call(api.ownApps)).items).toEqual([]);
  });
});

describe('A7: app permissions', () => {
  it('a guest opens exactly what was granted, sees no more of it than that, and loses it at once', async () => {
    const guest = await person('guest');
    const app = await makeInstance(server.app.db, place);
    const neighbour = await makeInstance(server.app.db, place);
    expect(await grant(app, idOf(guest), ['open'])).toEqual({ changed: 1 });
    expect([await status(guest, app), await status(guest, neighbour)]).toEqual([200, 404]);
    const shown = await guest.call(api.instancesGet, { params: { instance: app } });
    expect(shown).toMatchObject({ address4: null, host: null, operation: null });
    expect(shown.can.terminal).not.toBe(true);
    expect(shown.can.stop).not.toBe(true);
    const { items } = await guest.call(api.instancesList, { params: { project: tenant.project } });
    expect(items.map((each) => each.id)).toEqual([app]);
    expect((await guest.call(api.ownApps)).items).toMatchObject([{ app, permissions: ['open'] }]);
    for (const route of [api.snapshotsList, api.routesList, api.instancesLogs]) {
      expect((await guest.try(route, { params: { instance: app } })).statusCode, route.id).toBe(404);
    }
    expect((await guest.try(api.instancesArchive, { params: { instance: app } })).statusCode).toBe(404);
    await grant(app, idOf(guest), []);
    expect(await status(guest, app)).toBe(404);
  });

  it('in bulk, by group and person, and taken away in bulk: one audit row for each that is different', async () => {
    const apps = await Promise.all(Array.from({ length: 5 }, () => makeInstance(server.app.db, place)));
    const [one, two] = [await person('guest'), await person('guest')];
    const group = await makeGroup();
    await join(group, one);
    const changes = (permissions: ('open' | 'terminal')[]) =>
      apps.flatMap((app) => [group, idOf(two)].map((subject) => ({ app, subject, permissions })));
    const before = (await auditActions()).filter((action) => action === 'grants.set').length;
    const body = { changes: changes(['open', 'terminal']) };
    expect(await tenant.owner.call(api.grantsChange, { params: at(), body })).toEqual({ changed: 10 });
    expect(await tenant.owner.call(api.grantsChange, { params: at(), body })).toEqual({ changed: 0 });
    expect((await auditActions()).filter((action) => action === 'grants.set').length - before).toBe(10);
    for (const client of [one, two]) for (const app of apps) expect(await status(client, app)).toBe(200);
    await tenant.owner.call(api.grantsChange, { params: at(), body: { changes: changes([]) } });
    for (const client of [one, two]) for (const app of apps) expect(await status(client, app)).toBe(404);
  });

  it('IDOR and mass assignment: foreign apps and subjects change nothing at all, nor do unknown fields', async () => {
    const other = await installation.owner.addStranger();
    const foreignPlace = { organization: other.organization, project: other.project, person: idOf(other.owner) };
    const theirs = await makeInstance(server.app.db, foreignPlace);
    const own = await makeInstance(server.app.db, place);
    const guest = idOf(await person('guest'));
    const good = { app: own, subject: guest, permissions: ['open' as const] };
    const bad: unknown[] = [
      { app: theirs, subject: guest, permissions: ['open'] },
      { app: own, subject: other.owner.userId, permissions: ['open'] },
      { app: own, subject: guest, permissions: ['open'], organization: other.organization },
      { app: own, subject: guest, permissions: ['owner'] },
      good,
    ];
    for (const change of bad) {
      const response = await tenant.owner.try(api.grantsChange, {
        params: at(),
        body: { changes: [good, change] as never },
      });
      expect(response.statusCode, JSON.stringify(change)).toBe(400);
    }
    const { items } = await tenant.owner.call(api.grantsList, { params: at(), query: { app: own } });
    expect(items).toEqual([]);
    const name = newName('group');
    for (const extra of [{ organization: other.organization }, { id: 'grp_x' }, { members: 3 }]) {
      const body = { name, title: name, role: null, ...extra } as never;
      expect((await tenant.owner.try(api.groupsCreate, { params: at(), body })).statusCode).toBe(400);
    }
  });
});

describe('I4: entries of administrators of the installation', () => {
  it('give a role with a reason, for a time; the tenant reads it and ends it', async () => {
    const admin = installation.owner;
    const app = await makeInstance(server.app.db, place);
    expect(await status(admin, app)).toBe(404);
    const short = await admin.try(api.entriesCreate, { params: at(), body: { reason: 'help', minutes: 60 } });
    expect(short.statusCode).toBe(400);
    const entry = await admin.call(api.entriesCreate, {
      params: at(),
      body: { reason: 'asked for help with a desktop', minutes: 30 },
    });
    expect(await status(admin, app)).toBe(200);
    expect(
      (await admin.try(api.groupsCreate, { params: at(), body: { name: 'x1', title: 'x', role: null } })).statusCode,
    ).toBe(404);
    const own = (await admin.call(api.whoami)).memberships.find((each) => each.organization.id === tenant.organization);
    expect(own).toMatchObject({ role: 'operator', entry: { id: entry.id, reason: 'asked for help with a desktop' } });
    const { items } = await tenant.owner.call(api.entriesList, { params: at() });
    expect(items[0]).toMatchObject({ id: entry.id, reason: 'asked for help with a desktop', can: { end: true } });
    expect(await auditActions()).toContain('entries.create');
    await tenant.owner.call(api.entriesEnd, { params: { ...at(), entry: entry.id } });
    expect(await status(admin, app)).toBe(404);
    expect((await tenant.owner.try(api.entriesEnd, { params: { ...at(), entry: entry.id } })).statusCode).toBe(404);
    expect(await auditActions()).toContain('entries.end');
  });

  it('end by themselves, and with the right to administer', async () => {
    const admin = installation.owner;
    const app = await makeInstance(server.app.db, place);
    const enter = () =>
      admin.call(api.entriesCreate, { params: at(), body: { reason: 'asked for help again', minutes: 5 } });
    const { id } = await enter();
    expect(await status(admin, app)).toBe(200);
    const past = new Date(Date.now() - 1_000);
    await server.app.db.updateTable('tenant_entry').set({ expires_at: past }).where('id', '=', id).execute();
    expect(await status(admin, app)).toBe(404);
    await enter();
    const setAdmin = (is: boolean) =>
      server.app.db.updateTable('app_user').set({ platform_admin: is }).where('id', '=', idOf(admin)).execute();
    await setAdmin(false);
    expect(await status(admin, app)).toBe(404);
    await setAdmin(true);
    expect(await status(admin, app)).toBe(200);
    const left = (await admin.call(api.whoami)).memberships.find((each) => each.entry !== null)?.entry;
    await admin.call(api.ownEntriesEnd, { params: { entry: left?.id ?? '' } });
    expect(await status(admin, app)).toBe(404);
  });
});

describe('I4: renaming and deleting', () => {
  const rename = async (organization: OrganizationId, project: ProjectId, owner: TestClient) => {
    const name = newName('renamed');
    const after = await owner.call(api.organizationsUpdate, { params: { organization }, body: { name } });
    expect(after.name).toBe(name);
    const moved = await owner.call(api.projectsUpdate, { params: { project }, body: { name } });
    expect(moved).toMatchObject({ name, can: { delete: true } });
  };

  it('a project goes when it is empty, an organization when it has no projects; the names are free again', async () => {
    const other = await installation.owner.addStranger();
    const { organization, project, owner } = other;
    await rename(organization, project, owner);
    const { name } = await owner.call(api.organizationsGet, { params: { organization } });
    expect((await owner.try(api.organizationsDelete, { params: { organization } })).json().code).toBe('conflict');
    const app = await makeInstance(server.app.db, { organization, project, person: idOf(owner) });
    expect((await owner.try(api.projectsDelete, { params: { project } })).json().code).toBe('conflict');
    await server.app.db.deleteFrom('instance').where('id', '=', app).execute();
    await owner.call(api.projectsDelete, { params: { project } });
    const admin = await owner.addMember(organization, 'admin');
    expect((await admin.try(api.organizationsDelete, { params: { organization } })).statusCode).toBe(404);
    await owner.call(api.organizationsDelete, { params: { organization } });
    for (const client of [owner, admin]) expect((await client.call(api.whoami)).memberships).toEqual([]);
    expect((await owner.try(api.organizationsGet, { params: { organization } })).statusCode).toBe(404);
    const again = await installation.owner.call(api.organizationsCreate, { body: { name, title: 'Again' } });
    expect(again.id).not.toBe(organization);
    const kept = await server.app.db
      .selectFrom('audit')
      .select('action')
      .where('organization_id', '=', organization)
      .execute();
    expect(kept.map((row) => row.action)).toContain('organizations.delete');
  });
});
