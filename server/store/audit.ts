/**
 * The audit log. `record` runs in the transaction of the change it tells of: no change without its row, no row without
 * its change. Refusals (a failed sign-in) have no change and use `recordAlone`. The database links the row to its chain
 * when the transaction commits (db/migrations/0007-audit.sql); audit-chain.ts reads the chain.
 */
import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { type AuditActorKind, type AuditContent, type AuditResult, digestText } from '#domain/audit.ts';
import { type AuditId, makeId, type OrganizationId, type ProjectId, type UserId } from '#domain/ids.ts';
import { redacted, redactedText } from '#domain/redaction.ts';
import type { Actor, Authorized } from './authorized.ts';
import { type Db, json, markEmitted, type Trx, transact } from './database.ts';
import { hintRow } from './outbox.ts';
import { cutPage, decodeNumberCursor } from './page.ts';

export type AuditInput = {
  action: string;
  targetKind: string;
  targetId?: string | null;
  /** What people call the target: a name, an e-mail address. */
  target: string;
  result?: AuditResult;
  organizationId?: OrganizationId | null;
  projectId?: ProjectId | null;
  /** What differs, before and after. Never put a secret here; domain/redaction.ts masks what looks like one all the same. */
  before?: unknown;
  after?: unknown;
};

const USER_AGENT_LENGTH_MAX = 300;
const TEXT_LENGTH_MAX = 300;
const DETAIL_BYTES_MAX = 32 * 1024;

/** Inserts the audit row of a change, in the change's own transaction, and with it the hint: one statement for both. */
export async function record(trx: Trx, actor: Actor, input: AuditInput): Promise<void> {
  const content = contentOf(actor, input, new Date());
  // Reading is recorded, but nobody has to look again because of it.
  if (readingActions.has(input.action)) return insertContent(trx, content);
  await trx
    .with('entry', (query) => query.insertInto('audit').values(rowOf(content)))
    .insertInto('outbox')
    .values(
      hintRow({
        kind: 'audit',
        ref: content.id,
        organizationId: input.organizationId ?? null,
        projectId: input.projectId ?? null,
      }),
    )
    .execute();
  markEmitted(trx);
}

/** Actions that change nothing. */
export const readingActions: ReadonlySet<string> = new Set(['audit.read', 'audit.export', 'data.read']);

function contentOf(actor: Actor, input: AuditInput, at: Date): AuditContent {
  const who = describeActor(actor);
  const origin = actor.kind === 'system' ? null : actor.origin;
  const text = (value: string, lengthMax: number = TEXT_LENGTH_MAX) => redactedText(value, lengthMax);
  const maybe = (value: string | null | undefined) => (value === null || value === undefined ? null : text(value));
  return {
    id: makeId('aud', at.getTime(), randomBytes),
    at: at.toISOString(),
    actorKind: who.kind,
    actorId: who.id,
    actor: text(who.name),
    action: input.action,
    targetKind: input.targetKind,
    targetId: maybe(input.targetId),
    target: text(input.target),
    result: input.result ?? 'ok',
    organization: input.organizationId ?? null,
    project: input.projectId ?? null,
    address: maybe(origin?.address),
    userAgent: origin?.userAgent === undefined ? null : maybe(origin.userAgent?.slice(0, USER_AGENT_LENGTH_MAX)),
    requestId: maybe(origin?.requestId),
    before: detail(input.before),
    after: detail(input.after),
  };
}

function detail(value: unknown): unknown {
  const kept = redacted(value) ?? null;
  return json(kept).length > DETAIL_BYTES_MAX ? { tooLong: true } : kept;
}

/** An entry as it is, without a hint. */
export async function insertContent(trx: Trx, content: AuditContent): Promise<void> {
  await trx.insertInto('audit').values(rowOf(content)).execute();
}

function rowOf(content: AuditContent) {
  return {
    id: content.id as AuditId,
    organization_id: content.organization as OrganizationId | null,
    project_id: content.project as ProjectId | null,
    at: new Date(content.at),
    actor_kind: content.actorKind,
    actor_id: content.actorId,
    actor: content.actor,
    action: content.action,
    target_kind: content.targetKind,
    target_id: content.targetId,
    target: content.target,
    result: content.result,
    address: content.address,
    user_agent: content.userAgent,
    request_id: content.requestId,
    before: content.before === null ? null : json(content.before),
    after: content.after === null ? null : json(content.after),
    digest: createHash('sha256').update(digestText(content)).digest(),
  };
}

/** Of a person, every organization they belong to gets its own row: each log is complete by itself. */
export async function recordForMember(
  trx: Trx,
  actor: Actor,
  userId: UserId,
  input: Omit<AuditInput, 'organizationId'>,
): Promise<void> {
  const rows = await trx.selectFrom('membership').select('organization_id').where('user_id', '=', userId).execute();
  // In one order for everybody: at commit the chains are locked in the order of their rows.
  const organizations = rows.length === 0 ? [null] : rows.map((row) => row.organization_id).sort();
  for (const organizationId of organizations) await record(trx, actor, { ...input, organizationId });
}

/** For refusals, which change nothing. */
export async function recordAlone(db: Db, actor: Actor, input: AuditInput): Promise<void> {
  await transact(db, (trx) => record(trx, actor, input));
}

/** Kind, id and readable name of an actor, as the audit log and operations keep it. */
export function describeActor(actor: Actor): {
  kind: AuditActorKind;
  id: string | null;
  name: string;
} {
  if (actor.kind === 'anonymous') return { kind: 'anonymous', id: null, name: 'anonymous' };
  if (actor.kind === 'system') return { kind: actor.actorKind, id: null, name: actor.reason };
  if (actor.credential.via === 'token') {
    return { kind: 'token', id: actor.userId, name: `${actor.email} (token ${actor.credential.tokenName})` };
  }
  const { client } = actor.credential;
  if (client !== undefined) return { kind: 'token', id: actor.userId, name: `${actor.email} (${client})` };
  return { kind: 'user', id: actor.userId, name: actor.email };
}

