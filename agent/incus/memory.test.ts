import { expect, it } from 'vitest';
import { heldIn, heldMemory, memoryStat } from './memory.ts';

it('V1: finds the account of the whole guest under both cgroup versions', () => {
  const v1 =
    '9:name=systemd:/lxc.payload.g/init.scope\n4:memory:/lxc.payload.g/init.scope\n0::/lxc.payload.g/init.scope\n';
  expect(memoryStat(v1, '/sys')).toBe('/sys/memory/lxc.payload.g/memory.stat');
  expect(memoryStat('0::/system.slice/lxc.payload.g/init.scope\n', '/sys')).toBe(
    '/sys/system.slice/lxc.payload.g/memory.stat',
  );
  expect(memoryStat('0::/init.scope\n', '/sys')).toBeNull();
});

it('V1: adds up what cannot be given back', () => {
  const v1 =
    'active_anon 1\ninactive_anon 2\nunevictable 3\ntotal_active_anon 10\ntotal_inactive_anon 20\ntotal_unevictable 30\n';
  expect(heldIn(v1)).toBe(60);
  expect(heldIn('anon 9\nfile 100\ninactive_anon 4\nactive_anon 5\nunevictable 0\n')).toBe(9);
  expect(heldIn('file 100\n')).toBeNull();
});

it('V1: knows nothing of a process that is gone', () => {
  expect(heldMemory(0)).toBeNull();
});
