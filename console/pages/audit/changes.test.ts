import { describe, expect, it } from 'vitest';
import { changesOf } from './changes.ts';

describe('I6: what an entry changed', () => {
  it('puts what differs first and keeps what stayed', () => {
    expect(changesOf({ cpus: 2, name: 'web', size: { disk: 1 } }, { cpus: 4, name: 'web', size: { disk: 1 } })).toEqual(
      [
        { path: 'cpus', before: '2', after: '4', changed: true },
        { path: 'name', before: 'web', after: 'web', changed: false },
        { path: 'size.disk', before: '1', after: '1', changed: false },
      ],
    );
  });

  it('tells what was not there from what was empty', () => {
    expect(changesOf(null, { days: null, list: [], on: false })).toEqual([
      { path: 'days', before: null, after: 'none', changed: true },
      { path: 'list', before: null, after: 'empty list', changed: true },
      { path: 'on', before: null, after: 'false', changed: true },
    ]);
    expect(changesOf({ gone: 1 }, {})).toEqual([{ path: 'gone', before: '1', after: null, changed: true }]);
    expect(changesOf(null, undefined)).toEqual([]);
    expect(changesOf('plain', null)).toEqual([{ path: 'value', before: 'plain', after: null, changed: true }]);
  });
});
