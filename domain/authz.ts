/**
 * Who may do what: the only place that knows. `permissionTable` is generated into docs/reference/permissions.md and a
 * test walks every API route as every role. Roles are held in an organization or in one project, by a person or through
 * a group; the highest counts. A guest belongs to the organization and holds nothing but what grants and roles in
 * projects give. Grants open one app. Platform administration is a separate right of a person and gives no access to
 * tenants' screens, terminals or logs, except by an entry: announced, with a reason and an end (`ENTRY_ROLE`).
 */
export const roles = ['owner', 'admin', 'operator', 'member', 'viewer', 'guest'] as const;
export type Role = (typeof roles)[number];
/** Roles that give something: those that a group or a project may hand out. */
export const workingRoles = ['owner', 'admin', 'operator', 'member', 'viewer'] as const satisfies readonly Role[];
export type WorkingRole = (typeof workingRoles)[number];

export const actions = [
  'organization.read',
  'organization.update',
  'organization.delete',
  'member.read',
  'member.invite',
  'member.update',
  'member.remove',
  'member.factors',
  'group.read',
  'group.create',
  'group.update',
  'group.delete',
  'grant.read',
  'grant.update',
  'service-account.read',
  'service-account.create',
  'service-account.update',
  'service-account.delete',
  'entry.read',
  'entry.end',
  'audit.read',
  'audit.update',
  'project.read',
  'project.create',
  'project.update',
  'project.delete',
  'project.share',
  'quota.read',
  'quota.update',
  'instance.list',
  'instance.read',
  'instance.inspect',
  'instance.create',
  'instance.update',
  'instance.power',
  'instance.snapshot',
  'instance.rollback',
  'instance.archive',
  'instance.purge',
  'instance.transfer',
  'instance.open',
  'instance.terminal',
  'instance.ssh',
  'instance.logs',
  'ssh-session.read',
  'ssh-session.end',
  'ssh-recording.play',
  'ssh-recording.update',
  'ssh-recording.delete',
  'snapshot.read',
  'backup.read',
  'backup.create',
  'backup.restore',
  'backup.delete',
  'route.read',
  'route.create',
  'route.update',
  'route.delete',
  'domain.read',
  'domain.create',
  'domain.update',
  'domain.delete',
  'dns.read',
  'dns.update',
  'forward.read',
  'forward.create',
  'forward.update',
  'forward.delete',
  'file.open',
  'file.write',
  'stack.open',
  'stack.write',
  'security-group.read',
  'security-group.create',
  'security-group.update',
  'security-group.delete',
  'egress.read',
  'egress.update',
  'flow.read',
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
  'platform.metric.read',
  'platform.data.read',
  'platform.organization.read',
  'platform.organization.create',
  'platform.organization.enter',
  'platform.settings.read',
  'platform.settings.update',
  'platform.quota.read',
  'platform.quota.update',
  'platform.audit.read',
  'platform.audit.update',
  'platform.user.read',
  'platform.user.update',
  'platform.user.delete',
  'platform.user.factors',
  'platform.registration.read',
  'platform.registration.update',
  'platform.mail.read',
  'platform.mail.update',
  'platform.registry.read',
  'platform.registry.update',
  'platform.provider.read',
  'platform.provider.update',
  'platform.dns.read',
  'platform.dns.update',
  'platform.client.read',
  'platform.client.update',
  'platform.key.read',
  'platform.key.rotate',
] as const;
export type PlatformAction = (typeof platformActions)[number];

