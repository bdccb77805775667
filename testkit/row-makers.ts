/** What the rows of route-rows.ts call with: fresh resources of a row's own, and the parameters that name them. */
import { randomBytes } from 'node:crypto';
import type { InstanceId, OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
import { makeUserCode } from '#domain/sessions.ts';
import type { InstanceDriver } from '#drivers/interface.ts';
import { simulatedFingerprint } from '#drivers/simulated/images.ts';
import { digest } from '#server/app/tokens.ts';
import { type Db, json } from '#server/store/database.ts';
import {
  makeBackup,
  makeDomain,
  makeForward,
  makeImage,
  makeInstance,
  makeRoute,
  makeSecurityGroup,
  makeSnapshot,
  newId,
  newName,
  type Place,
} from './factories.ts';
import { addServiceAccount } from './service-rows.ts';

/** Where the resources are made, and who calls. */
export type RowWorld = { db: Db; driver: InstanceDriver; place: Place; caller: Place['person'] | null };
export type RowCall = {
  params?: Record<string, string>;
  query?: Record<string, string>;
  body?: unknown;
  headers?: Record<string, string>;
};
export type Row = (world: RowWorld) => Promise<RowCall>;

export const plain: Row = async () => ({});
export const organization: Row = async ({ place }) => ({ params: { organization: place.organization } });
export const project: Row = async ({ place }) => ({ params: { project: place.project } });

export const instance =
  (body?: unknown, phase: 'ready' | 'archived' = 'ready', observed: 'running' | 'stopped' = 'running'): Row =>
  async ({ db, place }) => ({
    params: { instance: await makeInstance(db, place, { phase, observed }) },
    ...(body === undefined ? {} : { body }),
  });

/** Known to the driver as well, and running there. */
export const guest: Row = async ({ db, driver, place }) => {
  const id = await makeInstance(db, place);
  const row = await db.selectFrom('instance').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  await driver.ensureNetwork({ project: place.project, subnet4: '10.99.0.0/16', subnet6: 'fd42:9:9::/64' });
  await driver.createGuest({
    instance: id,
    project: place.project,
    operation: newId('opr'),
    kind: row.kind,
    hostname: row.name,
    imageFingerprint: simulatedFingerprint('server'),
    size: { cpus: row.cpus, memoryBytes: row.memory_bytes, diskBytes: row.disk_bytes },
    address4: row.address4,
    address6: row.address6,
  });
  await driver.power(id, 'start', {});
  return { params: { instance: id } };
};

/** The same, with what else the call takes. */
export const withGuest =
  (more: Omit<RowCall, 'params'>): Row =>
  async (world) => ({ ...(await guest(world)), ...more });

/** A guest with an archive to unpack. */
export const withArchive: Row = async (world) => {
  const call = await guest(world);
  const files = await world.driver.files(call.params?.['instance'] as InstanceId);
  await files.writePart('/home/berth/old.tar', 0, Buffer.from('notes.txt'));
  return { ...call, body: { path: '/home/berth/old.tar', to: '/home/berth/old' } };
};

export const snapshot: Row = async ({ db, place }) => {
  const id = await makeInstance(db, place);
  return { params: { instance: id, snapshot: await makeSnapshot(db, place, id) } };
};

export const route =
  (body?: unknown): Row =>
  async ({ db, place }) => ({
    params: { route: await makeRoute(db, place, await makeInstance(db, place)) },
    ...(body === undefined ? {} : { body }),
  });

export const securityGroup =
  (body?: unknown): Row =>
  async ({ db, place }) => ({
    params: { group: await makeSecurityGroup(db, place) },
    ...(body === undefined ? {} : { body }),
  });
export const addressSet: Row = async ({ db, place }) => {
  const name = newName('set');
  await db
    .insertInto('address_set')
    .values({
      project_id: place.project,
      organization_id: place.organization,
      name,
      ranges: json(['203.0.113.0/24']),
      created_at: new Date(),
    })
    .execute();
  return { params: { project: place.project, name } };
};
/** A claim that nobody has proven. */
export const domain: Row = async ({ db, place }) => ({ params: { domain: await makeDomain(db, place) } });

export const forward =
  (body?: unknown): Row =>
  async ({ db, place }) => ({
    params: { forward: await makeForward(db, place, await makeInstance(db, place)) },
    ...(body === undefined ? {} : { body }),
  });

export const backup =
  (body?: unknown): Row =>
  async ({ db, place }) => ({
    params: { backup: await makeBackup(db, place, await makeInstance(db, place)) },
    ...(body === undefined ? {} : { body }),
  });

export const member =
  (body?: unknown): Row =>
  async ({ db, place }) => {
    const user = await makeUser(db);
    await db
      .insertInto('membership')
      .values({ organization_id: place.organization, user_id: user.id, role: 'viewer' })
      .execute();
    return { params: { organization: place.organization, user: user.id }, ...(body === undefined ? {} : { body }) };
  };

export async function makeGroup({ db, place }: RowWorld): Promise<string> {
  const id = newId('grp');
  const name = newName('group');
  await db.insertInto('user_group').values({ id, organization_id: place.organization, name, title: name }).execute();
  return id;
}

export const group =
  (body?: unknown): Row =>
  async (world) => ({
    params: { organization: world.place.organization, group: await makeGroup(world) },
    ...(body === undefined ? {} : { body }),
  });

export const groupMember: Row = async (world) => {
  const params = { ...(await group()(world)).params, ...(await member()(world)).params };
  return { params };
};

export const serviceAccount =
  (body?: unknown): Row =>
  async ({ db, place }) => ({
    params: { organization: place.organization, account: await addServiceAccount(db, place) },
    ...(body === undefined ? {} : { body }),
  });

/** Somebody with a role in the project. */
export const projectRole =
  (body?: unknown): Row =>
  async (world) => {
    const user = ((await member()(world)).params?.user ?? '') as UserId;
    const { db, place } = world;
    await db
      .insertInto('project_role')
      .values({ project_id: place.project, organization_id: place.organization, user_id: user, role: 'viewer' })
      .execute();
    return { params: { project: place.project, subject: user }, ...(body === undefined ? {} : { body }) };
  };

/** An open entry; of the caller when there is one. */
export async function makeEntry({ db, place, caller }: RowWorld): Promise<string> {
  const id = newId('ent');
  await db
    .insertInto('tenant_entry')
    .values({
      id,
      organization_id: place.organization,
      user_id: caller ?? place.person,
      reason: 'somebody asked for help',
      expires_at: new Date(Date.now() + 3_600_000),
    })
    .execute();
  return id;
}

/** An organization beside the place's, owned by whom the row's person is in the place: for what ends it. */
export async function makeEmptyOrganization({ db, place, caller }: RowWorld): Promise<OrganizationId> {
  const id = newId('org');
  const name = newName('org');
  await db.insertInto('organization').values({ id, name, title: name }).execute();
  const held = await db
    .selectFrom('membership')
    .select('role')
    .where('organization_id', '=', place.organization)
    .where('user_id', '=', caller ?? place.person)
    .executeTakeFirst();
  if (held !== undefined && caller !== null) {
    await db.insertInto('membership').values({ organization_id: id, user_id: caller, role: held.role }).execute();
  }
  return id;
}

/** A project beside the place's. */
export async function makeEmptyProject({ db, place }: RowWorld): Promise<ProjectId> {
  const id = newId('prj');
  const name = newName('project');
  const index = nextNetwork++;
  await db
    .insertInto('project')
    .values({
      id,
      organization_id: place.organization,
      name,
      title: name,
      network_index: index,
      subnet4: `10.${index >> 8}.${index & 255}.0/24`,
      subnet6: `fd42:7:7:${index.toString(16)}::/64`,
    })
    .execute();
  return id;
}
/** Far above those that the server gives out. */
let nextNetwork = 50_000;

export const image =
  (body?: unknown): Row =>
  async ({ db }) => ({ params: { image: await makeImage(db) }, ...(body === undefined ? {} : { body }) });

/** Somebody who cannot sign in. */
export async function makeUser(db: Db) {
  const id = newId('usr');
  const email = `${newName('person')}@example.test`;
  await db.insertInto('app_user').values({ id, email, name: 'Somebody', password_hash: 'none' }).execute();
  return { id, email };
}

export async function makeInvitation({ db, place }: RowWorld): Promise<{ id: string; secret: string }> {
  const id = newId('inv');
  const secret = randomBytes(32).toString('base64url');
  await db
    .insertInto('invitation')
    .values({
      id,
      organization_id: place.organization,
      email: `${newName('guest')}@example.test`,
      role: 'viewer',
      token_hash: digest(secret),
      invited_by: place.person,
      expires_at: new Date(Date.now() + 86_400_000),
    })
    .execute();
  return { id, secret };
}

/** OAuth endpoints take forms. */
export function form(fields: Record<string, string>): RowCall {
  return {
    body: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  };
}

/** A program that waits for this code. */
export async function addDeviceLogin(db: Db): Promise<string> {
  const userCode = makeUserCode(randomBytes);
  await db
    .insertInto('device_login')
    .values({
      id: newId('dvl'),
      device_hash: randomBytes(32),
      user_code: userCode,
      client: 'a program',
      address: '192.0.2.9',
      user_agent: 'test',
      interval_seconds: 5,
      created_at: new Date(),
      expires_at: new Date(Date.now() + 600_000),
    })
    .execute();
  return userCode;
}
