/**
 * People, their sessions, what a credential stands for, the one-time set-up. Secrets arrive here as digests only. Functions about the
 * own account take the authenticated person; functions about members and invitations are in store/members.ts.
 */
import type { PersonCaller } from '#domain/caller.ts';
import type { OrganizationId, SessionId, UserId } from '#domain/ids.ts';
import { SESSION_IDLE_MINUTES } from '#domain/sessions.ts';
import { type Db, json, type Trx } from './database.ts';
import { emit } from './outbox.ts';

export type User = {
  id: UserId;
  email: string;
  name: string;
  platformAdmin: boolean;
  /** Of a service account: its organization. */
  serviceOf: OrganizationId | null;
  createdAt: Date;
  disabled: boolean;
};

const userColumns = ['id', 'email', 'name', 'platform_admin', 'service_of', 'created_at', 'disabled_at'] as const;
type UserRow = {
  id: UserId;
  email: string;
  name: string;
  platform_admin: boolean;
  service_of: OrganizationId | null;
  created_at: Date;
  disabled_at: Date | null;
};

function rowToUser(row: UserRow): User {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    platformAdmin: row.platform_admin,
    serviceOf: row.service_of,
    createdAt: row.created_at,
    disabled: row.disabled_at !== null,
  };
}

/** For signing in: the account with its password hash; null when there is none. */
export async function findAccount(db: Db, email: string): Promise<(User & { passwordHash: string | null }) | null> {
  const row = await db
    .selectFrom('app_user')
    .select([...userColumns, 'password_hash'])
    .where('email', '=', email)
    .where('service_of', 'is', null)
    .executeTakeFirst();
  return row === undefined ? null : { ...rowToUser(row), passwordHash: row.password_hash };
}

/** The person's own password hash, to check the current password; null when there is no password yet. */
export async function ownPasswordHash(db: Db, person: PersonCaller): Promise<string | null> {
  const row = await db
    .selectFrom('app_user')
    .select('password_hash')
    .where('id', '=', person.userId)
    .executeTakeFirstOrThrow();
  return row.password_hash;
}

export async function insertUser(
  trx: Trx,
  user: { id: UserId; email: string; name: string; passwordHash: string | null; platformAdmin: boolean },
): Promise<User> {
  const row = await trx
    .insertInto('app_user')
    .values({
      id: user.id,
      email: user.email,
      name: user.name,
      password_hash: user.passwordHash,
      platform_admin: user.platformAdmin,
    })
    .returning(userColumns)
    .executeTakeFirstOrThrow();
  await emit(trx, { kind: 'user', ref: user.id });
  return rowToUser(row);
}

export async function updateOwnName(trx: Trx, person: PersonCaller, name: string): Promise<void> {
  await trx.updateTable('app_user').set({ name }).where('id', '=', person.userId).execute();
}

/** Stores the new hash and ends every other session of the person. */
export async function updateOwnPassword(
  trx: Trx,
  person: PersonCaller,
  passwordHash: string,
  now: Date,
): Promise<void> {
  await trx.updateTable('app_user').set({ password_hash: passwordHash }).where('id', '=', person.userId).execute();
  await endOtherSessions(trx, person, now);
}

/** Ends every session of the person but the one that is calling. */
export async function endOtherSessions(trx: Trx, person: PersonCaller, now: Date): Promise<void> {
  const { credential } = person;
  await trx
    .updateTable('session')
    .set({ revoked_at: now })
    .where('user_id', '=', person.userId)
    .where('revoked_at', 'is', null)
    .$if(credential.via === 'session', (query) =>
      query.where('id', '!=', (credential as { sessionId: SessionId }).sessionId),
    )
    .execute();
  await emit(trx, { kind: 'session', ref: person.userId });
}

/** Marks the installation as set up; false when it was already. */
export async function claimSetup(trx: Trx, by: UserId, now: Date): Promise<boolean> {
  const row = await trx
    .insertInto('setting')
    .values({ key: 'setup.completed', value: json({ by, at: now.toISOString() }) })
    .onConflict((conflict) => conflict.doNothing())
    .returning('key')
    .executeTakeFirst();
  return row !== undefined;
}

