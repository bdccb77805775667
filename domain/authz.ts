/**
 * Who may do what: the only place that knows. `permissionTable` is generated into docs/reference/permissions.md and a
 * test walks every API route as every role. Roles are held in an organization; platform administration is a separate
 * right of a person and gives no access to tenants' screens, terminals or logs.
 */
export const roles = ['owner', 'admin', 'operator', 'member', 'viewer'] as const;
export type Role = (typeof roles)[number];

export const actions = [
  'organization.read',
  'organization.update',
  'member.read',
  'member.invite',
  'member.update',
  'member.remove',
  'audit.read',
  'project.read',
  'project.create',
  'project.update',
  'project.delete',
  'quota.read',
  'instance.read',
  'instance.create',
  'instance.update',
  'instance.power',
  'instance.snapshot',
  'instance.rollback',
  'instance.archive',
  'instance.purge',
  'instance.open',
  'instance.terminal',
  'instance.logs',
  'route.read',
  'route.create',
  'route.update',
  'route.delete',
  'operation.read',
  'operation.cancel',
] as const;
export type Action = (typeof actions)[number];

export const platformActions = [
  'platform.image.read',
  'platform.image.build',
  'platform.image.import',
  'platform.image.delete',
  'platform.host.read',
  'platform.organization.read',
  'platform.organization.create',
  'platform.settings.read',
  'platform.quota.update',
] as const;
export type PlatformAction = (typeof platformActions)[number];

const read: readonly Action[] = [
  'organization.read',
  'member.read',
  'project.read',
  'quota.read',
  'instance.read',
  'route.read',
  'operation.read',
];
const member: readonly Action[] = [
  ...read,
  'instance.create',
  'instance.update',
  'instance.power',
  'instance.snapshot',
  'instance.rollback',
  'instance.archive',
  'instance.open',
  'instance.terminal',
  'instance.logs',
  'route.create',
  'route.update',
  'route.delete',
];
const operator: readonly Action[] = [...member, 'operation.cancel', 'audit.read'];
const admin: readonly Action[] = [
  ...operator,
  'organization.update',
  'member.invite',
  'member.update',
  'member.remove',
  'project.create',
  'project.update',
  'project.delete',
  'instance.purge',
];

export const permissionTable: Record<Role, readonly Action[]> = {
  viewer: read,
  member,
  operator,
  admin,
  owner: [...admin],
};

/** Every signed-in person may look at images and hosts' names (to create things); the rest needs platform administration. */
const everyone: readonly PlatformAction[] = ['platform.image.read'];

export function roleMay(role: Role, action: Action): boolean {
  return permissionTable[role].includes(action);
}

export function platformMay(platformAdmin: boolean, action: PlatformAction): boolean {
  return platformAdmin || everyone.includes(action);
}

/** Rank for "nobody hands out or takes away more than they hold": owner 4 ... viewer 0. */
export function roleRank(role: Role): number {
  return roles.length - 1 - roles.indexOf(role);
}

/** True when somebody with `actor` may change a membership from `from` (null: not a member) to `to` (null: removed). */
export function mayChangeRole(actor: Role, from: Role | null, to: Role | null): boolean {
  if (!roleMay(actor, 'member.update')) return false;
  const highest = Math.max(from === null ? -1 : roleRank(from), to === null ? -1 : roleRank(to));
  return actor === 'owner' ? true : highest < roleRank(actor) || highest <= roleRank('operator');
}
