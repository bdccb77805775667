/** SSH of the mock: keys of the account. */
import { BerthError } from '#domain/errors.ts';
import { readPublicKey } from '#domain/ssh.ts';
import type { Handlers } from './handlers.ts';
import { iso, type MockState, newId, record } from './state.ts';

type SshName = `sshKeys${'List' | 'Add' | 'Remove'}`;

const DAY = 86_400_000;

/** One that is used and one that is not. */
export function someSshKeys(now: number): MockState['sshKeys'] {
  return [
    {
      id: newId('sky'),
      label: 'ada@laptop',
      type: 'ssh-ed25519',
      bits: 256,
      fingerprint: 'SHA256:p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM',
      publicKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl',
      createdAt: iso(now - 60 * DAY),
      lastUsedAt: iso(now - 2 * 3_600_000),
      lastUsedAddress: '192.0.2.17',
    },
    {
      id: newId('sky'),
      label: 'build machine',
      type: 'ssh-rsa',
      bits: 4096,
      fingerprint: 'SHA256:uNiVztksCsDhcc0u9e8BrxOnrMghyLXi7Dq3PqsAtK8',
      publicKey: 'ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAACAQ',
      createdAt: iso(now - 200 * DAY),
      lastUsedAt: null,
      lastUsedAddress: null,
    },
  ];
}

export const sshHandlers: Pick<Handlers, SshName> = {
  sshKeysList: (state) => ({ items: state.sshKeys }),
  sshKeysAdd: (state, { body }) => {
    const key = readPublicKey(body.publicKey);
    const refuse = (message: string) =>
      new BerthError('invalid_input', message, { fields: [{ field: 'publicKey', message }] });
    if ('problem' in key) throw refuse(key.problem);
    const publicKey = `${key.type} ${key.base64}`;
    if (state.sshKeys.some((each) => each.publicKey === publicKey)) throw refuse('You have added this key already.');
    const added = {
      id: newId('sky'),
      label: body.label ?? (key.comment === '' ? key.type : key.comment),
      type: key.type,
      bits: key.bits,
      fingerprint: `SHA256:${key.base64.slice(-44).replace(/[^A-Za-z0-9+/]/g, '')}`,
      publicKey,
      createdAt: iso(),
      lastUsedAt: null,
      lastUsedAddress: null,
    };
    state.sshKeys.unshift(added);
    record(state, 'account.ssh-keys.add', 'ssh-key', added.id, added.label);
    return added;
  },
  sshKeysRemove: (state, { params }) => {
    const gone = state.sshKeys.find((each) => each.id === params.key);
    state.sshKeys = state.sshKeys.filter((each) => each.id !== params.key);
    if (gone !== undefined) record(state, 'account.ssh-keys.remove', 'ssh-key', gone.id, gone.label);
    return undefined;
  },
};
