/** Settings of the installation that administrators change while it runs: one row each. */
import type { PlatformAction } from '#domain/authz.ts';
import { type ControlAccess, parseControlAccess } from '#domain/control-access.ts';
import { type RateLimitName, rateLimitNames } from '#domain/rate-limits.ts';
import type { Authorized } from './authorized.ts';
import { type Db, json, type Trx } from './database.ts';

/** The value as it was written; null when nobody ever set it. */
export async function readSetting(db: Db, key: SettingKey): Promise<unknown> {
  const row = await db.selectFrom('setting').select('value').where('key', '=', key).executeTakeFirst();
  return row?.value ?? null;
}

export type SettingKey = 'outbound.allowed' | 'rate.limits' | 'registration' | 'control.access' | 'ssh.host-keys';

export async function writeSetting(
  trx: Trx,
  _proof: Authorized<'platform', PlatformAction>,
  key: SettingKey,
  value: unknown,
): Promise<void> {
  await trx
    .insertInto('setting')
    .values({ key, value: json(value) })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: json(value) }))
    .execute();
}

/** Origins that an administrator allows outbound calls to although they are private, plain or on another port. */
export async function allowedOrigins(db: Db): Promise<string[]> {
  const value = await readSetting(db, 'outbound.allowed');
  return Array.isArray(value) ? value.filter((origin) => typeof origin === 'string') : [];
}

/** From where the control plane may be entered; null when what is written there cannot be understood. */
export async function controlAccess(db: Db): Promise<ControlAccess | null> {
  return parseControlAccess(await readSetting(db, 'control.access'));
}

/** Limits on calls that administrators have chosen; names that are no longer known are left out. */
export async function chosenRateLimits(db: Db): Promise<Partial<Record<RateLimitName, number>>> {
  const value = (await readSetting(db, 'rate.limits')) as Record<string, unknown> | null;
  return Object.fromEntries(
    rateLimitNames.flatMap((name) => (typeof value?.[name] === 'number' ? [[name, value[name]]] : [])),
  );
}
