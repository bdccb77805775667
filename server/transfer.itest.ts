/** I4: an instance moves to another project: who may, what is promised, what everybody sees, and what is left when it fails. */
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { BerthError } from '#domain/errors.ts';
import type { InstanceId, OrganizationId, ProjectId } from '#domain/ids.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { Feed } from '#edge/feed.ts';
import { EdgeState } from '#edge/state.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { startTestServer, type TestClient, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

let server: TestServer;
let owner: TestClient;
/** Home with two projects, and another organization of the same owner. */
let home: OrganizationId;
let main: ProjectId;
let side: ProjectId;
let away: OrganizationId;
let theirs: ProjectId;
let edgeState: EdgeState;
let feed: Feed;
let counter = 0;
const driver = new SimulatedDriver();

beforeAll(async () => {
  const database = await withDatabase();
  server = await startTestServer({ database, driver, work: fastWork });
  const people = await server.setUp();
  owner = people.owner;
  home = people.organization;
  main = people.project;
  const made = { params: { organization: home }, body: { name: 'side', title: 'Side' } };
  side = (await owner.call(api.projectsCreate, made)).id;
  away = (await owner.call(api.organizationsCreate, { body: { name: 'away', title: 'Away' } })).id;
  const [project] = (await owner.call(api.projectsList, { params: { organization: away } })).items;
  if (project === undefined) throw new Error('no project');
  theirs = project.id;
  edgeState = new EdgeState();
  feed = new Feed({
    url: database.edgeUrl,
    state: edgeState,
    log: { info: () => {}, warn: () => {} },
    now: Date.now,
  });
  await feed.start();
});
afterAll(async () => {
  await feed?.stop();
  await server?.stop();
});
afterEach(() => driver.faults.clear());

const db = () => server.app.db;
const get = (instance: InstanceId, by = owner) => by.call(api.instancesGet, { params: { instance } });
const used = async (project: ProjectId) => (await owner.call(api.quotaGet, { params: { project } })).used;
const usedBy = async (organization: OrganizationId) =>
  (await owner.call(api.organizationQuotaGet, { params: { organization } })).used;
const move = (instance: InstanceId, project: ProjectId, by = owner) =>
  by.try(api.instancesTransfer, { params: { instance }, body: { project } });
const promises = async () => (await db().selectFrom('instance_transfer').selectAll().execute()).length;

async function made(project = main, name = `box-${counter++}`): Promise<InstanceId> {
  const { operation, instance } = await owner.call(api.instancesCreate, {
    params: { project },
    body: { kind: 'server', name },
  });
  expect(await settled(owner, operation.id)).toMatchObject({ state: 'succeeded' });
  return instance!.id;
}

async function moved(instance: InstanceId, project: ProjectId, by = owner) {
  const response = await move(instance, project, by);
  expect(response.statusCode, response.body).toBe(202);
  expect(await settled(by, response.json().operation.id)).toMatchObject({ state: 'succeeded', error: null });
  return response.json() as { grantsEnding: number };
}

/** The auditor recounts from rows: nothing to correct means that the counts were right all along. */
async function addsUp(): Promise<void> {
  const { recountQuotas } = await import('#server/store/quotas.ts');
  expect(await recountQuotas(db())).toEqual([]);
  expect(await promises()).toBe(0);
}

