/** Organizations and projects. */
import { networkInterfaces } from 'node:os';
import type { Action, Role } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { OrganizationId, ProjectId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { record } from '#server/store/audit.ts';
import { countProjectBackups } from '#server/store/backups.ts';
import { isUniqueViolation, type Trx, transact } from '#server/store/database.ts';
import { insertMembership } from '#server/store/members.ts';
import {
  countProjects,
  getOrganization,
  getProject,
  insertOrganization,
  insertProject,
  listOrganizations,
  listProjects,
  lockProject,
  type Organization,
  type OrganizationSummary,
  PROJECTS_PER_ORGANIZATION_MAX,
  type Project,
  deleteOrganization as removeOrganization,
  deleteProject as removeProject,
  updateOrganization as storeOrganization,
  updateProject as storeProject,
} from '#server/store/organizations.ts';
import { roleAbility } from './abilities.ts';
import { authorize, authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';

const organizationVerbs = {
  update: 'organization.update',
  delete: 'organization.delete',
  invite: 'member.invite',
  createProject: 'project.create',
  createGroup: 'group.create',
  grant: 'grant.update',
  readAudit: 'audit.read',
  seeEntries: 'entry.read',
} as const satisfies Record<string, Action>;
const projectVerbs = {
  update: 'project.update',
  delete: 'project.delete',
  share: 'project.share',
  createInstance: 'instance.create',
} as const satisfies Record<string, Action>;

type Can<Verbs> = { can: { [K in keyof Verbs]: Ability } };
export type PresentedOrganization = Organization & Can<typeof organizationVerbs>;
export type PresentedProject = Project & Can<typeof projectVerbs>;

function abilities<Verbs extends Record<string, Action>>(role: Role | null, verbs: Verbs): Can<Verbs> {
  const can = Object.fromEntries(Object.entries(verbs).map(([verb, action]) => [verb, roleAbility(role, action)]));
  return { can: can as { [K in keyof Verbs]: Ability } };
}

export async function readOrganization(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
): Promise<PresentedOrganization> {
  const proof = await authorize(app, caller, 'organization.read', { kind: 'organization', id });
  return { ...(await getOrganization(app.db, proof)), ...abilities(proof.role, organizationVerbs) };
}

/** Errors: not_found, name_taken. */
export async function updateOrganization(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
  input: { name?: string | undefined; title?: string | undefined },
): Promise<PresentedOrganization> {
  const proof = await authorize(app, caller, 'organization.update', { kind: 'organization', id });
  return transact(app.db, async (trx) => {
    const before = await getOrganization(trx, proof);
    const change = { name: input.name ?? before.name, title: input.title ?? before.title };
    const after = await orNameTaken('organization', storeOrganization(trx, proof, change));
    await record(trx, caller, {
      action: 'organizations.update',
      targetKind: 'organization',
      targetId: id,
      target: after.name,
      organizationId: id,
      before: { name: before.name, title: before.title },
      after: change,
    });
    return { ...after, ...abilities(proof.role, organizationVerbs) };
  });
}

/** Errors: not_found, conflict (it has projects), step_up_required. */
export async function deleteOrganization(app: AppContext, caller: PersonCaller, id: OrganizationId): Promise<void> {
  const proof = await authorize(app, caller, 'organization.delete', { kind: 'organization', id });
  await requireConfirmed(app, caller, 'organization.delete');
  await transact(app.db, async (trx) => {
    const projects = await countProjects(trx, id);
    if (projects > 0) {
      throw new BerthError(
        'conflict',
        `It has ${projects} ${projects === 1 ? 'project' : 'projects'}. Delete them first.`,
      );
    }
    const { name, title } = await getOrganization(trx, proof);
    await removeOrganization(trx, proof, app.clock.now());
    await record(trx, caller, {
      action: 'organizations.delete',
      targetKind: 'organization',
      targetId: id,
      target: name,
      organizationId: id,
      before: { name, title },
    });
  });
  app.services.nudge('audit-keeper');
}

export async function listAllOrganizations(
  app: AppContext,
  caller: PersonCaller,
  page: { cursor?: string | undefined; limit: number; search?: string | undefined },
): Promise<{ items: OrganizationSummary[]; nextCursor: string | null }> {
  return listOrganizations(app.db, await authorizePlatform(app, caller, 'platform.organization.read'), page);
}

/** Errors: not_found, name_taken, unavailable (no free network). */
export async function createOrganization(
  app: AppContext,
  caller: PersonCaller,
  input: { name: string; title: string },
): Promise<PresentedOrganization> {
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
    return { ...organization, ...abilities('owner', organizationVerbs) };
  });
}

