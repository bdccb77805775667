/** Looks at the certificates of names on tenants' domains, so that people see in time that one is missing or ends. */
import { lookAtCertificate } from '../runtime/tls-look.ts';
import { certificatesToLookAt, forgetCertificates, recordCertificate } from '../store/certificates.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 60_000;
const GOOD_MS = 6 * 3600_000;
const BAD_MS = 10 * 60_000;
const AT_ONCE_MAX = 40;
const SIDE_BY_SIDE = 8;

/** `httpsPort` is this machine's. */
export function certificateWatcher(services: Services, httpsPort: number): Reconciler {
  const { db } = services;
  return {
    name: 'certificate-watcher',
    everyMs: EVERY_MS,
    async run(signal) {
      const now = services.now();
      const names = await certificatesToLookAt(db, new Date(now - GOOD_MS), new Date(now - BAD_MS), AT_ONCE_MAX);
      for (let at = 0; at < names.length && !signal.aborted; at += SIDE_BY_SIDE) {
        await Promise.all(
          names.slice(at, at + SIDE_BY_SIDE).map(async (name) => {
            await recordCertificate(db, name, await lookAtCertificate(name, httpsPort), new Date(services.now()));
          }),
        );
      }
      const forgotten = await forgetCertificates(db);
      return names.length + forgotten === 0 ? null : `looked at ${names.length} certificates, forgot ${forgotten}`;
    },
  };
}
