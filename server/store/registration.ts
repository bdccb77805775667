/**
 * Registration codes and asked-for accounts. A use of a code is taken when somebody asks, in one statement with the
 * check, and given back when the link is never followed: who was told yes can go on, and no code gives more than it has.
 */
import { sql } from 'kysely';
import type { WorkingRole } from '#domain/authz.ts';
import type { OrganizationId, RegistrationCodeId, RegistrationId } from '#domain/ids.ts';
import type { Authorized } from './authorized.ts';
import { type Db, type Trx, transact } from './database.ts';
import { emit } from './outbox.ts';
import { readSetting, writeSetting } from './settings.ts';

export type RegistrationSettings = { open: boolean; ownOrganization: boolean };

export async function readRegistrationSettings(db: Db): Promise<RegistrationSettings> {
  const value = (await readSetting(db, 'registration')) as Partial<RegistrationSettings> | null;
  return { open: value?.open === true, ownOrganization: value?.ownOrganization === true };
}

export async function writeRegistrationSettings(
  trx: Trx,
  proof: Authorized<'platform', 'platform.registration.update'>,
  settings: RegistrationSettings,
): Promise<void> {
  await writeSetting(trx, proof, 'registration', settings);
  await emit(trx, { kind: 'user', ref: 'rgc_settings' });
}

export type RegistrationCode = {
  id: RegistrationCodeId;
  prefix: string;
  note: string;
  joins: { organization: { id: OrganizationId; name: string; title: string }; role: WorkingRole } | null;
  uses: number;
  usesMax: number;
  createdBy: string;
  createdAt: Date;
  expiresAt: Date;
  revoked: boolean;
};

/** Codes the list shows; older ones are history of the audit log. */
export const CODES_SHOWN_MAX = 500;

const codeQuery = (db: Db) =>
  db
    .selectFrom('registration_code as c')
    .innerJoin('app_user as u', 'u.id', 'c.created_by')
    .leftJoin('organization as o', 'o.id', 'c.organization_id')
    .select([
      'c.id',
      'c.prefix',
      'c.note',
      'c.role',
      'c.uses',
      'c.uses_max',
      'c.created_at',
      'c.expires_at',
      'c.revoked_at',
      'u.email as created_by',
      'o.id as organization_id',
      'o.name as organization_name',
      'o.title as organization_title',
    ]);

type CodeRow = Awaited<ReturnType<ReturnType<typeof codeQuery>['execute']>>[number];

function rowToCode(row: CodeRow): RegistrationCode {
  const { organization_id: id, organization_name: name, organization_title: title, role } = row;
  return {
    id: row.id,
    prefix: row.prefix,
    note: row.note,
    joins:
      id === null || name === null || title === null || role === null
        ? null
        : { organization: { id, name, title }, role },
    uses: row.uses,
    usesMax: row.uses_max,
    createdBy: row.created_by,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revoked: row.revoked_at !== null,
  };
}

export async function listCodes(
  db: Db,
  _proof: Authorized<'platform', 'platform.registration.read'>,
): Promise<RegistrationCode[]> {
  const rows = await codeQuery(db).orderBy('c.id', 'desc').limit(CODES_SHOWN_MAX).execute();
  return rows.map(rowToCode);
}

export async function insertCode(
  trx: Trx,
  proof: Authorized<'platform', 'platform.registration.update'>,
  code: {
    id: RegistrationCodeId;
    codeHash: Buffer;
    prefix: string;
    note: string;
    /** The proof that the caller may invite there. */
    joins: { proof: Authorized<'organization', 'member.invite'>; role: WorkingRole } | null;
    usesMax: number;
    now: Date;
    expiresAt: Date;
  },
): Promise<RegistrationCode> {
  await trx
    .insertInto('registration_code')
    .values({
      id: code.id,
      code_hash: code.codeHash,
      prefix: code.prefix,
      note: code.note,
      organization_id: code.joins?.proof.id ?? null,
      role: code.joins?.role ?? null,
      uses_max: code.usesMax,
      created_by: proof.person.userId,
      created_at: code.now,
      expires_at: code.expiresAt,
    })
    .execute();
  await emit(trx, { kind: 'user', ref: code.id });
  return rowToCode(await codeQuery(trx).where('c.id', '=', code.id).executeTakeFirstOrThrow());
}

