/** Rows of accounts, registration and mail for the endpoints that need some. */
import { randomBytes } from 'node:crypto';
import type { MailId, RegistrationCodeId, UserId } from '#domain/ids.ts';
import { digest } from '#server/app/tokens.ts';
import type { Db } from '#server/store/database.ts';
import { newId, newName } from './factories.ts';

const HOUR_MS = 3600_000;
const soon = () => new Date(Date.now() + HOUR_MS);
const secret = () => randomBytes(32).toString('base64url');

/** The smallest PNG there is: one pixel. */
export const PIXEL_PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

export async function addAvatar(db: Db, user: UserId): Promise<void> {
  const avatar = { avatar: Buffer.from(PIXEL_PNG, 'base64'), avatar_type: 'image/png', avatar_hash: 'pixel' } as const;
  await db
    .insertInto('profile')
    .values({ user_id: user, language: 'en-GB', theme: 'system', ...avatar })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(avatar))
    .execute();
}

/** The secret of the link to the old address. */
export async function addEmailChange(db: Db, user: UserId): Promise<string> {
  const old = secret();
  const change = {
    email: `${newName('new')}@example.test`,
    old_token_hash: digest(`email-old ${old}`),
    new_token_hash: digest(`email-new ${secret()}`),
    old_confirmed_at: null,
    new_confirmed_at: null,
    created_at: new Date(),
    expires_at: soon(),
  };
  await db
    .insertInto('email_change')
    .values({ user_id: user, ...change })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet(change))
    .execute();
  return old;
}

export async function addPasswordReset(db: Db, user: UserId): Promise<string> {
  const token = secret();
  await db
    .insertInto('password_reset')
    .values({
      token_hash: digest(`password-reset ${token}`),
      user_id: user,
      created_at: new Date(),
      expires_at: soon(),
    })
    .execute();
  return token;
}

export async function addRegistration(db: Db): Promise<string> {
  const token = secret();
  await db
    .insertInto('registration')
    .values({
      id: newId('reg'),
      email: `${newName('newcomer')}@example.test`,
      token_hash: digest(`registration ${token}`),
      created_at: new Date(),
      expires_at: soon(),
    })
    .execute();
  return token;
}

export async function addRegistrationCode(
  db: Db,
  by: UserId,
  usesMax = 5,
): Promise<{ id: RegistrationCodeId; code: string }> {
  const id = newId('rgc');
  const code = randomBytes(10).toString('hex').toUpperCase();
  await db
    .insertInto('registration_code')
    .values({
      id,
      code_hash: digest(`registration-code ${code}`),
      prefix: code.slice(0, 4),
      note: 'A class',
      uses_max: usesMax,
      created_by: by,
      created_at: new Date(),
      expires_at: soon(),
    })
    .execute();
  return { id, code };
}

/** One that could not be sent; what is in it cannot be opened. */
export async function addRegistry(db: Db): Promise<void> {
  const row = {
    enabled: true,
    upstream: 'https://registry.example.test',
    bytes_max: 1024 ** 3,
    updated_at: new Date(),
  };
  await db
    .insertInto('registry_cache')
    .values({ id: 'main', ...row })
    .onConflict((conflict) => conflict.column('id').doUpdateSet(row))
    .execute();
}

export async function addMail(db: Db): Promise<MailId> {
  const id = newId('eml');
  await db
    .insertInto('mail')
    .values({
      id,
      kind: 'invitation',
      recipient: `${newName('guest')}@example.test`,
      subject: 'Join us',
      content_sealed: 'v1.aaaaaaaa.bbbb.cccc',
      state: 'dead',
      next_at: new Date(),
      created_at: new Date(),
      expires_at: soon(),
      ended_at: new Date(),
    })
    .execute();
  return id;
}
