import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { makeId } from './ids.ts';
import { castHeader, castLine, readCast, readCastLine, readCastSize, sessionOfCast } from './ssh-recordings.ts';

const session = makeId('shs', Date.now(), randomBytes);
const of = {
  width: 97,
  height: 31,
  title: 'ada at web',
  term: 'xterm',
  session,
  startedAt: new Date(1_700_000_000_000),
};

it('V4: what is written as a recording is read as it was, whatever is in it', () => {
  const pieces = ['plain', '\u001b[31mred\u001b[0m', '"quoted"\n', '\u0000\u0007', 'ü€😀', '\u2028'];
  const text = castHeader(of) + pieces.map((piece, at) => castLine(at * 100, 'o', piece)).join('');
  expect(text.split('\n')).toHaveLength(pieces.length + 2);
  const cast = readCast(text);
  expect(cast).toMatchObject({ width: 97, height: 31, title: 'ada at web', seconds: 0.5, startedAt: of.startedAt });
  expect(cast?.events).toEqual(pieces.map((piece, at) => [at / 10, 'o', piece]));
});

it('V4: a file cut off anywhere still plays up to its last whole line', () => {
  const head = castHeader(of);
  const text = head + castLine(100, 'o', 'first') + castLine(200, 'r', '120x40') + castLine(300, 'o', 'last');
  for (let length = head.length; length <= text.length; length++) {
    const cast = readCast(text.slice(0, length));
    const whole = text.slice(0, length).split('\n').length - 2;
    expect(cast?.events.length).toBeGreaterThanOrEqual(Math.max(0, whole));
    expect(cast?.events.every(([, , data]) => ['first', '120x40', 'last'].includes(data))).toBe(true);
  }
  expect(readCast('')).toBeNull();
  expect(readCast('{"version":1}\n')).toBeNull();
});

it('V4: what is no event is none; time never runs back; sizes are bounded', () => {
  for (const line of [
    '',
    '[]',
    '{}',
    '["1","o","x"]',
    '[-1,"o","x"]',
    '[1,"i","secret"]',
    '[1,"o",5]',
    '[1e999,"o","x"]',
  ])
    expect(readCastLine(line), line).toBeNull();
  const cast = readCast(`${castHeader({ ...of, width: 1e9, height: -1 })}[5,"o","a"]\n[1,"o","b"]\n`);
  expect(cast).toMatchObject({ width: 80, height: 24, seconds: 5 });
  expect(cast?.events[1]).toEqual([5, 'o', 'b']);
  expect(readCastSize('120x40')).toEqual({ columns: 120, rows: 40 });
  for (const size of ['0x40', '99999x1', '1001x1', '80', '80x24;', '-1x2']) expect(readCastSize(size), size).toBeNull();
});

it('V4: the header names the connection, and nothing else passes for one', () => {
  expect(sessionOfCast(castHeader(of))).toBe(session);
  for (const text of ['', 'null', '{}', '{"env":{"BERTH_SSH_SESSION":"../../etc/passwd"}}', '{"env":5}'])
    expect(sessionOfCast(text), text).toBeNull();
});