/** The withdrawn code; null when there is no open one. */
export async function revokeCode(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.registration.update'>,
  id: RegistrationCodeId,
  now: Date,
): Promise<{ note: string; organizationId: OrganizationId | null } | null> {
  const row = await trx
    .updateTable('registration_code')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .returning(['note', 'organization_id'])
    .executeTakeFirst();
  if (row === undefined) return null;
  await emit(trx, { kind: 'user', ref: id });
  return { note: row.note, organizationId: row.organization_id };
}

/** Takes one use; null when the code is unknown, used up, over or withdrawn. */
export async function takeCodeUse(trx: Trx, codeHash: Buffer, now: Date): Promise<RegistrationCodeId | null> {
  const { rows } = await sql<{ id: RegistrationCodeId }>`
    update registration_code set uses = uses + 1
     where code_hash = ${codeHash} and uses < uses_max and expires_at > ${now} and revoked_at is null
     returning id`.execute(trx);
  const id = rows[0]?.id ?? null;
  if (id !== null) await emit(trx, { kind: 'user', ref: id });
  return id;
}

async function giveBackUses(trx: Trx, codes: readonly (RegistrationCodeId | null)[]): Promise<void> {
  // In one order, so that two sweepers cannot wait for each other.
  for (const code of [...codes].filter((each) => each !== null).sort()) {
    await sql`update registration_code set uses = greatest(uses - 1, 0) where id = ${code}`.execute(trx);
    await emit(trx, { kind: 'user', ref: code });
  }
}

/** Takes the place of an earlier one for the same address. `email` null: it has an account already. */
export async function insertRegistration(
  trx: Trx,
  registration: {
    id: RegistrationId;
    email: string | null;
    tokenHash: Buffer;
    codeId: RegistrationCodeId | null;
    now: Date;
    expiresAt: Date;
  },
): Promise<void> {
  if (registration.email !== null) {
    const earlier = await trx
      .deleteFrom('registration')
      .where('email', '=', registration.email)
      .returning('code_id')
      .execute();
    await giveBackUses(
      trx,
      earlier.map((row) => row.code_id),
    );
  }
  await trx
    .insertInto('registration')
    .values({
      id: registration.id,
      email: registration.email,
      token_hash: registration.tokenHash,
      code_id: registration.codeId,
      created_at: registration.now,
      expires_at: registration.expiresAt,
    })
    .execute();
}

export type OpenRegistration = {
  id: RegistrationId;
  email: string;
  expiresAt: Date;
  /** What the code joins; the organization is gone: null. */
  joins: { organizationId: OrganizationId; title: string; role: WorkingRole } | null;
};

/** The asked-for account with this digest: the link is the proof. */
export async function findRegistration(db: Db, tokenHash: Buffer, now: Date): Promise<OpenRegistration | null> {
  const row = await db
    .selectFrom('registration as r')
    .leftJoin('registration_code as c', 'c.id', 'r.code_id')
    .leftJoin('organization as o', (join) =>
      join.onRef('o.id', '=', 'c.organization_id').on('o.deleted_at', 'is', null),
    )
    .select(['r.id', 'r.email', 'r.expires_at', 'o.id as organization_id', 'o.title', 'c.role'])
    .where('r.token_hash', '=', tokenHash)
    .where('r.expires_at', '>', now)
    .where('r.email', 'is not', null)
    .executeTakeFirst();
  if (row === undefined || row.email === null) return null;
  const { organization_id: organizationId, title, role } = row;
  return {
    id: row.id,
    email: row.email,
    expiresAt: row.expires_at,
    joins: organizationId === null || title === null || role === null ? null : { organizationId, title, role },
  };
}

/** Uses the link up; false when it was used meanwhile. The use of the code stays used. */
export async function takeRegistration(trx: Trx, id: RegistrationId): Promise<boolean> {
  const row = await trx.deleteFrom('registration').where('id', '=', id).returning('id').executeTakeFirst();
  return row !== undefined;
}

const SWEEP_BATCH_MAX = 500;

/** Forgets links that nobody followed and gives the uses of their codes back. */
export async function sweepRegistrations(db: Db, now: Date): Promise<void> {
  await transact(db, async (trx) => {
    const { rows } = await sql<{ code_id: RegistrationCodeId | null }>`
      delete from registration where id in (
        select id from registration where expires_at <= ${now} order by id limit ${SWEEP_BATCH_MAX} for update skip locked
      ) returning code_id`.execute(trx);
    await giveBackUses(
      trx,
      rows.map((row) => row.code_id),
    );
  });
}
