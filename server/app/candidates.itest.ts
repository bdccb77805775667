/** Whom an instance can be shared with, and members looked up on the server: who may ask, what they learn, and bounds. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { CANDIDATES_SHOWN_MAX } from '#contract/grants.ts';
import type { Role } from '#domain/authz.ts';
import type { GroupId, InstanceId, OrganizationId, UserId } from '#domain/ids.ts';
import { makeInstance, makeMember, newName, type Place } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, type TestClient, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let installation: SetUp;

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork });
  installation = await server.setUp();
});
afterAll(() => server.stop());

/** An organization of its own for each test, so that nobody counts anybody else's people. */
async function newTenant(): Promise<SetUp & { place: Place; app: InstanceId; ownerId: UserId }> {
  const tenant = await installation.owner.addStranger();
  const ownerId = tenant.owner.userId;
  if (ownerId === null) throw new Error('nobody is signed in');
  const place = { organization: tenant.organization, project: tenant.project, person: ownerId };
  return { ...tenant, place, ownerId, app: await makeInstance(server.app.db, place) };
}
type Tenant = Awaited<ReturnType<typeof newTenant>>;

const someone = (organization: OrganizationId, name: string, role: Role = 'guest') =>
  makeMember(server.app.db, organization, { name, role });

async function newGroup({ owner, organization }: Tenant, title: string, people: UserId[] = []): Promise<GroupId> {
  const params = { organization };
  const group = await owner.call(api.groupsCreate, { params, body: { name: newName('group'), title, role: null } });
  for (const user of people) await owner.call(api.groupMembersAdd, { params: { ...params, group: group.id, user } });
  return group.id;
}

const candidates = (client: TestClient, instance: InstanceId, search?: string) =>
  client.call(api.instanceAccessCandidates, {
    params: { instance },
    query: search === undefined ? {} : { search },
  });
const names = async (...call: Parameters<typeof candidates>) =>
  (await candidates(...call)).items.map((each) => each.name);
const share = (client: TestClient, instance: InstanceId, subject: string, permissions: 'open'[] = ['open']) =>
  client.call(api.instanceAccessSet, { params: { instance, subject }, body: { permissions } });
const giveRole = ({ owner, project }: Tenant, subject: string, role: 'admin' | 'operator' | 'viewer') =>
  owner.call(api.projectRolesSet, { params: { project, subject }, body: { role } });

async function lead(tenant: Tenant): Promise<TestClient> {
  const client = await tenant.owner.addMember(tenant.organization, 'guest');
  await giveRole(tenant, client.userId ?? '', 'admin');
  return client;
}

