import { expect, it } from 'vitest';
import { requireMapped } from './disks.ts';

it('R3: a disk whose files are in a range of the host is not backed up: it could not be restored elsewhere', () => {
  for (const config of [{}, { 'volatile.last_state.idmap': '[]' }, { 'volatile.last_state.idmap': '' }]) {
    expect(() => requireMapped(config)).not.toThrow();
  }
  const shifted = [{ Isuid: true, Isgid: false, Hostid: 1_065_536, Nsid: 0, Maprange: 65_536 }];
  expect(() => requireMapped({ 'volatile.last_state.idmap': JSON.stringify(shifted) })).toThrow(/map ids at the mount/);
});
