/** Records that Berth keeps at DNS providers: what is wanted, what was seen, and what is left to do. */
import { sql } from 'kysely';
import type { DnsPlace, DnsRecordState, DnsType } from '#domain/dns.ts';
import type { DnsProviderId, DnsRecordId, DomainId, OrganizationId } from '#domain/ids.ts';
import { type Db, type Trx, transact } from './database.ts';
import { emit } from './outbox.ts';

export type DnsRecord = DnsPlace & {
  id: DnsRecordId;
  provider: DnsProviderId;
  /** Null: of the installation. */
  organization: OrganizationId | null;
  /** Null once the domain is gone. */
  domain: DomainId | null;
  wanted: string[];
  desired: 'present' | 'absent';
  state: DnsRecordState;
  seen: string[] | null;
  problem: string | null;
  owned: boolean;
  attempts: number;
  version: number;
};

const columns = [
  'r.id',
  'r.provider_id as provider',
  'r.organization_id as organization',
  'r.domain_id as domain',
  'r.zone',
  'r.name',
  'r.type',
  'r.wanted',
  'r.desired',
  'r.state',
  'r.seen',
  'r.problem',
  'r.owned',
  'r.attempts',
  'r.version',
] as const;

const selected = (db: Db) => db.selectFrom('dns_record as r').select(columns);
type Row = Awaited<ReturnType<ReturnType<typeof selected>['execute']>>[number];
const rowToRecord = (row: Row): DnsRecord => ({ ...row, version: Number(row.version) });

export async function allDnsRecords(db: Db): Promise<DnsRecord[]> {
  return (await selected(db).execute()).map(rowToRecord);
}

export async function recordsOfDomains(db: Db, domains: readonly DomainId[]): Promise<DnsRecord[]> {
  if (domains.length === 0) return [];
  const rows = await selected(db)
    .where('r.domain_id', 'in', [...domains])
    .where('r.desired', '=', 'present')
    .orderBy('r.name')
    .orderBy('r.type')
    .execute();
  return rows.map(rowToRecord);
}

/** What a domain and its routes say about the records it needs. */
export type DomainNeeds = {
  id: DomainId;
  organization: OrganizationId;
  name: string;
  token: string;
  state: string;
  hostnames: string[];
};

/** Every domain in order of age: of two claims of one name the older gets the records. */
export async function domainNeeds(db: Db): Promise<DomainNeeds[]> {
  const { rows } = await sql<DomainNeeds>`
    select d.id, d.organization_id as organization, d.name, d.token, d.state,
           array(select distinct r.hostname from route r where r.domain_id = d.id order by 1) as hostnames
      from domain d
     order by (d.state = 'verified') desc, d.created_at, d.id`.execute(db);
  return rows;
}

export type NewDnsRecord = DnsPlace & {
  id: DnsRecordId;
  provider: DnsProviderId;
  organization: OrganizationId;
  domain: DomainId;
  wanted: string[];
};

/** Writes down what is to be done; nothing happens when the place has a row already. */
export async function insertDnsRecord(db: Db, record: NewDnsRecord, now: Date): Promise<void> {
  await transact(db, async (trx) => {
    const row = await trx
      .insertInto('dns_record')
      .columns([
        'id',
        'provider_id',
        'organization_id',
        'domain_id',
        'zone',
        'name',
        'type',
        'wanted',
        'look_at',
        'created_at',
      ])
      // The domain may have gone meanwhile.
      .expression((eb) =>
        eb
          .selectFrom('domain')
          .select([
            sql<DnsRecordId>`${record.id}`.as('id'),
            sql<DnsProviderId>`${record.provider}`.as('provider_id'),
            'domain.organization_id',
            'domain.id as domain_id',
            sql<string>`${record.zone}`.as('zone'),
            sql<string>`${record.name}`.as('name'),
            sql<DnsType>`${record.type}`.as('type'),
            sql<string[]>`${record.wanted}::text[]`.as('wanted'),
            sql<Date>`${now}::timestamptz`.as('look_at'),
            sql<Date>`${now}::timestamptz`.as('created_at'),
          ])
          .where('domain.id', '=', record.domain)
          .forKeyShare(),
      )
      .onConflict((conflict) => conflict.columns(['zone', 'name', 'type']).doNothing())
      .returning('id')
      .executeTakeFirst();
    if (row !== undefined) await bumpDomain(trx, record.domain);
  });
}

export type DnsRecordChange = {
  provider?: DnsProviderId;
  domain?: DomainId;
  organization?: OrganizationId;
  wanted?: string[];
  desired?: 'present' | 'absent';
  state?: DnsRecordState;
  seen?: string[] | null;
  problem?: string | null;
  owned?: boolean;
  attempts?: number;
  lookAt?: Date;
};

