/**
 * Incus leaves its DHCP server running when the creation of a network fails halfway (or when it was killed itself),
 * and that server then keeps the address from every later attempt. The bridge name on its command line proves whose it
 * is.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** Ends DHCP servers of a bridge that does not exist at the engine; returns how many. */
export function endOrphanDhcp(bridge: string, proc = '/proc'): number {
  let ended = 0;
  for (const pid of readdirSync(proc)) {
    if (!/^[0-9]+$/.test(pid)) continue;
    const argv = commandLine(`${proc}/${pid}/cmdline`);
    if (!(argv[0] ?? '').endsWith('dnsmasq') || !argv.includes(`--interface=${bridge}`)) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
      ended++;
    } catch {
      // Gone already.
    }
  }
  return ended;
}

function commandLine(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\0');
  } catch {
    return [];
  }
}