describe('A7: whom an instance can be shared with', () => {
  it('groups before people, each by name; found by a part of the name or address, in any case', async () => {
    const tenant = await newTenant();
    const { owner, organization, app } = tenant;
    const zoe = await someone(organization, 'zoe Zimmer');
    const adam = await someone(organization, 'Adam Ant', 'viewer');
    const group = await newGroup(tenant, 'Course', [zoe.id, adam.id]);
    const all = await candidates(owner, app);
    expect(all.more).toBe(false);
    expect(all.items.map((each) => [each.kind, each.subject])).toEqual([
      ['group', group],
      ['person', adam.id],
      // The owner opens it by their role, and may be granted it as well: the role may go.
      ['person', tenant.ownerId],
      ['person', zoe.id],
    ]);
    expect(all.items[0]).toEqual({ subject: group, kind: 'group', name: 'Course', email: null, members: 2 });
    expect(all.items[1]).toMatchObject({ email: adam.email, members: null });
    expect(await names(owner, app, '  ZOE ')).toEqual(['zoe Zimmer']);
    expect(await names(owner, app, zoe.email.toUpperCase().slice(0, -6))).toEqual(['zoe Zimmer']);
    expect(await names(owner, app, 'cour')).toEqual(['Course']);
    expect(await names(owner, app, 'nobody is called so')).toEqual([]);
  });

  it('whoever has it is none any more, of nothing else; taken back, they are one again', async () => {
    const tenant = await newTenant();
    const { owner, organization, app } = tenant;
    const second = await makeInstance(server.app.db, tenant.place);
    const ben = await someone(organization, 'Ben Bay');
    const group = await newGroup(tenant, 'Bay crew', [ben.id]);
    await share(owner, app, ben.id);
    expect(await names(owner, app, 'bay')).toEqual(['Bay crew']);
    await share(owner, app, group);
    expect(await names(owner, app, 'bay')).toEqual([]);
    expect(await names(owner, second, 'bay')).toEqual(['Bay crew', 'Ben Bay']);
    await share(owner, app, ben.id, []);
    expect(await names(owner, app, 'bay')).toEqual(['Ben Bay']);
  });

  it('who may list them is who may share it; for everybody else there is no such instance', async () => {
    const tenant = await newTenant();
    const { owner, organization, app } = tenant;
    const stranger = await newTenant();
    const asked = async (client: TestClient) =>
      (await client.try(api.instanceAccessCandidates, { params: { instance: app } })).statusCode;
    const expected = { owner: 200, admin: 200, operator: 404, member: 404, viewer: 404, guest: 404 } as const;
    for (const [role, status] of Object.entries(expected)) {
      expect([role, await asked(await owner.addMember(organization, role as Role))]).toEqual([role, status]);
    }
    // Whom it was shared with does not share it on, and learns of nobody.
    const guest = await owner.addMember(organization, 'guest');
    await share(owner, app, guest.userId ?? '');
    expect((await guest.try(api.instancesGet, { params: { instance: app } })).statusCode).toBe(200);
    expect(await asked(guest)).toBe(404);
    await giveRole(tenant, guest.userId ?? '', 'operator');
    expect(await asked(guest)).toBe(404);
    await giveRole(tenant, guest.userId ?? '', 'admin');
    expect(await asked(guest)).toBe(200);
    expect(await asked(stranger.owner)).toBe(404);
    expect(await asked(installation.owner)).toBe(404);
    expect(await asked(server.anonymous)).toBe(401);
  });

  it('I4: a guest who leads one project learns of its people, and of nobody else but by the whole address', async () => {
    const tenant = await newTenant();
    const { owner, organization, app } = tenant;
    const leader = await lead(tenant);
    const inside = await someone(organization, 'Ines Inside');
    const outside = await someone(organization, 'Otto Outside', 'member');
    const crew = await newGroup(tenant, 'Crew', [inside.id]);
    await newGroup(tenant, 'Board', [outside.id]);
    await giveRole(tenant, inside.id, 'viewer');
    await giveRole(tenant, crew, 'viewer');
    expect(await names(leader, app)).toEqual(['Crew', 'Ines Inside', 'The guest']);
    expect(await names(owner, app)).toEqual(['Board', 'Crew', 'Ines Inside', 'Otto Outside', 'The guest', 'The owner']);

    expect(await names(leader, app, 'Otto')).toEqual([]);
    expect(await names(leader, app, 'board')).toEqual([]);
    expect(await names(leader, app, outside.email.slice(0, -1))).toEqual([]);
    expect(await names(leader, app, outside.email.replace('person', '%'))).toEqual([]);
    expect(await names(leader, app, ` ${outside.email.toUpperCase()} `)).toEqual(['Otto Outside']);
    await share(leader, app, outside.id);
    expect(await names(leader, app, outside.email)).toEqual([]);

    // What is in another project is none of theirs.
    const elsewhere = await owner.call(api.projectsCreate, {
      params: { organization },
      body: { name: newName('project'), title: 'Elsewhere' },
    });
    const other = await makeInstance(server.app.db, { ...tenant.place, project: elsewhere.id });
    expect((await leader.try(api.instanceAccessCandidates, { params: { instance: other } })).statusCode).toBe(404);
  });

  it('I4: nobody of another organization is one, also not by the whole address', async () => {
    const tenant = await newTenant();
    const { owner, app } = tenant;
    const leader = await lead(tenant);
    const foreign = await newTenant();
    const spy = await someone(foreign.organization, 'Foreign Person', 'member');
    await newGroup(foreign, 'Foreign group', [spy.id]);
    for (const client of [owner, leader]) {
      for (const search of ['foreign', spy.email, spy.id]) expect(await names(client, app, search)).toEqual([]);
    }
  });

  it('service accounts are no people: neither candidates nor counted in groups', async () => {
    const tenant = await newTenant();
    const { owner, organization, app } = tenant;
    const params = { organization };
    const service = await owner.call(api.serviceAccountsCreate, { params, body: { name: 'deploy', description: '' } });
    const group = await newGroup(tenant, 'Deployers', [tenant.ownerId]);
    await owner.call(api.groupMembersAdd, { params: { ...params, group, user: service.id } });
    expect((await candidates(owner, app, 'deploy')).items).toMatchObject([{ subject: group, members: 1 }]);
  });

  it('one answer holds a bounded number and says that there are more; signs of patterns are letters', async () => {
    const tenant = await newTenant();
    const { owner, organization, app } = tenant;
    const count = CANDIDATES_SHOWN_MAX + 1;
    for (let n = 0; n < count; n++) await someone(organization, `Row ${String(n).padStart(2, '0')}`);
    const first = await candidates(owner, app, 'row');
    expect([first.items.length, first.more]).toEqual([CANDIDATES_SHOWN_MAX, true]);
    expect(first.items[0]?.name).toBe('Row 00');
    expect(await candidates(owner, app, 'row 20')).toMatchObject({ items: [{ name: 'Row 20' }], more: false });
    await share(owner, app, first.items[0]?.subject ?? '');
    // Exactly as many as fit: nothing is left out.
    const second = await candidates(owner, app, 'row');
    expect([second.items.length, second.more, second.items.at(-1)?.name]).toEqual([
      CANDIDATES_SHOWN_MAX,
      false,
      'Row 20',
    ]);

    await someone(organization, '100% of _it\\');
    for (const sign of ['%', '_', '\\', '0% of _']) expect(await names(owner, app, sign)).toEqual(['100% of _it\\']);
    const asked = async (search: string) =>
      (await owner.try(api.instanceAccessCandidates, { params: { instance: app }, query: { search } })).statusCode;
    expect(await asked('x'.repeat(100))).toBe(200);
    expect(await asked('x'.repeat(101))).toBe(400);
    for (const hostile of ['a\0b', 'a\nb', 'user\u202egnp'])
      expect([hostile, await asked(hostile)]).toEqual([hostile, 400]);
  });
});

