/** SSH of the mock: keys of the account, and who is in an instance. */
import { BerthError, notFound } from '#domain/errors.ts';
import { readPublicKey } from '#domain/ssh.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';
import { recordingRule } from './handlers-ssh-recordings.ts';
import { DOMAIN, hint, iso, type MockState, newId, record, type SshSession } from './state.ts';

type SshName =
  | `sshKeys${'List' | 'Add' | 'Remove'}`
  | `sshSessions${'List' | 'End'}`
  | 'sshAccess'
  | 'sshHostKeysAccept';

const DAY = 86_400_000;
const GATEWAY_PORT = 2222;
const GATEWAY_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB8Ht8Z3j6yDWPBHQtOp/R9rjWvfMYo3MSA/K6q8D86r';
/** Its keys changed: nobody gets in. */
const CHANGED = 'gannet';

export function sshAccess(state: MockState, id: string): OutputOf<'sshAccess'> {
  const instance = state.instances.find((each) => each.id === id);
  if (instance === undefined) throw notFound('instance');
  const project = state.projects.find((each) => each.id === instance.project);
  const isChanged = instance.name === CHANGED && !state.sshAccepted.includes(instance.id);
  return {
    gateway: {
      host: DOMAIN,
      port: GATEWAY_PORT,
      knownHosts: [`[${DOMAIN}]:${GATEWAY_PORT} ${GATEWAY_KEY}`],
    },
    user: `${instance.name}.${project?.name ?? 'main'}`,
    hostKeys: {
      fingerprints: ['SHA256:3hJzjFGLD2mWCcPlRD8oWEJGv0i7y8r0w3cLxj2nWfA'],
      pinnedAt: instance.createdAt,
      refused: isChanged
        ? { fingerprint: 'SHA256:Zr0sGh2M7eVzYxq3Jm1uY0tB5u4oQ8nKc9wX2aLd6pE', at: iso(Date.now() - 600_000) }
        : null,
    },
    recording: recordingRule(state, id),
  };
}

/** Two that live and one that is over, of every running server. */
export function someSshSessions(state: MockState, now: number): MockState['sshSessions'] {
  const [first, second] = state.members;
  if (first === undefined) return [];
  const of = (each: typeof first, more: Partial<SshSession>): SshSession => ({
    id: newId('shs'),
    user: each.user,
    method: 'key',
    keyLabel: 'ada@laptop',
    address: '192.0.2.17',
    client: 'OpenSSH_9.6p1 Ubuntu-3ubuntu13',
    startedAt: iso(now - 40 * 60_000),
    bytesIn: 183_220,
    bytesOut: 2_411_008,
    endedAt: null,
    endReason: null,
    recorded: false,
    ending: false,
    ...more,
  });
  return state.instances
    .filter((instance) => instance.kind === 'server' && instance.observed === 'running')
    .map((instance) => ({
      instance: instance.id,
      items: [
        of(first, {}),
        of(second ?? first, {
          method: 'password',
          keyLabel: null,
          address: '2001:db8::5',
          startedAt: iso(now - 90_000),
        }),
        of(first, {
          recorded: true,
          startedAt: iso(now - DAY),
          endedAt: iso(now - DAY + 900_000),
          endReason: 'The client left.',
        }),
      ],
    }));
}

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
  sshAccess: (state, { params }) => sshAccess(state, params.instance),
  sshHostKeysAccept: (state, { params }) => {
    state.sshAccepted.push(params.instance);
    return sshAccess(state, params.instance);
  },
  sshSessionsList: (state, { params }) => ({
    items: state.sshSessions.find((each) => each.instance === params.instance)?.items ?? [],
  }),
  sshSessionsEnd: (state, { params }) => {
    const items = state.sshSessions.find((each) => each.instance === params.instance)?.items ?? [];
    const found = items.find((each) => each.id === params.session && each.endedAt === null);
    if (found === undefined) throw notFound('SSH connection');
    Object.assign(found, { endedAt: iso(), endReason: 'Somebody ended it in Berth.' });
    hint('ssh', found.id, null, params.instance);
    return undefined;
  },
  sshKeysRemove: (state, { params }) => {
    const gone = state.sshKeys.find((each) => each.id === params.key);
    state.sshKeys = state.sshKeys.filter((each) => each.id !== params.key);
    if (gone !== undefined) record(state, 'account.ssh-keys.remove', 'ssh-key', gone.id, gone.label);
    return undefined;
  },
};
