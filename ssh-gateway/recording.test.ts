import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeId } from '#domain/ids.ts';
import { readCast } from '#domain/ssh-recordings.ts';
import { NotRecorded, Recording, type RecordingLimits } from './recording.ts';

let folder: string;
let told: { call: string; body: Record<string, unknown> }[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'berth-recording-'));
  told = [];
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const wide: RecordingLimits = { bytes: 1024 ** 2, hours: 1, freeBytes: 0 };
const session = makeId('shs', Date.now(), randomBytes);
const of = { session, width: 80, height: 24, term: 'xterm', title: 'ada at web' };
const begin = (limits: RecordingLimits, onFailure: (words: string) => void = () => {}, at = folder) =>
  Recording.begin(
    { folder: at, limits, now: () => new Date(), reports: { tell: (report) => told.push(report as never) } },
    of,
    onFailure,
  );
const file = () => readFileSync(join(folder, readdirSync(folder)[0] ?? ''), 'utf8');
const ended = async () => {
  for (let round = 0; round < 100 && told.length < 2; round++) await new Promise((resolve) => setTimeout(resolve, 10));
  return told[1]?.body;
};

it('V4: output is in the file before it is passed on; characters cut in two become whole; input never comes here', async () => {
  const recording = await begin(wide);
  const tap = recording.tap();
  const out = text(tap);
  const bytes = Buffer.from('grüße €');
  for (const byte of bytes) tap.write(Buffer.from([byte]));
  recording.resize(100, 30);
  tap.end();
  expect(await out).toBe('grüße €');
  const cast = readCast(file());
  expect(
    cast?.events
      .filter(([, kind]) => kind === 'o')
      .map(([, , data]) => data)
      .join(''),
  ).toBe('grüße €');
  expect(cast?.events.some(([, kind, data]) => kind === 'r' && data === '100x30')).toBe(true);
  recording.end('The session ended.');
  recording.end('twice');
  const body = await ended();
  expect(body).toMatchObject({
    recording: recording.id,
    reason: 'The session ended.',
    bytes: Buffer.byteLength(file()),
  });
  expect(body?.sha256).toBe(createHash('sha256').update(file()).digest('hex'));
  expect(told).toHaveLength(2);
});

it('V4: what does not fit ends the session and is not shown', async () => {
  const words: string[] = [];
  const recording = await begin({ ...wide, bytes: 400 }, (why) => words.push(why));
  const tap = recording.tap();
  const out = text(tap);
  tap.write('short');
  tap.write('x'.repeat(400));
  tap.write('after');
  tap.end();
  expect(await out).toBe('short');
  expect(words).toHaveLength(1);
  expect(words[0]).toContain('Connect again');
  expect((await ended())?.reason).toBe(words[0]);
  expect(Buffer.byteLength(file())).toBeLessThanOrEqual(400);
});

it('V4: a full disk, and a folder that is gone, let nobody begin', async () => {
  await expect(begin({ ...wide, freeBytes: Number.MAX_SAFE_INTEGER })).rejects.toThrow('no room');
  await expect(begin(wide, undefined, join(folder, 'gone'))).rejects.toBeInstanceOf(NotRecorded);
  expect(told).toEqual([]);
});

it('V4: the longest time ends the session', async () => {
  const words: string[] = [];
  await begin({ ...wide, hours: 0.05 / 3_600 }, (why) => words.push(why));
  await ended();
  expect(words[0]).toContain('the longest there is');
});
