/**
 * Keeps what Berth believes about domains equal to DNS: claims become proven, proven ones that lost their record stop
 * after a while, and claims that nobody proves end.
 */
import type { Dns } from '../runtime/dns.ts';
import { record } from '../store/audit.ts';
import { asSystem } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { deleteDomain, dueDomains, expiredClaims, lockDomain } from '../store/domains.ts';
import { checkDomain } from '../workflows/domain-check.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 20_000;
const AT_ONCE_MAX = 100;
const SIDE_BY_SIDE = 8;

export function domainKeeper(services: Services, dns: Dns): Reconciler {
  const { db } = services;
  const checker = { db, dns, platform: services.domain, now: services.now };
  return {
    name: 'domain-keeper',
    everyMs: EVERY_MS,
    async run(signal) {
      let ended = 0;
      for (const id of await expiredClaims(db, new Date(services.now()), AT_ONCE_MAX)) {
        if (signal.aborted) break;
        const gone = await transact(db, async (trx) => {
          const domain = await lockDomain(trx, id);
          const end = domain?.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY;
          if (domain === null || domain.state !== 'pending' || end > services.now()) return false;
          if (!(await deleteDomain(trx, domain))) return false;
          await record(trx, asSystem('domain-keeper'), {
            action: 'domain.expire',
            targetKind: 'domain',
            targetId: domain.id,
            target: domain.name,
            organizationId: domain.organization,
            projectId: domain.project,
            before: { reason: domain.reason },
          });
          return true;
        });
        if (gone) ended += 1;
      }
      const due = await dueDomains(db, new Date(services.now()), AT_ONCE_MAX);
      let proven = 0;
      for (let at = 0; at < due.length && !signal.aborted; at += SIDE_BY_SIDE) {
        const looked = await Promise.all(due.slice(at, at + SIDE_BY_SIDE).map((id) => checkDomain(checker, id)));
        proven += looked.filter((domain) => domain?.state === 'verified').length;
      }
      return due.length + ended === 0
        ? null
        : `looked at ${due.length} domains, ${proven} are proven; ended ${ended} claims`;
    },
  };
}
