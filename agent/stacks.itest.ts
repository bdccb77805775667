/** Stacks, containers and cleaning up with the real Docker of the real server image: real agent, real Incus. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type GuestRunPart, guestRunPart } from '#domain/guest-runs.ts';
import type { OperationId } from '#domain/ids.ts';
import { GIB } from '#domain/sizes.ts';
import { type CleanPart, reclaimedBytes, type StackVerb } from '#domain/stacks.ts';
import type { GuestSpec, GuestTask } from '#drivers/interface.ts';
import { startAgent, type TestAgent, testId } from '#testkit/agent.ts';
import { until } from '#testkit/work.ts';

const minutes = 60_000;
let agent: TestAgent;
let guest: GuestSpec;

const inside = async (script: string): Promise<string> => {
  const { code, stdout, stderr } = await agent.inside(guest, ['sh', '-c', script], 2 * minutes);
  if (code !== 0) throw new Error(`${script}: ${code} ${stderr}`);
  return stdout.trim();
};

/** Nothing can be pulled here: an image is made of programs of the guest itself. */
const tiny = (tag: string) =>
  `tar -C / -ch usr/bin/dash usr/bin/sleep usr/bin/echo lib64/ld-linux-x86-64.so.2 lib/x86_64-linux-gnu/libc.so.6 | docker import - ${tag}`;

const compose = (more = '') => `services:
  web:
    image: tiny:1
    pull_policy: never
    command: [/usr/bin/dash, -c, 'echo first line; echo second failure >&2; while :; do echo tick; sleep 1; done']
    ports: ["8080:80"]
    volumes: ["data:/data"]
${more}volumes:
  data:
`;

async function write(path: string, text: string): Promise<void> {
  const folder = path.slice(0, path.lastIndexOf('/'));
  await inside(`mkdir -p '${folder}' && cat > '${path}' <<'END-OF-FILE'\n${text}END-OF-FILE`);
}

async function ended(run: OperationId, part: GuestRunPart) {
  let last: Awaited<ReturnType<typeof agent.driver.lookAtGuestRun>> | null = null;
  await until(async () => {
    last = await agent.driver.lookAtGuestRun(guest.instance, run, part);
    return last.state !== 'running';
  }, 2 * minutes);
  if (last === null) throw new Error('no run');
  return last as Awaited<ReturnType<typeof agent.driver.lookAtGuestRun>>;
}
async function runToEnd(task: GuestTask) {
  const run = testId('opr');
  await agent.driver.startGuestRun(guest.instance, run, task);
  const last = await ended(run, guestRunPart(task));
  await agent.driver.endGuestRun(guest.instance, run, guestRunPart(task));
  return last;
}
const on = (stack: string, verb: StackVerb, volumes = false): GuestTask => ({ type: 'stack', stack, verb, volumes });
const stackNamed = async (name: string) =>
  (await agent.driver.stacks(guest.instance)).stacks.find((stack) => stack.name === name);

beforeAll(async () => {
  agent = await startAgent({ poolBytes: 16 * GIB });
  const image = await agent.driver.buildImage('server', () => undefined);
  await agent.driver.allowImages([image.fingerprint]);
  guest = agent.spec(await agent.network(), 10, image.fingerprint, {
    size: { cpus: 2, memoryBytes: 2 * GIB, diskBytes: 8 * GIB },
  });
  await agent.driver.createGuest(guest);
  await agent.driver.power(guest.instance, 'start', {});
  await agent.waitHealthy(guest);
}, 20 * minutes);
afterAll(async () => agent?.close(), 3 * minutes);

