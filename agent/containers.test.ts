import { describe, expect, it } from 'vitest';
import { parseFigures, usageOf } from './container-usage.ts';
import { parseContainers, parseDockerUsage, stateOfUnits } from './containers.ts';
import { parseDockerLine } from './docker-logs.ts';
import { runOfUnit } from './guest-runs.ts';
import { stacksOf } from './stacks.ts';

const container = (more: Record<string, unknown> = {}) => ({
  id: 'abc',
  name: 'web',
  image: 'nginx',
  state: 'running',
  status: 'Up 2 hours',
  ports: '80/tcp',
  stack: '',
  service: '',
  files: '',
  folder: '',
  environment: '',
  ...more,
});

describe('V3: containers inside', () => {
  it('are read line by line, bounded, without trust', () => {
    const lines = [JSON.stringify({ ...container(), Mounts: '/' }), 'not json', '{"name":"x"}', '[]', '7', ''];
    expect(parseContainers(lines.join('\n'))).toEqual([container()]);
    const many = Array.from({ length: 500 }, (_, index) => JSON.stringify(container({ id: `c${index}` })));
    expect(parseContainers(many.join('\n'))).toHaveLength(200);
    expect(parseContainers(JSON.stringify(container({ name: 'x'.repeat(9999) })))[0]?.name).toHaveLength(300);
    expect(parseContainers(JSON.stringify(container({ name: { a: 1 } })))[0]?.name).toBe('');
  });

  it.each([
    [
      1,
      (id: string, cpu: number) =>
        `/sys/fs/cgroup/memory/docker/${id}/memory.usage_in_bytes:3000\n/sys/fs/cgroup/memory/docker/${id}/memory.stat:inactive_file 500\n/sys/fs/cgroup/memory/docker/${id}/memory.stat:total_inactive_file 1000\n/sys/fs/cgroup/memory/docker/${id}/memory.limit_in_bytes:9223372036854771712\n/sys/fs/cgroup/cpuacct/docker/${id}/cpuacct.usage:${cpu}000\n/sys/fs/cgroup/pids/docker/${id}/pids.current:2\n`,
    ],
    [
      2,
      (id: string, cpu: number) =>
        `/sys/fs/cgroup/system.slice/docker-${id}.scope/memory.current:3000\n/sys/fs/cgroup/system.slice/docker-${id}.scope/memory.stat:inactive_file 1000\n/sys/fs/cgroup/system.slice/docker-${id}.scope/cpu.stat:usage_usec ${cpu}\n/sys/fs/cgroup/system.slice/docker-${id}.scope/pids.current:2\n`,
    ],
  ])('V2: use is read from control groups of version %d', (_version, files) => {
    const [one, two] = ['a'.repeat(64), 'b'.repeat(64)];
    const before = parseFigures(files(one, 1_000_000));
    const after = parseFigures(`${files(one, 1_500_000)}${files(two, 7)}/docker/x/memory.current:1\nnonsense\n`);
    expect(usageOf(before, after, 2)).toEqual([
      { id: one, cpuPercent: 25, memoryBytes: 2000, memoryLimitBytes: null, processes: 2 },
    ]);
    expect(usageOf(after, before, 0)[0]?.cpuPercent).toBe(0);
  });

  it('V3: what Docker keeps is read from docker system df', () => {
    const rows = [
      { Type: 'Images', TotalCount: '3', Active: '1', Size: '1.2GB', Reclaimable: '800MB (66%)' },
      { Type: 'Build Cache', TotalCount: '0', Active: '0', Size: '0B', Reclaimable: '0B' },
    ];
    expect(parseDockerUsage(rows.map((row) => JSON.stringify(row)).join('\n'), 2)).toEqual([
      { part: 'images', count: 3, unused: 2, bytes: 1_200_000_000, reclaimableBytes: 800_000_000 },
      { part: 'cache', count: 0, unused: 0, bytes: 0, reclaimableBytes: 0 },
      { part: 'networks', count: 2, unused: 2, bytes: 0, reclaimableBytes: 0 },
    ]);
  });

  it.each([
    ['loaded', 'active', 'active', 'running'],
    ['loaded', 'inactive', 'active', 'asleep'],
    ['loaded', 'failed', 'inactive', 'stopped'],
    ['not-found', 'inactive', 'inactive', 'missing'],
  ])('V2: Docker whose unit is %s and %s, with a socket that is %s, is %s', (load, service, socket, state) => {
    const unit = (id: string, loaded: string, active: string) =>
      `Id=${id}\nLoadState=${loaded}\nActiveState=${active}\n`;
    expect(stateOfUnits(`${unit('docker.service', load, service)}\n${unit('docker.socket', load, socket)}`)).toBe(
      state,
    );
  });
});