const read: readonly Action[] = [
  'organization.read',
  'member.read',
  'group.read',
  'service-account.read',
  'project.read',
  'quota.read',
  'instance.list',
  'instance.read',
  'instance.inspect',
  'snapshot.read',
  'backup.read',
  'route.read',
  'domain.read',
  'forward.read',
  'security-group.read',
  'egress.read',
  'operation.read',
];
const member: readonly Action[] = [
  ...read,
  'instance.create',
  'instance.update',
  'instance.power',
  'instance.snapshot',
  'instance.rollback',
  'backup.create',
  'backup.restore',
  'instance.archive',
  'instance.open',
  'instance.terminal',
  'instance.ssh',
  'instance.logs',
  'route.create',
  'route.update',
  'route.delete',
  'domain.create',
  'domain.update',
  'domain.delete',
  'forward.create',
  'forward.update',
  'forward.delete',
  // All files, as root: what a terminal gives as well. Not among what only reads.
  'file.open',
  'file.write',
  // Docker inside is root inside, and compose files hold passwords: as with files.
  'stack.open',
  'stack.write',
  // Who may start a command inside may stop one.
  'operation.cancel',
  'security-group.create',
  'security-group.update',
  'security-group.delete',
];
const operator: readonly Action[] = [
  ...member,
  // What is left when somebody deletes everything else, by mistake or not: fewer may delete it.
  'backup.delete',
  'audit.read',
  // Of others; everybody sees and ends their own.
  'ssh-session.read',
  'ssh-session.end',
  // Where people's machines went.
  'flow.read',
];
const admin: readonly Action[] = [
  ...operator,
  'organization.update',
  'member.invite',
  'member.update',
  'member.remove',
  'member.factors',
  'group.create',
  'group.update',
  'group.delete',
  'grant.read',
  'grant.update',
  'service-account.create',
  'service-account.update',
  'service-account.delete',
  'entry.read',
  'entry.end',
  'dns.read',
  'dns.update',
  'project.create',
  'project.update',
  'project.delete',
  'project.share',
  'quota.update',
  'egress.update',
  // Whose sessions are recorded, and watching what others did: it may hold what only they were to see.
  'ssh-recording.play',
  'ssh-recording.update',
  'instance.purge',
  // Giving an instance to another organization. Within one, archiving here and creating there is enough.
  'instance.transfer',
];

export const permissionTable: Record<Role, readonly Action[]> = {
  guest: [],
  viewer: read,
  member,
  operator,
  admin,
  // Recordings are evidence, also of what admins did.
  owner: [...admin, 'organization.delete', 'audit.update', 'ssh-recording.delete'],
};

/** Every signed-in person may look at images and hosts' names (to create things); the rest needs platform administration. */
const everyone: readonly PlatformAction[] = ['platform.image.read'];

export function roleMay(role: Role, action: Action): boolean {
  return permissionTable[role].includes(action);
}

export function platformMay(platformAdmin: boolean, action: PlatformAction): boolean {
  return platformAdmin || everyone.includes(action);
}

/** What a grant to one app may hold: its screen and private addresses, its terminal, SSH. */
export const grantPermissions = ['open', 'terminal', 'ssh'] as const;
export type GrantPermission = (typeof grantPermissions)[number];

/** Why somebody who only holds a grant may not do the rest. */
export const NOT_GRANTED = 'Only opening it was granted to you.';

const granted: Record<GrantPermission, readonly Action[]> = {
  open: ['instance.read', 'instance.open'],
  terminal: ['instance.read', 'instance.terminal'],
  ssh: ['instance.read', 'instance.ssh'],
};

export function permissionMay(permission: GrantPermission, action: Action): boolean {
  return granted[permission].includes(action);
}

/** Whether the role alone allows everything that any grant could: then grants add nothing. */
export function roleCoversGrants(role: Role): boolean {
  return grantPermissions.every((permission) => granted[permission].every((action) => roleMay(role, action)));
}

/** What somebody holds on one thing: the effective role, and what is granted on exactly this app. */
export type Holding = { role: Role | null; permissions: readonly GrantPermission[] };

export function holdingMay(holding: Holding, action: Action): boolean {
  if (holding.role !== null && roleMay(holding.role, action)) return true;
  return holding.permissions.some((permission) => permissionMay(permission, action));
}

/** Whether a holder of `actor` may grant (or take away) this: only what they hold themselves. */
export function mayGrant(actor: Role, permission: GrantPermission): boolean {
  return roleMay(actor, 'grant.update') && granted[permission].every((action) => roleMay(actor, action));
}

/** The role of an administrator of the installation while an entry into a tenant's organization is open. */
export const ENTRY_ROLE = 'operator' satisfies Role;

/** The effective role of somebody who holds all of these: the highest; null when there is none. */
export function highestRole(held: Iterable<Role | null>): Role | null {
  let highest: Role | null = null;
  for (const role of held) {
    if (role !== null && (highest === null || roleRank(role) > roleRank(highest))) highest = role;
  }
  return highest;
}

/** Rank for "nobody hands out or takes away more than they hold": owner 5 ... viewer 1, guest 0. */
export function roleRank(role: Role): number {
  return roles.length - 1 - roles.indexOf(role);
}

/** True when somebody with `actor` may change a membership from `from` (null: not a member) to `to` (null: removed). */
export function mayChangeRole(actor: Role, from: Role | null, to: Role | null): boolean {
  if (!roleMay(actor, 'member.update')) return false;
  const highest = Math.max(from === null ? -1 : roleRank(from), to === null ? -1 : roleRank(to));
  return actor === 'owner' ? true : highest < roleRank(actor) || highest <= roleRank('operator');
}
