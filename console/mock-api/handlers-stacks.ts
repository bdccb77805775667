/** Docker inside the mock's servers: two stacks, a container on its own, and commands that take a moment. */
import { BerthError, notFound } from '#domain/errors.ts';
import { isFinished } from '#domain/operations.ts';
import {
  type CleanPart,
  type Container,
  type Stack,
  type StackVerb,
  stackFile,
  stackProblems,
} from '#domain/stacks.ts';
import type { Handlers } from './handlers.ts';
import { find } from './instance-parts.ts';
import { makeOperation } from './make.ts';
import { run } from './simulate.ts';
import { type MockState, present, record } from './state.ts';

type StackHandlers = Pick<
  Handlers,
  | 'stacksList'
  | 'stacksRead'
  | 'stacksCreate'
  | 'stacksWrite'
  | 'stacksCheck'
  | 'stacksRun'
  | 'stacksRemove'
  | 'instancesContainers'
  | 'containersUsage'
  | 'containersAct'
  | 'dockerUsage'
  | 'dockerClean'
>;
type MockStack = Omit<Stack, 'state'> & { text: string; changes: number; services: string[]; last: LastRun | null };
type LastRun = { operation: ReturnType<typeof makeOperation>; verb: StackVerb };

const container = (id: string, stack: string, service: string, more: Partial<Container> = {}): Container => ({
  id: id.repeat(8).slice(0, 64),
  name: stack === '' ? service : `${stack}-${service}-1`,
  image: 'nginx:1.29',
  state: 'running',
  status: 'Up 9 days',
  ports: '',
  stack,
  service: stack === '' ? '' : service,
  ...more,
});
const text = (name: string) =>
  `services:\n  web:\n    image: nginx:1.29\n    ports:\n      - "3000:80"\n    volumes:\n      - ${name}:/srv\n  db:\n    image: postgres:18\n    volumes:\n      - data:/var/lib/postgresql\nvolumes:\n  ${name}:\n  data:\n`;

let containers: Container[] = [
  container('3f9a1c77', 'status', 'web', { ports: '0.0.0.0:3000->80/tcp, [::]:3000->80/tcp' }),
  container('a1b2c3d4', 'status', 'db', {
    image: 'postgres:18',
    status: 'Up 9 days (healthy)',
    ports: '127.0.0.1:5432->5432/tcp',
  }),
  container('77b0aa41', 'metrics', 'grafana', {
    image: 'grafana/grafana:12.2',
    status: 'Up 4 days',
    ports: '0.0.0.0:3001->3000/tcp',
  }),
  container('88c1bb52', 'metrics', 'store', {
    image: 'prom/prometheus:v3',
    state: 'exited',
    status: 'Exited (1) 2 hours ago',
  }),
  container('c2d5e81f', '', 'nightly-dump', {
    image: 'postgres:18',
    state: 'exited',
    status: 'Exited (0) 7 hours ago',
  }),
];
const stacks = new Map<string, MockStack>();
function put(name: string, more: Partial<MockStack> = {}): void {
  stacks.set(name, {
    name,
    file: stackFile(name),
    managed: true,
    text: text(name),
    changes: 1,
    services: ['web', 'db'],
    last: null,
    ...more,
  });
}
put('status');
put('metrics', { file: '/home/berth/metrics/docker-compose.yml', managed: false });
put('wiki');

function stackNamed(name: string): MockStack {
  const stack = stacks.get(name);
  if (stack === undefined) throw notFound('stack');
  return stack;
}
function stateOf(name: string): Stack['state'] {
  const own = containers.filter((each) => each.stack === name);
  const up = own.filter(({ state }) => state === 'running').length;
  return own.length === 0 ? 'down' : up === own.length ? 'running' : up === 0 ? 'stopped' : 'partly';
}
const fileOf = ({ file, text: content, changes }: MockStack) => ({
  path: file ?? '',
  text: content,
  version: `v${changes}`,
});
const titles: Record<StackVerb, string> = {
  up: 'Start its containers',
  down: 'Stop and remove its containers',
  restart: 'Restart its containers',
  pull: 'Pull its images',
};

function done(stack: MockStack, verb: StackVerb): void {
  const others = containers.filter((each) => each.stack !== stack.name);
  if (verb === 'down') containers = others;
  if (verb === 'up') {
    const own = stack.services.map((service, index) =>
      container(`${stack.name}${index}`, stack.name, service, { status: 'Up 1 second' }),
    );
    containers = [...containers.filter((each) => each.stack === stack.name), ...own]
      .filter((each, index, all) => all.findIndex(({ name }) => name === each.name) === index)
      .map((each) => ({ ...each, state: 'running' }))
      .concat(others);
  }
}

function begin(state: MockState, id: string, kind: Parameters<typeof makeOperation>[1], title: string, step: string) {
  const row = find(state, id);
  const operation = makeOperation(state, kind, title, row, [step, 'Clear up behind it']);
  record(state, kind, 'instance', row.id, row.name);
  return { row, operation };
}

