/** Recounts every project's and organization's quota from its rows. A difference is a bug: it is corrected, logged and audited. */
import { record } from '../store/audit.ts';
import { asSystem } from '../store/authorized.ts';
import { transact } from '../store/database.ts';
import { recountQuotas } from '../store/quotas.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 10 * 60_000;

export function quotaAuditor(services: Services): Reconciler {
  return {
    name: 'quota-auditor',
    everyMs: EVERY_MS,
    async run() {
      const corrections = await recountQuotas(services.db);
      for (const correction of corrections) {
        services.log.warn({ ...correction }, 'a quota did not add up and was corrected');
        await transact(services.db, (tx) =>
          record(tx, asSystem('quota-auditor'), {
            action: 'quota.correct',
            targetKind: correction.project === null ? 'organization' : 'project',
            targetId: correction.project ?? correction.organization,
            target: 'quota',
            organizationId: correction.organization,
            projectId: correction.project,
            before: correction.before,
            after: correction.after,
          }),
        );
      }
      return corrections.length === 0 ? null : `corrected ${corrections.length} quotas`;
    },
  };
}
