/** Asks the host for its facts, so that the hosts page and `doctor` show what is really there. */
import { toBerthError } from '#domain/errors.ts';
import { makeId } from '#domain/ids.ts';
import { ensureHost, recordHost } from '../store/hosts.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 10_000;

export function hostWatcher(services: Services): Reconciler {
  let known = false;
  return {
    name: 'host-watcher',
    everyMs: EVERY_MS,
    async run() {
      if (!known) await ensureHost(services.db, makeId('hst', services.now(), services.random), services.hostName);
      known = true;
      const at = services.now();
      try {
        const facts = await services.driver.host();
        await recordHost(services.db, services.hostName, { facts, error: null }, at);
      } catch (cause) {
        const error = toBerthError(cause);
        await recordHost(services.db, services.hostName, { facts: null, error: error.message }, at);
        throw cause;
      }
      return null;
    },
  };
}
