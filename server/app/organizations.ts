/** Organizations and projects. */
import { networkInterfaces } from 'node:os';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import type { OrganizationId, ProjectId } from '#domain/ids.ts';
import { record } from '#server/store/audit.ts';
import { isUniqueViolation, type Trx, transact } from '#server/store/database.ts';
import { insertMembership } from '#server/store/members.ts';
import {
  countProjects,
  getOrganization,
  getProject,
  insertOrganization,
  insertProject,
  listProjects,
  type Organization,
  PROJECTS_PER_ORGANIZATION_MAX,
  type Project,
  updateOrganizationTitle,
} from '#server/store/organizations.ts';
import { authorize, authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';

export async function readOrganization(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
): Promise<Organization> {
  const proof = await authorize(app, caller, 'organization.read', { kind: 'organization', id });
  return getOrganization(app.db, proof);
}

export async function updateOrganization(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
  input: { title: string },
): Promise<Organization> {
  const proof = await authorize(app, caller, 'organization.update', { kind: 'organization', id });
  return transact(app.db, async (trx) => {
    const before = await getOrganization(trx, proof);
    const after = await updateOrganizationTitle(trx, proof, input.title);
    await record(trx, caller, {
      action: 'organizations.update',
      targetKind: 'organization',
      targetId: id,
      target: after.name,
      organizationId: id,
      before: { title: before.title },
      after: { title: after.title },
    });
    return after;
  });
}

/** Errors: not_found, name_taken, unavailable (no free network). */
export async function createOrganization(
  app: AppContext,
  caller: PersonCaller,
  input: { name: string; title: string },
): Promise<Organization> {
  await authorizePlatform(app, caller, 'platform.organization.create');
  return transact(app.db, async (trx) => {
    const organization = await foundOrganization(app, trx, caller, input);
    await record(trx, caller, {
      action: 'organizations.create',
      targetKind: 'organization',
      targetId: organization.id,
      target: organization.name,
      organizationId: organization.id,
      after: input,
    });
    return organization;
  });
}

export async function listOrganizationProjects(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
): Promise<Project[]> {
  const proof = await authorize(app, caller, 'organization.read', { kind: 'organization', id });
  return listProjects(app.db, proof);
}

/** Errors: not_found, name_taken, conflict (too many projects), unavailable (no free network). */
export async function createProject(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  input: { name: string; title: string },
): Promise<Project> {
  const proof = await authorize(app, caller, 'project.create', { kind: 'organization', id: organization });
  return transact(app.db, async (trx) => {
    if ((await countProjects(trx, proof.id)) >= PROJECTS_PER_ORGANIZATION_MAX) {
      throw new BerthError('conflict', `An organization has at most ${PROJECTS_PER_ORGANIZATION_MAX} projects.`);
    }
    const project = await addProject(app, trx, { organizationId: proof.id, ...input });
    await record(trx, caller, {
      action: 'projects.create',
      targetKind: 'project',
      targetId: project.id,
      target: project.name,
      organizationId: proof.id,
      projectId: project.id,
      after: input,
    });
    return project;
  });
}

/** An organization with its first project, owned by the person. Errors: name_taken, unavailable (no free network). */
export async function foundOrganization(
  app: AppContext,
  trx: Trx,
  person: PersonCaller,
  input: { name: string; title: string },
): Promise<Organization> {
  const id = app.ids.make('org');
  const organization = await insertOrganization(trx, { id, ...input }).catch((error: unknown) => {
    if (isUniqueViolation(error)) throw nameTaken('organization');
    throw error;
  });
  await insertMembership(trx, { organizationId: id, userId: person.userId, role: 'owner' });
  await addProject(app, trx, { organizationId: id, name: 'main', title: 'Main' });
  return organization;
}

function nameTaken(what: string): BerthError {
  return new BerthError('name_taken', `There is already a ${what} with this name.`, {
    fields: [{ field: 'name', message: 'This name is taken.' }],
  });
}

/** A project with its network and quota, inside `trx`. Errors: name_taken, unavailable (no free network). */
export async function addProject(
  app: AppContext,
  trx: Trx,
  input: { organizationId: OrganizationId; name: string; title: string },
): Promise<Project> {
  const project = await insertProject(
    trx,
    { id: app.ids.make('prj'), ...input },
    { ...app.config.network, avoid: rangesOfThisMachine() },
  ).catch((error: unknown) => {
    if (isUniqueViolation(error, 'project_organization_id_name_key')) throw nameTaken('project');
    throw error;
  });
  if (project === null) {
    throw new BerthError('unavailable', 'No free network is left in the address pool of this installation.');
  }
  return project;
}

/**
 * IPv4 ranges of this machine's interfaces: the first project is made before any host has reported. Bridges of projects
 * are among them, which does no harm: theirs are taken anyway, and those of another installation must be avoided.
 */
function rangesOfThisMachine(): string[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .filter((address) => address.family === 'IPv4' && !address.internal && address.cidr !== null)
    .map((address) => networkOf(address.cidr ?? ''));
}

/** '192.168.5.7/24' -> '192.168.5.0/24'. */
function networkOf(cidr: string): string {
  const [address = '', prefix = '32'] = cidr.split('/');
  const value = address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** (32 - Number(prefix));
  const base = Math.floor(value / size) * size;
  return `${[24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join('.')}/${prefix}`;
}

export async function readProject(app: AppContext, caller: PersonCaller, id: ProjectId): Promise<Project> {
  const proof = await authorize(app, caller, 'project.read', { kind: 'project', id });
  return getProject(app.db, proof);
}
