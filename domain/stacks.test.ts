import { describe, expect, it } from 'vitest';
import { parseLogSource } from './logs.ts';
import {
  dockerBytes,
  lineOf,
  publishedPorts,
  reclaimedBytes,
  stackNameProblem,
  stackProblems,
  stackState,
} from './stacks.ts';

describe('V2: names of stacks', () => {
  it.each(['blog', 'a', '0', 'my-blog_2'])('%s is one', (name) => expect(stackNameProblem(name)).toBeNull());
  it.each(['', 'Blog', '-x', '_x', 'a b', 'a/b', '../x', 'a.b', 'ü', 'a\n', 'x'.repeat(64)])('%j is none', (name) =>
    expect(stackNameProblem(name)).not.toBeNull(),
  );
});

describe('V2: one word for a stack', () => {
  const up = { state: 'running', status: 'Up 1 minute' };
  const done = { state: 'exited', status: 'Exited (0) 1 minute ago' };
  const broken = { state: 'exited', status: 'Exited (1) 1 minute ago' };
  it.each([
    [[], 'down'],
    [[up, up], 'running'],
    [[up, done], 'running'],
    [[up, broken], 'partly'],
    [[broken, done], 'stopped'],
  ])('%j is %s', (containers, state) => expect(stackState(containers)).toBe(state));
});

describe('V2: published ports', () => {
  it('are read as Docker writes them, once each', () => {
    expect(publishedPorts('0.0.0.0:8080->80/tcp, [::]:8080->80/tcp, 9000/tcp')).toEqual([
      { port: 8080, to: 80, protocol: 'tcp', local: false },
    ]);
    expect(publishedPorts('127.0.0.1:5432->5432/tcp')).toEqual([
      { port: 5432, to: 5432, protocol: 'tcp', local: true },
    ]);
    expect(
      publishedPorts('0.0.0.0:7000-7002->80-82/udp, :::7000-7002->80-82/udp').map(({ port, to }) => [port, to]),
    ).toEqual([
      [7000, 80],
      [7001, 81],
      [7002, 82],
    ]);
    expect(publishedPorts('')).toEqual([]);
    expect(publishedPorts('0.0.0.0:1-65535->1-65535/tcp')).toHaveLength(100);
  });
});

describe('V3: figures of Docker', () => {
  it.each([
    ['0B', 0],
    ['12.5MB', 12_500_000],
    ['1.5MiB', 1_572_864],
    ['3kB', 3_000],
    ['--', 0],
    ['', 0],
  ])('%s is %d', (text, bytes) => expect(dockerBytes(text)).toBe(bytes));
  it('what was freed', () => {
    expect(reclaimedBytes('Deleted Images:\nuntagged: x\n\nTotal reclaimed space: 1.5MB')).toBe(1_500_000);
    expect(reclaimedBytes('ID\nx\nTotal:\t2kB\n')).toBe(2_000);
    expect(reclaimedBytes('nothing')).toBe(0);
  });
});

const text = `services:
  web:
    image: tiny
    foo: bar
    ports:
      - "80:80"
  db:
    image: tiny
volumes:
  data:
`;

describe('V2: what is wrong with a compose file, and where', () => {
  it.each([
    [['services', 'web'], 2],
    [['services', 'web', 'foo'], 4],
    [['services', 'db', 'image'], 8],
    [['volumes', 'data'], 10],
    [['services', 'db', 'foo'], 7],
    [['nothing'], null],
  ])('%j is on line %d', (path, line) => expect(lineOf(text, path)).toBe(line));

  it.each([
    ['yaml: line 3: mapping values are not allowed in this context', 3],
    ['parsing /x/compose.yaml: yaml: line 5: did not find expected key', 5],
    ["validating /x/compose.yaml: services.web additional properties 'foo' not allowed", 4],
    ['validating /x/compose.yaml: services.web Additional property foo is not allowed', 4],
    ['services.web.ports must be a list', 5],
    ['service "db" has neither an image nor a build context specified: invalid compose project', 7],
    ['service "db" depends on undefined service "x": invalid compose project', 7],
    ['something else', null],
  ])('%s', (said, line) => {
    expect(stackProblems(text, said)).toEqual([{ line, message: expect.any(String) }]);
  });

  it('warnings are no problems, and a list of errors is a list', () => {
    expect(stackProblems(text, 'time="2026" level=warning msg="The \\"X\\" variable is not set."')).toEqual([]);
    expect(stackProblems(text, 'yaml: unmarshal errors:\n  line 2: a\n  line 4: b').map(({ line }) => line)).toEqual([
      2, 4,
    ]);
  });
});

describe('V2: where lines come from', () => {
  it.each(['stack:blog', 'container:blog-web-1', 'run:opr_01j9z3v8k5m2n4p6q8r0s1t2v3'])('%s', (source) =>
    expect(parseLogSource(source)).not.toBeNull(),
  );
  it.each(['', 'stack:', 'stack:--x', 'container:-f', 'container:a b', 'run:opr_x', 'unit:ssh', 'stack'])(
    'not %j',
    (source) => expect(parseLogSource(source)).toBeNull(),
  );
});
