/** Stacks and containers through the API, with a simulated server: who may, two at once, edits, what is written down. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { InstanceId } from '#domain/ids.ts';
import { HAND_MADE_STACK } from '#drivers/simulated/docker.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

let server: TestServer;
let people: SetUp;
let instance: InstanceId;
const driver = new SimulatedDriver();
const text = 'services:\n  web:\n    image: tiny\n';

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), driver, work: fastWork });
  people = await server.setUp();
  const created = await people.owner.call(api.instancesCreate, {
    params: { project: people.project },
    body: { kind: 'server', name: 'web' },
  });
  await settled(people.owner, created.operation.id);
  instance = created.instance?.id as InstanceId;
});
afterAll(() => server?.stop());

const list = () => people.owner.call(api.stacksList, { params: { instance } });
const stackNamed = async (name: string) => (await list()).items.find((stack) => stack.name === name);
const create = (name: string) => people.owner.call(api.stacksCreate, { params: { instance }, body: { name, text } });
const run = (stack: string, verb: 'up' | 'down' | 'restart' | 'pull', body = {}) =>
  people.owner.call(api.stacksRun, { params: { instance, stack, verb }, body });
const actions = async () =>
  (await people.owner.call(api.activityList, { params: { project: people.project }, query: { limit: 50 } })).items.map(
    ({ action }) => action,
  );

describe('V2: stacks through the API', () => {
  it('V2: one is written, started, read, changed and taken down; each is in the audit log', async () => {
    const file = await create('blog');
    expect(file).toMatchObject({ path: '/srv/stacks/blog/compose.yaml', text });
    expect(await stackNamed('blog')).toMatchObject({ state: 'down', managed: true, run: null, containers: [] });
    const { operation } = await run('blog', 'up');
    expect(await settled(people.owner, operation.id)).toMatchObject({ kind: 'stack.up', state: 'succeeded' });
    expect(await stackNamed('blog')).toMatchObject({
      state: 'running',
      containers: [{ service: 'web' }],
      run: { operation: operation.id, verb: 'up', state: 'succeeded', error: null },
    });
    const params = { instance, stack: 'blog' };
    const changed = await people.owner.call(api.stacksWrite, {
      params,
      body: { text: `${text}# x\n`, version: file.version },
    });
    expect(await people.owner.call(api.stacksRead, { params })).toEqual(changed);
    await expect(people.owner.call(api.stacksRemove, { params })).rejects.toMatchObject({
      problem: { code: 'state_conflict' },
    });
    const down = await run('blog', 'down', { volumes: true });
    await settled(people.owner, down.operation.id);
    await people.owner.call(api.stacksRemove, { params });
    expect(await stackNamed('blog')).toBeUndefined();
    expect(await actions()).toEqual(
      expect.arrayContaining(['stack.create', 'stack.up', 'stack.write', 'stack.read', 'stack.down', 'stack.remove']),
    );
  });

  it('V2: a name is used once, also by two at the same time', async () => {
    const answers = await Promise.allSettled([create('twice'), create('twice'), create('twice')]);
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(create('twice')).rejects.toMatchObject({ problem: { code: 'name_taken' } });
    await expect(create(HAND_MADE_STACK)).rejects.toMatchObject({ problem: { code: 'name_taken' } });
  });

  it('V2: what somebody else changed meanwhile is not written over', async () => {
    const { version } = await create('shared');
    const params = { instance, stack: 'shared' };
    const write = (content: string) => people.owner.call(api.stacksWrite, { params, body: { text: content, version } });
    await write(`${text}# one\n`);
    await expect(write(`${text}# two, with the old version\n`)).rejects.toMatchObject({
      problem: { code: 'conflict' },
    });
    expect((await people.owner.call(api.stacksRead, { params })).text).toContain('# one');
  });

  it('V2: one command at a time works on a stack, ten at once or not; another stack goes its own way', async () => {
    await create('other');
    driver.faults.delay('startGuestRun', 400);
    const answers = await Promise.allSettled(Array.from({ length: 10 }, () => run(HAND_MADE_STACK, 'restart')));
    const started = answers.filter((answer) => answer.status === 'fulfilled');
    expect(started).toHaveLength(1);
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ problem: { code: 'state_conflict' } });
    }
    const other = await run('other', 'up');
    await expect(
      people.owner.call(api.dockerClean, { params: { instance }, body: { parts: ['images'] } }),
    ).rejects.toMatchObject({ problem: { code: 'state_conflict' } });
    driver.faults.clear();
    await settled(people.owner, other.operation.id);
    await until(async () => (await stackNamed(HAND_MADE_STACK))?.run?.state === 'succeeded');
    await settled(people.owner, (await run(HAND_MADE_STACK, 'restart')).operation.id);
  });

  it('V2: a command that fails says why, and the stack can be tried again', async () => {
    const look = driver.lookAtGuestRun.bind(driver);
    driver.lookAtGuestRun = async () => ({
      state: 'exited',
      code: 1,
      lines: ['web Pulling', 'Error response from daemon: no such image'],
    });
    const { operation } = await run('other', 'up');
    expect(await settled(people.owner, operation.id)).toMatchObject({
      state: 'failed',
      error: { code: 'conflict', message: 'Docker: Error response from daemon: no such image' },
    });
    driver.lookAtGuestRun = async () => ({ state: 'gone', code: null, lines: [] });
    const gone = await run('other', 'up');
    expect(await settled(people.owner, gone.operation.id)).toMatchObject({
      state: 'failed',
      error: { code: 'state_conflict' },
    });
    driver.lookAtGuestRun = look;
    expect((await stackNamed('other'))?.run).toMatchObject({
      state: 'failed',
      error: expect.stringContaining('restarted'),
    });
    expect(await settled(people.owner, (await run('other', 'up')).operation.id)).toMatchObject({ state: 'succeeded' });
  });

  it('V2: an agent that is away for a while does not end a command', async () => {
    driver.faults.fail({ verb: 'lookAtGuestRun', times: 5 });
    const { operation } = await run('other', 'pull');
    expect(await settled(people.owner, operation.id)).toMatchObject({ state: 'succeeded' });
    driver.faults.clear();
  });

  it('V2: what is wrong with a text is answered with its line', async () => {
    const check = (content: string) =>
      people.owner.call(api.stacksCheck, { params: { instance, stack: 'other' }, body: { text: content } });
    expect(await check(text)).toEqual({ problems: [] });
    expect(await check('\tx')).toEqual({ problems: [{ line: 1, message: expect.stringContaining('cannot start') }] });
  });

  it('V3: cleaning up says what it freed', async () => {
    const before = await people.owner.call(api.dockerUsage, { params: { instance } });
    expect(before.parts.find(({ part }) => part === 'images')).toMatchObject({ unused: 1 });
    const { operation } = await people.owner.call(api.dockerClean, {
      params: { instance },
      body: { parts: ['images', 'containers'] },
    });
    const ended = await settled(people.owner, operation.id);
    expect(ended).toMatchObject({ state: 'succeeded', kind: 'docker.clean' });
    expect(ended.steps[0]?.message).toBe('2.0 MB freed');
  });

  it('V2: one container is acted on and its use is answered', async () => {
    const name = `${HAND_MADE_STACK}-web-1`;
    const act = (container: string, action: 'stop' | 'start') =>
      people.owner.call(api.containersAct, { params: { instance, container, action } });
    await act(name, 'stop');
    expect((await stackNamed(HAND_MADE_STACK))?.state).toBe('stopped');
    await act(name, 'start');
    await expect(act('nothing', 'stop')).rejects.toMatchObject({ problem: { code: 'not_found' } });
    const { items } = await people.owner.call(api.containersUsage, { params: { instance } });
    expect(items.length).toBeGreaterThan(0);
    expect(await actions()).toEqual(expect.arrayContaining(['container.stop', 'container.start']));
  });

  it('V2: a server that does not run, and a desktop, say so', async () => {
    const stop = await people.owner.call(api.instancesPower, { params: { instance, action: 'stop' } });
    await settled(people.owner, stop.operation.id);
    await expect(list()).rejects.toMatchObject({ problem: { code: 'state_conflict' } });
    await expect(run('other', 'up')).rejects.toMatchObject({ problem: { code: 'state_conflict' } });
    expect((await people.owner.call(api.instancesContainers, { params: { instance } })).items).toEqual([]);
    const desk = await people.owner.call(api.instancesCreate, {
      params: { project: people.project },
      body: { kind: 'desktop', name: 'desk' },
    });
    await settled(people.owner, desk.operation.id);
    expect(desk.instance?.can.stacks).toBeTypeOf('string');
    await expect(
      people.owner.call(api.stacksList, { params: { instance: desk.instance?.id ?? '' } }),
    ).rejects.toMatchObject({ problem: { code: 'state_conflict' } });
  });
});