export async function isSetupNeeded(db: Db): Promise<boolean> {
  const row = await db.selectFrom('setting').select('key').where('key', '=', 'setup.completed').executeTakeFirst();
  return row === undefined;
}

export type Session = {
  id: SessionId;
  kind: 'browser' | 'client';
  client: string | null;
  scopes: string[] | null;
  createdAt: Date;
  lastSeenAt: Date;
  expiresAt: Date;
  address: string;
  userAgent: string;
};

export async function insertSession(
  trx: Trx,
  session: {
    id: SessionId;
    userId: UserId;
    tokenHash: Buffer;
    expiresAt: Date;
    address: string;
    userAgent: string;
    confirmedAt: Date;
    now: Date;
  },
): Promise<void> {
  await trx
    .insertInto('session')
    .values({
      id: session.id,
      user_id: session.userId,
      token_hash: session.tokenHash,
      expires_at: session.expiresAt,
      address: session.address,
      user_agent: session.userAgent,
      last_seen_at: session.now,
      idle_expires_at: new Date(session.now.getTime() + SESSION_IDLE_MINUTES * 60_000),
      confirmed_at: session.confirmedAt,
    })
    .execute();
  await emit(trx, { kind: 'session', ref: session.userId });
}

/** Seconds between two writes of "last seen" of one credential. */
export const LAST_SEEN_SECONDS = 60;

export type FoundCredential = {
  user: User;
  credential: PersonCaller['credential'];
  expiresAt: Date | null;
  /** What it may be used for at most; null: everything the person may do. */
  scopes: string[] | null;
  /** True when "last seen" is older than LAST_SEEN_SECONDS and should be written. */
  stale: boolean;
  /** True when the person's rights changed: the browser is to get a new secret. */
  renew: boolean;
};

/** Of `session as s` and `app_user as u`. */
export const sessionColumns = [
  's.id as session_id',
  's.client',
  's.scopes',
  's.renew',
  's.expires_at',
  's.last_seen_at',
  'u.id',
  'u.email',
  'u.name',
  'u.platform_admin',
  'u.service_of',
  'u.created_at',
  'u.disabled_at',
] as const;
type SessionRow = UserRow & {
  session_id: SessionId;
  client: string | null;
  scopes: string[] | null;
  renew: boolean;
  expires_at: Date;
  last_seen_at: Date;
};

export function sessionRowToFound(row: SessionRow, now: Date): FoundCredential {
  return {
    user: rowToUser(row),
    credential: {
      via: 'session',
      sessionId: row.session_id,
      ...(row.client === null ? {} : { client: row.client }),
    },
    scopes: row.scopes,
    expiresAt: row.expires_at,
    stale: now.getTime() - row.last_seen_at.getTime() > LAST_SEEN_SECONDS * 1000,
    renew: row.renew,
  };
}

/** The living browser session with this digest, of a person who is not disabled; null otherwise. */
export async function findSession(db: Db, tokenHash: Buffer, now: Date): Promise<FoundCredential | null> {
  const row = await db
    .selectFrom('session as s')
    .innerJoin('app_user as u', 'u.id', 's.user_id')
    .select(sessionColumns)
    .where('s.token_hash', '=', tokenHash)
    .where('s.revoked_at', 'is', null)
    .where('s.expires_at', '>', now)
    .where((eb) => eb.or([eb('s.idle_expires_at', 'is', null), eb('s.idle_expires_at', '>', now)]))
    .where('u.disabled_at', 'is', null)
    .executeTakeFirst();
  return row === undefined ? null : sessionRowToFound(row, now);
}

/** The living API token with this digest, of a person who is not disabled; null otherwise. */
export async function findToken(db: Db, tokenHash: Buffer, now: Date): Promise<FoundCredential | null> {
  const row = await db
    .selectFrom('api_token as t')
    .innerJoin('app_user as u', 'u.id', 't.user_id')
    .select([
      't.id as token_id',
      't.name as token_name',
      't.scopes',
      't.expires_at',
      't.last_used_at',
      'u.id',
      'u.email',
      'u.name',
      'u.platform_admin',
      'u.service_of',
      'u.created_at',
      'u.disabled_at',
    ])
    .where('t.token_hash', '=', tokenHash)
    .where('t.revoked_at', 'is', null)
    .where((eb) => eb.or([eb('t.expires_at', 'is', null), eb('t.expires_at', '>', now)]))
    .where('u.disabled_at', 'is', null)
    .executeTakeFirst();
  if (row === undefined) return null;
  return {
    user: rowToUser(row),
    credential: { via: 'token', tokenId: row.token_id, tokenName: row.token_name },
    scopes: row.scopes,
    renew: false,
    expiresAt: row.expires_at,
    stale: row.last_used_at === null || now.getTime() - row.last_used_at.getTime() > LAST_SEEN_SECONDS * 1000,
  };
}