describe('I4: within an organization', () => {
  it('I4: takes disk, snapshots, routes and URL along; address, project and quota are new', async () => {
    const id = await made();
    const guest = driver.behind.guests().find((each) => each.instance === id);
    driver.behind.write(id, 42);
    const { operation } = await owner.call(api.snapshotsCreate, { params: { instance: id }, body: { name: 'mine' } });
    await settled(owner, operation.id);
    await owner.call(api.routesCreate, {
      params: { instance: id },
      body: { hostname: 'kept.berth.localhost', port: 8080, visibility: 'private' },
    });
    const before = await get(id);
    const [mainBefore, sideBefore, homeBefore] = [await used(main), await used(side), await usedBy(home)];
    await moved(id, side);
    const after = await get(id);
    expect(after).toMatchObject({ project: side, url: before.url, observed: 'running', operation: null, drift: null });
    expect(after.address4).not.toBe(before.address4);
    expect(driver.behind.read(id)).toBe(42);
    expect(driver.behind.guests().find((each) => each.instance === id)).toMatchObject({
      project: side,
      address4: after.address4,
      uidBase: guest?.uidBase,
    });
    expect((await owner.call(api.snapshotsList, { params: { instance: id } })).items).toHaveLength(1);
    const { items } = await owner.call(api.routesListProject, { params: { project: side } });
    expect(items.map((route) => route.hostname)).toEqual(expect.arrayContaining(['kept.berth.localhost']));
    expect(await used(main)).toMatchObject({
      instances: mainBefore.instances - 1,
      routes: mainBefore.routes - 1,
      snapshots: mainBefore.snapshots - 1,
    });
    expect(await used(side)).toMatchObject({
      instances: sideBefore.instances + 1,
      routes: sideBefore.routes + 1,
      snapshots: sideBefore.snapshots + 1,
    });
    expect(await usedBy(home)).toEqual(homeBefore);
    await addsUp();
    // Edge leads there within a second.
    await until(() => edgeState.instance(id)?.address4 === after.address4, 1_000);
    expect(edgeState.instance(id)).toMatchObject({ projectId: side });
    expect(edgeState.routes('kept.berth.localhost')[0]).toMatchObject({ instanceId: id, organizationId: home });
    // It can be rolled back to what was taken before, and come home again.
    const [snapshot] = (await owner.call(api.snapshotsList, { params: { instance: id } })).items;
    const back = await owner.call(api.snapshotsRollback, { params: { instance: id, snapshot: snapshot!.id } });
    expect(await settled(owner, back.operation.id)).toMatchObject({ state: 'succeeded' });
    await moved(id, main);
    await addsUp();
  });

  it('I4: a stopped one stays stopped, a paused one is refused, and so is the project it is in', async () => {
    const id = await made();
    const power = async (action: 'stop' | 'pause' | 'start') => {
      const { operation } = await owner.call(api.instancesPower, { params: { instance: id, action } });
      await settled(owner, operation.id);
    };
    await power('pause');
    expect((await move(id, side)).json()).toMatchObject({ code: 'state_conflict' });
    await power('stop');
    expect((await move(id, main)).json()).toMatchObject({ code: 'invalid_input' });
    await moved(id, side);
    expect(await get(id)).toMatchObject({ observed: 'stopped', desired: 'stopped', project: side });
    expect((await settledOperations(id)).flatMap((each) => each.state)).not.toContain('failed');
  });

  it('I4: counts in both projects while it is on its way, once in the organization; the auditor agrees', async () => {
    const id = await made();
    driver.faults.delay('moveGuest', 6_000);
    const [mainBefore, sideBefore, homeBefore] = [await used(main), await used(side), await usedBy(home)];
    const accepted = await move(id, side);
    expect(accepted.statusCode).toBe(202);
    await until(async () => (await get(id)).operation?.step?.startsWith('Move the machine') ?? false);
    expect((await used(main)).instances).toBe(mainBefore.instances);
    expect((await used(side)).instances).toBe(sideBefore.instances + 1);
    expect(await usedBy(home)).toEqual(homeBefore);
    const { recountQuotas } = await import('#server/store/quotas.ts');
    expect(await recountQuotas(db())).toEqual([]);
    // Everybody sees it where it was; busy for everything else.
    expect(await get(id)).toMatchObject({ project: main });
    expect((await move(id, side)).json()).toMatchObject({ code: 'state_conflict' });
    const stop = { params: { instance: id, action: 'stop' } };
    expect((await owner.try(api.instancesPower, stop)).json()).toMatchObject({ code: 'state_conflict' });
    const route = { hostname: 'late.berth.localhost', port: 80, visibility: 'private' } as const;
    const add = await owner.try(api.routesCreate, { params: { instance: id }, body: route });
    expect(add.json()).toMatchObject({ code: 'state_conflict' });
    // Its name and the project are promised: nobody takes the one or removes the other.
    const { name } = await get(id);
    const rival = await owner.try(api.instancesCreate, { params: { project: side }, body: { kind: 'server', name } });
    expect(rival.json()).toMatchObject({ code: 'name_taken' });
    const gone = await owner.try(api.projectsDelete, { params: { project: side } });
    expect(gone.json()).toMatchObject({ code: 'conflict' });
    driver.faults.clear();
    expect(await settled(owner, accepted.json().operation.id)).toMatchObject({ state: 'succeeded' });
    await addsUp();
  });

  it('I4: two at once: one moves it, the other is told what runs', async () => {
    const id = await made();
    const answers = await Promise.all([move(id, side), move(id, theirs), move(id, side)]);
    expect(answers.map((answer) => answer.statusCode).sort()).toEqual([202, 409, 409]);
    const won = answers.find((answer) => answer.statusCode === 202);
    expect(await settled(owner, won?.json().operation.id)).toMatchObject({ state: 'succeeded' });
    await addsUp();
  });

  it('I4: two of one name into one project: one gets the name', async () => {
    const third = await owner.call(api.projectsCreate, {
      params: { organization: home },
      body: { name: 'third', title: 'Third' },
    });
    const both = [await made(main, 'twin'), await made(side, 'twin')] as const;
    const answers = await Promise.all(both.map((id) => move(id, third.id)));
    expect(answers.map((answer) => answer.statusCode).sort()).toEqual([202, 409]);
    expect(answers.find((answer) => answer.statusCode === 409)?.json()).toMatchObject({ code: 'name_taken' });
    for (const answer of answers) {
      if (answer.statusCode === 202) await settled(owner, answer.json().operation.id);
    }
    await addsUp();
  });

  it('I5: nothing moves where the quota has no room, and nothing is left of the attempt', async () => {
    const id = await made();
    const full = await owner.call(api.projectsCreate, {
      params: { organization: home },
      body: { name: 'full', title: 'Full' },
    });
    await owner.call(api.quotaUpdate, { params: { project: full.id }, body: { instances: 0 } });
    expect((await move(id, full.id)).json()).toMatchObject({ code: 'quota_exceeded' });
    expect(await get(id)).toMatchObject({ project: main, operation: null });
    await owner.call(api.projectsDelete, { params: { project: full.id } });
    expect((await move(id, full.id)).statusCode).toBe(404);
    await addsUp();
  });

  it('D1: when the engine refuses, it is back where it was and runs; both places have it in their log', async () => {
    const id = await made();
    const before = await get(id);
    driver.faults.fail({ verb: 'moveGuest', when: 'after', error: new BerthError('conflict', 'No.') });
    const { operation } = (await move(id, theirs)).json();
    expect(await settled(owner, operation.id)).toMatchObject({ state: 'failed', error: { code: 'conflict' } });
    await until(async () => (await get(id)).observed === 'running');
    expect(await get(id)).toMatchObject({ project: main, address4: before.address4, url: before.url, operation: null });
    for (const organization of [home, away]) {
      const entries = await entriesOf(organization, id);
      expect(entries.map((entry) => entry.result).sort()).toEqual(['failed', 'ok']);
    }
    await addsUp();
  });
});

