/** How fast the host finds a guest that has just booted. */
import { writeFileSync } from 'node:fs';

/**
 * Pause between two questions for a neighbour's hardware address, in milliseconds. The kernel's own second is what a
 * first packet to a guest waits whose network came up a moment later; on a bridge inside the machine the answer takes
 * microseconds. See Documentation/networking/ip-sysctl of Linux, neigh/<bridge>/retrans_time_ms.
 */
const ASK_AGAIN_MS = 50;

/** How often it asks before the neighbour counts as gone: three seconds together, as long as Linux asks by itself. */
const QUESTIONS = 60;

/** Sets it for both address families. A machine that does not allow it only boots guests into view more slowly. */
export function askNeighboursOften(bridge: string): void {
  for (const family of ['ipv4', 'ipv6']) {
    const folder = `/proc/sys/net/${family}/neigh/${bridge}`;
    try {
      writeFileSync(`${folder}/mcast_solicit`, String(QUESTIONS));
      writeFileSync(`${folder}/retrans_time_ms`, String(ASK_AGAIN_MS));
    } catch {
      // Read-only, or the family is off.
    }
  }
}
