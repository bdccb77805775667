/** Reading, exporting and keeping the audit logs, and the activity of a project. Reading a log is itself recorded. */
import {
  AUDIT_EXPORT_FORMAT,
  AUDIT_EXPORT_HEADS_MAX,
  type AuditHead,
  type AuditLine,
  type AuditPublicKey,
  EMPTY_LINK,
} from '#domain/audit.ts';
import { platformMay, roleMay } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { canonicalJson } from '#domain/canonical-json.ts';
import { BerthError } from '#domain/errors.ts';
import type { OrganizationId, ProjectId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { publicAuditKey } from '#server/runtime/audit-keys.ts';
import {
  type ActivityRow,
  type AuditFilter,
  type AuditProof,
  type AuditRow,
  listActivity,
  listAudit,
  record,
} from '#server/store/audit.ts';
import {
  chainEnd,
  chainOf,
  chainStart,
  type DeletedLog,
  firstInWindow,
  linkAt,
  listDeletedLogs,
  positionsBetween,
  readCheck,
  readEntries,
  readHeads,
  readRetention,
  readTombstones,
  updateRetention,
} from '#server/store/audit-chain.ts';
import { readAuditKeys } from '#server/store/audit-keys.ts';
import { transact } from '#server/store/database.ts';
import { isMember } from '#server/store/members.ts';
import { currentSigner, keepHead } from '#server/workflows/audit-proof.ts';
import { authorize, authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';

/** An organization's log, that of the installation, or that of an organization which is no more. */
export type AuditScope = OrganizationId | 'platform' | { deleted: OrganizationId };

/** Of a query: the log of the installation, or of the deleted organization it names. */
export function platformScope(deleted: OrganizationId | undefined): 'platform' | { deleted: OrganizationId } {
  return deleted === undefined ? 'platform' : { deleted };
}

function authorizeReading(app: AppContext, caller: PersonCaller, scope: AuditScope): Promise<AuditProof> {
  if (typeof scope === 'object') {
    return authorize(app, caller, 'platform.audit.read', { kind: 'deleted-organization', id: scope.deleted });
  }
  return scope === 'platform'
    ? authorizePlatform(app, caller, 'platform.audit.read')
    : authorize(app, caller, 'audit.read', { kind: 'organization', id: scope });
}

export async function readAudit(
  app: AppContext,
  caller: PersonCaller,
  scope: AuditScope,
  filter: AuditFilter,
): Promise<{ items: AuditRow[]; nextCursor: string | null }> {
  const proof = await authorizeReading(app, caller, scope);
  const { cursor, limit, ...words } = filter;
  // Members: one row an hour. Who comes from outside the organization, and readers of the platform's log: each time.
  const inside = typeof scope === 'string' && scope !== 'platform' && (await isMember(app.db, scope, caller.userId));
  if (
    !inside ||
    (await firstInWindow(app.db, 'audit-read', `${chainOf(proof)} ${caller.userId}`, 60, app.clock.now()))
  ) {
    await recordReading(app, caller, proof, 'audit.read', { ...words, ...(cursor === undefined ? {} : { cursor }) });
  }
  return listAudit(app.db, proof, filter);
}

async function recordReading(
  app: AppContext,
  caller: PersonCaller,
  proof: AuditProof,
  action: 'audit.read' | 'audit.export',
  after: object,
): Promise<void> {
  const target = {
    platform: 'audit log of the installation',
    organization: 'audit log',
    'deleted-organization': 'audit log of a deleted organization',
  }[proof.kind];
  await transact(app.db, (trx) =>
    record(trx, caller, {
      action,
      targetKind: 'audit',
      targetId: proof.organizationId,
      target,
      // The log of a deleted organization is closed: who reads it stands in that of the installation.
      organizationId: proof.kind === 'organization' ? proof.organizationId : null,
      after,
    }),
  );
}

export type AuditStateAnswer = {
  chain: string;
  entries: number;
  first: number;
  head: AuditHead | null;
  verifiedTo: number;
  verifiedAt: Date | null;
  problem: { position: number; message: string } | null;
  retentionDays: number | null;
  keys: (AuditPublicKey & { retiredAt: Date | null })[];
  can: { setRetention: Ability };
};

export async function readAuditState(
  app: AppContext,
  caller: PersonCaller,
  scope: AuditScope,
): Promise<AuditStateAnswer> {
  const proof = await authorizeReading(app, caller, scope);
  const chain = chainOf(proof);
  const [end, start, heads, check, retentionDays, keys] = await Promise.all([
    chainEnd(app.db, chain),
    chainStart(app.db, chain),
    readHeads(app.db, chain, 1),
    readCheck(app.db, chain),
    readRetention(app.db, chain),
    readAuditKeys(app.db),
  ]);
  const may =
    proof.kind === 'platform'
      ? platformMay(caller.platformAdmin, 'platform.audit.update')
      : proof.kind === 'organization' && proof.role !== null && roleMay(proof.role, 'audit.update');
  const mayNot =
    proof.kind === 'deleted-organization'
      ? 'The organization was deleted: what its owner chose stays.'
      : 'Only an owner of the organization may change this.';
  return {
    chain,
    entries: end.position,
    first: start.position + 1,
    head: heads[0] ?? null,
    verifiedTo: check?.verifiedTo ?? 0,
    verifiedAt: check?.verifiedAt ?? null,
    problem: check?.problem ?? null,
    retentionDays,
    keys: keys.map((key) => ({ ...publicAuditKey(key), retiredAt: key.retiredAt })),
    can: { setRetention: may ? true : mayNot },
  };
}

/** Errors: not_found, step_up_required. */
export async function setAuditRetention(
  app: AppContext,
  caller: PersonCaller,
  scope: OrganizationId | 'platform',
  days: number | null,
): Promise<AuditStateAnswer> {
  const proof =
    scope === 'platform'
      ? await authorizePlatform(app, caller, 'platform.audit.update')
      : await authorize(app, caller, 'audit.update', { kind: 'organization', id: scope });
  await requireConfirmed(app, caller, 'audit.retention');
  await transact(app.db, async (trx) => {
    const before = await readRetention(trx, chainOf(proof));
    await updateRetention(trx, proof, days);
    await record(trx, caller, {
      action: 'audit.retention',
      targetKind: 'audit',
      targetId: proof.organizationId,
      target: 'audit log',
      organizationId: proof.organizationId,
      before: { days: before },
      after: { days },
    });
  });
  app.services.nudge('audit-keeper');
  return readAuditState(app, caller, scope);
}

/** Logs that only administrators of the installation can still read. */
export async function readDeletedLogs(
  app: AppContext,
  caller: PersonCaller,
  page: { cursor?: string | undefined; limit: number; search?: string | undefined },
): Promise<{ items: DeletedLog[]; nextCursor: string | null }> {
  return listDeletedLogs(app.db, await authorizePlatform(app, caller, 'platform.audit.read'), page);
}

export type AuditExport = { chain: string; lines: AsyncGenerator<string, void> };

/**
 * The log (or the part between two times) as lines, signed up to the last one. What is in it is decided before the first
 * line; what happens later is not. Errors: not_found, step_up_required.
 */
export async function exportAudit(
  app: AppContext,
  caller: PersonCaller,
  scope: AuditScope,
  range: { since?: string | undefined; until?: string | undefined },
): Promise<AuditExport> {
  const proof = await authorizeReading(app, caller, scope);
  // A token exports on a schedule, where nobody is there to confirm; it was confirmed when it was made.
  if (caller.credential.via === 'session') await requireConfirmed(app, caller, 'audit.export');
  await recordReading(app, caller, proof, 'audit.export', range);
  const chain = chainOf(proof);
  const parts = { db: app.db, secrets: app.secrets, log: app.log, now: () => app.clock.now() };
  const head = await keepHead(parts, chain);
  const end = head?.position ?? (await chainEnd(app.db, chain)).position;
  const start = await chainStart(app.db, chain);
  const since = range.since === undefined ? null : new Date(range.since);
  const until = range.until === undefined ? null : new Date(range.until);
  const between = since === null && until === null ? null : await positionsBetween(app.db, chain, since, until, end);
  const first = between === null ? start.position + 1 : (between.first ?? end + 1);
  const last = between === null ? end : (between.last ?? end);
  const previous =
    first === 1 ? EMPTY_LINK : first === start.position + 1 ? start.link : await linkAt(app.db, chain, first - 1);
  if (previous === null) throw new BerthError('unavailable', 'Old entries are being removed. Try again in a moment.');
  const signer = await currentSigner(parts);
  const heads = await readHeads(app.db, chain, AUDIT_EXPORT_HEADS_MAX, last);
  const lastLink = last === end ? null : await linkAt(app.db, chain, last);
  // A part that ends in the middle gets a head of its own, which is not kept: the chain up to the end was just checked.
  if (head !== null && lastLink !== null) {
    heads.unshift(signer.sign('head', { at: app.clock.now().toISOString(), chain, link: lastLink, position: last }));
  }
  const keys = await readAuditKeys(app.db);
  const header = signer.sign('header', {
    chain,
    exportedAt: app.clock.now().toISOString(),
    first,
    format: AUDIT_EXPORT_FORMAT,
    heads: heads.filter((each) => each.position >= first - 1).reverse(),
    keys: keys.map(publicAuditKey),
    last,
    previous,
    successions: keys.flatMap((key) => key.succession ?? []),
    tombstones: await readTombstones(app.db, chain),
  });
  return { chain, lines: exportLines(app, chain, canonicalJson(header), first - 1, last) };
}

async function* exportLines(
  app: AppContext,
  chain: string,
  header: string,
  from: number,
  last: number,
): AsyncGenerator<string, void> {
  yield `${header}\n`;
  for (let position = from; position < last; ) {
    const entries = await readEntries(app.db, chain, position, last);
    if (entries.length === 0) throw new BerthError('internal', 'The audit log lacks entries.', { detail: chain });
    let text = '';
    for (const { position: at, link, content } of entries) {
      // What is missing is left out: whoever verifies the export has to see the gap.
      if (content !== null) text += `${canonicalJson({ entry: content, link, position: at } satisfies AuditLine)}\n`;
      position = at;
    }
    yield text;
  }
}

export async function readActivity(
  app: AppContext,
  caller: PersonCaller,
  project: ProjectId,
  filter: { cursor?: string | undefined; limit: number; instance?: string | undefined },
): Promise<{ items: ActivityRow[]; nextCursor: string | null }> {
  const proof = await authorize(app, caller, 'project.read', { kind: 'project', id: project });
  return listActivity(app.db, proof, filter);
}
