/**
 * Entries: an administrator of the installation inside a tenant's organization, with a reason and an end. The row is
 * what the door looks at; without an open one an administrator is a stranger there.
 */
import type { PersonCaller } from '#domain/caller.ts';
import type { EntryId, OrganizationId, UserId } from '#domain/ids.ts';
import type { Authorized, OrganizationProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';
import { askToRenewSessions } from './sessions.ts';

export const ENTRIES_SHOWN_MAX = 100;

export type Entry = {
  id: EntryId;
  organization: { id: OrganizationId; name: string; title: string };
  user: { id: UserId; email: string; name: string };
  reason: string;
  createdAt: Date;
  expiresAt: Date;
  endedAt: Date | null;
};

const entryQuery = (db: Db) =>
  db
    .selectFrom('tenant_entry as e')
    .innerJoin('app_user as u', 'u.id', 'e.user_id')
    .innerJoin('organization as o', 'o.id', 'e.organization_id')
    .select(['e.id', 'e.reason', 'e.created_at', 'e.expires_at', 'e.ended_at'])
    .select(['u.id as user_id', 'u.email', 'u.name', 'o.id as organization_id'])
    .select(['o.name as organization_name', 'o.title as organization_title']);

type EntryRow = {
  id: EntryId;
  reason: string;
  created_at: Date;
  expires_at: Date;
  ended_at: Date | null;
  user_id: UserId;
  email: string;
  name: string;
  organization_id: OrganizationId;
  organization_name: string;
  organization_title: string;
};

function rowToEntry(row: EntryRow): Entry {
  return {
    id: row.id,
    organization: { id: row.organization_id, name: row.organization_name, title: row.organization_title },
    user: { id: row.user_id, email: row.email, name: row.name },
    reason: row.reason,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    endedAt: row.ended_at,
  };
}

/** Newest first. */
export async function listEntries(db: Db, proof: OrganizationProof<'entry.read'>): Promise<Entry[]> {
  const rows = await entryQuery(db)
    .where('e.organization_id', '=', proof.id)
    .orderBy('e.id', 'desc')
    .limit(ENTRIES_SHOWN_MAX)
    .execute();
  return rows.map(rowToEntry);
}

/** Begins an entry; an open one of the same person there ends with it. */
export async function insertEntry(
  trx: Trx,
  proof: Authorized<'organization', 'platform.organization.enter'>,
  entry: { id: EntryId; reason: string; expiresAt: Date },
  now: Date,
): Promise<Entry> {
  const { userId } = proof.person;
  await trx
    .updateTable('tenant_entry')
    .set({ ended_at: now, ended_by: userId })
    .where('organization_id', '=', proof.id)
    .where('user_id', '=', userId)
    .where('ended_at', 'is', null)
    .execute();
  await trx
    .insertInto('tenant_entry')
    .values({
      id: entry.id,
      organization_id: proof.id,
      user_id: userId,
      reason: entry.reason,
      expires_at: entry.expiresAt,
    })
    .execute();
  await askToRenewSessions(trx, [userId]);
  await emit(trx, { kind: 'member', ref: userId, organizationId: proof.id });
  return rowToEntry(await entryQuery(trx).where('e.id', '=', entry.id).executeTakeFirstOrThrow());
}

/** Ends one of the organization's open entries; null when it is over already. */
export async function endEntry(trx: Trx, proof: Authorized<'entry', 'entry.end'>, now: Date): Promise<Entry | null> {
  return end(trx, { id: proof.id, by: proof.person.userId, organization: proof.organization }, now);
}

/** The person ends their own; null when there is no such open one. */
export async function endOwnEntry(trx: Trx, person: PersonCaller, id: EntryId, now: Date): Promise<Entry | null> {
  return end(trx, { id, by: person.userId, user: person.userId }, now);
}

async function end(
  trx: Trx,
  which: { id: EntryId; by: UserId; organization?: OrganizationId; user?: UserId },
  now: Date,
): Promise<Entry | null> {
  const row = await trx
    .updateTable('tenant_entry')
    .set({ ended_at: now, ended_by: which.by })
    .where('id', '=', which.id)
    .where('ended_at', 'is', null)
    .where('expires_at', '>', now)
    .$if(which.organization !== undefined, (query) =>
      query.where('organization_id', '=', which.organization as OrganizationId),
    )
    .$if(which.user !== undefined, (query) => query.where('user_id', '=', which.user as UserId))
    .returning(['organization_id', 'user_id'])
    .executeTakeFirst();
  if (row === undefined) return null;
  await askToRenewSessions(trx, [row.user_id]);
  await emit(trx, { kind: 'member', ref: row.user_id, organizationId: row.organization_id });
  return rowToEntry(await entryQuery(trx).where('e.id', '=', which.id).executeTakeFirstOrThrow());
}
