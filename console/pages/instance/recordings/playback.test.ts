import { expect, it } from 'vitest';
import { castHeader, castLine, readCast } from '#domain/ssh-recordings.ts';
import { newId } from '../../../mock-api/state.ts';
import { Playback } from './playback.ts';

function recorded() {
  const of = { width: 80, height: 24, title: 'x', term: 'xterm', session: newId('shs'), startedAt: new Date() };
  const text =
    castHeader(of) +
    castLine(500, 'o', 'a') +
    castLine(1_000, 'r', '100x30') +
    castLine(1_000, 'o', 'b') +
    castLine(60_000, 'o', 'c') +
    '[61, "o", "cut o';
  const cast = readCast(text);
  if (cast === null) throw new Error('not a recording');
  const log: string[] = [];
  const playback = new Playback(cast, {
    reset: (columns, rows) => log.push(`reset ${columns}x${rows}`),
    resize: (columns, rows) => log.push(`size ${columns}x${rows}`),
    write: (piece) => log.push(piece),
  });
  return { playback, log };
}

it('V4: shows what is due, in order, with sizes; long pauses are shortened; the end pauses', () => {
  const { playback, log } = recorded();
  expect(playback.length).toBe(3);
  playback.play(0);
  playback.advance(499);
  expect(log).toEqual(['reset 80x24']);
  playback.advance(1_000);
  expect(log).toEqual(['reset 80x24', 'a', 'size 100x30', 'b']);
  playback.advance(2_999);
  expect(playback.playing).toBe(true);
  playback.advance(3_000);
  expect(log.at(-1)).toBe('c');
  expect(playback.playing).toBe(false);
});

it('V4: pause holds the position, speed multiplies, seeking back starts from an empty screen', () => {
  const { playback, log } = recorded();
  playback.play(0);
  playback.pause(400);
  playback.advance(10_000);
  expect(playback.position).toBeCloseTo(0.4);
  playback.setSpeed(2, 10_000);
  playback.play(10_000);
  playback.advance(10_100);
  expect(playback.position).toBeCloseTo(0.6);
  playback.seek(2.5, 10_100);
  expect(log).toEqual(['reset 80x24', 'a', 'size 100x30', 'b']);
  playback.seek(0.5, 10_100);
  expect(log.slice(4)).toEqual(['reset 80x24', 'a']);
  playback.seek(99, 10_100);
  expect(log.at(-1)).toBe('bc');
  playback.play(20_000);
  expect(playback.position).toBe(0);
});
