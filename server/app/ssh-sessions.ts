/** SSH of an instance: how to get in, its host keys, who is in; and what the gateway tells of its connections. */
import { readFileSync } from 'node:fs';
import type { ServerSshBody } from '#contract/ssh-gateway.ts';
import { type Action, roleMay } from '#domain/authz.ts';
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { notFound } from '#domain/errors.ts';
import type { Id, InstanceId, SessionId, SshSessionId, UserId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { record } from '#server/store/audit.ts';
import { type Authorized, asSystem, authorizeRef } from '#server/store/authorized.ts';
import { type Trx, transact } from '#server/store/database.ts';
import { pinHostKeys, readHostKeys, refuseHostKey } from '#server/store/host-keys.ts';
import { findInstance } from '#server/store/instances.ts';
import { findSignInUser } from '#server/store/sign-ins.ts';
import { isRecorded, readRecordingPolicy } from '#server/store/ssh-recordings.ts';
import * as store from '#server/store/ssh-sessions.ts';
import { recordSshEnd } from '#server/workflows/ssh-audit.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { fingerprintOf } from './ssh-keys.ts';

type Access = {
  gateway: { host: string; port: number; knownHosts: string[] } | null;
  user: string;
  hostKeys: {
    fingerprints: string[];
    pinnedAt: Date | null;
    refused: { fingerprint: string; at: Date } | null;
  };
  recording: {
    server: boolean;
    organization: boolean;
    days: number;
    full: boolean;
    can: { play: Ability; update: Ability };
  };
};

const blobOf = (line: string): Buffer => Buffer.from(line.split(' ')[1] ?? '', 'base64');
const fingerprint = (line: string): string => fingerprintOf(blobOf(line));

/** The gateway's own host keys, as they are now: the one it proves itself with, then the next one. */
function gatewayKeys(file: string): string[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((line) => {
    const [type = '', key = ''] = line.trim().split(' ');
    return /^[a-z0-9-]+$/.test(type) && /^[A-Za-z0-9+/=]+$/.test(key) ? [`${type} ${key}`] : [];
  });
}

/** Where the gateway is; null when this installation has none. */
export function sshGateway(app: AppContext): Access['gateway'] {
  const { ssh, domain } = app.config;
  if (ssh === undefined) return null;
  const name = ssh.port === 22 ? domain : `[${domain}]:${ssh.port}`;
  return { host: domain, port: ssh.port, knownHosts: gatewayKeys(ssh.hostKeysFile).map((key) => `${name} ${key}`) };
}

type Proof = Authorized<'instance', 'instance.ssh' | 'instance.update' | 'ssh-recording.update'>;

export async function accessOf(app: AppContext, proof: Proof): Promise<Access> {
  const [names, keys, server, policy] = await Promise.all([
    store.sshNames(app.db, proof),
    readHostKeys(app.db, proof),
    isRecorded(app.db, proof.id),
    readRecordingPolicy(app.db, proof.organization),
  ]);
  if (names === null) throw notFound('instance');
  return {
    gateway: sshGateway(app),
    user: `${names.instance}.${names.project}`,
    hostKeys: {
      fingerprints: (keys?.publicKeys ?? []).map(fingerprint),
      pinnedAt: keys?.pinnedAt ?? null,
      refused:
        keys === null || keys.refusedKey === null || keys.refusedAt === null
          ? null
          : { fingerprint: fingerprint(keys.refusedKey), at: keys.refusedAt },
    },
    recording: {
      server,
      organization: policy.enabled,
      ...{ days: policy.days, full: policy.full },
      can: {
        play: roleAbility(proof.role, 'ssh-recording.play'),
        update: roleAbility(proof.role, 'ssh-recording.update'),
      },
    },
  };
}

export async function readSshAccess(app: AppContext, caller: Caller, id: InstanceId): Promise<Access> {
  return accessOf(app, await authorize(app, caller, 'instance.ssh', { kind: 'instance', id }));
}

/** Reads what it has now, through the engine, and trusts that. Errors: state_conflict (it does not run, or has none). */
export async function acceptHostKeys(app: AppContext, caller: Caller, id: InstanceId): Promise<Access> {
  const proof = await authorize(app, caller, 'instance.update', { kind: 'instance', id });
  const keys = await app.services.driver.sshHostKeys(proof.id);
  await transact(app.db, async (trx) => {
    const before = await readHostKeys(trx, proof);
    await pinHostKeys(trx, proof, keys, app.clock.now());
    await tell(trx, caller, proof, 'instance.ssh.host-keys', {
      before: before === null ? undefined : { fingerprints: before.publicKeys.map(fingerprint) },
      after: { fingerprints: keys.map(fingerprint) },
    });
  });
  return accessOf(app, proof);
}

/** All of them, or the caller's own. */
export async function listSshSessions(app: AppContext, caller: Caller, id: InstanceId): Promise<store.SshSession[]> {
  const proof = await authorize(app, caller, 'instance.ssh', { kind: 'instance', id });
  const all = proof.role !== null && roleMay(proof.role, 'ssh-session.read');
  return store.listSshSessions(app.db, proof, all ? null : proof.person.userId);
}

/** Edge ends it within a second. Errors: not_found (none, over, or of somebody else and not the caller's to end). */
export async function endSshSession(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  session: SshSessionId,
): Promise<void> {
  const proof = await authorize(app, caller, 'instance.ssh', { kind: 'instance', id });
  const all = proof.role !== null && roleMay(proof.role, 'ssh-session.end');
  await transact(app.db, async (trx) => {
    const of = all ? null : proof.person.userId;
    const found = await store.requestSshEnd(trx, proof, { id: session, of }, app.clock.now());
    if (found === null) throw notFound('SSH connection');
    await tell(trx, caller, proof, 'instance.ssh.cut', { after: { session, user: found.user.email } });
  });
}

/** An entry of the audit log about an instance. */
export async function tell(
  trx: Trx,
  caller: Parameters<typeof record>[1],
  proof: Authorized<'instance', Action>,
  action: string,
  detail: { before?: unknown; after?: unknown },
): Promise<void> {
  await record(trx, caller, {
    action,
    targetKind: 'instance',
    targetId: proof.id,
    target: (await store.sshNames(trx, proof))?.instance ?? proof.id,
    organizationId: proof.organization,
    projectId: proof.project,
    ...detail,
  });
}

/** The person of a connection, for the audit log. What they may do was edge's decision, minutes or hours ago. */
export async function personOf(
  app: AppContext,
  user: UserId,
  from: { session: SshSessionId; address: string; client: string },
): Promise<PersonCaller | null> {
  const found = await findSignInUser(app.db, user);
  if (found === null) return null;
  return {
    kind: 'person',
    userId: found.id,
    email: found.email,
    name: found.name,
    platformAdmin: found.platformAdmin,
    serviceOf: found.serviceOf,
    createdAt: found.createdAt,
    // No session of the API: nothing is ever looked up by it.
    credential: { via: 'session', sessionId: from.session as Id<string> as SessionId },
    scopes: [],
    expiresAt: null,
    origin: { address: from.address, userAgent: from.client, requestId: null },
  };
}

/** Told twice is told once. Errors: not_found (the instance or the person is gone). */
export async function beginSshSession(app: AppContext, body: ServerSshBody<'begin'>): Promise<void> {
  const ref = { kind: 'instance', id: body.instance } as const;
  const proof = await authorizeRef(app.db, asSystem('ssh-gateway'), 'instance.ssh', ref);
  const person = await personOf(app, body.user, body);
  if (person === null) throw notFound('person');
  const { session: id, user, method, address, client } = body;
  const startedAt = new Date(body.startedAt);
  await transact(app.db, async (trx) => {
    const made = await store.insertSshSession(trx, proof, {
      ...{ id, user, method, address, client, startedAt },
      fingerprint: body.fingerprint,
      now: app.clock.now(),
    });
    if (made === null) return;
    await tell(trx, person, proof, 'instance.ssh.begin', {
      after: { session: id, by: method, key: made.keyLabel, fingerprint: body.fingerprint },
    });
  });
}

export async function beatSshSessions(app: AppContext, { sessions }: ServerSshBody<'beat'>): Promise<void> {
  await store.beatSshSessions(app.db, sessions, app.clock.now());
}

export async function finishSshSession(app: AppContext, body: ServerSshBody<'end'>): Promise<void> {
  await transact(app.db, async (trx) => {
    const { bytesIn, bytesOut } = body;
    const end = { at: new Date(body.endedAt), reason: body.reason, counts: { bytesIn, bytesOut } };
    const session = await store.finishSshSession(trx, body.session, end);
    if (session === null) return;
    const person = await personOf(app, session.user.id, { session: session.id, ...session });
    const instance = await findInstance(trx, session.instance);
    await recordSshEnd(trx, person ?? asSystem('ssh-gateway'), session, instance?.name ?? session.instance);
  });
}

/** Nobody gets in any more until somebody accepts the new keys. */
export async function reportHostKey(app: AppContext, body: ServerSshBody<'hostKey'>): Promise<void> {
  const ref = { kind: 'instance', id: body.instance } as const;
  const actor = asSystem('ssh-gateway');
  const proof = await authorizeRef(app.db, actor, 'instance.ssh', ref);
  await transact(app.db, async (trx) => {
    if (!(await refuseHostKey(trx, proof, body.key, app.clock.now()))) return;
    await record(trx, actor, {
      action: 'instance.ssh.host-key-changed',
      targetKind: 'instance',
      targetId: proof.id,
      target: (await store.sshNames(trx, proof))?.instance ?? proof.id,
      organizationId: proof.organization,
      projectId: proof.project,
      result: 'refused',
      after: { fingerprint: fingerprint(body.key) },
    });
  });
}
