/** I5: two limits, one reservation. Two real replicas on one database, and an auditor that finds what does not add up. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { OrganizationId, ProjectId } from '#domain/ids.ts';
import { defaultOrganizationQuota, defaultQuota, quotaResources } from '#domain/quotas.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

let one: TestServer;
let two: TestServer;
let world: SetUp;
let second: ProjectId;
const driver = new SimulatedDriver();

beforeAll(async () => {
  const database = await withDatabase();
  one = await startTestServer({ database, driver, work: fastWork, config: { replica: 'one' } });
  two = await startTestServer({ database, driver, startWork: idleWork, config: { replica: 'two' } });
  world = await one.setUp();
  const made = await world.owner.call(api.projectsCreate, {
    params: { organization: world.organization },
    body: { name: 'second', title: 'Second' },
  });
  second = made.id;
});
afterAll(async () => {
  await two?.stop();
  await one?.stop();
});

const organization = () => ({ organization: world.organization });
const whole = () => world.owner.call(api.organizationQuotaGet, { params: organization() });
const setWhole = (body: Partial<Record<(typeof quotaResources)[number], number>>) =>
  world.owner.call(api.platformQuotaUpdate, { params: organization(), body });
const create = (client: TestClient, project: ProjectId, name: string, kind: 'server' | 'desktop' = 'server') =>
  client.try(api.instancesCreate, { params: { project }, body: { kind, name } });

/** The owner, through the other replica. */
function elsewhere(): TestClient {
  const client = new TestClient(two);
  client.cookie = world.owner.cookie;
  client.userId = world.owner.userId;
  return client;
}

async function created(response: Awaited<ReturnType<typeof create>>): Promise<void> {
  expect(response.statusCode, response.body).toBe(202);
  expect(await settled(world.owner, response.json().operation.id)).toMatchObject({ state: 'succeeded' });
}

