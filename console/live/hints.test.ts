import { expect, it } from 'vitest';
import type { Event } from '#contract/events.ts';
import { isStaleAfter } from './hints.ts';

const hint = (more: Partial<Event>): Event => ({
  kind: 'instance',
  id: 'ins_1',
  project: 'prj_1',
  instance: null,
  version: 1,
  ...more,
});

it('makes exactly what a hint names stale', () => {
  const key = (name: string, params: Record<string, string> = {}) => [name, { params }];
  const hints = [hint({})];
  expect(isStaleAfter(key('instancesGet', { instance: 'ins_1' }), hints)).toBe(true);
  expect(isStaleAfter(key('instancesGet', { instance: 'ins_2' }), hints)).toBe(false);
  expect(isStaleAfter(key('instancesList', { project: 'prj_1' }), hints)).toBe(true);
  expect(isStaleAfter(key('instancesList', { project: 'prj_2' }), hints)).toBe(false);
  expect(isStaleAfter(key('imagesList'), hints)).toBe(false);
});

it('takes a hint without a project for all projects', () => {
  expect(isStaleAfter(['instancesList', { params: { project: 'prj_9' } }], [hint({ project: null })])).toBe(true);
});

it('ignores kinds it does not know, from a newer server', () => {
  expect(isStaleAfter(['instancesList', {}], [hint({ kind: 'weather' as never })])).toBe(false);
});
