/** Programs that wait to be signed in. Device codes arrive as digests; the short code for people is kept as it is. */
import type { DeviceLoginId, UserId } from '#domain/ids.ts';
import { DEVICE_LOGINS_OPEN_MAX, DEVICE_POLL_SECONDS } from '#domain/sessions.ts';
import type { Db, Trx } from './database.ts';

export type DeviceLogin = {
  id: DeviceLoginId;
  userCode: string;
  client: string;
  scopes: string[] | null;
  address: string;
  userAgent: string;
  createdAt: Date;
  expiresAt: Date;
};

const columns = [
  'id',
  'user_code as userCode',
  'client',
  'scopes',
  'address',
  'user_agent as userAgent',
  'created_at as createdAt',
  'expires_at as expiresAt',
] as const;

/** False when too many from this address wait already, or (hardly ever) the code is taken. */
export async function insertDeviceLogin(trx: Trx, login: DeviceLogin & { deviceHash: Buffer }): Promise<boolean> {
  const { open } = await trx
    .selectFrom('device_login')
    .select((eb) => eb.fn.countAll<number>().as('open'))
    .where('address', '=', login.address)
    .where('state', '=', 'pending')
    .where('expires_at', '>', login.createdAt)
    .executeTakeFirstOrThrow();
  if (open >= DEVICE_LOGINS_OPEN_MAX) return false;
  const row = await trx
    .insertInto('device_login')
    .values({
      id: login.id,
      device_hash: login.deviceHash,
      user_code: login.userCode,
      client: login.client,
      scopes: login.scopes,
      address: login.address,
      user_agent: login.userAgent,
      interval_seconds: DEVICE_POLL_SECONDS,
      created_at: login.createdAt,
      expires_at: login.expiresAt,
    })
    .onConflict((conflict) => conflict.doNothing())
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** The sign-in that waits for this code; null when there is none (any more). */
export async function findDeviceLogin(db: Db, userCode: string, now: Date): Promise<DeviceLogin | null> {
  const row = await db
    .selectFrom('device_login')
    .select(columns)
    .where('user_code', '=', userCode)
    .where('state', '=', 'pending')
    .where('expires_at', '>', now)
    .executeTakeFirst();
  return row ?? null;
}

/** Decides it, once; null when it does not wait (any more). `by` null: refused. */
export async function decideDeviceLogin(
  trx: Trx,
  userCode: string,
  decision: { by: UserId; allow: boolean; now: Date },
): Promise<DeviceLogin | null> {
  const row = await trx
    .updateTable('device_login')
    .set({
      state: decision.allow ? 'approved' : 'denied',
      user_id: decision.by,
      confirmed_at: decision.allow ? decision.now : null,
    })
    .where('user_code', '=', userCode)
    .where('state', '=', 'pending')
    .where('expires_at', '>', decision.now)
    .returning(columns)
    .executeTakeFirst();
  return row ?? null;
}

export type DevicePoll =
  | { state: 'unknown' | 'expired' | 'denied' | 'pending' | 'too-soon' }
  | { state: 'approved'; login: DeviceLogin; userId: UserId; confirmedAt: Date };

/** One question of the waiting program. An approved sign-in is used up by it; asking too soon costs. */
export async function pollDeviceLogin(trx: Trx, deviceHash: Buffer, now: Date): Promise<DevicePoll> {
  const row = await trx
    .selectFrom('device_login')
    .select([...columns, 'state', 'user_id', 'interval_seconds', 'polled_at', 'confirmed_at'])
    .where('device_hash', '=', deviceHash)
    .forUpdate()
    .executeTakeFirst();
  if (row === undefined || row.state === 'used') return { state: 'unknown' };
  if (row.expiresAt <= now) return { state: 'expired' };
  if (row.state === 'denied') return { state: 'denied' };
  const soon = row.polled_at !== null && now.getTime() - row.polled_at.getTime() < (row.interval_seconds - 1) * 1000;
  const interval = soon ? row.interval_seconds + DEVICE_POLL_SECONDS : row.interval_seconds;
  const approved = row.state === 'approved' && row.user_id !== null && row.confirmed_at !== null && !soon;
  await trx
    .updateTable('device_login')
    .set({ polled_at: now, interval_seconds: interval, ...(approved ? { state: 'used' as const } : {}) })
    .where('id', '=', row.id)
    .execute();
  if (soon) return { state: 'too-soon' };
  if (!approved || row.user_id === null || row.confirmed_at === null) return { state: 'pending' };
  return { state: 'approved', login: row, userId: row.user_id, confirmedAt: row.confirmed_at };
}

/** Forgets what ended before `before`. */
export async function sweepDeviceLogins(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('device_login').where('expires_at', '<', before).execute();
}
