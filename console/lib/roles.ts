import type { Role } from '#domain/authz.ts';

/** Roles in words for people; what each may do is decided in domain/authz.ts. */
export const roleWords: Record<Role, { title: string; hint: string }> = {
  owner: { title: 'Owner', hint: 'Everything, and other owners' },
  admin: { title: 'Administrator', hint: 'Members, projects, and removing for good' },
  operator: { title: 'Operator', hint: 'Like a member, and sees the audit log' },
  member: { title: 'Member', hint: 'Creates and uses desktops and servers' },
  viewer: { title: 'Viewer', hint: 'Looks, changes nothing' },
  guest: { title: 'Guest', hint: 'Opens what is shared with them, sees nothing else' },
};
