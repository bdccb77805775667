/** Organizations, projects, groups, app permissions and entries of the mock. */
import { type Action, grantPermissions, holdingMay, mayChangeRole, roleMay, workingRoles } from '#domain/authz.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { serviceHandle } from '#domain/service-accounts.ts';
import type { Handlers } from './handlers.ts';
import type { MockState } from './state.ts';
import { grantedTo, hint, iso, newId, record } from './state.ts';

type TenancyName =
  | `organizations${'Get' | 'Update' | 'Delete' | 'Create' | 'List'}`
  | `projects${'List' | 'Create' | 'Get' | 'Update' | 'Delete'}`
  | `groups${'List' | 'Create' | 'Update' | 'Delete'}`
  | `groupMembers${'List' | 'Add' | 'Remove'}`
  | `projectRoles${'List' | 'Set' | 'Remove'}`
  | 'ownApps'
  | 'appsList'
  | 'grantsList'
  | 'grantsChange'
  | `instanceAccess${'Get' | 'Set' | 'Candidates'}`
  | `entries${'List' | 'Create' | 'End'}`
  | 'ownEntriesEnd';

const ability = (state: MockState, action: Action) =>
  roleMay(state.role, action) ? (true as const) : `Your role (${state.role}) does not allow this.`;

const organization = (state: MockState) => ({
  ...state.organization,
  can: {
    update: ability(state, 'organization.update'),
    delete: ability(state, 'organization.delete'),
    invite: ability(state, 'member.invite'),
    createProject: ability(state, 'project.create'),
    createGroup: ability(state, 'group.create'),
    grant: ability(state, 'grant.update'),
    readAudit: ability(state, 'audit.read'),
    seeEntries: ability(state, 'entry.read'),
  },
});
const project = (state: MockState, each: MockState['projects'][number]) => ({
  ...each,
  can: {
    update: ability(state, 'project.update'),
    delete: ability(state, 'project.delete'),
    share: ability(state, 'project.share'),
    createInstance: ability(state, 'instance.create'),
  },
});

function findProject(state: MockState, id: string) {
  const found = state.projects.find((each) => each.id === id);
  if (found === undefined) throw notFound('project');
  return found;
}
function findGroup(state: MockState, id: string) {
  const found = state.groups.find((each) => each.id === id);
  if (found === undefined) throw notFound('group');
  return found;
}
const group = (state: MockState, { people, ...each }: MockState['groups'][number]) => {
  const may = mayChangeRole(state.role, each.role, null) ? (true as const) : 'Your role does not allow this.';
  return { ...each, members: people.length, can: { update: may, delete: may } };
};
/** A member or a service account. */
function principal(state: MockState, id: string) {
  const account = state.serviceAccounts.find((each) => each.id === id);
  if (account !== undefined) return { id: account.id, email: serviceHandle(account.name), name: account.name };
  return state.members.find((each) => each.user.id === id)?.user;
}
function subject(state: MockState, id: string) {
  const person = principal(state, id);
  if (person !== undefined) return { kind: 'person' as const, name: person.name, email: person.email };
  return { kind: 'group' as const, name: findGroup(state, id).title, email: null };
}
const sharedRole = (state: MockState, { project: _, ...each }: MockState['projectRoles'][number]) => {
  const may = ability(state, 'project.share');
  return { ...each, ...subject(state, each.subject), can: { update: may, remove: may } };
};
const app = (state: MockState, row: MockState['instances'][number]) => ({
  app: row.id,
  name: row.name,
  kind: row.kind,
  project: { id: row.project, name: findProject(state, row.project).name },
});
const may = (role: MockState['role'], granted: readonly (typeof grantPermissions)[number][] = []) =>
  grantPermissions.filter((permission) => holdingMay({ role, permissions: granted }, `instance.${permission}`));
const access = (state: MockState, app: string) => ({
  grants: state.grants
    .filter((each) => each.app === app)
    .map(({ app: _, ...each }) => ({ ...each, ...subject(state, each.subject) })),
  roles: workingRoles.flatMap((role) => {
    const shown = state.members.filter((each) => each.role === role).map(({ user }) => user);
    if (shown.length === 0 || may(role).length === 0) return [];
    return [{ role, place: 'organization' as const, permissions: may(role), people: shown.length, services: 0, shown }];
  }),
  entries: state.entries
    .filter((each) => each.organization.id === state.organization.id && each.endedAt === null && each.expiresAt > iso())
    .map(({ user, expiresAt }) => ({ name: user.name, email: user.email, expiresAt })),
  can: { share: ability(state, 'grant.update') },
});
const openEntry = (state: MockState, organization: string) =>
  state.entries.find(
    (each) =>
      each.organization.id === organization &&
      each.user.id === state.user.id &&
      each.endedAt === null &&
      each.expiresAt > iso(),
  ) ?? null;
