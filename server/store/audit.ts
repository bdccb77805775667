/**
 * The audit log. `record` runs in the transaction of the change it tells of: no change without its row, no row without
 * its change. Refusals (a failed sign-in) have no change and use `recordAlone`.
 */
import { randomBytes } from 'node:crypto';
import { makeId, type OrganizationId, type ProjectId, type UserId } from '#domain/ids.ts';
import type { Actor, Authorized } from './authorized.ts';
import { type Db, json, type Trx, transact } from './database.ts';
import { emit } from './outbox.ts';
import { cutPage, decodeNumberCursor } from './page.ts';

export type AuditInput = {
  action: string;
  targetKind: string;
  targetId?: string | null;
  /** What people call the target: a name, an e-mail address. */
  target: string;
  result?: 'ok' | 'refused' | 'failed';
  organizationId?: OrganizationId | null;
  projectId?: ProjectId | null;
  /** What differs, before and after. Never put a secret here; keys that look like one are masked all the same. */
  before?: unknown;
  after?: unknown;
};

const USER_AGENT_LENGTH_MAX = 300;
const TEXT_LENGTH_MAX = 300;
const secretKey = /password|secret|token|hash|code|cookie|authorization/i;

/** Copy of `value` with everything under a secret-looking key replaced. */
function masked(value: unknown, depth = 0): unknown {
  if (depth > 6) return '...';
  if (Array.isArray(value)) return value.map((item) => masked(item, depth + 1));
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, secretKey.test(name) ? '***' : masked(item, depth + 1)]),
  );
}

/** Inserts the audit row of a change, in the change's own transaction. */
export async function record(trx: Trx, actor: Actor, input: AuditInput): Promise<void> {
  const who = describeActor(actor);
  const origin = actor.kind === 'system' ? null : actor.origin;
  const id = makeId('aud', Date.now(), randomBytes);
  await trx
    .insertInto('audit')
    .values({
      id,
      organization_id: input.organizationId ?? null,
      project_id: input.projectId ?? null,
      actor_kind: who.kind,
      actor_id: who.id,
      actor: who.name,
      action: input.action,
      target_kind: input.targetKind,
      target_id: input.targetId ?? null,
      target: input.target.slice(0, TEXT_LENGTH_MAX),
      result: input.result ?? 'ok',
      address: origin?.address ?? null,
      user_agent: origin?.userAgent?.slice(0, USER_AGENT_LENGTH_MAX) ?? null,
      request_id: origin?.requestId ?? null,
      before: input.before === undefined ? null : json(masked(input.before)),
      after: input.after === undefined ? null : json(masked(input.after)),
    })
    .execute();
  await emit(trx, {
    kind: 'audit',
    ref: id,
    organizationId: input.organizationId ?? null,
    projectId: input.projectId ?? null,
  });
}

/** Of a person, every organization they belong to gets its own row: each log is complete by itself. */
export async function recordForMember(
  trx: Trx,
  actor: Actor,
  userId: UserId,
  input: Omit<AuditInput, 'organizationId'>,
): Promise<void> {
  const rows = await trx.selectFrom('membership').select('organization_id').where('user_id', '=', userId).execute();
  const organizations = rows.length === 0 ? [null] : rows.map((row) => row.organization_id);
  for (const organizationId of organizations) await record(trx, actor, { ...input, organizationId });
}

/** For refusals, which change nothing. */
export async function recordAlone(db: Db, actor: Actor, input: AuditInput): Promise<void> {
  await transact(db, (trx) => record(trx, actor, input));
}

/** Kind, id and readable name of an actor, as the audit log and operations keep it. */
export function describeActor(actor: Actor): {
  kind: 'user' | 'token' | 'workflow' | 'system' | 'anonymous';
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

export type AuditRow = {
  id: string;
  at: Date;
  actorKind: 'user' | 'token' | 'workflow' | 'system' | 'anonymous';
  actor: string;
  action: string;
  targetKind: string;
  targetId: string | null;
  target: string;
  result: 'ok' | 'refused' | 'failed';
  address: string | null;
  userAgent: string | null;
  requestId: string | null;
  before: unknown;
  after: unknown;
};

export type AuditFilter = {
  cursor?: string | undefined;
  limit: number;
  action?: string | undefined;
  actor?: string | undefined;
  target?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
};

const auditColumns = [
  'seq',
  'id',
  'at',
  'actor_kind',
  'actor',
  'action',
  'target_kind',
  'target_id',
  'target',
  'result',
  'address',
  'user_agent',
  'request_id',
  'before',
  'after',
] as const;

/**
 * The organization's log, newest first. `withInstallation` adds rows that belong to no organization (set-up attempts,
 * sign-ins of unknown accounts, images): for platform administrators.
 */
export async function listAudit(
  db: Db,
  proof: Authorized<'organization', 'audit.read'>,
  filter: AuditFilter,
  withInstallation: boolean,
): Promise<{ items: AuditRow[]; nextCursor: string | null }> {
  const before = decodeNumberCursor(filter.cursor);
  const rows = await db
    .selectFrom('audit')
    .select(auditColumns)
    .where((eb) =>
      withInstallation
        ? eb.or([eb('organization_id', '=', proof.id), eb('organization_id', 'is', null)])
        : eb('organization_id', '=', proof.id),
    )
    .$if(before !== null, (query) => query.where('seq', '<', before as number))
    .$if(filter.action !== undefined, (query) => query.where('action', 'like', `${likeText(filter.action)}%`))
    .$if(filter.actor !== undefined, (query) => query.where('actor', 'ilike', `%${likeText(filter.actor)}%`))
    .$if(filter.target !== undefined, (query) =>
      query.where((eb) =>
        eb.or([eb('target_id', '=', filter.target ?? ''), eb('target', 'ilike', `%${likeText(filter.target)}%`)]),
      ),
    )
    .$if(filter.since !== undefined, (query) => query.where('at', '>=', new Date(filter.since ?? 0)))
    .$if(filter.until !== undefined, (query) => query.where('at', '<', new Date(filter.until ?? 0)))
    .orderBy('seq', 'desc')
    .limit(filter.limit + 1)
    .execute();
  const cut = cutPage(rows, filter.limit, (row) => row.seq);
  return {
    items: cut.rows.map((row) => ({
      id: row.id,
      at: row.at,
      actorKind: row.actor_kind,
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

/** Recent changes in a project, newest first; of one instance when given. */
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
    .$if(filter.instance !== undefined, (query) => query.where('target_id', '=', filter.instance ?? ''))
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
