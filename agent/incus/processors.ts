/**
 * Does a running guest have the processors it should have? The engine spreads them in a round of its own, started by a
 * change of the configuration, and sometimes that round still reads the old one (seen with Incus 6.0.4).
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const LOOK_EVERY_MS = 100;
const LOOKS = 8;
const NUDGES_MAX = 5;

/**
 * Waits until the guest whose first process is `pid` may use `wanted` processors (or all there are), and calls `nudge`,
 * which makes the engine spread them again, when that does not happen. False when nothing helped.
 */
export async function awaitProcessors(pid: number, wanted: number, nudge: () => Promise<void>): Promise<boolean> {
  const expected = Math.min(wanted, cpus().length);
  for (let nudges = 0; ; nudges++) {
    for (let look = 0; look < LOOKS; look++) {
      const allowed = processorsOf(pid);
      // It stopped meanwhile: the next start reads the configuration.
      if (allowed === null || allowed === expected) return true;
      await sleep(LOOK_EVERY_MS);
    }
    if (nudges === NUDGES_MAX) return false;
    await nudge();
  }
}

/** How many processors a process may use; null when it is gone. */
function processorsOf(pid: number): number | null {
  try {
    const list = /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return list === undefined ? null : countOf(list);
  } catch {
    return null;
  }
}

/** `0-3,8` is five processors. */
export function countOf(list: string): number {
  return list.split(',').reduce((sum, range) => {
    const [first = '0', last = first] = range.split('-');
    return sum + Number(last) - Number(first) + 1;
  }, 0);
}
