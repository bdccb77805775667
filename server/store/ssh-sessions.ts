/** Connections through the SSH gateway, and the host keys of instances that it trusts. */
import { sql } from 'kysely';
import type { InstanceId, OrganizationId, ProjectId, SshSessionId, UserId } from '#domain/ids.ts';
import type { Authorized } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';

type SshProof = Authorized<'instance', 'instance.ssh'>;

export type SshSession = {
  id: SshSessionId;
  organization: OrganizationId;
  project: ProjectId;
  instance: InstanceId;
  user: { id: UserId; email: string; name: string };
  method: 'key' | 'password';
  keyLabel: string | null;
  address: string;
  client: string;
  startedAt: Date;
  bytesIn: number;
  bytesOut: number;
  endRequestedAt: Date | null;
  endedAt: Date | null;
  endReason: string | null;
  /** Something of it was recorded. */
  recorded: boolean;
};

/** Connections that one list shows. */
export const SSH_SESSIONS_SHOWN_MAX = 200;

const selected = (db: Db) =>
  db
    .selectFrom('ssh_session')
    .innerJoin('app_user', 'app_user.id', 'ssh_session.user_id')
    .select([
      'ssh_session.id',
      'ssh_session.organization_id',
      'ssh_session.project_id',
      'ssh_session.instance_id',
      'ssh_session.user_id',
      'app_user.email',
      'app_user.name',
      'ssh_session.method',
      'ssh_session.key_label',
      'ssh_session.address',
      'ssh_session.client',
      'ssh_session.started_at',
      'ssh_session.bytes_in',
      'ssh_session.bytes_out',
      'ssh_session.end_requested_at',
      'ssh_session.ended_at',
      'ssh_session.end_reason',
    ])
    .select(
      sql<boolean>`exists (select from ssh_recording r where r.session_id = ssh_session.id and r.removed_at is null)`.as(
        'recorded',
      ),
    );
type Row = Awaited<ReturnType<ReturnType<typeof selected>['execute']>>[number];

function rowToSession(row: Row): SshSession {
  return {
    id: row.id,
    organization: row.organization_id,
    project: row.project_id,
    instance: row.instance_id,
    user: { id: row.user_id, email: row.email, name: row.name },
    method: row.method,
    keyLabel: row.key_label,
    address: row.address,
    client: row.client,
    startedAt: row.started_at,
    bytesIn: row.bytes_in,
    bytesOut: row.bytes_out,
    endRequestedAt: row.end_requested_at,
    endedAt: row.ended_at,
    endReason: row.end_reason,
    recorded: row.recorded,
  };
}

/** Living ones first, then the latest; `of` null: of everybody. */
export async function listSshSessions(db: Db, proof: SshProof, of: UserId | null): Promise<SshSession[]> {
  let query = selected(db).where('ssh_session.instance_id', '=', proof.id);
  if (of !== null) query = query.where('ssh_session.user_id', '=', of);
  const rows = await query
    .orderBy(sql`ssh_session.ended_at is null`, 'desc')
    .orderBy('ssh_session.started_at', 'desc')
    .orderBy('ssh_session.id')
    .limit(SSH_SESSIONS_SHOWN_MAX)
    .execute();
  return rows.map(rowToSession);
}

/** Asks edge to end it; null when it is none of this instance (or of this person), or over. */
export async function requestSshEnd(
  trx: Trx,
  proof: SshProof,
  session: { id: SshSessionId; of: UserId | null },
  now: Date,
): Promise<SshSession | null> {
  let query = trx
    .updateTable('ssh_session')
    .set({ end_requested_at: now, end_requested_by: proof.person.userId })
    .where('id', '=', session.id)
    .where('instance_id', '=', proof.id)
    .where('ended_at', 'is', null);
  if (session.of !== null) query = query.where('user_id', '=', session.of);
  const changed = await query.executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return null;
  const row = await selected(trx).where('ssh_session.id', '=', session.id).executeTakeFirstOrThrow();
  const found = rowToSession(row);
  await hint(trx, found);
  return found;
}

