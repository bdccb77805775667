/**
 * Keeps the proof of the audit log: checks a chain against the rows, signs heads of what is right, buries what is too
 * old under a signed tombstone. Used by the audit-keeper and by exports. A chain with a problem gets no new head: a
 * signature must never stand under what does not add up.
 */
import {
  AUDIT_HEAD_ENTRIES,
  AUDIT_HEAD_MINUTES,
  type AuditHead,
  linkOf,
  PLATFORM_CHAIN,
  signedText,
} from '#domain/audit.ts';
import { type AuditSigner, auditCrypto, auditSigner, makeAuditKey, publicAuditKey } from '../runtime/audit-keys.ts';
import type { SecretBox } from '../runtime/secrets.ts';
import { record } from '../store/audit.ts';
import {
  type ChainCheck,
  chainEnd,
  chainStart,
  insertHead,
  linkAt,
  oldEntries,
  readCheck,
  readEntries,
  readHeads,
  readRetention,
  removeEntries,
  tellerOf,
  writeCheck,
} from '../store/audit-chain.ts';
import { keepAuditKey, readAuditKeys } from '../store/audit-keys.ts';
import { asSystem } from '../store/authorized.ts';
import { type Db, transact } from '../store/database.ts';
import type { ServiceLog } from './services.ts';

export type AuditParts = { db: Db; secrets: SecretBox; log: ServiceLog; now(): Date };

const WHOLE_CHECK_MS = 24 * 3_600_000;
const DAY_MS = 86_400_000;

/** The key that signs now; made when there is none. */
export async function currentSigner(parts: Pick<AuditParts, 'db' | 'secrets'>): Promise<AuditSigner> {
  const there = (await readAuditKeys(parts.db)).find((key) => key.retiredAt === null);
  const active = there ?? (await keepAuditKey(parts.db, makeAuditKey(parts.secrets)));
  if (active.sealed === null) throw new Error(`the audit key ${active.id} has no private half`);
  return auditSigner(parts.secrets, { id: active.id, sealed: active.sealed });
}

type Problem = { position: number; message: string };

/** Goes through a chain from the newest head that fits (or from its start, when `whole`) to `end`. */
async function findProblem(db: Db, chain: string, whole: boolean): Promise<{ to: number; problem: Problem | null }> {
  const end = await chainEnd(db, chain);
  const start = await chainStart(db, chain);
  const heads = await readHeads(db, chain, whole ? 10_000 : 1);
  const keys = new Map((await readAuditKeys(db)).map((key) => [key.id, publicAuditKey(key)]));
  for (const head of heads) {
    const key = keys.get(head.key);
    if (key === undefined || !auditCrypto.verify(key, signedText('head', head), head.signature)) {
      return { to: start.position, problem: { position: head.position, message: 'A head has a wrong signature.' } };
    }
  }
  const byPosition = new Map(heads.map((head) => [head.position, head.link]));
  const newest = heads[0];
  let { position, link } =
    whole || newest === undefined || newest.position < start.position
      ? start
      : { position: newest.position, link: newest.link };
  const fail = (at: number, message: string) => ({ to: position, problem: { position: at, message } });
  const signed = byPosition.get(position);
  if (signed !== undefined && signed !== link) return fail(position, 'The removed entries do not fit the signed head.');
  if (!whole && position > start.position && (await linkAt(db, chain, position)) !== link) {
    return fail(position, 'The entry of the newest signed head was changed or removed.');
  }
  while (position < end.position) {
    const entries = await readEntries(db, chain, position, end.position);
    if (entries.length === 0) return fail(position + 1, 'The end of the log is missing.');
    for (const entry of entries) {
      if (entry.position !== position + 1 || entry.content === null) return fail(position + 1, 'An entry is missing.');
      const expected = linkOf(auditCrypto, chain, entry.position, link, entry.content);
      if (expected !== entry.link) return fail(entry.position, 'An entry was changed after it was written.');
      const head = byPosition.get(entry.position);
      if (head !== undefined && head !== expected) return fail(entry.position, 'The log does not fit its signed head.');
      position = entry.position;
      link = expected;
    }
  }
  if (link !== end.link) return fail(end.position, 'The end of the log does not fit its last entry.');
  return { to: position, problem: null };
}