export async function listOrganizationProjects(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
): Promise<PresentedProject[]> {
  const proof = await authorize(app, caller, 'organization.read', { kind: 'organization', id });
  return (await listProjects(app.db, proof)).map((project) => ({
    ...project,
    ...abilities(project.role, projectVerbs),
  }));
}

/** Errors: not_found, name_taken, conflict (too many projects), unavailable (no free network). */
export async function createProject(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  input: { name: string; title: string },
): Promise<PresentedProject> {
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
    return { ...project, ...abilities(proof.role, projectVerbs) };
  });
}

/** Host names that exist stay as they are. Errors: not_found, name_taken. */
export async function updateProject(
  app: AppContext,
  caller: PersonCaller,
  id: ProjectId,
  input: { name?: string | undefined; title?: string | undefined },
): Promise<PresentedProject> {
  const proof = await authorize(app, caller, 'project.update', { kind: 'project', id });
  return transact(app.db, async (trx) => {
    const before = await getProject(trx, proof);
    const change = { name: input.name ?? before.name, title: input.title ?? before.title };
    const after = await orNameTaken('project', storeProject(trx, proof, change));
    await record(trx, caller, {
      action: 'projects.update',
      targetKind: 'project',
      targetId: id,
      target: after.name,
      organizationId: proof.organization,
      projectId: id,
      before: { name: before.name, title: before.title },
      after: change,
    });
    return { ...after, ...abilities(proof.role, projectVerbs) };
  });
}

/**
 * The network goes first, while nothing can be created there: when the host cannot be asked, the project stays. Errors:
 * not_found, conflict (it has instances), unavailable or upstream_failed (the host).
 */
export async function deleteProject(app: AppContext, caller: PersonCaller, id: ProjectId): Promise<void> {
  const proof = await authorize(app, caller, 'project.delete', { kind: 'project', id });
  await transact(app.db, async (trx) => {
    const project = await lockProject(trx, proof);
    if (project === null) throw notFound('project');
    const { name, title, instances } = project;
    if (instances > 0) {
      const many = `${instances} ${instances === 1 ? 'instance' : 'instances'}`;
      throw new BerthError('conflict', `It has ${many}. Archived ones count: remove them for good first.`);
    }
    const backups = await countProjectBackups(trx, id);
    if (backups > 0) {
      const many = `${backups} ${backups === 1 ? 'backup' : 'backups'}`;
      throw new BerthError('conflict', `It has ${many} of instances that are gone. Delete them first.`);
    }
    await app.services.driver.removeNetwork(id);
    await removeProject(trx, proof);
    await record(trx, caller, {
      action: 'projects.delete',
      targetKind: 'project',
      targetId: id,
      target: name,
      organizationId: proof.organization,
      projectId: id,
      before: { name, title },
    });
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
  const organization = await orNameTaken('organization', insertOrganization(trx, { id, ...input }));
  await insertMembership(trx, { organizationId: id, userId: person.userId, role: 'owner' });
  await addProject(app, trx, { organizationId: id, name: 'main', title: 'Main' });
  return organization;
}

/** What `done` answers, or the error that the name is taken. */
export async function orNameTaken<T>(what: string, done: Promise<T>): Promise<T> {
  return done.catch((error: unknown) => {
    if (isUniqueViolation(error)) throw nameTaken(what);
    throw error;
  });
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

export async function readProject(app: AppContext, caller: PersonCaller, id: ProjectId): Promise<PresentedProject> {
  const proof = await authorize(app, caller, 'project.read', { kind: 'project', id });
  return { ...(await getProject(app.db, proof)), ...abilities(proof.role, projectVerbs) };
}
