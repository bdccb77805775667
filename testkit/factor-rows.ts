/** Rows of testkit/route-rows.ts for second factors: whatever a call needs is put into the database beforehand. */
import { randomBytes } from 'node:crypto';
import { makeRecoveryCode, RECOVERY_CODE_BYTES } from '#domain/factors.ts';
import type { UserId } from '#domain/ids.ts';
import { recoveryHash } from '#server/app/factor-proofs.ts';
import { digest } from '#server/app/tokens.ts';
import type { Db } from '#server/store/database.ts';
import { newId, newName } from './factories.ts';

const HOUR_MS = 3_600_000;
const soon = () => new Date(Date.now() + HOUR_MS);

/** A recovery code that works. */
export async function addRecoveryCode(db: Db, user: UserId): Promise<string> {
  const code = makeRecoveryCode(randomBytes(RECOVERY_CODE_BYTES));
  const hash = recoveryHash(user, code.replaceAll('-', ''));
  await db.insertInto('recovery_code').values({ user_id: user, code_hash: hash, created_at: new Date() }).execute();
  return code;
}

/** A passkey that nobody holds. */
export async function addPasskeyRow(db: Db, user: UserId) {
  const id = newId('pky');
  await db
    .insertInto('passkey')
    .values({
      id,
      user_id: user,
      credential_id: randomBytes(16).toString('base64url'),
      public_key: randomBytes(32),
      counter: 0,
      transports: '[]',
      name: newName('key'),
      synced: false,
      created_at: new Date(),
    })
    .execute();
  return id;
}

/** An authenticator app whose codes nobody knows. */
export async function addTotpRow(db: Db, user: UserId): Promise<void> {
  const now = new Date();
  await db
    .insertInto('totp')
    .values({ user_id: user, secret_sealed: 'v1.none.none.none', created_at: now, confirmed_at: now })
    .onConflict((conflict) => conflict.column('user_id').doUpdateSet({ confirmed_at: now }))
    .execute();
}

/** A sign-in whose first step is done, as the headers of the browser that did it. */
export async function addSignIn(db: Db, user: UserId | null): Promise<{ cookie: string }> {
  const handle = randomBytes(32).toString('base64url');
  const purpose = user === null ? 'passkey' : 'factor';
  await db
    .insertInto('sign_in')
    .values({
      id: newId('sin'),
      purpose,
      token_hash: digest(`sign-in ${purpose} ${handle}`),
      user_id: user,
      method: 'password',
      user_agent: 'berth-test',
      created_at: new Date(),
      expires_at: soon(),
    })
    .execute();
  return { cookie: `__Host-berth-sign-in=${handle}` };
}

const challenge = randomBytes(32).toString('base64url');
const clientData = (type: string) =>
  Buffer.from(JSON.stringify({ type, challenge, origin: 'https://berth.localhost:9443' })).toString('base64url');
const noise = () => randomBytes(64).toString('base64url');

/** The shape of a browser's answer, with nothing right in it. */
export function passkeyAnswer() {
  const id = randomBytes(16).toString('base64url');
  return {
    id,
    rawId: id,
    type: 'public-key' as const,
    response: { clientDataJSON: clientData('webauthn.get'), authenticatorData: noise(), signature: noise() },
    clientExtensionResults: {},
  };
}

export function passkeyRegistration() {
  const id = randomBytes(16).toString('base64url');
  return {
    id,
    rawId: id,
    type: 'public-key' as const,
    response: { clientDataJSON: clientData('webauthn.create'), attestationObject: noise() },
    clientExtensionResults: {},
  };
}