async function hint(
  trx: Trx,
  session: Pick<SshSession, 'id' | 'organization' | 'project' | 'instance'>,
): Promise<void> {
  await emit(trx, {
    kind: 'ssh',
    ref: session.id,
    organizationId: session.organization,
    projectId: session.project,
    instanceId: session.instance,
  });
}

/** What the gateway said began; false when it is known already. */
export async function insertSshSession(
  trx: Trx,
  proof: SshProof,
  session: {
    id: SshSessionId;
    user: UserId;
    method: 'key' | 'password';
    fingerprint: string | null;
    address: string;
    client: string;
    startedAt: Date;
    now: Date;
  },
): Promise<SshSession | null> {
  const { fingerprint } = session;
  const key =
    fingerprint === null
      ? undefined
      : await trx
          .updateTable('ssh_key')
          .set({ last_used_at: session.startedAt, last_used_address: session.address })
          .where('fingerprint', '=', fingerprint)
          .where('user_id', '=', session.user)
          .returning('label')
          .executeTakeFirst();
  const row = await trx
    .insertInto('ssh_session')
    .values({
      id: session.id,
      organization_id: proof.organization,
      project_id: proof.project,
      instance_id: proof.id,
      user_id: session.user,
      method: session.method,
      key_label: key?.label ?? null,
      key_fingerprint: fingerprint,
      address: session.address,
      client: session.client,
      started_at: session.startedAt,
      seen_at: session.now,
    })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .returning('id')
    .executeTakeFirst();
  if (row === undefined) return null;
  const made = rowToSession(await selected(trx).where('ssh_session.id', '=', session.id).executeTakeFirstOrThrow());
  await hint(trx, made);
  return made;
}

export type SshCount = { session: SshSessionId; bytesIn: number; bytesOut: number };

/** The gateway says that these live. */
export async function beatSshSessions(db: Db, counts: readonly SshCount[], now: Date): Promise<void> {
  await sql`update ssh_session s set seen_at = ${now}, bytes_in = b.bytes_in, bytes_out = b.bytes_out
      from unnest(${counts.map((each) => each.session)}::text[], ${counts.map((each) => each.bytesIn)}::bigint[],
                  ${counts.map((each) => each.bytesOut)}::bigint[]) as b (id, bytes_in, bytes_out)
     where s.id = b.id and s.ended_at is null`.execute(db);
}

/** Null when it is not known or over already. `counts` null: as they were last told. */
export async function finishSshSession(
  trx: Trx,
  id: SshSessionId,
  end: { at: Date; reason: string; counts: Omit<SshCount, 'session'> | null },
): Promise<SshSession | null> {
  const changed = await trx
    .updateTable('ssh_session')
    .set({
      ended_at: end.at,
      end_reason: end.reason,
      ...(end.counts === null ? {} : { bytes_in: end.counts.bytesIn, bytes_out: end.counts.bytesOut }),
    })
    .where('id', '=', id)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return null;
  const found = rowToSession(await selected(trx).where('ssh_session.id', '=', id).executeTakeFirstOrThrow());
  await hint(trx, found);
  return found;
}

/** Open ones that the gateway has not spoken of since `before`. */
export async function silentSshSessions(db: Db, before: Date, limit: number): Promise<SshSessionId[]> {
  const rows = await db
    .selectFrom('ssh_session')
    .select('id')
    .where('ended_at', 'is', null)
    .where('seen_at', '<', before)
    .orderBy('seen_at')
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}

export async function sweepSshSessions(db: Db, before: Date): Promise<void> {
  await db.deleteFrom('ssh_session').where('ended_at', '<', before).execute();
}

/** What people call the instance and its project. */
export async function sshNames(
  db: Db,
  proof: Pick<Authorized<'instance', 'instance.ssh'>, 'id'>,
): Promise<{ instance: string; project: string } | null> {
  const row = await db
    .selectFrom('instance')
    .innerJoin('project', 'project.id', 'instance.project_id')
    .select(['instance.name as instance', 'project.name as project'])
    .where('instance.id', '=', proof.id)
    .executeTakeFirst();
  return row ?? null;
}
