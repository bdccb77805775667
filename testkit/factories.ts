/** Rows made directly, for tests about what surrounds them (rights, input, events), not about how they come to be. */
import { randomBytes } from 'node:crypto';
import type { Role } from '#domain/authz.ts';
import {
  type BackupId,
  type DomainId,
  type ForwardId,
  type HostId,
  type Id,
  type IdPrefix,
  type ImageId,
  type InstanceId,
  makeId,
  type OperationId,
  type OrganizationId,
  type ProjectId,
  type RouteId,
  type SecurityGroupId,
  type SnapshotId,
  type UserId,
} from '#domain/ids.ts';
import { defaultOrganizationQuota } from '#domain/quotas.ts';
import { GIB } from '#domain/sizes.ts';
import { type Db, json, transact } from '#server/store/database.ts';
import { insertProjectQuota } from '#server/store/quotas.ts';

export function newId<P extends IdPrefix>(prefix: P): Id<P> {
  return makeId(prefix, Date.now(), randomBytes);
}

export function newName(stem: string): string {
  return `${stem}-${randomBytes(4).toString('hex')}`;
}

export type Place = { organization: OrganizationId; project: ProjectId; person: UserId };

/** Far above those the allocator gives out, so that real instances may live beside these. */
let nextHostNumber = 1000;
let nextForwardPort = 20_000;

/** A wide project of the organization for things to move to; always the same one. */
export async function otherProject(db: Db, organization: OrganizationId): Promise<ProjectId> {
  const found = await db
    .selectFrom('project')
    .select('id')
    .where('organization_id', '=', organization)
    .where('name', '=', 'moved-to')
    .executeTakeFirst();
  if (found !== undefined) return found.id;
  const id = newId('prj');
  const number = nextHostNumber++;
  await db
    .insertInto('project')
    .values({
      id,
      organization_id: organization,
      name: 'moved-to',
      title: 'Moved to',
      network_index: 20_000 + number,
      subnet4: `10.98.${number % 250}.0/24`,
      subnet6: `fd42:8:8:${number.toString(16)}::/64`,
    })
    .execute();
  await transact(db, (tx) => insertProjectQuota(tx, organization, id, defaultOrganizationQuota));
  return id;
}

/** Somebody with an account who cannot sign in, in the organization with `role`. */
export async function makeMember(
  db: Db,
  organization: OrganizationId,
  { name, role }: { name: string; role: Role },
): Promise<{ id: UserId; email: string }> {
  const id = newId('usr');
  const email = `${newName('person')}@example.test`;
  await db.insertInto('app_user').values({ id, email, name, password_hash: 'none' }).execute();
  await db.insertInto('membership').values({ organization_id: organization, user_id: id, role }).execute();
  return { id, email };
}

export async function makeImage(db: Db, changes: { name?: string; state?: 'absent' | 'ready' } = {}): Promise<ImageId> {
  const id = newId('img');
  await db
    .insertInto('image')
    .values({
      id,
      name: changes.name ?? newName('image'),
      kind: 'server',
      title: 'An image',
      source: 'recipe',
      state: changes.state ?? 'ready',
      fingerprint: randomBytes(32).toString('hex'),
    })
    .execute();
  return id;
}

export async function makeHost(db: Db): Promise<HostId> {
  const id = newId('hst');
  await db
    .insertInto('host')
    .values({ id, name: newName('host'), state: 'online' })
    .execute();
  return id;
}

/** A running, healthy server; not known to any driver. Quota use is not counted. */
export async function makeInstance(
  db: Db,
  place: Place,
  changes: {
    phase?: 'creating' | 'ready' | 'failed' | 'archived';
    observed?: 'running' | 'stopped' | 'paused';
    name?: string;
    image?: ImageId;
  } = {},
): Promise<InstanceId> {
  const id = newId('ins');
  const number = nextHostNumber++;
  const image = changes.image ?? (await makeImage(db));
  const archived = changes.phase === 'archived';
  await db
    .insertInto('instance')
    .values({
      id,
      organization_id: place.organization,
      project_id: place.project,
      kind: 'server',
      name: changes.name ?? newName('server'),
      phase: changes.phase ?? 'ready',
      cpus: 1,
      memory_bytes: GIB,
      disk_bytes: 10 * GIB,
      image_id: image,
      host_number: number,
      address4: `10.99.${Math.floor(number / 250)}.${number % 250}`,
      address6: `fd42:9:9::${number.toString(16)}`,
      desired: changes.observed === 'stopped' || archived ? 'stopped' : (changes.observed ?? 'running'),
      desired_before_archive: archived ? 'running' : null,
      observed: archived ? 'stopped' : (changes.observed ?? 'running'),
      health: 'healthy',
      created_by: place.person,
      archived_at: archived ? new Date() : null,
      purge_at: archived ? new Date(Date.now() + 7 * 86_400_000) : null,
    })
    .execute();
  return id;
}