describe('I5: quotas of organization and project', () => {
  it('I5: 50 racing creates over two projects and two replicas yield exactly what both limits allow', async () => {
    const before = (await whole()).used.instances;
    await setWhole({ instances: before + 11 });
    const other = elsewhere();
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        create(
          index % 2 === 0 ? world.owner : other,
          index % 4 < 2 ? world.project : second,
          `race-${index}`,
          index % 3 === 0 ? 'desktop' : 'server',
        ),
      ),
    );
    const won = answers.filter((answer) => answer.statusCode === 202);
    const lost = answers.filter((answer) => answer.statusCode !== 202);
    expect(won).toHaveLength(11);
    expect(new Set(lost.map((answer) => `${answer.statusCode} ${answer.json().code}`))).toEqual(
      new Set(['409 quota_exceeded']),
    );
    expect(lost[0]?.json().detail).toBe("The organization's quota has not enough instances left.");
    for (const answer of won) await settled(world.owner, answer.json().operation.id);
    const { used, projects } = await whole();
    expect(used.instances).toBe(before + 11);
    for (const resource of quotaResources) {
      expect(
        projects.reduce((sum, project) => sum + project.used[resource], 0),
        resource,
      ).toBe(used[resource]);
    }
    expect(used.desktops + used.servers).toBe(used.instances);
    await setWhole({ instances: defaultOrganizationQuota.instances });
  });

  it('I5: a limit of one kind, and of one project, holds beside the others', async () => {
    const params = { project: second };
    const { used } = await world.owner.call(api.quotaGet, { params });
    await world.owner.call(api.quotaUpdate, { params, body: { desktops: used.desktops } });
    const refused = await create(world.owner, second, 'one-desktop', 'desktop');
    expect(refused.json()).toMatchObject({
      code: 'quota_exceeded',
      detail: "The project's quota has not enough desktops left.",
    });
    await created(await create(world.owner, second, 'one-server'));
    await created(await create(world.owner, world.project, 'other-desktop', 'desktop'));
    await world.owner.call(api.quotaUpdate, { params, body: { desktops: defaultQuota.desktops } });
  });

  it('I5: a limit below the use blocks what is new and harms nothing that runs', async () => {
    await created(await create(world.owner, world.project, 'running'));
    const { used } = await whole();
    await setWhole({ instances: 1, cpus: 0, memoryBytes: 0 });
    expect((await create(world.owner, world.project, 'too-many')).json().code).toBe('quota_exceeded');
    const { items } = await world.owner.call(api.instancesList, {
      params: { project: world.project },
      query: { search: 'running' },
    });
    expect(items[0]).toMatchObject({ name: 'running', state: 'running' });
    const { operation } = await world.owner.call(api.instancesPower, {
      params: { instance: items[0]?.id ?? '', action: 'restart' },
    });
    expect(await settled(world.owner, operation.id)).toMatchObject({ state: 'succeeded' });
    const archived = await world.owner.call(api.instancesArchive, { params: { instance: items[0]?.id ?? '' } });
    await settled(world.owner, archived.operation.id);
    expect((await whole()).used.instances).toBe(used.instances - 1);
    await setWhole({ ...defaultOrganizationQuota });
  });

  it('I5: every way to use more is held to the limits: create, resize, clone, restore, start of an archived one', async () => {
    const params = { project: second };
    await created(await create(world.owner, second, 'grows'));
    await created(await create(world.owner, second, 'leaves'));
    const { items } = await world.owner.call(api.instancesList, { params, query: { limit: 100 } });
    const idOf = (name: string) => items.find((item) => item.name === name)?.id ?? '';
    const snapshot = await world.owner.call(api.snapshotsCreate, {
      params: { instance: idOf('grows') },
      body: { name: 'before' },
    });
    await settled(world.owner, snapshot.operation.id);
    const archived = await world.owner.call(api.instancesArchive, { params: { instance: idOf('leaves') } });
    await settled(world.owner, archived.operation.id);
    const { used } = await world.owner.call(api.quotaGet, { params });
    await world.owner.call(api.quotaUpdate, {
      params,
      body: { instances: used.instances, cpus: used.cpus, memoryBytes: used.memoryBytes, diskBytes: used.diskBytes },
    });
    const tries = {
      create: () => create(world.owner, second, 'one-more'),
      resize: () =>
        world.owner.try(api.instancesResize, {
          params: { instance: idOf('grows') },
          body: { size: 'large' },
        }),
      clone: () => world.owner.try(api.instancesClone, { params: { instance: idOf('grows') }, body: { name: 'twin' } }),
      restore: () => world.owner.try(api.instancesRestore, { params: { instance: idOf('leaves') }, body: {} }),
    };
    for (const [what, attempt] of Object.entries(tries)) {
      const racing = await Promise.all(Array.from({ length: 5 }, attempt));
      expect(new Set(racing.map((answer) => `${what} ${answer.json().code}`))).toEqual(
        new Set([`${what} quota_exceeded`]),
      );
    }
    expect((await world.owner.call(api.quotaGet, { params })).used).toEqual(used);
    await world.owner.call(api.quotaUpdate, { params, body: defaultQuota });
  });

  it('I5: what a failed create reserved comes back to both', async () => {
    const before = await whole();
    driver.faults.fail({ verb: 'createGuest', times: 99 });
    const answer = await create(world.owner, world.project, 'doomed');
    expect(answer.statusCode).toBe(202);
    expect(await settled(world.owner, answer.json().operation.id)).toMatchObject({ state: 'failed' });
    driver.faults.clear();
    const after = await whole();
    expect(after.used).toEqual(before.used);
    expect(after.projects.map((project) => project.used)).toEqual(before.projects.map((project) => project.used));
  });

  it('I5: the auditor finds counts that are wrong, corrects them, logs and audits it', async () => {
    const right = await whole();
    const { db } = one.app;
    await db.updateTable('quota').set({ used_servers: 7, used_cpus: 0 }).where('project_id', '=', second).execute();
    await sql`update organization_quota set used_instances = 0, used_disk_bytes = 1`.execute(db);
    one.app.services.nudge('quota-auditor');
    // The answers of the API are kept until something is told to have changed: only the entries say that it ran.
    const written = () =>
      db.selectFrom('audit').select(['target_kind', 'organization_id']).where('action', '=', 'quota.correct').execute();
    await until(async () => (await written()).length >= 2);
    await until(async () => JSON.stringify(await whole()) === JSON.stringify(right));
    const entries = await written();
    expect(entries.map((entry) => entry.target_kind).sort()).toEqual(['organization', 'project']);
    expect(entries.every((entry) => entry.organization_id === world.organization)).toBe(true);
    expect([...one.logLines, ...two.logLines].some((line) => line.includes('did not add up'))).toBe(true);
  });
});

