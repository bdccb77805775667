/** The same API on a real host: a real agent process, real Incus, real guests. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { InstanceId } from '#domain/ids.ts';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { settled, until } from '#testkit/work.ts';

let agent: TestAgent;
let server: TestServer;
let world: SetUp;

beforeAll(async () => {
  agent = await startAgent();
  const fingerprint = await agent.image('server');
  // Networks that no other test on this machine has.
  const { subnet4, subnet6 } = await agent.network();
  server = await startTestServer({
    database: await withDatabase(),
    driver: agent.driver,
    config: {
      network: { pool4: subnet4.replace(/\d+\.0\/24$/, '0.0/16'), prefix6: subnet6.replace(/:[0-9a-f]+::\/64$/, '') },
    },
  });
  world = await server.setUp();
  // The first project's IPv6 network is the one made above: a second project has one of its own.
  const project = await world.owner.call(api.projectsCreate, {
    params: { organization: world.organization },
    body: { name: 'second', title: 'Second' },
  });
  world = { ...world, project: project.id };
  await until(async () => {
    const row = await server.app.db
      .updateTable('image')
      .set({ state: 'ready', fingerprint })
      .where('name', '=', 'server')
      .returning('id')
      .executeTakeFirst();
    return row !== undefined;
  }, 60_000);
  // The allow-list follows the rows.
  server.app.services.nudge('image-keeper');
  await agent.driver.allowImages([fingerprint]);
}, 300_000);
afterAll(async () => {
  await server?.stop();
  await agent?.close();
}, 120_000);

const get = (instance: InstanceId) => world.owner.call(api.instancesGet, { params: { instance } });
/** Says what the agent said when something did not go well. */
const well = (error: unknown) => expect(error, `${agent.log().slice(-4000)}`).toBeNull();
const power = async (instance: InstanceId, action: string) => {
  const { operation } = await world.owner.call(api.instancesPower, { params: { instance, action } });
  return settled(world.owner, operation.id, 120_000);
};

describe('on a real engine', () => {
  let id: InstanceId;

  it('D1: create ends running and healthy', async () => {
    const { operation, instance } = await world.owner.call(api.instancesCreate, {
      params: { project: world.project },
      body: { kind: 'server', name: 'real' },
    });
    id = instance!.id;
    const ended = await settled(world.owner, operation.id, 170_000);
    well(ended.error);
    expect(await get(id)).toMatchObject({ state: 'running', observed: 'running', drift: null });
    expect((await agent.driver.observe(id))?.hostname).toBe('real');
  });

  it('D5: stop, start, pause, resume', async () => {
    for (const [action, state] of [
      ['pause', 'paused'],
      ['resume', 'running'],
      ['stop', 'stopped'],
      ['start', 'running'],
    ] as const) {
      well((await power(id, action)).error);
      expect((await agent.driver.observe(id))?.state).toBe(state);
    }
  });

  it('V1: stopped behind its back, it is started again', async () => {
    await agent.driver.power(id, 'stop', { force: true });
    await until(async () => {
      const now = await get(id);
      return now.observed === 'running' && now.operation === null && now.drift === null;
    }, 90_000);
  });

  it('A7: kill -9 of the agent in the middle of a create: it goes on when the agent is back', async () => {
    const { operation, instance } = await world.owner.call(api.instancesCreate, {
      params: { project: world.project },
      body: { kind: 'server', name: 'interrupted' },
    });
    await until(async () => {
      const now = await world.owner.call(api.operationsGet, { params: { operation: operation.id } });
      return now.steps.some((step) => step.name === 'guest' && step.state !== 'pending');
    }, 60_000);
    await agent.kill();
    await agent.start();
    well((await settled(world.owner, operation.id, 170_000)).error);
    const guests = await agent.driver.list();
    expect(guests.map((guest) => guest.instance).sort()).toEqual([id, instance!.id].sort());
  });

  it('D1: delete and purge leave nothing in the engine', async () => {
    const { items } = await world.owner.call(api.instancesList, { params: { project: world.project } });
    for (const item of items) {
      const archived = await world.owner.call(api.instancesArchive, { params: { instance: item.id } });
      well((await settled(world.owner, archived.operation.id, 120_000)).error);
      const purged = await world.owner.call(api.instancesPurge, {
        params: { instance: item.id },
        body: { confirmName: item.name },
      });
      well((await settled(world.owner, purged.operation.id, 120_000)).error);
    }
    expect(await agent.driver.list()).toEqual([]);
  });
});