export const stackHandlers: StackHandlers = {
  stacksList: (_state, { params: _params }) => ({
    docker: 'running',
    items: [...stacks.values()]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, file, managed, last }) => ({
        name,
        file,
        managed,
        state: stateOf(name),
        containers: containers.filter((each) => each.stack === name),
        run:
          last === null
            ? null
            : {
                operation: last.operation.id,
                verb: last.verb,
                state: last.operation.state,
                actor: last.operation.actor,
                createdAt: last.operation.createdAt,
                finishedAt: last.operation.finishedAt,
                error: last.operation.error?.message ?? null,
                stop: last.operation.stop,
              },
      })),
    others: containers.filter((each) => each.stack === ''),
    can: { write: true },
  }),
  stacksRead: (_state, { params }) => fileOf(stackNamed(params.stack)),
  stacksCreate: (state, { params, body }) => {
    if (stacks.has(body.name)) throw new BerthError('name_taken', `There is a stack called "${body.name}" already.`);
    put(body.name, { text: body.text, services: ['web'] });
    record(state, 'stack.create', 'instance', params.instance, find(state, params.instance).name);
    return fileOf(stackNamed(body.name));
  },
  stacksWrite: (_state, { params, body }) => {
    const stack = stackNamed(params.stack);
    if (body.version !== `v${stack.changes}`) {
      throw new BerthError('conflict', 'The file was changed meanwhile. Look at it again before you replace it.');
    }
    Object.assign(stack, { text: body.text, changes: stack.changes + 1 });
    return fileOf(stack);
  },
  stacksCheck: (_state, { body }) => {
    const at = body.text.split('\n').findIndex((line) => line.includes('\t') || /^\s*foo:/.test(line));
    return {
      problems:
        at === -1
          ? []
          : stackProblems(body.text, `yaml: line ${at + 1}: services.web additional properties 'foo' not allowed`),
    };
  },
  stacksRun: (state, { params, body }) => {
    const stack = stackNamed(params.stack);
    if (stack.last !== null && !isFinished(stack.last.operation.state)) {
      throw new BerthError('state_conflict', `Another command runs: ${stack.last.operation.title}.`);
    }
    const title = `${params.verb === 'up' ? 'Start' : params.verb} the stack ${params.stack}`;
    const { row, operation } = begin(state, params.instance, `stack.${params.verb}`, title, titles[params.verb]);
    stack.last = { operation, verb: params.verb };
    const fail = stack.text.includes('missing')
      ? { fail: 'Docker: Error response from daemon: no such image: missing:1' }
      : {};
    run(state, operation, null, [{ at: 0, ms: 3_000, ...fail }], (ok) => {
      if (ok) done(stack, params.verb);
    });
    void body;
    return { operation, instance: present(state, row) };
  },
  stacksRemove: (_state, { params }) => {
    if (stateOf(params.stack) !== 'down')
      throw new BerthError('state_conflict', 'It has containers: take it down first.');
    stacks.delete(params.stack);
    return { removed: true };
  },
  instancesContainers: (state, { params }) => ({
    items: find(state, params.instance).kind === 'desktop' ? [] : containers,
  }),
  containersUsage: () => ({
    items: containers
      .filter(({ state }) => state === 'running')
      .map(({ id, image }, index) => ({
        id,
        cpuPercent: 0.4 + index * 2.3,
        memoryBytes: (image.startsWith('postgres') ? 180 : 24 + index * 40) * 1024 ** 2,
        memoryLimitBytes: null,
        processes: 3 + index,
      })),
  }),
  containersAct: (_state, { params }) => {
    const row = containers.find(({ id, name }) => id === params.container || name === params.container);
    if (row === undefined) throw new BerthError('not_found', 'There is no such container.');
    const stops = params.action === 'stop';
    Object.assign(row, {
      state: stops ? 'exited' : 'running',
      status: stops ? 'Exited (0) 1 second ago' : 'Up 1 second',
    });
    return { done: true };
  },
  dockerUsage: () => ({
    state: 'running',
    parts: (
      [
        ['containers', 5, 2, 120, 40],
        ['networks', 1, 1, 0, 0],
        ['images', 9, 4, 2900, 1240],
        ['cache', 31, 31, 640, 640],
        ['volumes', 4, 1, 5200, 310],
      ] as [CleanPart, number, number, number, number][]
    ).map(([part, count, unused, size, free]) => ({
      part,
      count,
      unused,
      bytes: size * 1e6,
      reclaimableBytes: free * 1e6,
    })),
    can: { clean: true },
  }),
  dockerClean: (state, { params }) => {
    const { row, operation } = begin(
      state,
      params.instance,
      'docker.clean',
      'Clean up Docker',
      'Remove what nobody uses',
    );
    run(state, operation, null, [{ at: 0, ms: 1_500 }], () => {
      containers = containers.filter((each) => each.state === 'running');
      const [step] = operation.steps;
      if (step !== undefined) step.message = '1.9 GB freed';
    });
    return { operation, instance: present(state, row) };
  },
};