export async function makeSnapshot(db: Db, place: Place, instance: InstanceId): Promise<SnapshotId> {
  const id = newId('snp');
  await db
    .insertInto('snapshot')
    .values({
      id,
      organization_id: place.organization,
      project_id: place.project,
      instance_id: instance,
      name: newName('snapshot'),
      state: 'ready',
      created_by: place.person,
    })
    .execute();
  return id;
}

/** In a repository of its own, which is not on any host. */
export async function makeBackup(db: Db, place: Place, instance: InstanceId): Promise<BackupId> {
  const repository = newId('vlt');
  await db
    .insertInto('backup_repository')
    .values({
      id: repository,
      organization_id: place.organization,
      project_id: place.project,
      instance_id: instance,
      instance_name: 'gone',
      kind: 'server',
      password_sealed: 'v1.none.none.none',
    })
    .execute();
  const id = newId('cpy');
  const made = await db
    .selectFrom('instance')
    .select(['image_id', 'cpus', 'memory_bytes', 'disk_bytes'])
    .where('id', '=', instance)
    .executeTakeFirstOrThrow();
  await db
    .insertInto('backup')
    .values({
      ...made,
      id,
      repository_id: repository,
      state: 'ready',
      image_fingerprint: 'f'.repeat(64),
      created_by: place.person,
      finished_at: new Date(),
    })
    .execute();
  return id;
}

export async function makeRoute(db: Db, place: Place, instance: InstanceId): Promise<RouteId> {
  const id = newId('rte');
  await db
    .insertInto('route')
    .values({
      id,
      organization_id: place.organization,
      project_id: place.project,
      instance_id: instance,
      hostname: `${newName('route')}.berth.localhost`,
      target: 'port',
      port: 8080,
      visibility: 'private',
    })
    .execute();
  return id;
}

export async function makeSecurityGroup(db: Db, place: Place): Promise<SecurityGroupId> {
  const id = newId('sgr');
  await db
    .insertInto('security_group')
    .values({ id, organization_id: place.organization, project_id: place.project, name: newName('group') })
    .execute();
  return id;
}

export async function makeDomain(db: Db, place: Place, name = `${newName('shop')}.example.test`): Promise<DomainId> {
  const id = newId('dom');
  await db
    .insertInto('domain')
    .values({
      id,
      organization_id: place.organization,
      project_id: place.project,
      name,
      token: id.slice(-20),
      created_by: place.person,
      expires_at: new Date(Date.now() + 3_600_000),
    })
    .execute();
  return id;
}

export async function makeForward(db: Db, place: Place, instance: InstanceId): Promise<ForwardId> {
  const id = newId('fwd');
  await db
    .insertInto('port_forward')
    .values({
      id,
      organization_id: place.organization,
      project_id: place.project,
      instance_id: instance,
      protocol: 'tcp',
      host_port: nextForwardPort++,
      port: 8080,
    })
    .execute();
  return id;
}

/**
 * A finished operation; without an instance when none is given, of the platform when `place` is null. With `running` a
 * command inside the instance that has not ended, and of which nobody knows but the database.
 */
export async function makeOperation(
  db: Db,
  place: Place | null,
  instance: InstanceId | null,
  running = false,
): Promise<OperationId> {
  const id = newId('opr');
  await db
    .insertInto('operation')
    .values({
      id,
      kind: running ? 'files.pack' : place === null ? 'image.build' : 'instance.start',
      title: running ? 'Something runs' : 'Something finished',
      state: running ? 'running' : 'succeeded',
      organization_id: place?.organization ?? null,
      project_id: place?.project ?? null,
      instance_id: instance,
      target: 'target',
      actor_kind: 'user',
      actor_id: place?.person ?? null,
      actor: 'somebody',
      input: json({}),
      started_at: new Date(),
      finished_at: running ? null : new Date(),
    })
    .execute();
  return id;
}