/** Writes "last seen" of the credential; of a token also from where. */
export async function touchCredential(
  db: Db,
  credential: PersonCaller['credential'],
  address: string | null,
  now: Date,
): Promise<void> {
  if (credential.via === 'session') {
    const idle = new Date(now.getTime() + SESSION_IDLE_MINUTES * 60_000);
    await db
      .updateTable('session')
      // Programs go idle by their refresh tokens.
      .set({ last_seen_at: now, ...(credential.client === undefined ? { idle_expires_at: idle } : {}) })
      .where('id', '=', credential.sessionId)
      .execute();
  } else {
    await db
      .updateTable('api_token')
      .set({ last_used_at: now, last_used_address: address })
      .where('id', '=', credential.tokenId)
      .execute();
  }
}

export async function listOwnSessions(db: Db, person: PersonCaller, now: Date): Promise<Session[]> {
  const rows = await db
    .selectFrom('session')
    .select(['id', 'kind', 'client', 'scopes', 'created_at', 'last_seen_at', 'expires_at', 'address', 'user_agent'])
    .where('user_id', '=', person.userId)
    .where('revoked_at', 'is', null)
    .where('expires_at', '>', now)
    .where((eb) => eb.or([eb('idle_expires_at', 'is', null), eb('idle_expires_at', '>', now)]))
    .orderBy('created_at', 'desc')
    .limit(200)
    .execute();
  return rows.map((row) => ({
    id: row.id,
    kind: row.kind,
    client: row.client,
    scopes: row.scopes,
    createdAt: row.created_at,
    lastSeenAt: row.last_seen_at,
    expiresAt: row.expires_at,
    address: row.address,
    userAgent: row.user_agent,
  }));
}

/** Ends one of the person's own sessions; false when there is no such living session. */
export async function revokeOwnSession(trx: Trx, person: PersonCaller, id: SessionId, now: Date): Promise<boolean> {
  const row = await trx
    .updateTable('session')
    .set({ revoked_at: now })
    .where('id', '=', id)
    .where('user_id', '=', person.userId)
    .where('revoked_at', 'is', null)
    .returning('id')
    .executeTakeFirst();
  if (row !== undefined) await emit(trx, { kind: 'session', ref: person.userId });
  return row !== undefined;
}

/** Forgets sessions that ended before `before`; the audit log keeps the sign-in. */
export async function sweepSessions(db: Db, before: Date): Promise<number> {
  const result = await db.deleteFrom('session').where('expires_at', '<', before).executeTakeFirst();
  return Number(result.numDeletedRows);
}

/** Whether a session or token that was valid once still is. */
export async function isCredentialAlive(db: Db, credential: PersonCaller['credential'], now: Date): Promise<boolean> {
  const row =
    credential.via === 'session'
      ? await db
          .selectFrom('session as s')
          .innerJoin('app_user as u', 'u.id', 's.user_id')
          .select('s.id')
          .where('s.id', '=', credential.sessionId)
          .where('s.revoked_at', 'is', null)
          .where('s.expires_at', '>', now)
          .where((eb) => eb.or([eb('s.idle_expires_at', 'is', null), eb('s.idle_expires_at', '>', now)]))
          .where('u.disabled_at', 'is', null)
          .executeTakeFirst()
      : await db
          .selectFrom('api_token as t')
          .innerJoin('app_user as u', 'u.id', 't.user_id')
          .select('t.id')
          .where('t.id', '=', credential.tokenId)
          .where('t.revoked_at', 'is', null)
          .where((eb) => eb.or([eb('t.expires_at', 'is', null), eb('t.expires_at', '>', now)]))
          .where('u.disabled_at', 'is', null)
          .executeTakeFirst();
  return row !== undefined;
}
