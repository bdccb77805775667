import { expect, it } from 'vitest';
import { instanceVerbs } from '#domain/instances.ts';
import { buildRequest } from '../api/client.ts';
import { seed } from '../mock-api/seed.ts';
import { present } from '../mock-api/state.ts';
import { actionsFor, blockedReason, instanceActionList } from './instances.ts';

const state = seed();
const named = (name: string) => {
  const row = state.instances.find((each) => each.name === name);
  if (row === undefined) throw new Error(`no ${name} in the seed`);
  return present(state, row);
};
const ids = (name: string) => actionsFor(named(name)).map((action) => action.id);

it('offers what makes sense in each state', () => {
  expect(ids('atlas')).toEqual([
    'screen',
    'terminal',
    'ssh',
    'files',
    'open',
    'logs',
    'restart',
    'pause',
    'stop',
    'snapshot',
    'rollback',
    'backup',
    'overwrite',
    'clone',
    'rename',
    'resize',
    'share',
    'transfer',
    'archive',
  ]);
  expect(ids('beacon')).not.toContain('screen');
  expect(ids('delta')).toContain('start');
  expect(ids('delta')).not.toContain('stop');
  expect(ids('estuary')).toContain('resume');
  expect(ids('islet')).toEqual(['restore', 'purge']);
});

it('lets the API decide, and repeats its reason', () => {
  const atlas = named('atlas');
  const archive = instanceActionList.find((action) => action.id === 'archive');
  if (archive === undefined) throw new Error('no archive action');
  expect(blockedReason(archive, atlas)).toMatch(/protected/);
  expect(blockedReason(archive, { ...atlas, can: { ...atlas.can, archive: true } })).toBeUndefined();
  expect(blockedReason(archive, { ...atlas, can: {} as never })).toBe('You may not do this.');
});

it('covers every ability but those that live on a tab of their own', () => {
  const covered = new Set(instanceActionList.map((action) => action.verb));
  expect(instanceVerbs.filter((verb) => !covered.has(verb))).toEqual(['stacks', 'route', 'forward']);
});

it('plans calls that exist, and asks before anything is lost', () => {
  const atlas = named('atlas');
  for (const action of instanceActionList) {
    if (action.kind !== 'call') continue;
    const planned = action.call(atlas);
    expect(buildRequest(planned.name, planned.input as never).url).toContain(atlas.id);
    expect(action.cli(atlas)).toMatch(/^berth instances [a-z]+ atlas/);
    if (action.danger === true) expect(action.confirm).toBeDefined();
  }
  const purge = instanceActionList.find((action) => action.id === 'purge');
  expect(purge?.kind === 'call' && purge.confirm?.([atlas]).typeName).toBe('atlas');
});
