import { type Action, actions, permissionTable, type Role, roles } from '#domain/authz.ts';

/** Roles in words for people; what each may do is decided in domain/authz.ts. */
export const roleWords: Record<Role, { title: string; hint: string }> = {
  owner: { title: 'Owner', hint: 'Everything, and other owners' },
  admin: { title: 'Administrator', hint: 'Members, projects, and removing for good' },
  operator: { title: 'Operator', hint: 'Like a member, and sees the audit log' },
  member: { title: 'Member', hint: 'Creates and uses desktops and servers' },
  viewer: { title: 'Viewer', hint: 'Looks, changes nothing' },
  guest: { title: 'Guest', hint: 'Opens what is shared with them, sees nothing else' },
};

/** The table of permissions in words for people: what each action lets somebody do, under the noun it belongs to. */
const actionWords: Record<Action, string> = {
  'organization.read': 'See the organization',
  'organization.update': 'Change its name, title and sign-in rules',
  'organization.delete': 'Delete it',
  'member.read': 'See who belongs to it',
  'member.invite': 'Invite people',
  'member.update': 'Change roles of members',
  'member.remove': 'Remove members',
  'member.factors': 'Help members who lost their second factor',
  'group.read': 'See groups',
  'group.create': 'Create groups',
  'group.update': 'Change groups and who is in them',
  'group.delete': 'Delete groups',
  'service-account.read': 'See service accounts',
  'service-account.create': 'Create service accounts',
  'service-account.update': 'Change service accounts and give out their tokens',
  'service-account.delete': 'Delete service accounts',
  'grant.read': 'See who may open which app',
  'grant.update': 'Share apps and take them back',
  'entry.read': 'See entries of administrators of the installation',
  'entry.end': 'End such an entry early',
  'audit.read': 'Read the audit log',
  'audit.update': 'Decide how long entries are kept',
  'project.read': 'See projects',
  'project.create': 'Create projects',
  'project.update': 'Rename projects',
  'project.delete': 'Delete projects',
  'project.share': 'Give roles in one project',
  'quota.read': 'See limits and use',
  'quota.update': 'Set limits of projects',
  'instance.list': 'List desktops and servers',
  'instance.read': 'See one of them',
  'instance.inspect': 'See its details and activity',
  'instance.create': 'Create them',
  'instance.update': 'Rename and resize them',
  'instance.power': 'Start, stop, restart and pause them',
  'instance.snapshot': 'Take and delete snapshots',
  'instance.rollback': 'Roll back to a snapshot',
  'instance.archive': 'Delete and restore them',
  'instance.purge': 'Remove them for good',
  'instance.transfer': 'Move them to another project',
  'instance.open': 'Open screens and private addresses',
  'instance.terminal': 'Use terminals',
  'instance.ssh': 'Enter them by SSH',
  'instance.logs': 'Read logs',
  'ssh-session.read': 'See who is connected',
  'ssh-session.end': 'End connections of others',
  'snapshot.read': 'See snapshots',
  'route.read': 'See routes',
  'route.create': 'Create routes',
  'route.update': 'Change routes',
  'route.delete': 'Delete routes',
  'domain.read': 'See the domains of a project',
  'domain.create': 'Claim domains',
  'domain.update': 'Look at DNS for a domain now',
  'domain.delete': 'Give domains up',
  'file.open': 'See and download files',
  'file.write': 'Upload, change and remove files',
  'forward.read': 'See port forwards',
  'forward.create': 'Open port forwards',
  'forward.update': 'Change port forwards',
  'forward.delete': 'Close port forwards',
  'security-group.read': 'See security groups',
  'security-group.create': 'Make security groups',
  'security-group.update': 'Change security groups and who has them',
  'security-group.delete': 'Delete security groups',
  'egress.read': 'See what a project may reach',
  'egress.update': 'Change what a project may reach',
  'flow.read': 'See what left instances',
  'operation.read': 'See operations',
  'operation.cancel': 'Cancel operations',
};

/** 'instance.read' belongs to 'instance'. */
type Noun = Action extends `${infer N}.${string}` ? N : never;
const nounOf = (action: Action) => action.slice(0, action.indexOf('.')) as Noun;
const nounWords: Record<Noun, string> = {
  organization: 'Organization',
  member: 'Members',
  group: 'Groups',
  'service-account': 'Service accounts',
  grant: 'App permissions',
  entry: 'Entries',
  audit: 'Audit log',
  project: 'Projects',
  quota: 'Quotas',
  instance: 'Desktops and servers',
  'ssh-session': 'SSH connections',
  snapshot: 'Snapshots',
  route: 'Routes',
  domain: 'Domains',
  file: 'Files',
  forward: 'Port forwards',
  'security-group': 'Security groups',
  egress: 'Egress',
  flow: 'What left instances',
  operation: 'Operations',
};

export type ActionRow = { action: Action; words: string; roles: readonly Role[] };

/** Every action under its noun, with the roles that allow it. */
export const actionGroups: readonly { noun: Noun; title: string; rows: readonly ActionRow[] }[] = [
  ...new Set(actions.map(nounOf)),
].map((noun) => ({
  noun,
  title: nounWords[noun],
  rows: actions
    .filter((action) => nounOf(action) === noun)
    .map((action) => ({
      action,
      words: actionWords[action],
      roles: roles.filter((role) => permissionTable[role].includes(action)),
    })),
}));