/** Checks what is new since the last head, once a day everything; says so loudly, and once, when something is wrong. */
export async function checkChain(parts: AuditParts, chain: string, force = false): Promise<ChainCheck> {
  const { db } = parts;
  const before = await readCheck(db, chain);
  const now = parts.now();
  // After a problem everything is looked at again: somebody may have put it right from a backup.
  const whole =
    force || before === null || before.problem !== null || now.getTime() - before.wholeAt.getTime() >= WHOLE_CHECK_MS;
  const found = await findProblem(db, chain, whole);
  const check: ChainCheck = {
    verifiedTo: found.to,
    verifiedAt: now,
    wholeAt: whole ? now : (before?.wholeAt ?? now),
    problem: found.problem,
  };
  await writeCheck(db, chain, check);
  if (found.problem !== null && before?.problem?.position !== found.problem.position) {
    parts.log.error({ chain, ...found.problem }, 'the audit log does not add up');
    await transact(db, async (trx) =>
      record(trx, asSystem('audit-keeper'), {
        action: 'audit.problem',
        targetKind: 'audit',
        targetId: chain,
        target: `entry ${found.problem?.position ?? 0}`,
        result: 'failed',
        organizationId: await tellerOf(trx, chain),
        after: found.problem,
      }),
    );
  }
  return check;
}

/**
 * A signed head of the newest entry, made now if need be. Null: there is no entry, or the chain has a problem and only
 * older heads stand.
 */
export async function keepHead(parts: AuditParts, chain: string): Promise<AuditHead | null> {
  const check = await checkChain(parts, chain);
  if (check.problem !== null || check.verifiedTo === 0) return null;
  const there = (await readHeads(parts.db, chain, 1, check.verifiedTo))[0];
  if (there?.position === check.verifiedTo) return there;
  const link = (await linkAt(parts.db, chain, check.verifiedTo)) ?? (await chainStart(parts.db, chain)).link;
  const signer = await currentSigner(parts);
  await insertHead(
    parts.db,
    signer.sign('head', { at: parts.now().toISOString(), chain, link, position: check.verifiedTo }),
  );
  return (await readHeads(parts.db, chain, 1, check.verifiedTo))[0] ?? null;
}

/** Whether a chain has waited long enough for its next head. */
export async function isHeadDue(parts: AuditParts, chain: string): Promise<boolean> {
  const [newest] = await readHeads(parts.db, chain, 1);
  const end = await chainEnd(parts.db, chain);
  if (newest === undefined) return end.position > 0;
  const waiting = end.position - newest.position;
  if (waiting >= AUDIT_HEAD_ENTRIES) return true;
  if (waiting <= 0) return false;
  if (parts.now().getTime() - Date.parse(newest.at) >= AUDIT_HEAD_MINUTES * 60_000) return true;
  // Nothing comes after the end of a deleted organization's log.
  return chain !== PLATFORM_CHAIN && (await tellerOf(parts.db, chain)) === null;
}

/** Removes what is older than the log is kept; answers how many entries. A log with a problem keeps everything. */
export async function buryOld(parts: AuditParts, chain: string): Promise<number> {
  const days = await readRetention(parts.db, chain);
  if (days === null) return 0;
  let removed = 0;
  for (;;) {
    const now = parts.now();
    const old = await oldEntries(parts.db, chain, new Date(now.getTime() - days * DAY_MS));
    if (old === null) return removed;
    if ((await checkChain(parts, chain)).problem !== null) return removed;
    const signer = await currentSigner(parts);
    const tombstone = signer.sign('tombstone', {
      chain,
      count: old.to - old.from + 1,
      firstAt: old.firstAt.toISOString(),
      from: old.from,
      lastAt: old.lastAt.toISOString(),
      link: old.link,
      removedAt: now.toISOString(),
      retentionDays: days,
      to: old.to,
    });
    removed += await transact(parts.db, async (trx) => {
      const count = await removeEntries(trx, tombstone);
      await record(trx, asSystem('audit-keeper'), {
        action: 'audit.remove',
        targetKind: 'audit',
        targetId: chain,
        target: `entries ${old.from} to ${old.to}`,
        organizationId: await tellerOf(trx, chain),
        after: { from: old.from, to: old.to, count, firstAt: old.firstAt, lastAt: old.lastAt, retentionDays: days },
      });
      return count;
    });
  }
}