/** Who may read which log: members theirs, administrators of the installation the platform's and those nobody else has. */
export type AuditProof =
  | Authorized<'organization', 'audit.read'>
  | Authorized<'platform', 'platform.audit.read'>
  | Authorized<'deleted-organization', 'platform.audit.read'>;

export type AuditRow = Omit<AuditContent, 'at' | 'organization' | 'project'> & {
  at: Date;
  /** Number in the chain; null for entries older than the chain. */
  position: number | null;
};

export type AuditFilter = {
  cursor?: string | undefined;
  limit: number;
  action?: string | undefined;
  actor?: string | undefined;
  target?: string | undefined;
  result?: AuditResult | undefined;
  /** Words that must all occur, anywhere in the entry; the beginning of a word is enough. */
  q?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
};

const WORDS_MAX = 10;

/** tsquery text of what somebody typed: every word, each as a beginning. Null: no word in it. */
function wordsQuery(text: string | undefined): string | null {
  const words = (text ?? '').toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  return words.length === 0
    ? null
    : words
        .slice(0, WORDS_MAX)
        .map((word) => `${word}:*`)
        .join(' & ');
}

/** One log, newest first. */
export async function listAudit(
  db: Db,
  proof: AuditProof,
  filter: AuditFilter,
): Promise<{ items: AuditRow[]; nextCursor: string | null }> {
  const before = decodeNumberCursor(filter.cursor);
  const words = wordsQuery(filter.q);
  if (words === null && (filter.q ?? '').trim() !== '') return { items: [], nextCursor: null };
  const rows = await db
    .selectFrom('audit as a')
    .leftJoin('audit_link as l', 'l.seq', 'a.seq')
    .selectAll('a')
    .select('l.position')
    .where((eb) =>
      proof.kind === 'platform' ? eb('a.organization_id', 'is', null) : eb('a.organization_id', '=', proof.id),
    )
    .$if(before !== null, (query) => query.where('a.seq', '<', before as number))
    .$if(filter.action !== undefined, (query) => query.where('a.action', 'like', `${likeText(filter.action)}%`))
    .$if(filter.actor !== undefined, (query) =>
      query.where((eb) =>
        eb.or([eb('a.actor_id', '=', filter.actor ?? ''), eb('a.actor', 'ilike', `%${likeText(filter.actor)}%`)]),
      ),
    )
    .$if(filter.target !== undefined, (query) =>
      query.where((eb) =>
        eb.or([eb('a.target_id', '=', filter.target ?? ''), eb('a.target', 'ilike', `%${likeText(filter.target)}%`)]),
      ),
    )
    .$if(filter.result !== undefined, (query) => query.where('a.result', '=', filter.result ?? 'ok'))
    .$if(words !== null, (query) => query.where(sql<boolean>`a.search @@ to_tsquery('simple', ${words})`))
    .$if(filter.since !== undefined, (query) => query.where('a.at', '>=', new Date(filter.since ?? 0)))
    .$if(filter.until !== undefined, (query) => query.where('a.at', '<', new Date(filter.until ?? 0)))
    .orderBy('a.seq', 'desc')
    .limit(filter.limit + 1)
    .execute();
  const cut = cutPage(rows, filter.limit, (row) => row.seq);
  return {
    items: cut.rows.map((row) => ({
      id: row.id,
      position: row.position,
      at: row.at,
      actorKind: row.actor_kind,
      actorId: row.actor_id,
      actor: row.actor,
      action: row.action,
      targetKind: row.target_kind,
      targetId: row.target_id,
      target: row.target,
      result: row.result,
      address: row.address,
      userAgent: row.user_agent,
      requestId: row.request_id,
      before: row.before,
      after: row.after,
    })),
    nextCursor: cut.nextCursor,
  };
}

export type ActivityRow = Pick<AuditRow, 'id' | 'at' | 'actor' | 'action' | 'target' | 'targetId' | 'result'>;

/** Recent changes in a project, newest first; of one instance and of its routes, also of removed ones, when given. */
export async function listActivity(
  db: Db,
  proof: Authorized<'project', 'project.read'>,
  filter: { cursor?: string | undefined; limit: number; instance?: string | undefined },
): Promise<{ items: ActivityRow[]; nextCursor: string | null }> {
  const before = decodeNumberCursor(filter.cursor);
  const rows = await db
    .selectFrom('audit')
    .select(['seq', 'id', 'at', 'actor', 'action', 'target', 'target_id', 'result'])
    .where('project_id', '=', proof.id)
    .$if(before !== null, (query) => query.where('seq', '<', before as number))
    .$if(filter.instance !== undefined, (query) =>
      query.where((eb) =>
        eb.or([
          eb('target_id', '=', filter.instance ?? ''),
          eb(sql`coalesce(after, before) ->> 'instanceId'`, '=', filter.instance ?? ''),
        ]),
      ),
    )
    .orderBy('seq', 'desc')
    .limit(filter.limit + 1)
    .execute();
  const cut = cutPage(rows, filter.limit, (row) => row.seq);
  return {
    items: cut.rows.map((row) => ({
      id: row.id,
      at: row.at,
      actor: row.actor,
      action: row.action,
      target: row.target,
      targetId: row.target_id,
      result: row.result,
    })),
    nextCursor: cut.nextCursor,
  };
}

/** `text` as a literal inside LIKE. */
function likeText(text: string | undefined): string {
  return (text ?? '').replace(/[\\%_]/g, '\\$&');
}
