import { expect, it } from 'vitest';
import { requireMapped } from './disks.ts';
import type { IncusConfig } from './types.ts';

it('R3: a disk whose files are in a range of the host is not backed up: it could not be restored elsewhere', () => {
  const whole: IncusConfig[] = [{}, { 'volatile.last_state.idmap': '[]' }, { 'volatile.last_state.idmap': '' }];
  for (const config of whole) {
    expect(() => requireMapped(config)).not.toThrow();
  }
  const shifted = [{ Isuid: true, Isgid: false, Hostid: 1_065_536, Nsid: 0, Maprange: 65_536 }];
  expect(() => requireMapped({ 'volatile.last_state.idmap': JSON.stringify(shifted) })).toThrow(/map ids at the mount/);
});
