/**
 * Tells the host how its image cache shall be and keeps what it says of it. At once when the settings have changed; every
 * few seconds while it is on, because its figures are shown; every minute otherwise.
 */
import type { RegistrySpec } from '#domain/registry.ts';
import { findHostByName } from '../store/hosts.ts';
import { readRegistry, recordRegistry, registryPasswordPlace } from '../store/registry.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

/** Only a look at the row; another replica may have changed it. */
const EVERY_MS = 1_000;
const AGAIN_MS = { on: 5_000, off: 60_000 };

export function registryKeeper(services: Services, everyMs = EVERY_MS): Reconciler {
  let told = '';
  let toldAt = Number.NEGATIVE_INFINITY;
  let seen = '';
  return {
    name: 'registry-keeper',
    everyMs,
    async run() {
      const settings = await readRegistry(services.db);
      const digest = JSON.stringify(settings);
      const again = AGAIN_MS[settings.enabled ? 'on' : 'off'];
      if (digest === told && services.now() - toldAt < again) return null;
      const host = await findHostByName(services.db, services.hostName);
      if (host === null) return null;
      const { username, passwordSealed, enabled, upstream, caCertificate, bytesMax, emptied } = settings;
      const spec: RegistrySpec = {
        enabled,
        upstream,
        login:
          username === null || passwordSealed === null
            ? null
            : { username, password: services.secrets.open(registryPasswordPlace, passwordSealed) },
        caCertificate,
        bytesMax,
        emptied,
      };
      const status = await services.driver.setRegistry(spec);
      const changed = digest !== told;
      told = digest;
      toldAt = services.now();
      const { state, problem, upstreamProblem } = status;
      const words = JSON.stringify([state, problem, upstreamProblem]);
      await recordRegistry(services.db, { host: host.id, status, at: new Date(services.now()) }, words !== seen);
      const before = seen;
      seen = words;
      return changed || words !== before
        ? `the image cache is ${state}${problem === null ? '' : `: ${problem}`}`
        : null;
    },
  };
}
