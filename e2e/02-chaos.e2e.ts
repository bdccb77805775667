/**
 * Kills every process with -9 in the middle of real work and looks at what is left: each create ends healthy or cleanly
 * failed, nothing is orphaned in the engine, nothing acknowledged is lost.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { type Client, until } from '#testkit/client.ts';
import { run } from '#testkit/stack.ts';
import { engineGuests, finished, installationOf, ownerClient, pidOf, purge, sharedStack } from './shared.ts';

const stack = sharedStack();
const installation = installationOf(stack);
const prefix = 'chaos';
let client: Client;
let project: string;

beforeAll(async () => {
  ({ client, project } = await ownerClient(stack));
});

afterAll(async () => {
  const { items } = await client.call(api.instancesList, { params: { project } });
  for (const instance of items.filter((candidate) => candidate.name.startsWith(prefix))) await purge(client, instance);
  await client.close();
});

/** Every guest in the engine has a living row, and every ready row has a guest. */
async function nothingOrphaned(): Promise<void> {
  await until(
    'rows and guests agree',
    async () => {
      const guests = (await engineGuests(installation)).map((guest) => guest.instance).sort();
      const living = await client.call(api.instancesList, { params: { project }, query: { limit: 200 } });
      const archived = await client.call(api.instancesList, {
        params: { project },
        query: { limit: 200, archived: 'true' },
      });
      const rows = new Map([...living.items, ...archived.items].map((row) => [row.id as string, row]));
      const expected = [...rows.values()]
        .filter((row) => row.phase === 'ready' || row.phase === 'archived')
        .map((row) => row.id as string)
        .sort();
      if (JSON.stringify([...new Set(guests)]) !== JSON.stringify(guests)) throw new Error('an instance exists twice');
      if (JSON.stringify(guests) !== JSON.stringify([...new Set(expected)]))
        throw new Error(`engine ${guests.join()} rows ${expected.join()}`);
      return true;
    },
    { timeoutMs: 120_000, everyMs: 1000 },
  );
}

describe.each(['server', 'agent', 'edge', 'caddy', 'postgres', 'incusd'])('kill -9 of %s', (name) => {
  it(`R1: in the middle of a create, it is started again and the create ends healthy or cleanly failed`, async () => {
    const instanceName = `${prefix}-${name}`;
    const accepted = await client.call(api.instancesCreate, {
      params: { project },
      body: { kind: 'server', name: instanceName },
    });
    await until(
      'the create is past its first step',
      async () => {
        const seen = await client.call(api.operationsGet, { params: { operation: accepted.operation.id } });
        return seen.steps.filter((step) => step.state === 'succeeded').length >= 2 || seen.state !== 'running';
      },
      { timeoutMs: 60_000, everyMs: 20 },
    );
    const before = await pidOf(stack, name);
    process.kill(before, 'SIGKILL');
    await until('another process took its place', async () => (await pidOf(stack, name)) !== before, {
      timeoutMs: 60_000,
    });
    const operation = await finished(client, accepted.operation.id);
    const instance = await client.call(api.instancesGet, { params: { instance: accepted.instance?.id ?? '' } });
    if (operation.state === 'succeeded') {
      expect(instance.phase).toBe('ready');
      await until(
        'it is healthy',
        async () => (await client.call(api.instancesGet, { params: { instance: instance.id } })).health === 'healthy',
        { timeoutMs: 120_000 },
      );
    } else {
      expect(operation.state).toBe('failed');
      expect(instance.phase).toBe('failed');
      expect(operation.error?.message).toMatch(/\w{3}/);
    }
    await nothingOrphaned();
  });
});

describe('kill -9 of everything at once', () => {
  it('U1, R1: up starts it again by itself and nothing acknowledged is lost', async () => {
    const before = await client.call(api.instancesList, { params: { project } });
    const audit = await client.call(api.activityList, { params: { project } });
    const everything = ['supervisor', 'server', 'agent', 'edge', 'caddy', 'postgres', 'incusd'];
    for (const pid of await Promise.all(everything.map((name) => pidOf(stack, name)))) process.kill(pid, 'SIGKILL');
    const again = await stack.up();
    expect(again.consoleUrl).toBe(stack.info.consoleUrl);
    const after = await client.call(api.instancesList, { params: { project } });
    expect(after.items.map((item) => item.id)).toEqual(before.items.map((item) => item.id));
    const auditAfter = await client.call(api.activityList, { params: { project } });
    expect(auditAfter.items.map((item) => item.id)).toEqual(expect.arrayContaining(audit.items.map((item) => item.id)));
    await nothingOrphaned();
    for (const item of after.items.filter(
      (candidate) => candidate.phase === 'ready' && candidate.desired === 'running',
    )) {
      await until(
        `${item.name} is healthy again`,
        async () => (await client.call(api.instancesGet, { params: { instance: item.id } })).health === 'healthy',
        { timeoutMs: 120_000 },
      );
    }
  });
});

describe("things done behind Berth's back", () => {
  it('R2: a guest that was stopped in the engine is started again', async () => {
    const accepted = await client.call(api.instancesCreate, {
      params: { project },
      body: { kind: 'server', name: `${prefix}-drift` },
    });
    expect((await finished(client, accepted.operation.id)).state).toBe('succeeded');
    const id = accepted.instance?.id ?? '';
    const guest = (await engineGuests(installation)).find((candidate) => candidate.instance === id);
    if (guest === undefined) throw new Error('no guest');
    await run('incus', ['stop', '--force', '--project', guest.project, guest.name]);
    await until(
      'seen as not running',
      async () => (await client.call(api.instancesGet, { params: { instance: id } })).observed !== 'running',
      { timeoutMs: 10_000, everyMs: 50 },
    );
    await until(
      'running again',
      async () => {
        const seen = await client.call(api.instancesGet, { params: { instance: id } });
        return seen.observed === 'running' && seen.health === 'healthy';
      },
      { timeoutMs: 120_000 },
    );
  });
});
