import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CliError } from './errors.ts';
import {
  formatBytes,
  formatDuration,
  formatRelative,
  makePaint,
  parseBytes,
  parseDuration,
  parseSince,
  plain,
} from './format.ts';
import { renderBar, renderOperation } from './progress.ts';
import { closest } from './refs.ts';
import { renderProperties, renderTable } from './table.ts';

const GIB = 1024 ** 3;
const none = makePaint(false);

it('U3: sizes are read in powers of 1024, or of 1000 where written so', () => {
  expect(parseBytes('4GiB')).toBe(4 * GIB);
  expect(parseBytes('4G')).toBe(4 * GIB);
  expect(parseBytes('4g')).toBe(4 * GIB);
  expect(parseBytes('4GB')).toBe(4_000_000_000);
  expect(parseBytes('512 MiB')).toBe(512 * 1024 ** 2);
  expect(parseBytes('1.5T')).toBe(1.5 * 1024 ** 4);
  expect(parseBytes('4294967296')).toBe(4 * GIB);
  for (const wrong of ['', 'GiB', '-1G', '4 GiBs', '1e9', '4,5G', '0x10', '9999999999T']) {
    expect(() => parseBytes(wrong), wrong).toThrow(CliError);
  }
});

it('U3: what formatBytes writes, parseBytes reads back within rounding', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 50 }), (bytes) => {
      const back = parseBytes(formatBytes(bytes));
      expect(Math.abs(back - bytes)).toBeLessThanOrEqual(bytes * 0.051);
    }),
  );
});

it('U3: durations and times', () => {
  expect(parseDuration('90s')).toBe(90_000);
  expect(parseDuration('90')).toBe(90_000);
  expect(parseDuration('10m')).toBe(600_000);
  expect(() => parseDuration('soon')).toThrow(CliError);
  const now = Date.parse('2026-11-21T12:00:00Z');
  expect(parseSince('2h', now)).toBe('2026-11-21T10:00:00.000Z');
  expect(parseSince('2026-11-20T00:00:00+02:00', now)).toBe('2026-11-19T22:00:00.000Z');
  expect(() => parseSince('yesterday', now)).toThrow(CliError);
  expect(formatDuration(4200)).toBe('4.2s');
  expect(formatDuration(75_300)).toBe('1m 15s');
  expect(formatDuration(3_600_000 * 5 + 120_000)).toBe('5h 2m');
  expect(formatRelative('2026-11-21T11:57:00Z', now)).toBe('3m ago');
  expect(formatRelative('2026-11-28T12:00:00Z', now)).toBe('in 7d');
  expect(formatRelative(null, now)).toBe('-');
});

it('U3: control characters of the API never reach the terminal', () => {
  expect(plain('a\u001b]0;evil\u0007b\tc\nd\u009bm')).toBe('a]0;evilb c dm');
  const table = renderTable([{ name: 'x\u001b[31m' }], [{ title: 'Name', value: (row) => row.name }], {
    paint: none,
    empty: '',
  });
  expect(table).toBe('NAME\nx[31m\n');
});

it('U3: tables are aligned, long cells are shortened, no rows is a sentence', () => {
  const columns = [
    { title: 'Name', value: (row: { name: string; n: number }) => row.name },
    { title: 'N', value: (row: { name: string; n: number }) => String(row.n), align: 'right' as const },
  ];
  expect(
    renderTable(
      [
        { name: 'ada', n: 5 },
        { name: 'žemė', n: 1000 },
      ],
      columns,
      { paint: none, empty: 'None.' },
    ),
  ).toBe('NAME     N\nada      5\nžemė  1000\n');
  expect(renderTable([], columns, { paint: none, empty: 'None.' })).toBe('None.\n');
  expect(renderTable([{ name: 'x'.repeat(200), n: 1 }], columns, { paint: none, empty: '' })).toContain(
    `${'x'.repeat(59)}…`,
  );
  expect(
    renderProperties(
      [
        ['A', '1'],
        ['Long', null],
        ['Bee', '2'],
      ],
      none,
    ),
  ).toBe('A    1\nBee  2\n');
});

it('U3: colours only when asked for', () => {
  expect(makePaint(false).red('x')).toBe('x');
  expect(makePaint(true).red('x')).toBe('\u001b[31mx\u001b[39m');
});

it('U3: a mistyped name finds the near one, and only that', () => {
  expect(closest('desk', ['desk-1', 'web'])).toBe(null);
  expect(closest('dekstop', ['desktop', 'server'])).toBe('desktop');
  expect(closest('zzz', ['desktop', 'server'])).toBe(null);
});

it('U3: progress is a checklist with durations, bars and the error where it happened', () => {
  const at = (seconds: number): string => new Date(Date.UTC(2026, 10, 21, 12, 0, seconds)).toISOString();
  const step = {
    name: 'x',
    title: 'X',
    state: 'pending' as const,
    startedAt: null,
    finishedAt: null,
    attempts: 0,
    percent: null,
    message: null,
  };
  const lines = renderOperation(
    {
      id: 'opr_1',
      kind: 'instance.create',
      title: 'Create desktop ada',
      state: 'running',
      project: null,
      instance: null,
      target: 'ada',
      actor: 'ada@example.com',
      createdAt: at(0),
      startedAt: at(0),
      finishedAt: null,
      error: null,
      usualSeconds: 4,
      steps: [
        {
          ...step,
          name: 'reserve',
          title: 'Reserve',
          state: 'succeeded',
          startedAt: at(0),
          finishedAt: at(1),
          attempts: 1,
        },
        {
          ...step,
          name: 'image',
          title: 'Image',
          state: 'running',
          startedAt: at(1),
          attempts: 2,
          percent: 50,
          message: 'packing',
        },
        { ...step, name: 'start', title: 'Start' },
      ],
    } as unknown as Parameters<typeof renderOperation>[0],
    { now: Date.parse(at(3)), paint: none, frame: 0, width: 100 },
  );
  expect(lines).toEqual([
    'Create desktop ada (usually 4.0s)',
    '  ✓ Reserve     1.0s',
    '  ⠋ Image       2.0s (try 2) ████████████░░░░░░░░░░░░  50% packing',
    '  · Start',
  ]);
  expect(renderBar(150, 4)).toBe('████ 100%');
});
