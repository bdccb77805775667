/**
 * Some calls fail because the engine looks at all interfaces and rules of the machine while somebody else changes them
 * ("Failed to delete bridge children interfaces", an nft list that ends early). A moment later they work.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError } from '#domain/errors.ts';

const TRIES = 5;
const PAUSE_MS = 300;

/** Does `work`, which looks before it acts, again while the engine fails. Errors: the last one; others at once. */
export async function patiently<T>(work: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'upstream_failed' || tried === TRIES) throw error;
      await sleep(PAUSE_MS);
    }
  }
}
