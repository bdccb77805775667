/** Certificates for *.<domain>: what was made, the order under way, and accounts at authorities. */
import type { Insertable } from 'kysely';
import type { DnsProviderId, DnsRecordId, DomainId, OrganizationId } from '#domain/ids.ts';
import { PLATFORM_WILDCARD, type WildcardId } from '#domain/wildcards.ts';
import type { Authorized } from './authorized.ts';
import { type Db, type Trx, transact } from './database.ts';
import { bumpDomain } from './dns-records.ts';
import { emit } from './outbox.ts';
import type { Tables } from './tables.ts';

export type Wildcard = {
  id: WildcardId;
  name: string;
  /** Null: the platform's own. */
  organization: OrganizationId | null;
  bundle: string | null;
  issuer: string | null;
  expiresAt: Date | null;
  orderUrl: string | null;
  orderKeySealed: string | null;
  problem: string | null;
  attempts: number;
};

export function orderKeyPlace(id: WildcardId) {
  return { table: 'wildcard_certificate', row: id, column: 'order_key_sealed' };
}

export function accountKeyPlace(directory: string) {
  return { table: 'acme_account', row: directory, column: 'key_sealed' };
}

const selected = (db: Db) =>
  db
    .selectFrom('wildcard_certificate as w')
    .leftJoin('domain as d', 'd.id', 'w.domain_id')
    .select((eb) => eb.fn.coalesce('d.name', 'w.platform_domain').$notNull().as('name'))
    .select([
      'w.id',
      'd.organization_id as organization',
      'w.bundle',
      'w.issuer',
      'w.expires_at as expiresAt',
      'w.order_url as orderUrl',
      'w.order_key_sealed as orderKeySealed',
      'w.problem',
      'w.attempts',
    ]);

export async function wildcardsOf(db: Db, ids: readonly WildcardId[]): Promise<Wildcard[]> {
  return ids.length === 0
    ? []
    : selected(db)
        .where('w.id', 'in', [...ids])
        .execute();
}

/** Wanted or not; the row of one that is no longer wanted goes, with its certificate. */
export async function setWildcard(trx: Trx, domain: DomainId, wanted: boolean, now: Date): Promise<void> {
  await trx.updateTable('domain').set({ wildcard: wanted }).where('id', '=', domain).execute();
  if (wanted) await want(trx, { id: domain, domain_id: domain, try_at: now });
  else await drop(trx, domain);
  await bumpDomain(trx, domain);
}

/** The same for the platform's own domain; null: no longer wanted. */
export async function setPlatformWildcard(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.dns.update'>,
  name: string | null,
  now: Date,
): Promise<void> {
  if (name === null) return drop(trx, PLATFORM_WILDCARD);
  await want(trx, { id: PLATFORM_WILDCARD, platform_domain: name, try_at: now });
  await tell(trx, PLATFORM_WILDCARD);
}

async function want(trx: Trx, row: Insertable<Tables['wildcard_certificate']> & { try_at: Date }): Promise<void> {
  await trx
    .insertInto('wildcard_certificate')
    .values(row)
    // Who asks again does not want to wait.
    .onConflict((conflict) => conflict.column('id').doUpdateSet({ try_at: row.try_at, attempts: 0 }))
    .execute();
}

async function drop(trx: Trx, id: WildcardId): Promise<void> {
  await trx.deleteFrom('wildcard_certificate').where('id', '=', id).execute();
  await emit(trx, { kind: 'setting', ref: 'certificates' });
}

/** Tells consoles. */
async function tell(trx: Trx, id: WildcardId): Promise<void> {
  if (id === PLATFORM_WILDCARD) await emit(trx, { kind: 'setting', ref: 'certificates' });
  else await bumpDomain(trx, id);
}

/** The installation was given another domain: what was made for the one before is of no use. */
export async function followPlatform(db: Db, name: string, now: Date): Promise<void> {
  await db
    .updateTable('wildcard_certificate')
    .set({
      platform_domain: name,
      bundle: null,
      issuer: null,
      expires_at: null,
      order_url: null,
      order_key_sealed: null,
      problem: null,
      attempts: 0,
      try_at: now,
      claimed_until: null,
    })
    .where('id', '=', PLATFORM_WILDCARD)
    .where('platform_domain', '<>', name)
    .execute();
}

/** Wanted, their domain proven, and their time has come. */
export async function dueWildcards(db: Db, now: Date, limit: number): Promise<Wildcard[]> {
  return selected(db)
    .where(({ or, and, eb }) =>
      or([eb('w.id', '=', PLATFORM_WILDCARD), and([eb('d.wildcard', '=', true), eb('d.state', '=', 'verified')])]),
    )
    .where('w.try_at', '<=', now)
    .where(({ or, eb }) => or([eb('w.claimed_until', 'is', null), eb('w.claimed_until', '<=', now)]))
    .orderBy('w.try_at')
    .limit(limit)
    .execute();
}

