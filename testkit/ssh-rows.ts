/** SSH keys made for tests: real ones, and their rows. */
import { createHash, generateKeyPairSync } from 'node:crypto';
import type { InstanceId, SshKeyId, SshRecordingId, SshSessionId, UserId } from '#domain/ids.ts';
import type { Db } from '#server/store/database.ts';
import { makeInstance, newId, type Place } from './factories.ts';

/** The line of a `.pub` file, of an ed25519 key that nobody has. */
export function makePublicKey(comment = 'a test'): string {
  const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  const field = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const blob = Buffer.concat([field(Buffer.from('ssh-ed25519')), field(Buffer.from(x, 'base64url'))]);
  return `ssh-ed25519 ${blob.toString('base64')} ${comment}`;
}

/** As `ssh-keygen -l` shows it. */
export function fingerprintOfLine(line: string): string {
  const blob = Buffer.from(line.split(' ')[1] ?? '', 'base64');
  return `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`;
}

export async function addSshKeyRow(db: Db, user: UserId, line = makePublicKey()): Promise<SshKeyId> {
  const id = newId('sky');
  await db
    .insertInto('ssh_key')
    .values({
      id,
      user_id: user,
      label: 'a test',
      type: 'ssh-ed25519',
      bits: 256,
      public_key: line.split(' ')[1] ?? '',
      fingerprint: fingerprintOfLine(line),
      created_at: new Date(),
    })
    .execute();
  return id;
}

/** A connection that lives. */
export async function addSshSessionRow(
  db: Db,
  place: Place,
  instance: InstanceId,
  user: UserId,
): Promise<SshSessionId> {
  const id = newId('shs');
  await db
    .insertInto('ssh_session')
    .values({
      id,
      organization_id: place.organization,
      project_id: place.project,
      instance_id: instance,
      user_id: user,
      method: 'key',
      key_label: 'a test',
      address: '192.0.2.7',
      client: 'OpenSSH_9.2',
      started_at: new Date(),
      seen_at: new Date(),
    })
    .execute();
  return id;
}

/** A recording that is over, of an instance of its own; as a row of route-rows.ts. */
export async function addSshRecording({
  db,
  place,
}: {
  db: Db;
  place: Place;
}): Promise<{ params: { instance: InstanceId; recording: SshRecordingId } }> {
  const instance = await makeInstance(db, place);
  const session = await addSshSessionRow(db, place, instance, place.person);
  const recording = newId('srd');
  const startedAt = new Date();
  await db
    .insertInto('ssh_recording')
    .values({
      id: recording,
      organization_id: place.organization,
      project_id: place.project,
      instance_id: instance,
      user_id: place.person,
      session_id: session,
      address: '192.0.2.7',
      started_at: startedAt,
      milliseconds: 100,
      bytes: 1_000,
      ended_at: startedAt,
      end_reason: 'The session ended.',
    })
    .execute();
  return { params: { instance, recording } };
}