describe('V2: stacks inside', () => {
  const labelled = (stack: string, folder: string, more: Record<string, unknown> = {}) =>
    container({ stack, folder, files: `${folder}/compose.yaml`, ...more }) as never;

  it('are those with a folder and those with containers; where they run from is where they are', () => {
    const found = stacksOf(
      ['blog', 'shop'],
      [labelled('blog', '/srv/stacks/blog'), labelled('old', '/home/berth/old')],
    );
    expect([...found].map(([name, { managed, source }]) => [name, managed, source?.files[0]])).toEqual([
      ['blog', true, '/srv/stacks/blog/compose.yaml'],
      ['old', false, '/home/berth/old/compose.yaml'],
      ['shop', true, '/srv/stacks/shop/compose.yaml'],
    ]);
    const elsewhere = stacksOf(['blog'], [labelled('blog', '/root/blog')]).get('blog');
    expect(elsewhere).toMatchObject({ managed: false, source: { folder: '/root/blog' } });
  });

  it('labels that are no paths or no names lead nowhere', () => {
    expect(stacksOf([], [labelled('x', '/a/../b')]).get('x')?.source).toBeNull();
    expect(stacksOf([], [labelled('x', 'relative')]).get('x')?.source).toBeNull();
    expect(stacksOf([], [labelled('--file=/etc/shadow', '/a')]).size).toBe(0);
  });
});

describe('V2: lines of Docker', () => {
  it('have a time and, for stacks, a name', () => {
    const stack = { kind: 'stack', name: 'blog' } as const;
    expect(parseDockerLine('blog-web-1  | 2026-11-21T19:00:00.123456789Z a | b', stack)).toEqual({
      ts: '2026-11-21T19:00:00.123Z',
      unit: 'blog-web-1',
      priority: 6,
      message: 'a | b',
    });
    const one = { kind: 'container', name: 'web' } as const;
    expect(parseDockerLine('2026-11-21T19:00:00Z \u001b[31mred\u001b[0m\r', one)).toMatchObject({
      unit: 'web',
      message: 'red',
    });
    expect(parseDockerLine('no time at all', one)).toBeNull();
    expect(parseDockerLine('2026-99-99T99:00:00Z x', one)).toBeNull();
  });
});

describe('V2: a run inside', () => {
  it.each([
    ['LoadState=not-found\nActiveState=inactive', { state: 'gone', code: null }],
    ['LoadState=loaded\nActiveState=active\nSubState=running\nExecMainStatus=0', { state: 'running', code: null }],
    [
      'LoadState=loaded\nActiveState=active\nSubState=exited\nExecMainCode=1\nExecMainStatus=0',
      { state: 'exited', code: 0 },
    ],
    [
      'LoadState=loaded\nActiveState=active\nSubState=exited\nExecMainCode=1\nExecMainStatus=17',
      { state: 'exited', code: 17 },
    ],
    [
      'LoadState=loaded\nActiveState=active\nSubState=exited\nExecMainCode=2\nExecMainStatus=9',
      { state: 'exited', code: 137 },
    ],
  ])('%j', (shown, run) => {
    expect(runOfUnit(shown)).toEqual(run);
  });

  it('no answer is not taken for the end', () => {
    expect(() => runOfUnit('')).toThrow('does not say');
  });
});