const entry = (each: MockState['entries'][number]) => ({
  ...each,
  can: { end: each.endedAt === null && each.expiresAt > iso() ? (true as const) : 'It is over.' },
});
function endEntry(state: MockState, id: string): undefined {
  const found = state.entries.find((each) => each.id === id);
  if (found === undefined) throw notFound('entry');
  found.endedAt = iso();
  hint('member', id);
  return undefined;
}

const noUse = { cpus: 0, memoryBytes: 0, diskBytes: 0 };

export const tenancyHandlers: Pick<Handlers, TenancyName> = {
  organizationsList: (state, { query }) => ({
    items: [
      {
        ...state.organization,
        members: state.members.length,
        projects: state.projects.length,
        instances: state.instances.length,
        use: {
          cpus: state.instances.reduce((sum, each) => sum + each.size.cpus, 0),
          memoryBytes: state.instances.reduce((sum, each) => sum + each.size.memoryBytes, 0),
          diskBytes: state.instances.reduce((sum, each) => sum + each.size.diskBytes, 0),
        },
        entry: null,
      },
      ...state.tenants.map((each) => ({ ...each, entry: openEntry(state, each.id) })),
    ].filter((each) => `${each.name} ${each.title}`.toLowerCase().includes((query.search ?? '').toLowerCase())),
    nextCursor: null,
  }),
  organizationsGet: organization,
  organizationsUpdate: (state, { body }) => {
    Object.assign(state.organization, body);
    hint('project', state.organization.id);
    return organization(state);
  },
  organizationsDelete: (state) => {
    if (state.projects.length > 0) {
      throw new BerthError('conflict', `It has ${state.projects.length} projects. Delete them first.`);
    }
    return undefined;
  },
  organizationsCreate: (state, { body }) => {
    const made = { id: newId('org'), ...body, createdAt: iso() };
    state.tenants.push({ ...made, members: 1, projects: 1, instances: 0, use: noUse, entry: null });
    return { ...organization(state), ...made };
  },
  projectsList: (state) => ({ items: state.projects.map((each) => project(state, each)) }),
  projectsCreate: (state, { body, params }) => {
    if (state.projects.some((each) => each.name === body.name)) {
      throw new BerthError('name_taken', 'There is already a project with this name.', {
        fields: [{ field: 'name', message: 'This name is taken.' }],
      });
    }
    const created = { id: newId('prj'), organization: params.organization, ...body, createdAt: iso() };
    state.projects.push(created);
    hint('project', created.id, created.id);
    return project(state, created);
  },
  projectsGet: (state, { params }) => project(state, findProject(state, params.project)),
  projectsUpdate: (state, { params, body }) => {
    const found = Object.assign(findProject(state, params.project), body);
    hint('project', found.id, found.id);
    return project(state, found);
  },
  projectsDelete: (state, { params }) => {
    const instances = state.instances.filter((each) => each.project === params.project).length;
    if (instances > 0) throw new BerthError('conflict', `It has ${instances} instances. Remove them for good first.`);
    state.projects = state.projects.filter((each) => each.id !== params.project);
    hint('project', params.project, params.project);
    return undefined;
  },
  groupsList: (state) => ({ items: state.groups.map((each) => group(state, each)) }),
  groupsCreate: (state, { params, body }) => {
    const { organization: of } = params;
    const made = { id: newId('grp'), organization: of, ...body, role: body.role ?? null, createdAt: iso(), people: [] };
    state.groups.push(made);
    record(state, 'groups.create', 'group', made.name, made.id);
    hint('member', made.id);
    return group(state, made);
  },
  groupsUpdate: (state, { params, body }) => {
    const found = Object.assign(findGroup(state, params.group), body);
    hint('member', found.id);
    return group(state, found);
  },
  groupsDelete: (state, { params }) => {
    state.groups = state.groups.filter((each) => each.id !== params.group);
    state.grants = state.grants.filter((each) => each.subject !== params.group);
    state.projectRoles = state.projectRoles.filter((each) => each.subject !== params.group);
    hint('member', params.group);
    return undefined;
  },
  groupMembersList: (state, { params }) => ({
    items: findGroup(state, params.group).people.flatMap((id) => {
      const user = principal(state, id);
      return user === undefined ? [] : [{ user, addedAt: iso() }];
    }),
  }),
  groupMembersAdd: (state, { params }) => {
    const { people } = findGroup(state, params.group);
    if (!people.includes(params.user)) people.push(params.user);
    hint('member', params.group);
    return undefined;
  },
  groupMembersRemove: (state, { params }) => {
    const found = findGroup(state, params.group);
    found.people = found.people.filter((each) => each !== params.user);
    hint('member', params.group);
    return undefined;
  },
  projectRolesList: (state, { params }) => ({
    items: state.projectRoles.filter((each) => each.project === params.project).map((each) => sharedRole(state, each)),
  }),
  projectRolesSet: (state, { params, body }) => {
    state.projectRoles = state.projectRoles.filter(
      (each) => each.project !== params.project || each.subject !== params.subject,
    );
    const made = { ...params, role: body.role };
    state.projectRoles.push(made);
    hint('member', params.subject);
    return sharedRole(state, made);
  },
  projectRolesRemove: (state, { params }) => {
    state.projectRoles = state.projectRoles.filter(
      (each) => each.project !== params.project || each.subject !== params.subject,
    );
    hint('member', params.subject);
    return undefined;
  },
  ownApps: (state) => ({
    items: state.instances
      .filter((row) => row.phase === 'ready')
      .map((row) => ({
        ...app(state, row),
        organization: { id: state.organization.id, title: state.organization.title },
        observed: row.observed,
        url: row.url,
        permissions: may(state.role, grantedTo(state, row.id)),
      }))
      .filter((row) => row.permissions.length > 0),
  }),
  appsList: (state, { query }) => ({
    items: state.instances
      .filter((row) => row.phase === 'ready' && row.name.includes(query.search ?? ''))
      .map((row) => app(state, row)),
    nextCursor: null,
  }),
  grantsList: (state, { query }) => ({
    items: state.grants.filter(
      (each) =>
        (query.app === undefined || each.app === query.app) &&
        (query.subject === undefined || each.subject === query.subject),
    ),
    nextCursor: null,
  }),
  grantsChange: (state, { body }) => {
    for (const change of body.changes) {
      state.grants = state.grants.filter((each) => each.app !== change.app || each.subject !== change.subject);
      if (change.permissions.length > 0) {
        state.grants.push({ id: newId('grt'), ...change, grantedBy: state.user.email, createdAt: iso() });
      }
      hint('member', change.subject);
    }
    return { changed: body.changes.length };
  },
  instanceAccessGet: (state, { params }) => access(state, params.instance),
  instanceAccessCandidates: (state, { params, query }) => {
    const given = new Set<string>(
      state.grants.filter((each) => each.app === params.instance).map((each) => each.subject),
    );
    const fits = (...texts: string[]) =>
      texts
        .join(' ')
        .toLowerCase()
        .includes((query.search ?? '').toLowerCase());
    const items = [
      ...state.groups
        .filter((each) => fits(each.title, each.name))
        .map((each) => ({
          subject: each.id,
          kind: 'group' as const,
          name: each.title,
          email: null,
          members: each.people.length,
        })),
      ...state.members
        .filter(({ user }) => fits(user.name, user.email))
        .map(({ user }) => ({
          subject: user.id,
          kind: 'person' as const,
          name: user.name,
          email: user.email,
          members: null,
        })),
    ].filter((each) => !given.has(each.subject));
    return { items: items.slice(0, 20), more: items.length > 20 };
  },
  instanceAccessSet: (state, { params, body }) => {
    const { instance, subject: to } = params;
    state.grants = state.grants.filter((each) => each.app !== instance || each.subject !== to);
    if (body.permissions.length > 0) {
      const made = { id: newId('grt'), app: instance, subject: to, permissions: body.permissions };
      state.grants.push({ ...made, grantedBy: state.user.email, createdAt: iso() });
    }
    record(state, body.permissions.length > 0 ? 'grants.set' : 'grants.remove', 'instance', instance, instance);
    hint('member', to);
    return access(state, instance);
  },
  entriesList: (state) => ({ items: state.entries.map(entry) }),
  entriesCreate: (state, { params, body }) => {
    const tenant = [state.organization, ...state.tenants].find((each) => each.id === params.organization);
    if (tenant === undefined) throw notFound('organization');
    const made = {
      id: newId('ent'),
      organization: { id: tenant.id, name: tenant.name, title: tenant.title },
      user: { id: state.user.id, email: state.user.email, name: state.user.name },
      reason: body.reason,
      createdAt: iso(),
      expiresAt: iso(Date.now() + (body.minutes ?? 60) * 60_000),
      endedAt: null,
    };
    state.entries.unshift(made);
    hint('member', state.user.id);
    return entry(made);
  },
  entriesEnd: (state, { params }) => endEntry(state, params.entry),
  ownEntriesEnd: (state, { params }) => endEntry(state, params.entry),
};
