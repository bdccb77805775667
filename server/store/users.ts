/** All accounts of the installation, for its administrators. Nothing of what people have inside organizations. */
import { sql } from 'kysely';
import type { Role } from '#domain/authz.ts';
import type { OrganizationId, UserId } from '#domain/ids.ts';
import type { Authorized } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';
import { cutPage, decodeTextCursor } from './page.ts';

export type PlatformUser = {
  id: UserId;
  email: string;
  name: string;
  platformAdmin: boolean;
  emailVerified: boolean;
  secondFactor: boolean;
  createdAt: Date;
  disabledAt: Date | null;
  lastSeenAt: Date | null;
  organizations: { id: OrganizationId; name: string; title: string; role: Role }[];
};

type Row = Omit<PlatformUser, 'organizations'>;

const columns = sql`u.id, u.email, u.name, u.platform_admin as "platformAdmin",
  u.email_verified_at is not null as "emailVerified", u.second_factor as "secondFactor", u.created_at as "createdAt",
  u.disabled_at as "disabledAt",
  greatest((select max(s.last_seen_at) from session s where s.user_id = u.id),
           (select max(t.last_used_at) from api_token t where t.user_id = u.id)) as "lastSeenAt"`;

async function withOrganizations(db: Db, users: Row[]): Promise<PlatformUser[]> {
  if (users.length === 0) return [];
  const rows = await db
    .selectFrom('membership as m')
    .innerJoin('organization as o', 'o.id', 'm.organization_id')
    .select(['m.user_id', 'm.role', 'o.id', 'o.name', 'o.title'])
    .where(
      'm.user_id',
      'in',
      users.map((user) => user.id),
    )
    .orderBy('o.name')
    .execute();
  return users.map((user) => ({
    ...user,
    organizations: rows
      .filter((row) => row.user_id === user.id)
      .map(({ id, name, title, role }) => ({ id, name, title, role })),
  }));
}

export async function listUsers(
  db: Db,
  _proof: Authorized<'platform', 'platform.user.read'>,
  page: { cursor?: string | undefined; limit: number; search?: string | undefined },
): Promise<{ items: PlatformUser[]; nextCursor: string | null }> {
  const before = decodeTextCursor(page.cursor, /^usr_[0-9a-z]{26}$/);
  const search = page.search === undefined || page.search === '' ? null : `%${page.search.replace(/[\\%_]/g, '\\$&')}%`;
  const { rows } = await sql<Row>`
    select ${columns} from app_user u
     where u.deleted_at is null and u.service_of is null
       and (${before}::text is null or u.id < ${before})
       and (${search}::text is null or u.email ilike ${search} or u.name ilike ${search})
     order by u.id desc limit ${page.limit + 1}`.execute(db);
  const cut = cutPage(rows, page.limit, (row) => row.id);
  return { items: await withOrganizations(db, cut.rows), nextCursor: cut.nextCursor };
}

/** Locks all administrators as well, so that the last one cannot go twice at once. Null: no such account. */
export async function lockUser(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.user.update' | 'platform.user.delete'>,
  id: UserId,
): Promise<{ user: PlatformUser; otherAdmins: number } | null> {
  await sql`select id from app_user where platform_admin or id = ${id} order by id for update`.execute(trx);
  const user = await readUser(trx, id);
  if (user === null) return null;
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from app_user where platform_admin and disabled_at is null and id <> ${id}`.execute(trx);
  return { user, otherAdmins: rows[0]?.count ?? 0 };
}

export async function countOtherAdmins(db: Db, id: UserId): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*) as count from app_user where platform_admin and disabled_at is null and id <> ${id}`.execute(db);
  return rows[0]?.count ?? 0;
}

async function readUser(db: Db, id: UserId): Promise<PlatformUser | null> {
  const { rows } = await sql<Row>`
    select ${columns} from app_user u where u.id = ${id} and u.deleted_at is null and u.service_of is null`.execute(db);
  return (await withOrganizations(db, rows))[0] ?? null;
}

export async function updateUser(
  trx: Trx,
  _proof: Authorized<'platform', 'platform.user.update'>,
  id: UserId,
  change: { disabledAt: Date | null; platformAdmin: boolean },
): Promise<PlatformUser> {
  await trx
    .updateTable('app_user')
    .set({ disabled_at: change.disabledAt, platform_admin: change.platformAdmin })
    .where('id', '=', id)
    .execute();
  await emit(trx, { kind: 'user', ref: id }, { kind: 'session', ref: id });
  const user = await readUser(trx, id);
  if (user === null) throw new Error('a locked account is gone');
  return user;
}