describe('I5: who sets quotas', () => {
  const limits = async (client: TestClient, id: OrganizationId = world.organization) =>
    (await client.try(api.platformQuotaUpdate, { params: { organization: id }, body: { instances: 900 } })).statusCode;

  it('the installation sets an organization, its administrators set projects, and nobody beyond', async () => {
    const params = { project: second };
    const admin = await world.owner.addMember(world.organization, 'admin');
    const member = await world.owner.addMember(world.organization, 'member');
    expect(await limits(admin)).toBe(404);
    expect((await admin.call(api.quotaUpdate, { params, body: { instances: 30 } })).limit.instances).toBe(30);
    expect((await member.try(api.quotaUpdate, { params, body: { instances: 31 } })).statusCode).toBe(404);
    expect((await member.call(api.quotaGet, { params })).can.update).toMatch(/Administrators/);
    expect((await admin.call(api.quotaGet, { params })).can.update).toBe(true);
    const over = await admin.try(api.quotaUpdate, { params, body: { cpus: defaultOrganizationQuota.cpus + 1 } });
    expect(over.statusCode).toBe(400);
    expect(over.json().fields).toEqual([{ field: 'cpus', message: 'The organization may use 2000.' }]);
  });

  it('an administrator of one project does not set its quota', async () => {
    const guest = await world.owner.addMember(world.organization, 'guest');
    if (guest.userId === null) throw new Error('nobody');
    await one.app.db
      .insertInto('project_role')
      .values({ project_id: second, organization_id: world.organization, user_id: guest.userId, role: 'admin' })
      .execute();
    const params = { project: second };
    expect((await guest.call(api.quotaGet, { params })).can.update).toMatch(/Administrators/);
    expect((await guest.try(api.quotaUpdate, { params, body: { instances: 31 } })).statusCode).toBe(404);
    expect((await guest.try(api.organizationQuotaGet, { params: organization() })).statusCode).toBe(404);
  });

  it('a platform administrator sets organizations of others, without seeing their projects', async () => {
    const tenant = await world.owner.addStranger();
    expect(await limits(world.owner, tenant.organization)).toBe(200);
    const params = { organization: tenant.organization };
    expect((await world.owner.call(api.platformQuotaGet, { params })).limit.instances).toBe(900);
    expect((await world.owner.try(api.organizationQuotaGet, { params })).statusCode).toBe(404);
    expect((await tenant.owner.call(api.organizationQuotaGet, { params })).projects).toHaveLength(1);
    expect((await tenant.owner.try(api.platformQuotaGet, { params })).statusCode).toBe(404);
  });

  it('a new project starts within an organization that may use little', async () => {
    const tenant = await world.owner.addStranger();
    await world.owner.call(api.platformQuotaUpdate, {
      params: { organization: tenant.organization },
      body: { instances: 3, routes: 0 },
    });
    const { id } = await tenant.owner.call(api.projectsCreate, {
      params: { organization: tenant.organization },
      body: { name: 'small', title: 'Small' },
    });
    const { limit } = await tenant.owner.call(api.quotaGet, { params: { project: id } });
    expect(limit).toEqual({ ...defaultQuota, instances: 3, routes: 0 });
  });
});