describe('I4: members are looked up on the server', () => {
  const find = (client: TestClient, organization: OrganizationId, query: Record<string, string> = {}) =>
    client.call(api.membersList, { params: { organization }, query });
  const found = async (...call: Parameters<typeof find>) =>
    (await find(...call)).items.map((member) => member.user.name).sort();
  const answered = async (client: TestClient, organization: OrganizationId, query: Record<string, string> = {}) =>
    (await client.try(api.membersList, { params: { organization }, query })).statusCode;

  it('I4: by a part of name or address, in any case and script; signs of patterns are letters', async () => {
    const { owner, organization } = await newTenant();
    for (const name of ['Ärne Öst', 'ЖАННА Дарк', '山田 太郎', 'Joe 🦀 Crab', '50%_off\\', 'Plain Person']) {
      await someone(organization, name, 'member');
    }
    expect(await found(owner, organization, { search: 'äRNE ö' })).toEqual(['Ärne Öst']);
    expect(await found(owner, organization, { search: 'жанна' })).toEqual(['ЖАННА Дарк']);
    expect(await found(owner, organization, { search: '太郎' })).toEqual(['山田 太郎']);
    expect(await found(owner, organization, { search: '🦀' })).toEqual(['Joe 🦀 Crab']);
    for (const sign of ['%', '_', '\\', '%_']) {
      expect([sign, await found(owner, organization, { search: sign })]).toEqual([sign, ['50%_off\\']]);
    }
    const [first] = (await find(owner, organization, { search: 'plain' })).items;
    const address = first?.user.email ?? '';
    expect(await found(owner, organization, { search: address.toUpperCase() })).toEqual(['Plain Person']);
    expect(await found(owner, organization, { search: '  plain  ' })).toEqual(['Plain Person']);
    expect(await found(owner, organization, { search: "' or true --" })).toEqual([]);
  });

  it('I4: pages of a search hold each hit once, and only hits; a cursor of elsewhere is refused or finds nothing foreign', async () => {
    const { owner, organization } = await newTenant();
    const foreign = await newTenant();
    for (let n = 0; n < 7; n++) await someone(organization, `Hit ${n}`, 'member');
    for (let n = 0; n < 3; n++) await someone(organization, `Miss ${n}`, 'member');
    for (let n = 0; n < 3; n++) await someone(foreign.organization, `Hit abroad ${n}`, 'member');
    const seen: string[] = [];
    let cursor: string | null = null;
    const sizes: number[] = [];
    do {
      const query: Record<string, string> = { search: 'hit', limit: '3', ...(cursor === null ? {} : { cursor }) };
      const page = await find(owner, organization, query);
      seen.push(...page.items.map((member) => member.user.name));
      sizes.push(page.items.length);
      cursor = page.nextCursor;
    } while (cursor !== null && sizes.length < 10);
    expect(sizes).toEqual([3, 3, 1]);
    expect(seen.sort()).toEqual([0, 1, 2, 3, 4, 5, 6].map((n) => `Hit ${n}`));
    // Seven hits in pages of seven: there is no empty page behind.
    expect((await find(owner, organization, { search: 'hit', limit: '7' })).nextCursor).toBeNull();

    const { nextCursor } = await find(foreign.owner, foreign.organization, { limit: '1' });
    const mine = await find(owner, organization, { cursor: nextCursor ?? '', limit: '200' });
    expect(mine.items.filter((member) => member.user.name.includes('abroad'))).toEqual([]);
    for (const bad of ['x', Buffer.from('"prj_x"').toString('base64url'), Buffer.from('7').toString('base64url')]) {
      expect([bad, await answered(owner, organization, { cursor: bad })]).toEqual([bad, 400]);
    }
  });

  it('I4: only who may know the members finds any, and of a foreign organization nobody does', async () => {
    const tenant = await newTenant();
    const { owner, organization } = tenant;
    const foreign = await newTenant();
    const viewer = await owner.addMember(organization, 'viewer');
    const guest = await owner.addMember(organization, 'guest');
    expect(await found(viewer, organization, { search: 'the viewer' })).toEqual(['The viewer']);
    // Not even themselves, and no more than that when they lead a project.
    expect(await answered(guest, organization, { search: 'the guest' })).toBe(404);
    expect(await answered(await lead(tenant), organization, { search: 'the' })).toBe(404);
    expect(await answered(foreign.owner, organization, { search: 'the' })).toBe(404);
    expect(await answered(installation.owner, organization, { search: 'the' })).toBe(404);
    expect(await answered(server.anonymous, organization, { search: 'the' })).toBe(401);
    expect(await found(foreign.owner, foreign.organization, { search: 'the viewer' })).toEqual([]);
  });

  it('I4: bounds of a search and of a page hold', async () => {
    const { owner, organization } = await newTenant();
    expect(await answered(owner, organization, { search: 'x'.repeat(100) })).toBe(200);
    const refused: Record<string, string>[] = [
      { search: 'x'.repeat(101) },
      { search: '' },
      { search: '   ' },
      { search: 'a\0b' },
      { search: 'a\tb' },
      { search: 'a\u202eb' },
      { limit: '0' },
      { limit: '201' },
      { limit: '1.5' },
      { limit: 'all' },
    ];
    for (const query of refused) {
      expect([query, await answered(owner, organization, query)]).toEqual([query, 400]);
    }
  });
});
