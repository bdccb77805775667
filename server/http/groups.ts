/** Endpoints of groups and of roles in single projects. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  addGroupMember,
  createGroup,
  deleteGroup,
  listGroupMembers,
  listOrganizationGroups,
  listRolesInProject,
  type PresentedGroup,
  removeGroupMember,
  removeRoleInProject,
  setRoleInProject,
  updateGroup,
} from '#server/app/groups.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

function presentGroup({ projectRoles: _, ...group }: PresentedGroup) {
  return { ...group, createdAt: iso(group.createdAt) };
}

export function registerGroups(http: Http, app: AppContext): void {
  http.register(api.groupsList, async ({ caller, params }) => ({
    items: (await listOrganizationGroups(app, caller, params.organization)).map(presentGroup),
  }));
  http.register(api.groupsCreate, async ({ caller, params, body }) =>
    presentGroup(await createGroup(app, caller, params.organization, body)),
  );
  http.register(api.groupsUpdate, async ({ caller, params, body }) =>
    presentGroup(await updateGroup(app, caller, params, body)),
  );
  http.register(api.groupsDelete, async ({ caller, params }) => {
    await deleteGroup(app, caller, params);
    return undefined;
  });
  http.register(api.groupMembersList, async ({ caller, params }) => ({
    items: (await listGroupMembers(app, caller, params)).map(({ user, addedAt }) => ({ user, addedAt: iso(addedAt) })),
  }));
  http.register(api.groupMembersAdd, async ({ caller, params }) => {
    await addGroupMember(app, caller, params);
    return undefined;
  });
  http.register(api.groupMembersRemove, async ({ caller, params }) => {
    await removeGroupMember(app, caller, params);
    return undefined;
  });
  http.register(api.projectRolesList, async ({ caller, params }) => ({
    items: await listRolesInProject(app, caller, params.project),
  }));
  http.register(api.projectRolesSet, async ({ caller, params, body }) =>
    setRoleInProject(app, caller, params, body.role),
  );
  http.register(api.projectRolesRemove, async ({ caller, params }) => {
    await removeRoleInProject(app, caller, params);
    return undefined;
  });
}
