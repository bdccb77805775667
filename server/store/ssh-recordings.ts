/** Recordings of SSH sessions: who is recorded, and what was. The files are server/runtime/recordings.ts. */
import { sql } from 'kysely';
import type { InstanceId, OrganizationId, ProjectId, SshRecordingId, SshSessionId, UserId } from '#domain/ids.ts';
import { SSH_RECORDING_DAYS_DEFAULT, SSH_RECORDINGS_BYTES_MAX } from '#domain/ssh-recordings.ts';
import type { Authorized, OrganizationProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';
import { cutPage, decodeTextCursor } from './page.ts';

type Play = Authorized<'instance', 'ssh-recording.play'>;
type Delete = Authorized<'instance', 'ssh-recording.delete'>;

export type SshRecording = {
  id: SshRecordingId;
  organization: OrganizationId;
  project: ProjectId;
  instance: InstanceId;
  user: { id: UserId; email: string; name: string };
  session: SshSessionId;
  address: string;
  startedAt: Date;
  milliseconds: number;
  bytes: number;
  sha256: string | null;
  endedAt: Date | null;
  endReason: string | null;
};

const selected = (db: Db) =>
  db
    .selectFrom('ssh_recording as r')
    .innerJoin('app_user as u', 'u.id', 'r.user_id')
    .select(['r.id', 'r.organization_id', 'r.project_id', 'r.instance_id', 'r.user_id', 'u.email', 'u.name'])
    .select(['r.session_id', 'r.address', 'r.started_at', 'r.milliseconds', 'r.bytes', 'r.sha256'])
    .select(['r.ended_at', 'r.end_reason']);
type Row = Awaited<ReturnType<ReturnType<typeof selected>['execute']>>[number];

function rowToRecording(row: Row): SshRecording {
  return {
    id: row.id,
    organization: row.organization_id,
    project: row.project_id,
    instance: row.instance_id,
    user: { id: row.user_id, email: row.email, name: row.name },
    session: row.session_id,
    address: row.address,
    startedAt: row.started_at,
    milliseconds: row.milliseconds,
    bytes: row.bytes,
    sha256: row.sha256,
    endedAt: row.ended_at,
    endReason: row.end_reason,
  };
}

export type SshRecordingPolicy = { enabled: boolean; days: number; full: boolean };

/** Whoever calls has a proof for something in the organization. */
export async function readRecordingPolicy(db: Db, organization: OrganizationId): Promise<SshRecordingPolicy> {
  const row = await db
    .selectFrom('ssh_recording_policy')
    .select(['enabled', 'days', 'is_full'])
    .where('organization_id', '=', organization)
    .executeTakeFirst();
  return { enabled: row?.enabled ?? false, days: row?.days ?? SSH_RECORDING_DAYS_DEFAULT, full: row?.is_full ?? false };
}

/** Edge hears of it by the hint. */
export async function writeRecordingPolicy(
  trx: Trx,
  proof: OrganizationProof<'ssh-recording.update'>,
  { enabled, days }: { enabled: boolean; days: number },
): Promise<void> {
  await trx
    .insertInto('ssh_recording_policy')
    .values({ organization_id: proof.id, enabled, days })
    .onConflict((conflict) => conflict.column('organization_id').doUpdateSet({ enabled, days }))
    .execute();
  await emit(trx, { kind: 'project', ref: proof.id, organizationId: proof.id });
}

/** Bytes of what is kept. */
export async function recordedBytes(db: Db, organization: OrganizationId): Promise<number> {
  const row = await db
    .selectFrom('ssh_recording')
    .select((eb) => eb.fn.coalesce(eb.fn.sum<number>('bytes'), sql<number>`0`).as('bytes'))
    .where('organization_id', '=', organization)
    .where('removed_at', 'is', null)
    .executeTakeFirstOrThrow();
  return Number(row.bytes);
}

/** Whether this server asks for recording by itself. */
export async function isRecorded(db: Db, instance: InstanceId): Promise<boolean> {
  const row = await db
    .selectFrom('ssh_recorded_instance')
    .select('instance_id')
    .where('instance_id', '=', instance)
    .executeTakeFirst();
  return row !== undefined;
}

export async function setRecorded(
  trx: Trx,
  proof: Authorized<'instance', 'ssh-recording.update'>,
  enabled: boolean,
): Promise<void> {
  if (enabled) {
    await trx
      .insertInto('ssh_recorded_instance')
      .values({ instance_id: proof.id })
      .onConflict((conflict) => conflict.column('instance_id').doNothing())
      .execute();
  } else {
    await trx.deleteFrom('ssh_recorded_instance').where('instance_id', '=', proof.id).execute();
  }
  await emit(trx, {
    kind: 'instance',
    ref: proof.id,
    organizationId: proof.organization,
    projectId: proof.project,
    instanceId: proof.id,
  });
}

/** The latest first. Those made while the server belonged to somebody else are not among them. */
export async function listSshRecordings(
  db: Db,
  proof: Play,
  page: { cursor?: string | undefined; limit: number },
): Promise<{ items: SshRecording[]; nextCursor: string | null }> {
  const before = decodeTextCursor(page.cursor, /^srd_[0-9a-z]{26}$/);
  const rows = await selected(db)
    .where('r.instance_id', '=', proof.id)
    .where('r.organization_id', '=', proof.organization)
    .where('r.removed_at', 'is', null)
    .$if(before !== null, (query) => query.where('r.id', '<', before as SshRecordingId))
    .orderBy('r.id', 'desc')
    .limit(page.limit + 1)
    .execute();
  const cut = cutPage(rows, page.limit, (row) => row.id);
  return { items: cut.rows.map(rowToRecording), nextCursor: cut.nextCursor };
}

export async function findSshRecording(db: Db, proof: Play | Delete, id: SshRecordingId): Promise<SshRecording | null> {
  const row = await selected(db)
    .where('r.id', '=', id)
    .where('r.instance_id', '=', proof.id)
    .where('r.organization_id', '=', proof.organization)
    .where('r.removed_at', 'is', null)
    .executeTakeFirst();
  return row === undefined ? null : rowToRecording(row);
}

async function hint(trx: Trx, row: Pick<SshRecording, 'id' | 'organization' | 'project' | 'instance'>): Promise<void> {
  await emit(trx, {
    kind: 'ssh',
    ref: row.id,
    organizationId: row.organization,
    projectId: row.project,
    instanceId: row.instance,
  });
}

/** What the gateway began to write; null when it is known already, or when its connection is not. */
export async function insertSshRecording(
  trx: Trx,
  recording: { id: SshRecordingId; session: SshSessionId; startedAt: Date },
): Promise<SshRecording | null> {
  const { rows } = await sql<{ id: SshRecordingId }>`
    insert into ssh_recording (id, organization_id, project_id, instance_id, user_id, session_id, address, started_at)
    select ${recording.id}, organization_id, project_id, instance_id, user_id, id, address, ${recording.startedAt}
      from ssh_session where id = ${recording.session}
    on conflict (id) do nothing returning id`.execute(trx);
  return rows.length === 0 ? null : told(trx, recording.id);
}

async function told(trx: Trx, id: SshRecordingId): Promise<SshRecording> {
  const made = rowToRecording(await selected(trx).where('r.id', '=', id).executeTakeFirstOrThrow());
  await hint(trx, made);
  return made;
}

export type SshRecordingEnd = {
  at: Date;
  reason: string;
  bytes: number;
  milliseconds: number;
  sha256: string | null;
};

/** Null when it is not known or over already. */
export async function finishSshRecording(
  trx: Trx,
  id: SshRecordingId,
  end: SshRecordingEnd,
): Promise<SshRecording | null> {
  const changed = await trx
    .updateTable('ssh_recording')
    .set({
      ended_at: end.at,
      end_reason: end.reason,
      bytes: end.bytes,
      milliseconds: end.milliseconds,
      sha256: end.sha256,
    })
    .where('id', '=', id)
    .where('ended_at', 'is', null)
    .executeTakeFirst();
  return changed.numUpdatedRows === 0n ? null : told(trx, id);
}

/** From now on it is in no list; its file goes next. False when somebody was faster. */
export async function removeSshRecording(
  trx: Trx,
  recording: Pick<SshRecording, 'id' | 'organization' | 'project' | 'instance'>,
  now: Date,
): Promise<boolean> {
  const changed = await trx
    .updateTable('ssh_recording')
    .set({ removed_at: now })
    .where('id', '=', recording.id)
    .where('removed_at', 'is', null)
    .executeTakeFirst();
  if (changed.numUpdatedRows === 0n) return false;
  await hint(trx, recording);
  return true;
}

/** Kept for long enough, or of a server that went to another organization since. */
export async function recordingsToRemove(
  db: Db,
  now: Date,
  limit: number,
): Promise<(SshRecording & { gone: boolean })[]> {
  const rows = await selected(db)
    .innerJoin('instance as i', 'i.id', 'r.instance_id')
    .leftJoin('ssh_recording_policy as p', 'p.organization_id', 'r.organization_id')
    .select(sql<boolean>`i.organization_id <> r.organization_id`.as('gone'))
    .where('r.removed_at', 'is', null)
    .where('r.ended_at', 'is not', null)
    .where(
      sql<boolean>`(i.organization_id <> r.organization_id or r.ended_at <
        ${now}::timestamptz - make_interval(days => coalesce(p.days, ${SSH_RECORDING_DAYS_DEFAULT}::int)))`,
    )
    .orderBy('r.id')
    .limit(limit)
    .execute();
  return rows.map((row) => ({ ...rowToRecording(row), gone: row.gone }));
}

/** Open ones; `over`: their connection has been, since before `before`. */
export async function openSshRecordings(
  db: Db,
  before: Date,
  limit: number,
): Promise<{ id: SshRecordingId; over: boolean }[]> {
  return db
    .selectFrom('ssh_recording as r')
    .leftJoin('ssh_session as s', 's.id', 'r.session_id')
    .select(['r.id', sql<boolean>`s.id is null or coalesce(s.ended_at < ${before}, false)`.as('over')])
    .where('r.ended_at', 'is', null)
    .orderBy('r.id')
    .limit(limit)
    .execute();
}

/** How long an open one is by now. */
export async function measureSshRecording(db: Db, id: SshRecordingId, bytes: number): Promise<void> {
  await db.updateTable('ssh_recording').set({ bytes }).where('id', '=', id).where('ended_at', 'is', null).execute();
}

/** Those whose files go. */
export async function removedSshRecordings(db: Db, limit: number): Promise<SshRecordingId[]> {
  const rows = await db
    .selectFrom('ssh_recording')
    .select('id')
    .where('removed_at', 'is not', null)
    .orderBy('id')
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}

export async function forgetSshRecording(db: Db, id: SshRecordingId): Promise<void> {
  await db.deleteFrom('ssh_recording').where('id', '=', id).where('removed_at', 'is not', null).execute();
}

/** Which of these the database knows. */
export async function knownSshRecordings(db: Db, ids: readonly SshRecordingId[]): Promise<Set<SshRecordingId>> {
  const rows = await db
    .selectFrom('ssh_recording')
    .select('id')
    .where('id', 'in', ids.length === 0 ? ([''] as never) : ids)
    .execute();
  return new Set(rows.map((row) => row.id));
}

/** Says of each organization whether it has reached its bound; answers those that changed. */
export async function markFullOrganizations(trx: Trx): Promise<OrganizationId[]> {
  const { rows } = await sql<{ id: OrganizationId }>`
    with used as (
      select organization_id, sum(bytes) >= ${SSH_RECORDINGS_BYTES_MAX} as is_full
        from ssh_recording where removed_at is null group by organization_id
    )
    insert into ssh_recording_policy (organization_id, days, is_full)
    select coalesce(u.organization_id, p.organization_id), ${SSH_RECORDING_DAYS_DEFAULT}, coalesce(u.is_full, false)
      from used u full join ssh_recording_policy p on p.organization_id = u.organization_id
     where coalesce(u.is_full, false) <> coalesce(p.is_full, false)
    on conflict (organization_id) do update set is_full = excluded.is_full
    returning organization_id as id`.execute(trx);
  const changed = rows.map((row) => row.id);
  await emit(trx, ...changed.map((id) => ({ kind: 'project' as const, ref: id, organizationId: id })));
  return changed;
}
