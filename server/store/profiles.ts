/** What people chose for themselves. Somebody without a row has the defaults. */
import type { PersonCaller } from '#domain/caller.ts';
import type { UserId } from '#domain/ids.ts';
import { LANGUAGE_DEFAULT, type PictureType, type Theme } from '#domain/profiles.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';

export type Preferences = {
  language: string;
  timeZone: string | null;
  theme: Theme;
  /** Digest of the picture; null: none. */
  avatarHash: string | null;
};

export const defaultPreferences: Preferences = {
  language: LANGUAGE_DEFAULT,
  timeZone: null,
  theme: 'system',
  avatarHash: null,
};

export async function readPreferences(db: Db, userId: UserId): Promise<Preferences> {
  const row = await db
    .selectFrom('profile')
    .select(['language', 'time_zone', 'theme', 'avatar_hash'])
    .where('user_id', '=', userId)
    .executeTakeFirst();
  if (row === undefined) return defaultPreferences;
  return { language: row.language, timeZone: row.time_zone, theme: row.theme, avatarHash: row.avatar_hash };
}

export async function writePreferences(
  trx: Trx,
  person: PersonCaller,
  preferences: Omit<Preferences, 'avatarHash'>,
): Promise<void> {
  const { language, timeZone: time_zone, theme } = preferences;
  await trx
    .insertInto('profile')
    .values({ user_id: person.userId, language, time_zone, theme })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ language, time_zone, theme }))
    .execute();
  await emit(trx, { kind: 'session', ref: person.userId });
}

/** Null takes the picture away. */
export async function writeAvatar(
  trx: Trx,
  person: PersonCaller,
  picture: { bytes: Buffer; type: PictureType; hash: string } | null,
): Promise<void> {
  const columns = {
    avatar: picture?.bytes ?? null,
    avatar_type: picture?.type ?? null,
    avatar_hash: picture?.hash ?? null,
  };
  const { language, theme } = defaultPreferences;
  await trx
    .insertInto('profile')
    .values({ user_id: person.userId, language, theme, ...columns })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(columns))
    .execute();
  await emit(trx, { kind: 'session', ref: person.userId });
}

/** The picture of `of`, for themselves, for administrators of the installation and for who shares an organization. */
export async function readAvatar(
  db: Db,
  viewer: PersonCaller,
  of: UserId,
): Promise<{ bytes: Buffer; type: PictureType; hash: string } | null> {
  const row = await db
    .selectFrom('profile as p')
    .select(['p.avatar', 'p.avatar_type', 'p.avatar_hash'])
    .where('p.user_id', '=', of)
    .$if(viewer.userId !== of && !viewer.platformAdmin, (query) =>
      query.where((eb) =>
        eb.exists(
          eb
            .selectFrom('membership as theirs')
            .innerJoin('membership as own', 'own.organization_id', 'theirs.organization_id')
            .select('own.user_id')
            .where('theirs.user_id', '=', of)
            .where('own.user_id', '=', viewer.userId),
        ),
      ),
    )
    .executeTakeFirst();
  if (row === undefined || row.avatar === null || row.avatar_type === null || row.avatar_hash === null) return null;
  return { bytes: row.avatar, type: row.avatar_type, hash: row.avatar_hash };
}
