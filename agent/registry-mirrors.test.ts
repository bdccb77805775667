import { describe, expect, it } from 'vitest';
import { planMirror } from './registry-mirrors.ts';

const mirror = 'http://10.64.3.1:5017';
const json = (value: unknown): string => JSON.stringify(value);
const read = (plan: ReturnType<typeof planMirror>): unknown =>
  typeof plan === 'string' ? plan : plan.text === null ? null : JSON.parse(plan.text);

describe('V9: what is written into daemon.json', () => {
  it('V9: a new server gets the one entry, and loses the file with it', () => {
    expect(read(planMirror(null, mirror, false))).toEqual({ 'registry-mirrors': [mirror] });
    expect(read(planMirror(json({ 'registry-mirrors': [mirror] }), null, true))).toBeNull();
    expect(planMirror(json({ 'registry-mirrors': [mirror] }), mirror, true)).toBe('same');
    expect(planMirror(null, null, false)).toBe('same');
  });

  it('V9: settings of people stay as they are', () => {
    expect(read(planMirror(json({ debug: true }), mirror, false))).toEqual({
      debug: true,
      'registry-mirrors': [mirror],
    });
    expect(read(planMirror(json({ debug: true, 'registry-mirrors': [mirror] }), null, true))).toEqual({ debug: true });
    const both = json({ 'registry-mirrors': ['https://mine.example', mirror] });
    expect(read(planMirror(both, null, true))).toEqual({ 'registry-mirrors': ['https://mine.example'] });
  });

  it('V9: a server that moved gets the gateway of its new network', () => {
    const before = json({ 'registry-mirrors': ['http://10.64.9.1:5017', 'https://mine.example'] });
    expect(read(planMirror(before, mirror, true))).toEqual({ 'registry-mirrors': [mirror, 'https://mine.example'] });
  });

  it.each([
    ['the entry was taken out', json({ debug: true }), true],
    ['the file was removed', null, true],
    ['other mirrors', json({ 'registry-mirrors': ['https://mine.example'] }), false],
    ['no JSON', '{ "debug": true, }', false],
    ['no object', '[]', false],
    ['mirrors that are no list', json({ 'registry-mirrors': 'x' }), false],
  ])('V9: left alone: %s', (_why, text, marked) => {
    expect(planMirror(text, mirror, marked)).toBe('theirs');
  });
});
