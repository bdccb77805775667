/**
 * Limits of the kernel that all guests share and that are made for one machine, not for dozens: with 128 inotify
 * instances the thirteenth guest starts without name resolution ("Too many open files"), the next one not at all.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileAtomic } from './files.ts';

/** What the engine's makers recommend for hosts of many containers. Only ever raised, never lowered. */
export const kernelLimits: Readonly<Record<string, number>> = {
  'fs.aio-max-nr': 524_288,
  'fs.inotify.max_queued_events': 1_048_576,
  'fs.inotify.max_user_instances': 1_048_576,
  'fs.inotify.max_user_watches': 1_048_576,
  'kernel.keys.maxbytes': 2_000_000,
  'kernel.keys.maxkeys': 2_000,
  'net.ipv4.neigh.default.gc_thresh3': 8_192,
  'net.ipv6.neigh.default.gc_thresh3': 8_192,
  'vm.max_map_count': 262_144,
};

const PERSISTENT = '/etc/sysctl.d/60-berth.conf';

export type KernelLimitsPlaces = { proc: string; persistent: string };
const places: KernelLimitsPlaces = { proc: '/proc/sys', persistent: PERSISTENT };

const fileOf = (proc: string, name: string) => join(proc, ...name.split('.'));

/** Limits that are lower than guests need, with their present value. A limit this kernel does not have is not missed. */
export function lowLimits(proc = places.proc): { name: string; value: number }[] {
  const low: { name: string; value: number }[] = [];
  for (const [name, wanted] of Object.entries(kernelLimits)) {
    const file = fileOf(proc, name);
    const value = existsSync(file) ? Number(readFileSync(file, 'utf8').trim()) : wanted;
    if (value < wanted) low.push({ name, value });
  }
  return low;
}

/**
 * Raises what is too low, now and after a reboot. Returns the names that were raised and those the kernel refused (in
 * a container, or a read-only /proc/sys).
 */
export function raiseLimits({ proc, persistent }: KernelLimitsPlaces = places): {
  raised: string[];
  refused: string[];
} {
  const raised: string[] = [];
  const refused: string[] = [];
  for (const { name } of lowLimits(proc)) {
    try {
      writeFileSync(fileOf(proc, name), `${kernelLimits[name]}\n`);
      raised.push(name);
    } catch {
      refused.push(name);
    }
  }
  const known = existsSync(persistent) ? readFileSync(persistent, 'utf8') : '';
  const missing = raised.filter((name) => !known.includes(`${name} = `));
  if (missing.length > 0) {
    const start = known === '' ? '# Berth: many machines share this kernel. See host/kernel-limits.ts.\n' : known;
    const lines = missing.map((name) => `${name} = ${kernelLimits[name]}\n`);
    try {
      writeFileAtomic(persistent, start + lines.join(''), 0o644);
    } catch {
      // No /etc/sysctl.d: the next `up` raises them again.
    }
  }
  return { raised, refused };
}
