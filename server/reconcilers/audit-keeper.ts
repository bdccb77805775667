/** Signs heads of every chain of the audit log in time, checks what it signs, and removes what is too old. */
import type { SecretBox } from '../runtime/secrets.ts';
import { listChains } from '../store/audit-chain.ts';
import { type AuditParts, buryOld, isHeadDue, keepHead } from '../workflows/audit-proof.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 60_000;

export function auditKeeper(services: Services, secrets: SecretBox): Reconciler {
  const parts: AuditParts = { db: services.db, secrets, log: services.log, now: () => new Date(services.now()) };
  return {
    name: 'audit-keeper',
    everyMs: EVERY_MS,
    async run(signal) {
      let signed = 0;
      let removed = 0;
      for (const chain of await listChains(services.db)) {
        if (signal.aborted) break;
        removed += await buryOld(parts, chain);
        if (await isHeadDue(parts, chain)) signed += (await keepHead(parts, chain)) === null ? 0 : 1;
      }
      if (signed + removed === 0) return null;
      return `signed ${signed} heads, removed ${removed} old entries`;
    },
  };
}
