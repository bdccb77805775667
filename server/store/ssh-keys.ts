/** Public SSH keys of a person. */
import type { PersonCaller } from '#domain/caller.ts';
import type { SshKeyId } from '#domain/ids.ts';
import { SSH_KEYS_PER_USER_MAX, type SshKeyType } from '#domain/ssh.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';

export type SshKey = {
  id: SshKeyId;
  label: string;
  type: SshKeyType;
  bits: number;
  /** Base64, without the type in front. */
  publicKey: string;
  fingerprint: string;
  createdAt: Date;
  lastUsedAt: Date | null;
  lastUsedAddress: string | null;
};

const columns = [
  'id',
  'label',
  'type',
  'bits',
  'public_key as publicKey',
  'fingerprint',
  'created_at as createdAt',
  'last_used_at as lastUsedAt',
  'last_used_address as lastUsedAddress',
] as const;

/** Newest first. */
export async function listOwnSshKeys(db: Db, person: PersonCaller): Promise<SshKey[]> {
  return db
    .selectFrom('ssh_key')
    .select(columns)
    .where('user_id', '=', person.userId)
    .orderBy('created_at', 'desc')
    .orderBy('id')
    .limit(SSH_KEYS_PER_USER_MAX)
    .execute();
}

/** 'full': the person has SSH_KEYS_PER_USER_MAX already; 'own', 'taken': this or another account has this key. */
export async function insertOwnSshKey(
  trx: Trx,
  person: PersonCaller,
  key: Pick<SshKey, 'id' | 'label' | 'type' | 'bits' | 'publicKey' | 'fingerprint' | 'createdAt'>,
): Promise<SshKey | 'full' | 'own' | 'taken'> {
  // The lock on the person's row makes counting and inserting one step.
  await trx.selectFrom('app_user').select('id').where('id', '=', person.userId).forUpdate().execute();
  const keys = await listOwnSshKeys(trx, person);
  if (keys.some((each) => each.fingerprint === key.fingerprint)) return 'own';
  if (keys.length >= SSH_KEYS_PER_USER_MAX) return 'full';
  const row = await trx
    .insertInto('ssh_key')
    .values({
      id: key.id,
      user_id: person.userId,
      label: key.label,
      type: key.type,
      bits: key.bits,
      public_key: key.publicKey,
      fingerprint: key.fingerprint,
      created_at: key.createdAt,
    })
    .onConflict((conflict) => conflict.column('fingerprint').doNothing())
    .returning(columns)
    .executeTakeFirst();
  if (row === undefined) return 'taken';
  await emit(trx, { kind: 'session', ref: person.userId });
  return row;
}

/** The removed key; null when the person has no such key. */
export async function deleteOwnSshKey(trx: Trx, person: PersonCaller, id: SshKeyId): Promise<SshKey | null> {
  const row = await trx
    .deleteFrom('ssh_key')
    .where('id', '=', id)
    .where('user_id', '=', person.userId)
    .returning(columns)
    .executeTakeFirst();
  if (row === undefined) return null;
  await emit(trx, { kind: 'session', ref: person.userId });
  return row;
}