/** False when somebody changed it since it was read: then nothing is written. Ends the claim on it. */
export async function updateDnsRecord(db: Db, record: DnsRecord, change: DnsRecordChange): Promise<boolean> {
  return transact(db, async (trx) => {
    const { provider, domain, organization, lookAt, ...same } = change;
    const row = await trx
      .updateTable('dns_record')
      .set((eb) => ({
        ...same,
        ...(provider === undefined ? {} : { provider_id: provider }),
        ...(domain === undefined ? {} : { domain_id: domain }),
        ...(organization === undefined ? {} : { organization_id: organization }),
        ...(lookAt === undefined ? {} : { look_at: lookAt }),
        claimed_until: null,
        version: eb('version', '+', 1),
      }))
      .where('id', '=', record.id)
      .where('version', '=', record.version)
      .returning('domain_id')
      .executeTakeFirst();
    if (row === undefined) return false;
    const isNews = same.state !== undefined && (same.state !== record.state || same.problem !== record.problem);
    if (isNews && row.domain_id !== null) await bumpDomain(trx, row.domain_id);
    return true;
  });
}

/** False when somebody changed it since. */
export async function deleteDnsRecord(db: Db, record: DnsRecord): Promise<boolean> {
  return transact(db, async (trx) => {
    const row = await trx
      .deleteFrom('dns_record')
      .where('id', '=', record.id)
      .where('version', '=', record.version)
      .returning('domain_id')
      .executeTakeFirst();
    if (row === undefined) return false;
    if (row.domain_id !== null) await bumpDomain(trx, row.domain_id);
    return true;
  });
}

/** Records whose time has come, those that waited longest first. */
export async function dueDnsRecords(db: Db, now: Date, limit: number): Promise<DnsRecord[]> {
  const rows = await selected(db)
    .where('r.look_at', '<=', now)
    .where(({ or, eb }) => or([eb('r.claimed_until', 'is', null), eb('r.claimed_until', '<=', now)]))
    .orderBy('r.look_at')
    .orderBy('r.id')
    .limit(limit)
    .execute();
  return rows.map(rowToRecord);
}

/** Keeps others away from it until `until`; null when they were first, or it changed since. */
export async function claimDnsRecord(db: Db, record: DnsRecord, now: Date, until: Date): Promise<DnsRecord | null> {
  const row = await db
    .updateTable('dns_record')
    .set({ claimed_until: until })
    .where('id', '=', record.id)
    .where('version', '=', record.version)
    .where(({ or, eb }) => or([eb('claimed_until', 'is', null), eb('claimed_until', '<=', now)]))
    .returning('id')
    .executeTakeFirst();
  return row === undefined ? null : record;
}

/** Everything of a domain that is not as it should be is written again; answers how many. */
export async function repairRecords(trx: Trx, domain: DomainId, now: Date): Promise<number> {
  const rows = await trx
    .updateTable('dns_record')
    .set((eb) => ({
      state: 'pending',
      problem: null,
      attempts: 0,
      look_at: now,
      claimed_until: null,
      version: eb('version', '+', 1),
    }))
    .where('domain_id', '=', domain)
    .where('state', 'in', ['drifted', 'taken', 'failed'])
    .returning('id')
    .execute();
  if (rows.length > 0) await bumpDomain(trx, domain);
  return rows.length;
}

export async function countDnsRecords(trx: Trx, provider: DnsProviderId): Promise<number> {
  const { count } = await trx
    .selectFrom('dns_record')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('provider_id', '=', provider)
    .executeTakeFirstOrThrow();
  return Number(count);
}

/** What waits for its next attempt does not wait any longer: the secret is another one now. */
export async function hurryRecords(trx: Trx, provider: DnsProviderId, now: Date): Promise<void> {
  await trx
    .updateTable('dns_record')
    .set({ look_at: now, attempts: 0 })
    .where('provider_id', '=', provider)
    .where('state', '=', 'failed')
    .execute();
}

/** Looks at the proof of a domain soon: its record was just written. */
export async function checkDomainSoon(db: Db, domain: DomainId, now: Date): Promise<void> {
  await db
    .updateTable('domain')
    .set({ check_at: now })
    .where('id', '=', domain)
    .where('state', '<>', 'verified')
    .execute();
}

/** Tells consoles that something about a domain is new. */
export async function bumpDomain(trx: Trx, id: DomainId): Promise<void> {
  const row = await trx
    .updateTable('domain')
    .set((eb) => ({ version: eb('version', '+', 1) }))
    .where('id', '=', id)
    .returning(['organization_id', 'project_id', 'version'])
    .executeTakeFirst();
  if (row === undefined) return;
  await emit(trx, {
    kind: 'domain',
    ref: id,
    organizationId: row.organization_id,
    projectId: row.project_id,
    version: Number(row.version),
  });
}
