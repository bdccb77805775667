/** The own SSH keys. They open servers through the SSH gateway and nothing else. */
import { createHash } from 'node:crypto';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { SshKeyId } from '#domain/ids.ts';
import { TITLE_LENGTH_MAX } from '#domain/names.ts';
import { readPublicKey, SSH_KEYS_PER_USER_MAX } from '#domain/ssh.ts';
import { recordForMember } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import { deleteOwnSshKey, insertOwnSshKey, listOwnSshKeys, type SshKey } from '#server/store/ssh-keys.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';

export async function listSshKeys(app: AppContext, person: PersonCaller): Promise<SshKey[]> {
  return listOwnSshKeys(app.db, person);
}

/** `SHA256:...` as `ssh-keygen -l` shows it. */
export function fingerprintOf(blob: Uint8Array): string {
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

function refuse(message: string): BerthError {
  return new BerthError('invalid_input', message, { fields: [{ field: 'publicKey', message }] });
}

/**
 * Errors: invalid_input (not a key, too weak, here already), conflict (another account has it, or the person has
 * SSH_KEYS_PER_USER_MAX), step_up_required.
 */
export async function addSshKey(
  app: AppContext,
  person: PersonCaller,
  input: { publicKey: string; label?: string | undefined },
): Promise<SshKey> {
  const key = readPublicKey(input.publicKey);
  if ('problem' in key) throw refuse(key.problem);
  await requireConfirmed(app, person, 'ssh-keys.add');
  const comment = key.comment.replace(/[^\x20-\x7e]/g, '').slice(0, TITLE_LENGTH_MAX);
  return transact(app.db, async (trx) => {
    const added = await insertOwnSshKey(trx, person, {
      id: app.ids.make('sky'),
      label: input.label ?? (comment === '' ? key.type : comment),
      type: key.type,
      bits: key.bits,
      publicKey: key.base64,
      fingerprint: fingerprintOf(key.blob),
      createdAt: app.clock.now(),
    });
    if (added === 'own') throw refuse('You have added this key already.');
    if (added === 'taken') {
      throw new BerthError('conflict', 'Another account uses this key. A key belongs to one person: make another.');
    }
    if (added === 'full') {
      throw new BerthError('conflict', `You have ${SSH_KEYS_PER_USER_MAX} SSH keys. Remove one you do not need.`);
    }
    await tell(trx, person, 'account.ssh-keys.add', added);
    return added;
  });
}

/** What is connected with it ends. Errors: not_found. */
export async function removeSshKey(app: AppContext, person: PersonCaller, id: SshKeyId): Promise<void> {
  await transact(app.db, async (trx) => {
    const removed = await deleteOwnSshKey(trx, person, id);
    if (removed === null) throw notFound('SSH key');
    await tell(trx, person, 'account.ssh-keys.remove', removed);
  });
}

async function tell(
  trx: Parameters<typeof recordForMember>[0],
  person: PersonCaller,
  action: string,
  key: SshKey,
): Promise<void> {
  const { type, bits, fingerprint } = key;
  await recordForMember(trx, person, person.userId, {
    action,
    targetKind: 'ssh-key',
    targetId: key.id,
    target: key.label,
    [action === 'account.ssh-keys.add' ? 'after' : 'before']: { type, bits, fingerprint },
  });
}
