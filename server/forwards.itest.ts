/** V8: port forwards through the API, with quotas, races, and everything that happens to the instance they lead to. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { defaultForwardPorts, FORWARDS_PER_INSTANCE_MAX } from '#domain/forwards.ts';
import type { InstanceId, ProjectId } from '#domain/ids.ts';
import { defaultOrganizationQuota, defaultQuota } from '#domain/quotas.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { recountQuotas } from '#server/store/quotas.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

let one: TestServer;
let two: TestServer;
let world: SetUp;
let side: ProjectId;
const driver = new SimulatedDriver();

beforeAll(async () => {
  const database = await withDatabase();
  one = await startTestServer({ database, driver, work: fastWork, config: { replica: 'one' } });
  two = await startTestServer({ database, driver, startWork: idleWork, config: { replica: 'two' } });
  world = await one.setUp();
  const made = await world.owner.call(api.projectsCreate, {
    params: { organization: world.organization },
    body: { name: 'side', title: 'Side' },
  });
  side = made.id;
  await until(async () => (await one.app.db.selectFrom('host').select('facts').executeTakeFirst())?.facts != null);
});
afterAll(async () => {
  await two?.stop();
  await one?.stop();
});

async function server(name: string, project: ProjectId = world.project): Promise<InstanceId> {
  const { operation, instance } = await world.owner.call(api.instancesCreate, {
    params: { project },
    body: { kind: 'server', name },
  });
  expect(await settled(world.owner, operation.id)).toMatchObject({ state: 'succeeded' });
  if (instance === null) throw new Error('no instance');
  return instance.id;
}

const open = (instance: InstanceId, body: object = {}, client: TestClient = world.owner) =>
  client.try(api.forwardsCreate, { params: { instance }, body: { protocol: 'tcp', port: 8080, ...body } as never });
const list = async (instance: InstanceId) => (await world.owner.call(api.forwardsList, { params: { instance } })).items;
const used = async (project: ProjectId = world.project) =>
  (await world.owner.call(api.quotaGet, { params: { project } })).used.portForwards;
const setLimit = (portForwards: number, project: ProjectId = world.project) =>
  world.owner.call(api.quotaUpdate, { params: { project }, body: { portForwards } });
const atHost = () => driver.behind.forwards().map((each) => `${each.protocol}/${each.hostPort}`);

describe('V8: port forwards', () => {
  it('V8: gets the next free port of the pool, reaches the host within a second, and is listed and audited', async () => {
    const instance = await server('game');
    const made = await open(instance, { port: 25_565, description: 'A game' });
    expect(made.statusCode, made.body).toBe(201);
    const { first } = defaultForwardPorts;
    expect(made.json()).toMatchObject({
      protocol: 'tcp',
      hostPort: first,
      port: 25_565,
      address: `berth.localhost:${first}`,
    });
    const udp = (await open(instance, { protocol: 'udp', port: 19_132 })).json();
    expect(udp.hostPort).toBe(first);
    await until(async () => (await list(instance)).every((each) => each.state === 'active'));
    expect(atHost()).toEqual([`tcp/${first}`, `udp/${first}`]);
    const audit = await world.owner.call(api.auditList, {
      params: { organization: world.organization },
      query: { action: 'forward.create' },
    });
    expect(audit.items[0]).toMatchObject({ target: `udp/${first}`, after: { port: 19_132, instanceId: instance } });
    const changed = await world.owner.call(api.forwardsUpdate, {
      params: { forward: udp.id },
      body: { port: 19_133, description: 'Moved' },
    });
    expect(changed).toMatchObject({ hostPort: first, port: 19_133, description: 'Moved' });
    await until(() => driver.behind.forwards().some((each) => each.port === 19_133));
    const page = await world.owner.call(api.forwardsListProject, {
      params: { project: world.project },
      query: { limit: 1 },
    });
    const rest = await world.owner.call(api.forwardsListProject, {
      params: { project: world.project },
      query: { limit: 1, cursor: page.nextCursor ?? '' },
    });
    expect([page.items[0]?.protocol, rest.items[0]?.protocol]).toEqual(['tcp', 'udp']);
    await world.owner.call(api.forwardsDelete, { params: { forward: udp.id } });
    await until(() => atHost().length === 1);
    expect(await used()).toBe(1);
  });

  it('V8: a wish is granted inside the pool only, and never on what is taken or busy', async () => {
    const instance = await server('wishes');
    const wish = defaultForwardPorts.first + 500;
    expect((await open(instance, { hostPort: wish })).json()).toMatchObject({ hostPort: wish });
    expect((await open(instance, { hostPort: wish })).json()).toMatchObject({
      code: 'conflict',
      fields: [{ field: 'hostPort' }],
    });
    expect((await open(instance, { hostPort: wish, protocol: 'udp' })).statusCode).toBe(201);
    for (const hostPort of [22, 443, 9443, defaultForwardPorts.last + 1, 40_000]) {
      expect((await open(instance, { hostPort })).json().code, String(hostPort)).toBe('invalid_input');
    }
    driver.behind.listenOn('tcp', wish + 1);
    await until(async () => {
      const { facts } = await one.app.db.selectFrom('host').select('facts').executeTakeFirstOrThrow();
      return JSON.stringify(facts).includes(String(wish + 1));
    }, 15_000);
    expect((await open(instance, { hostPort: wish + 1 })).json().code).toBe('conflict');
    // Somebody starts a program where a forward was: said, and not stolen.
    driver.behind.listenOn('tcp', wish);
    await world.owner.call(api.forwardsUpdate, {
      params: { forward: (await list(instance))[0]?.id ?? '' },
      body: { port: 81 },
    });
    await until(async () => (await list(instance))[0]?.state === 'taken');
    expect((await list(instance))[0]?.problem).toMatch(/listens on this port/);
    for (const each of await list(instance))
      await world.owner.call(api.forwardsDelete, { params: { forward: each.id } });
  });

  it('V8: 50 at once over two replicas get 50 different ports, and a quota of 10 yields exactly 10', async () => {
    const [a, b] = [await server('race-a'), await server('race-b', side)];
    const other = new TestClient(two);
    other.cookie = world.owner.cookie;
    other.userId = world.owner.userId;
    await setLimit((await used()) + 25);
    await setLimit(25, side);
    const race = () =>
      Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          open(index % 2 === 0 ? a : b, { port: 1 + index }, index % 4 < 2 ? world.owner : other),
        ),
      );
    const won = await race();
    expect(new Set(won.map((answer) => answer.statusCode))).toEqual(new Set([201]));
    expect(new Set(won.map((answer) => answer.json().hostPort)).size).toBe(50);
    for (const answer of won) await world.owner.call(api.forwardsDelete, { params: { forward: answer.json().id } });
    await setLimit((await used()) + 10);
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => open(a, { port: 1 + index }, index % 2 === 0 ? world.owner : other)),
    );
    expect(answers.filter((answer) => answer.statusCode === 201)).toHaveLength(10);
    const refused = answers.filter((answer) => answer.statusCode !== 201).map((answer) => answer.json());
    expect(new Set(refused.map((each) => each.code))).toEqual(new Set(['quota_exceeded']));
    expect(refused[0].detail).toBe("The project's quota has not enough port forwards left.");
    // One free port, asked for by many.
    await setLimit(defaultQuota.portForwards + 200);
    const wish = defaultForwardPorts.first + 900;
    const same = await Promise.all(
      Array.from({ length: 20 }, (_, index) => open(index % 2 === 0 ? a : b, { hostPort: wish })),
    );
    expect(same.filter((answer) => answer.statusCode === 201)).toHaveLength(1);
    expect(new Set(same.filter((each) => each.statusCode !== 201).map((each) => each.json().code))).toEqual(
      new Set(['conflict']),
    );
    const { used: whole } = await world.owner.call(api.organizationQuotaGet, {
      params: { organization: world.organization },
    });
    expect(whole.portForwards).toBe((await used()) + (await used(side)));
  });

  it('V8: an organization and an instance have their own bounds', async () => {
    const instance = await server('bounds');
    const { used: whole } = await world.owner.call(api.organizationQuotaGet, {
      params: { organization: world.organization },
    });
    const organization = (portForwards: number) =>
      world.owner.call(api.platformQuotaUpdate, {
        params: { organization: world.organization },
        body: { portForwards },
      });
    await organization(whole.portForwards);
    expect((await open(instance)).json().detail).toBe("The organization's quota has not enough port forwards left.");
    await organization(defaultOrganizationQuota.portForwards);
    for (let index = 0; index < FORWARDS_PER_INSTANCE_MAX; index++) expect((await open(instance)).statusCode).toBe(201);
    expect((await open(instance)).json().detail).toBe(
      `An instance has at most ${FORWARDS_PER_INSTANCE_MAX} port forwards.`,
    );
  });

  it('V8: it follows archive, restore, transfer and purge of its instance', async () => {
    const instance = await server('travels');
    const { hostPort } = (await open(instance)).json();
    const name = `tcp/${hostPort}`;
    await until(() => atHost().includes(name));
    const before = await used();
    const archived = await world.owner.call(api.instancesArchive, { params: { instance } });
    await settled(world.owner, archived.operation.id);
    await until(() => !atHost().includes(name));
    // The port stays its own.
    expect(await used()).toBe(before);
    expect((await open(await server('thief'), { hostPort })).json().code).toBe('conflict');
    const restored = await world.owner.call(api.instancesRestore, { params: { instance }, body: {} });
    expect(await settled(world.owner, restored.operation.id)).toMatchObject({ state: 'succeeded' });
    await until(() => atHost().includes(name));
    const sideBefore = await used(side);
    const moved = await world.owner.call(api.instancesTransfer, { params: { instance }, body: { project: side } });
    expect(await settled(world.owner, moved.operation.id)).toMatchObject({ state: 'succeeded' });
    expect((await list(instance))[0]).toMatchObject({ project: side, hostPort });
    expect([await used(), await used(side)]).toEqual([before - 1, sideBefore + 1]);
    await until(async () => (await list(instance))[0]?.state === 'active');
    const gone = await world.owner.call(api.instancesArchive, { params: { instance } });
    await settled(world.owner, gone.operation.id);
    const purged = await world.owner.call(api.instancesPurge, {
      params: { instance },
      body: { confirmName: 'travels' },
    });
    expect(await settled(world.owner, purged.operation.id)).toMatchObject({ state: 'succeeded' });
    expect(await used(side)).toBe(sideBefore);
    await until(() => !atHost().includes(name));
    expect((await open(await server('heir'), { hostPort })).statusCode).toBe(201);
  });

  it('V8: a count that does not add up is corrected', async () => {
    const real = await used();
    await one.app.db
      .updateTable('quota')
      .set({ used_port_forwards: real + 3 })
      .where('project_id', '=', world.project)
      .execute();
    expect(await used()).toBe(real + 3);
    await recountQuotas(one.app.db);
    expect(await used()).toBe(real);
  });
});
