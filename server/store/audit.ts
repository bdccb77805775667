/**
 * The audit log. `record` runs in the transaction of the change it tells of: no change without its row, no row without
 * its change. Refusals (a failed sign-in) have no change and use `recordAlone`.
 */
import { randomBytes } from 'node:crypto';
import { makeId, type OrganizationId, type ProjectId } from '#domain/ids.ts';
import type { Actor } from './authorized.ts';
import { type Db, json, type Trx, transact } from './database.ts';
import { emit } from './outbox.ts';

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
  return { kind: 'user', id: actor.userId, name: actor.email };
}