describe('I4: into another organization', () => {
  it('I4: grants end and are counted, both organizations have it in their log, quota moves between them', async () => {
    const id = await made();
    const friend = await owner.addMember(home, 'guest');
    await owner.call(api.grantsChange, {
      params: { organization: home },
      body: { changes: [{ app: id, subject: friend.userId!, permissions: ['open', 'terminal'] }] },
    });
    expect(await get(id, friend)).toMatchObject({ id });
    const [homeBefore, awayBefore] = [await usedBy(home), await usedBy(away)];
    expect(await moved(id, theirs)).toMatchObject({ grantsEnding: 1 });
    expect((await friend.try(api.instancesGet, { params: { instance: id } })).statusCode).toBe(404);
    const left = await db().selectFrom('app_grant').selectAll().where('instance_id', '=', id).execute();
    expect(left).toEqual([]);
    expect((await usedBy(home)).instances).toBe(homeBefore.instances - 1);
    expect((await usedBy(away)).instances).toBe(awayBefore.instances + 1);
    for (const organization of [home, away]) {
      expect((await entriesOf(organization, id)).map((entry) => entry.action)).toContain('instance.transfer');
    }
    await until(() => edgeState.instance(id)?.organizationId === away, 1_000);
    const holding = edgeState.access.holding(friend.userId!, { organizationId: away, instanceId: id }, Date.now());
    expect(holding).toEqual({ role: null, permissions: [] });
    await addsUp();
  });

  it('I4: both lists and both streams hear of it: the kept answer of neither is old', async () => {
    const id = await made();
    const listed = async (project: ProjectId) =>
      (await owner.call(api.instancesList, { params: { project } })).items.some((each) => each.id === id);
    expect([await listed(main), await listed(theirs)]).toEqual([true, false]);
    await moved(id, theirs);
    expect([await listed(main), await listed(theirs)]).toEqual([false, true]);
    const { rows } = await sql<{ organization: string; project: string }>`
      select distinct organization_id as organization, project_id as project from outbox
       where kind = 'instance' and ref = ${id}`.execute(db());
    expect(rows).toEqual(
      expect.arrayContaining([
        { organization: home, project: main },
        { organization: away, project: theirs },
      ]),
    );
  });

  it('I4: only who may give it away, with a fresh confirmation, and never what is protected', async () => {
    const id = await made();
    // A member of both may move it at home, but give nothing away.
    const member = await owner.addMember(home, 'member', 'both@example.test');
    await db()
      .insertInto('membership')
      .values({ organization_id: away, user_id: member.userId!, role: 'owner' })
      .execute();
    expect((await move(id, theirs, member)).statusCode).toBe(404);
    await moved(id, side, member);
    await moved(id, main, member);
    // Whoever may not create there may not push anything in.
    const admin = await owner.addMember(home, 'admin');
    expect((await move(id, theirs, admin)).statusCode).toBe(404);
    const viewer = await owner.addMember(home, 'viewer');
    expect((await move(id, side, viewer)).statusCode).toBe(404);
    // A token that only may archive and create lacks the scope to give away.
    const { secret } = await owner.call(api.tokensCreate, {
      body: { name: 'narrow', scopes: ['instance.archive', 'instance.create', 'instance.read', 'operation.read'] },
    });
    const narrow = await owner.program();
    narrow.token = secret;
    expect((await move(id, theirs, narrow)).json()).toMatchObject({ code: 'forbidden' });
    // Confirmed long ago.
    await sql`update session set confirmed_at = now() - interval '1 hour'`.execute(db());
    expect((await move(id, theirs)).json()).toMatchObject({ code: 'step_up_required' });
    await sql`update session set confirmed_at = now()`.execute(db());
    await owner.call(api.instancesUpdate, { params: { instance: id }, body: { protected: true } });
    expect((await move(id, theirs)).json()).toMatchObject({ code: 'state_conflict' });
    expect(await get(id)).toMatchObject({ project: main, operation: null });
    await addsUp();
  });
});

async function settledOperations(instance: InstanceId) {
  return db().selectFrom('operation').select(['kind', 'state']).where('instance_id', '=', instance).execute();
}

async function entriesOf(organization: OrganizationId, instance: InstanceId) {
  return db()
    .selectFrom('audit')
    .select(['action', 'result'])
    .where('organization_id', '=', organization)
    .where('target_id', '=', instance)
    .where('action', '=', 'instance.transfer')
    .execute();
}
