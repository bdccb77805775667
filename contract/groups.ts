/** Groups of an organization and roles in one project, held by a person or a group. */
import { z } from 'zod';
import { workingRoles } from '#domain/authz.ts';
import { API_PREFIX, abilitySchema, idSchema, nameSchema, timestamp, titleSchema } from './common.ts';
import { defineRoute } from './route.ts';

/** Roles that a group or a project gives; a guest is somebody who has none of them. */
export const workingRoleSchema = z.enum(workingRoles);
/** A person or a group. */
export const subjectSchema = z.union([idSchema('usr'), idSchema('grp')]);

export const groupSchema = z.object({
  id: idSchema('grp'),
  organization: idSchema('org'),
  name: z.string(),
  title: z.string(),
  role: workingRoleSchema
    .nullable()
    .meta({ description: 'What every member of the group holds in the whole organization' }),
  members: z.number().int(),
  createdAt: timestamp,
  can: z.object({ update: abilitySchema, delete: abilitySchema }),
});
export type Group = z.output<typeof groupSchema>;

export const groupMemberSchema = z.object({
  user: z.object({ id: idSchema('usr'), email: z.string(), name: z.string() }),
  addedAt: timestamp,
});

export const projectRoleSchema = z.object({
  subject: subjectSchema,
  kind: z.enum(['person', 'group']),
  name: z.string(),
  email: z.string().nullable(),
  role: workingRoleSchema,
  can: z.object({ update: abilitySchema, remove: abilitySchema }),
});

const organizationParams = z.object({ organization: idSchema('org') });
const groupParams = organizationParams.extend({ group: idSchema('grp') });
const groupMemberParams = groupParams.extend({ user: idSchema('usr') });
const projectParams = z.object({ project: idSchema('prj') });
const projectRoleParams = projectParams.extend({ subject: subjectSchema });
const groupsPath = `${API_PREFIX}/organizations/:organization/groups`;
const shared = { tag: 'organizations', rateClass: 'api' } as const;

export const groupRoutes = {
  groupsList: defineRoute({
    ...shared,
    id: 'groups.list',
    method: 'GET',
    path: groupsPath,
    access: 'group.read',
    status: 200,
    summary: 'Groups of an organization',
    params: organizationParams,
    response: z.object({ items: z.array(groupSchema) }),
  }),
  groupsCreate: defineRoute({
    ...shared,
    id: 'groups.create',
    method: 'POST',
    path: groupsPath,
    access: 'group.create',
    status: 201,
    summary: 'Create a group',
    params: organizationParams,
    body: z.strictObject({ name: nameSchema, title: titleSchema, role: workingRoleSchema.nullable().default(null) }),
    response: groupSchema,
  }),
  groupsUpdate: defineRoute({
    ...shared,
    id: 'groups.update',
    method: 'PATCH',
    path: `${groupsPath}/:group`,
    access: 'group.update',
    status: 200,
    summary: 'Rename a group or change what it gives',
    params: groupParams,
    body: z.strictObject({
      name: nameSchema.optional(),
      title: titleSchema.optional(),
      role: workingRoleSchema.nullable().optional(),
    }),
    response: groupSchema,
  }),
  groupsDelete: defineRoute({
    ...shared,
    id: 'groups.delete',
    method: 'DELETE',
    path: `${groupsPath}/:group`,
    access: 'group.delete',
    status: 204,
    summary: 'Delete a group; its members lose what it gave',
    params: groupParams,
  }),
  groupMembersList: defineRoute({
    ...shared,
    id: 'groups.members.list',
    method: 'GET',
    path: `${groupsPath}/:group/members`,
    access: 'group.read',
    status: 200,
    summary: 'Who is in a group',
    params: groupParams,
    response: z.object({ items: z.array(groupMemberSchema) }),
  }),
  groupMembersAdd: defineRoute({
    ...shared,
    id: 'groups.members.add',
    method: 'PUT',
    path: `${groupsPath}/:group/members/:user`,
    access: 'group.update',
    status: 204,
    summary: 'Add a member of the organization to a group',
    params: groupMemberParams,
  }),
  groupMembersRemove: defineRoute({
    ...shared,
    id: 'groups.members.remove',
    method: 'DELETE',
    path: `${groupsPath}/:group/members/:user`,
    access: 'group.update',
    status: 204,
    summary: 'Take somebody out of a group',
    params: groupMemberParams,
  }),
  projectRolesList: defineRoute({
    ...shared,
    id: 'projects.roles.list',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/roles`,
    tag: 'projects',
    access: 'project.read',
    status: 200,
    summary: 'Roles held in this project alone',
    description: 'Roles in the organization cover every project and are not listed here.',
    params: projectParams,
    response: z.object({ items: z.array(projectRoleSchema) }),
  }),
  projectRolesSet: defineRoute({
    ...shared,
    id: 'projects.roles.set',
    method: 'PUT',
    path: `${API_PREFIX}/projects/:project/roles/:subject`,
    tag: 'projects',
    access: 'project.share',
    status: 200,
    summary: 'Give a person or a group a role in this project',
    params: projectRoleParams,
    body: z.strictObject({ role: workingRoleSchema }),
    response: projectRoleSchema,
  }),
  projectRolesRemove: defineRoute({
    ...shared,
    id: 'projects.roles.remove',
    method: 'DELETE',
    path: `${API_PREFIX}/projects/:project/roles/:subject`,
    tag: 'projects',
    access: 'project.share',
    status: 204,
    summary: 'Take the role in this project away',
    params: projectRoleParams,
  }),
} as const;