describe('V2: stacks in a real server', () => {
  it('V2: looking does not wake Docker, and checking a file does not need it', async () => {
    expect(await agent.driver.stacks(guest.instance)).toEqual({ docker: 'asleep', stacks: [], containers: [] });
    expect(await agent.driver.containerUsage(guest.instance)).toEqual([]);
    expect(await agent.driver.dockerUsage(guest.instance)).toEqual({ state: 'asleep', parts: [] });
    expect(await agent.driver.checkStack(guest.instance, 'blog', compose())).toBeNull();
    expect(await agent.driver.checkStack(guest.instance, 'blog', 'services:\n  web:\n   image: a\n  b: : c\n')).toMatch(
      /line 4/,
    );
    expect(await agent.driver.checkStack(guest.instance, 'blog', 'services:\n  web:\n    foo: bar\n')).toMatch(/foo/);
    expect(await agent.driver.checkStack(guest.instance, 'blog', 'services:\n  web: {}\n')).toMatch(/web/);
    expect(await inside('systemctl is-active docker.service || true; ls /run | grep -c berth-check || true')).toBe(
      'inactive\n0',
    );
  });

  it(
    'V2: a stack that is written is down; up asked for twice at once runs once, over kill -9 of the agent',
    async () => {
      await write('/srv/stacks/blog/compose.yaml', compose());
      expect(await stackNamed('blog')).toEqual({
        name: 'blog',
        state: 'down',
        file: '/srv/stacks/blog/compose.yaml',
        managed: true,
      });
      await inside(tiny('tiny:1'));
      const run = testId('opr');
      const start = () => agent.driver.startGuestRun(guest.instance, run, on('blog', 'up'));
      await Promise.all([start(), start(), start()]);
      await agent.kill();
      await agent.start();
      expect(await ended(run, 'up')).toMatchObject({ state: 'exited', code: 0 });
      await start();
      const said = await agent.driver.logs(guest.instance, { lines: 200, of: `run:${run}` });
      expect(said.filter(({ message }) => /Container blog-web-1\s+Started/.test(message))).toHaveLength(1);
      await agent.driver.endGuestRun(guest.instance, run, 'up');
      await agent.driver.endGuestRun(guest.instance, run, 'up');
      expect(await agent.driver.lookAtGuestRun(guest.instance, run, 'up')).toMatchObject({ state: 'gone' });
      expect(await inside("systemctl list-units --all --plain --no-legend 'berth-opr*' | wc -l")).toBe('0');
    },
    3 * minutes,
  );

  it('V2: shows state, ports and use of its containers', async () => {
    expect((await stackNamed('blog'))?.state).toBe('running');
    const { docker, containers } = await agent.driver.stacks(guest.instance);
    expect(docker).toBe('running');
    expect(containers).toEqual([
      expect.objectContaining({ name: 'blog-web-1', stack: 'blog', service: 'web', state: 'running', image: 'tiny:1' }),
    ]);
    expect(containers[0]?.ports).toMatch(/8080->80\/tcp/);
    const [use] = await agent.driver.containerUsage(guest.instance);
    expect(use?.id).toBe(containers[0]?.id);
    expect(use?.processes).toBeGreaterThan(0);
    expect(use?.memoryBytes).toBeGreaterThan(0);
  });

  it('V2: logs of a stack and of one container, both outputs, with search', async () => {
    const read = (of: string, search?: string) =>
      agent.driver.logs(guest.instance, { lines: 100, of, ...(search === undefined ? {} : { search }) });
    for (const of of ['stack:blog', 'container:blog-web-1']) {
      const lines = await read(of);
      expect(lines.map(({ message }) => message)).toEqual(
        expect.arrayContaining(['first line', 'second failure', 'tick']),
      );
      expect(lines.map(({ ts }) => ts)).toEqual(lines.map(({ ts }) => ts).sort());
      expect((await read(of, 'FAILURE')).map(({ message }) => message)).toEqual(['second failure']);
      expect(lines[0]?.unit).toMatch(/web-1/);
    }
    expect(await read('stack:nothing')).toEqual([]);
    expect(await read('container:nothing')).toEqual([]);
  });

  it(
    'V2: one container is stopped, started and restarted',
    async () => {
      const act = (container: string, action: 'stop' | 'start' | 'restart') =>
        agent.driver.actOnContainer(guest.instance, container, action);
      await act('blog-web-1', 'stop');
      expect((await stackNamed('blog'))?.state).toBe('stopped');
      await act('blog-web-1', 'start');
      await act('blog-web-1', 'restart');
      expect((await stackNamed('blog'))?.state).toBe('running');
      await expect(act('nothing', 'stop')).rejects.toMatchObject({ code: 'not_found' });
    },
    minutes,
  );

  it(
    'V2: an up that fails says why, leaves the server healthy, and is right after an edit',
    async () => {
      await write('/srv/stacks/blog/compose.yaml', compose('  other:\n    image: missing:1\n    pull_policy: never\n'));
      const failed = await runToEnd(on('blog', 'up'));
      expect(failed.code).not.toBe(0);
      expect(failed.lines.join('\n')).toMatch(/missing:1/);
      expect(await inside('systemctl is-system-running || true')).toBe('running');
      await write('/srv/stacks/blog/compose.yaml', compose());
      expect((await runToEnd(on('blog', 'up'))).code).toBe(0);
      expect((await runToEnd(on('blog', 'restart'))).code).toBe(0);
    },
    3 * minutes,
  );

  it(
    'V2: down works with a broken file; volumes stay unless asked',
    async () => {
      await write('/srv/stacks/blog/compose.yaml', 'this: [is not\n');
      expect((await runToEnd(on('blog', 'down'))).code).toBe(0);
      expect(await stackNamed('blog')).toMatchObject({ state: 'down' });
      expect(await inside('docker volume ls -q')).toBe('blog_data');
      expect((await runToEnd(on('blog', 'up'))).code).not.toBe(0);
      await write('/srv/stacks/blog/compose.yaml', compose());
      expect((await runToEnd(on('blog', 'up'))).code).toBe(0);
      expect((await runToEnd(on('blog', 'down', true))).code).toBe(0);
      expect(await inside('docker volume ls -q')).toBe('');
    },
    3 * minutes,
  );

  it(
    'V2: a stack started by hand is known by its labels',
    async () => {
      await write('/home/berth/my thing/compose.hand.yml', compose().replace('8080', '8081'));
      await inside("docker compose -p byhand -f '/home/berth/my thing/compose.hand.yml' up -d");
      expect(await stackNamed('byhand')).toEqual({
        name: 'byhand',
        state: 'running',
        file: '/home/berth/my thing/compose.hand.yml',
        managed: false,
      });
      expect(await agent.driver.checkStack(guest.instance, 'byhand', compose())).toBeNull();
      expect((await runToEnd(on('byhand', 'up'))).code).toBe(0);
      expect((await runToEnd(on('byhand', 'down', true))).code).toBe(0);
      expect(await stackNamed('byhand')).toBeUndefined();
      await expect(agent.driver.startGuestRun(guest.instance, testId('opr'), on('byhand', 'up'))).rejects.toMatchObject(
        {
          code: 'not_found',
        },
      );
    },
    3 * minutes,
  );

  it(
    'V3: shows what Docker keeps, removes what nobody uses, and says what that freed',
    async () => {
      await inside(
        `${tiny('unused:1')}; docker volume create lost; docker network create nobody; docker run --name gone tiny:1 /usr/bin/echo done`,
      );
      const before = await agent.driver.dockerUsage(guest.instance);
      const part = (name: CleanPart) => before.parts.find((each) => each.part === name);
      expect(part('containers')?.unused).toBeGreaterThan(0);
      expect(part('images')?.reclaimableBytes).toBeGreaterThan(1_000_000);
      expect(part('volumes')?.unused).toBeGreaterThan(0);
      expect(part('networks')?.unused).toBeGreaterThan(0);
      let freed = 0;
      for (const name of ['containers', 'networks', 'images', 'cache'] as const) {
        const { code, lines } = await runToEnd({ type: 'clean', part: name });
        expect(code).toBe(0);
        freed += reclaimedBytes(lines.join('\n'));
      }
      expect(freed).toBeGreaterThan(1_000_000);
      expect(
        await inside('docker volume ls -q; docker ps -aq; docker images -q; docker network ls -q -f name=nobody'),
      ).toBe('lost');
      expect((await runToEnd({ type: 'clean', part: 'volumes' })).code).toBe(0);
      expect(await inside('docker volume ls -q')).toBe('');
    },
    2 * minutes,
  );

  it('V2: Docker that is switched off is said to be, and nothing is started', async () => {
    await inside('systemctl stop docker.socket docker.service');
    expect(await agent.driver.stacks(guest.instance)).toMatchObject({ docker: 'stopped', stacks: [{ name: 'blog' }] });
    await expect(agent.driver.startGuestRun(guest.instance, testId('opr'), on('blog', 'up'))).rejects.toMatchObject({
      code: 'state_conflict',
      message: expect.stringMatching(/switched off/),
    });
    await inside('systemctl start docker.socket');
    expect((await agent.driver.stacks(guest.instance)).docker).toBe('asleep');
  });
});
