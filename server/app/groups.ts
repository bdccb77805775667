/**
 * Groups of an organization and roles in single projects. Whatever a group gives, giving or taking it (by its role, its
 * members or its end) needs somebody who could hand out the same role to a person.
 */
import { highestRole, mayChangeRole, type Role, type WorkingRole } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { GroupId, OrganizationId, ProjectId, UserId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { isServiceHandle } from '#domain/service-accounts.ts';
import { record } from '#server/store/audit.ts';
import { isForeignKeyViolation, type Trx, transact } from '#server/store/database.ts';
import * as store from '#server/store/groups.ts';
import { roleAbility, tooMuch, tooMuchReason } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { orNameTaken } from './organizations.ts';

export type PresentedGroup = store.Group & { can: { update: Ability; delete: Ability } };
type GroupRef = { organization: OrganizationId; group: GroupId };

/** The highest that the group gives anywhere. */
const given = (group: store.Group): Role | null => highestRole([group.role, ...group.projectRoles]);

function presented(actor: Role | null, group: store.Group): PresentedGroup {
  const may = (action: 'group.update' | 'group.delete'): Ability => {
    const able = roleAbility(actor, action);
    if (able !== true || actor === null) return able;
    return mayChangeRole(actor, given(group), null) ? true : tooMuchReason;
  };
  return { ...group, can: { update: may('group.update'), delete: may('group.delete') } };
}

export async function listOrganizationGroups(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
): Promise<PresentedGroup[]> {
  const proof = await authorize(app, caller, 'group.read', { kind: 'organization', id: organization });
  return (await store.listGroups(app.db, proof)).map((group) => presented(proof.role, group));
}

/** Errors: not_found, name_taken, conflict (too many), state_conflict (more than the caller may hand out). */
export async function createGroup(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  input: { name: string; title: string; role: WorkingRole | null },
): Promise<PresentedGroup> {
  const proof = await authorize(app, caller, 'group.create', { kind: 'organization', id: organization });
  if (!mayChangeRole(proof.role ?? 'guest', null, input.role)) throw tooMuch();
  return transact(app.db, async (trx) => {
    if ((await store.countGroups(trx, proof)) >= store.GROUPS_PER_ORGANIZATION_MAX) {
      throw new BerthError('conflict', `An organization has at most ${store.GROUPS_PER_ORGANIZATION_MAX} groups.`);
    }
    const group = await orNameTaken('group', store.insertGroup(trx, proof, { id: app.ids.make('grp'), ...input }));
    await record(trx, caller, {
      action: 'groups.create',
      targetKind: 'group',
      targetId: group.id,
      target: group.name,
      organizationId: proof.id,
      after: input,
    });
    return presented(proof.role, group);
  });
}

/** Errors: not_found, name_taken, state_conflict (more than the caller may hand out or take away). */
export async function updateGroup(
  app: AppContext,
  caller: PersonCaller,
  ref: GroupRef,
  input: { name?: string | undefined; title?: string | undefined; role?: WorkingRole | null | undefined },
): Promise<PresentedGroup> {
  const proof = await authorize(app, caller, 'group.update', place(ref));
  return transact(app.db, async (trx) => {
    const before = await locked(trx, proof);
    const change = {
      name: input.name ?? before.name,
      title: input.title ?? before.title,
      role: input.role === undefined ? before.role : input.role,
    };
    if (!mayChangeRole(proof.role ?? 'guest', given(before), change.role)) throw tooMuch();
    await orNameTaken('group', store.updateGroup(trx, proof, change));
    await record(trx, caller, {
      action: 'groups.update',
      targetKind: 'group',
      targetId: ref.group,
      target: change.name,
      organizationId: proof.organization,
      before: { name: before.name, title: before.title, role: before.role },
      after: change,
    });
    return presented(proof.role, { ...before, ...change });
  });
}

/** Errors: not_found, state_conflict (it gives more than the caller may take away). */
export async function deleteGroup(app: AppContext, caller: PersonCaller, ref: GroupRef): Promise<void> {
  const proof = await authorize(app, caller, 'group.delete', place(ref));
  await transact(app.db, async (trx) => {
    const group = await locked(trx, proof);
    if (!mayChangeRole(proof.role ?? 'guest', given(group), null)) throw tooMuch();
    await store.deleteGroup(trx, proof);
    await record(trx, caller, {
      action: 'groups.delete',
      targetKind: 'group',
      targetId: ref.group,
      target: group.name,
      organizationId: proof.organization,
      before: { name: group.name, title: group.title, role: group.role, members: group.members },
    });
  });
}

export async function listGroupMembers(
  app: AppContext,
  caller: PersonCaller,
  ref: GroupRef,
): Promise<store.GroupMember[]> {
  return store.listGroupMembers(app.db, await authorize(app, caller, 'group.read', place(ref)));
}

/** Fine when they are in it already. Errors: not_found (group, or no member of the organization), conflict (full). */
export async function addGroupMember(
  app: AppContext,
  caller: PersonCaller,
  ref: GroupRef & { user: UserId },
): Promise<void> {
  await changeMember(app, caller, ref, 'groups.members.add', (trx, proof, group) => {
    if (group.members >= store.GROUP_MEMBERS_MAX) {
      throw new BerthError('conflict', `A group has at most ${store.GROUP_MEMBERS_MAX} members.`);
    }
    return store.insertGroupMember(trx, proof, ref.user);
  });
}

/** Fine when they are not in it. Errors: not_found (group, or no member of the organization). */
export async function removeGroupMember(
  app: AppContext,
  caller: PersonCaller,
  ref: GroupRef & { user: UserId },
): Promise<void> {
  await changeMember(app, caller, ref, 'groups.members.remove', (trx, proof) =>
    store.deleteGroupMember(trx, proof, ref.user),
  );
}

async function changeMember(
  app: AppContext,
  caller: PersonCaller,
  ref: GroupRef & { user: UserId },
  action: 'groups.members.add' | 'groups.members.remove',
  change: (trx: Trx, proof: store.GroupProof<'group.update'>, group: store.Group) => Promise<boolean>,
): Promise<void> {
  const proof = await authorize(app, caller, 'group.update', place(ref));
  await transact(app.db, async (trx) => {
    const group = await locked(trx, proof);
    const email = await store.memberEmail(trx, proof, ref.user);
    if (email === null) throw notFound('member');
    if (!mayChangeRole(proof.role ?? 'guest', given(group), null)) throw tooMuch();
    if (action === 'groups.members.add' && given(group) === 'owner') refuseServiceOwner(email);
    const changed = await orNotThere('member', change(trx, proof, group));
    if (!changed) return;
    const who = { user: ref.user, email };
    await record(trx, caller, {
      action,
      targetKind: 'group',
      targetId: ref.group,
      target: group.name,
      organizationId: proof.organization,
      ...(action === 'groups.members.add' ? { after: who } : { before: who }),
    });
  });
}

/** What a group gives later counts for them as that of an administrator: the door sees to it. */
function refuseServiceOwner(email: string | null): void {
  if (email === null || !isServiceHandle(email)) return;
  throw new BerthError('conflict', 'A service account cannot be an owner. Give it admin at most.');
}

const place = (ref: GroupRef) => ({ kind: 'group', id: ref.group, organization: ref.organization }) as const;

async function locked(
  trx: Trx,
  proof: store.GroupProof<'group.update'> | store.GroupProof<'group.delete'>,
): Promise<store.Group> {
  const group = await store.lockGroup(trx, proof);
  if (group === null) throw notFound('group');
  return group;
}

/** What `done` answers; not_found when the person or group left the organization meanwhile. */
async function orNotThere<T>(what: string, done: Promise<T>): Promise<T> {
  return done.catch((error: unknown) => {
    if (isForeignKeyViolation(error)) throw notFound(what);
    throw error;
  });
}

export type PresentedProjectRole = store.ProjectRole & { can: { update: Ability; remove: Ability } };
type SharingRef = { project: ProjectId; subject: UserId | GroupId };

function presentedRole(actor: Role | null, held: store.ProjectRole): PresentedProjectRole {
  const able = roleAbility(actor, 'project.share');
  const may = able !== true || (actor !== null && mayChangeRole(actor, held.role, null)) ? able : tooMuchReason;
  return { ...held, can: { update: may, remove: may } };
}

export async function listRolesInProject(
  app: AppContext,
  caller: PersonCaller,
  project: ProjectId,
): Promise<PresentedProjectRole[]> {
  const proof = await authorize(app, caller, 'project.read', { kind: 'project', id: project });
  return (await store.listProjectRoles(app.db, proof)).map((held) => presentedRole(proof.role, held));
}

/** Errors: not_found (project; no member or group of its organization), state_conflict (more than the caller may give). */
export async function setRoleInProject(
  app: AppContext,
  caller: PersonCaller,
  ref: SharingRef,
  role: WorkingRole,
): Promise<PresentedProjectRole> {
  const proof = await authorize(app, caller, 'project.share', { kind: 'project', id: ref.project });
  return transact(app.db, async (trx) => {
    const { held, count } = await store.lockProjectRole(trx, proof, ref.subject);
    if (held === null && count >= store.ROLES_PER_PROJECT_MAX) {
      throw new BerthError('conflict', `A project has at most ${store.ROLES_PER_PROJECT_MAX} roles of its own.`);
    }
    if (!mayChangeRole(proof.role ?? 'guest', held?.role ?? null, role)) throw tooMuch();
    const set = await orNotThere('member', store.setProjectRole(trx, proof, ref.subject, role));
    if (set === null) throw notFound('member');
    if (role === 'owner') refuseServiceOwner(set.email);
    await recordSharing(trx, caller, proof, set, { before: held?.role ?? null, after: role });
    return presentedRole(proof.role, set);
  });
}

/** Errors: not_found (project, no such role), state_conflict (more than the caller may take away). */
export async function removeRoleInProject(app: AppContext, caller: PersonCaller, ref: SharingRef): Promise<void> {
  const proof = await authorize(app, caller, 'project.share', { kind: 'project', id: ref.project });
  await transact(app.db, async (trx) => {
    const { held } = await store.lockProjectRole(trx, proof, ref.subject);
    if (held === null) throw notFound('role');
    if (!mayChangeRole(proof.role ?? 'guest', held.role, null)) throw tooMuch();
    await store.setProjectRole(trx, proof, ref.subject, null);
    await recordSharing(trx, caller, proof, held, { before: held.role, after: null });
  });
}

async function recordSharing(
  trx: Trx,
  caller: PersonCaller,
  proof: store.SharingProof,
  held: store.ProjectRole,
  change: { before: Role | null; after: Role | null },
): Promise<void> {
  await record(trx, caller, {
    action: change.after === null ? 'projects.roles.remove' : 'projects.roles.set',
    targetKind: held.kind === 'person' ? 'user' : 'group',
    targetId: held.subject,
    target: held.email ?? held.name,
    organizationId: proof.organization,
    projectId: proof.id,
    before: { role: change.before },
    after: { role: change.after },
  });
}