/** Keeps others away until `until`; null when they were first or it is no longer wanted. What is answered is fresh. */
export async function claimWildcard(db: Db, id: WildcardId, now: Date, until: Date): Promise<Wildcard | null> {
  const row = await db
    .updateTable('wildcard_certificate')
    .set({ claimed_until: until })
    .where('id', '=', id)
    .where('try_at', '<=', now)
    .where(({ or, eb }) => or([eb('claimed_until', 'is', null), eb('claimed_until', '<=', now)]))
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) return null;
  return (await selected(db).where('w.id', '=', id).executeTakeFirst()) ?? null;
}

export async function writeOrder(
  db: Db,
  id: WildcardId,
  order: { url: string; keySealed: string } | null,
): Promise<void> {
  await db
    .updateTable('wildcard_certificate')
    .set({ order_url: order?.url ?? null, order_key_sealed: order?.keySealed ?? null })
    .where('id', '=', id)
    .execute();
}

/** Edge hears of it and shows it from then on. */
export async function writeCertificate(
  db: Db,
  id: WildcardId,
  made: { bundle: string; issuer: string; expiresAt: Date; renewAt: Date },
  also: (trx: Trx) => Promise<void>,
): Promise<void> {
  await transact(db, async (trx) => {
    const row = await trx
      .updateTable('wildcard_certificate')
      .set({
        bundle: made.bundle,
        issuer: made.issuer,
        expires_at: made.expiresAt,
        try_at: made.renewAt,
        order_url: null,
        order_key_sealed: null,
        problem: null,
        attempts: 0,
        claimed_until: null,
      })
      .where('id', '=', id)
      .returning('id')
      .executeTakeFirst();
    if (row === undefined) return;
    await emit(trx, { kind: 'setting', ref: 'certificates' });
    if (id !== PLATFORM_WILDCARD) await bumpDomain(trx, id);
    await also(trx);
  });
}

export async function writeFailure(
  db: Db,
  id: WildcardId,
  failure: { problem: string; attempts: number; tryAt: Date; dropOrder: boolean },
): Promise<void> {
  await transact(db, async (trx) => {
    const row = await trx
      .updateTable('wildcard_certificate')
      .set({
        problem: failure.problem,
        attempts: failure.attempts,
        try_at: failure.tryAt,
        claimed_until: null,
        ...(failure.dropOrder ? { order_url: null, order_key_sealed: null } : {}),
      })
      .where('id', '=', id)
      .returning('id')
      .executeTakeFirst();
    if (row !== undefined) await tell(trx, id);
  });
}

export async function findAccount(db: Db, directory: string): Promise<{ url: string; keySealed: string } | null> {
  const row = await db
    .selectFrom('acme_account')
    .select(['url', 'key_sealed as keySealed'])
    .where('directory', '=', directory)
    .executeTakeFirst();
  return row ?? null;
}

/** Whoever was first stays. */
export async function insertAccount(
  db: Db,
  account: { directory: string; url: string; keySealed: string },
): Promise<void> {
  await db
    .insertInto('acme_account')
    .values({ directory: account.directory, url: account.url, key_sealed: account.keySealed })
    .onConflict((conflict) => conflict.column('directory').doNothing())
    .execute();
}

/** Written before the challenge is: whatever happens, dns-keeper takes it away at `removeAt`. */
export async function planChallenge(
  db: Db,
  challenge: {
    id: DnsRecordId;
    provider: DnsProviderId;
    organization: OrganizationId | null;
    zone: string;
    name: string;
    values: string[];
    removeAt: Date;
  },
): Promise<void> {
  const again = { wanted: challenge.values, look_at: challenge.removeAt, provider_id: challenge.provider };
  await db
    .insertInto('dns_record')
    .values({
      id: challenge.id,
      organization_id: challenge.organization,
      zone: challenge.zone,
      name: challenge.name,
      type: 'TXT',
      desired: 'absent',
      ...again,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['zone', 'name', 'type'])
        .doUpdateSet((eb) => ({ ...again, version: eb('dns_record.version', '+', 1) })),
    )
    .execute();
}

/** The challenge is no longer needed: it goes now. */
export async function hurryChallenge(db: Db, name: string, now: Date): Promise<void> {
  await db
    .updateTable('dns_record')
    .set({ look_at: now })
    .where('name', '=', name)
    .where('desired', '=', 'absent')
    .execute();
}
