/** The left navigation: at most nine entries. Also the palette's "go to" entries and the g-then-key shortcuts. */
import type { LucideIcon } from 'lucide-react';
import {
  Activity,
  AppWindow,
  Bot,
  Boxes,
  BrickWall,
  Building2,
  CloudCog,
  DatabaseBackup,
  DoorOpen,
  Gauge,
  Globe,
  House,
  KeyRound,
  KeySquare,
  Layers,
  LayoutGrid,
  ListChecks,
  LogIn,
  Mail,
  ScrollText,
  Server,
  Settings,
  ShieldCheck,
  SlidersHorizontal,
  Table2,
  Ticket,
  UserRoundCog,
  Users,
  UsersRound,
  Waypoints,
} from 'lucide-react';
import { roleMay } from '#domain/authz.ts';
import { isOnlyGuest, isSomewhereGuest, projectSlug } from '../lib/scope.ts';
import type { Scope } from './session.ts';

export type NavEntry = { key: string; label: string; icon: LucideIcon; keys: string; href: string; exact?: boolean };
export type NavGroup = { label: string; entries: NavEntry[] };

export function navGroups({ session, project, membership }: Scope): NavGroup[] {
  const groups: NavGroup[] = [];
  if (isSomewhereGuest(session)) {
    groups.push({
      label: 'Shared with you',
      entries: [{ key: 'own-apps', label: 'Apps', icon: LayoutGrid, keys: 'g 1', href: '/apps' }],
    });
  }
  if (isOnlyGuest(session)) return groups;
  if (project !== undefined && project.role !== 'guest') {
    const base = `/p/${projectSlug(session, project)}`;
    groups.push({
      label: 'Project',
      entries: [
        { key: 'home', label: 'Home', icon: House, keys: 'g h', href: base, exact: true },
        { key: 'instances', label: 'Instances', icon: Boxes, keys: 'g i', href: `${base}/instances` },
        { key: 'routes', label: 'Routes', icon: Globe, keys: 'g r', href: `${base}/routes` },
        { key: 'firewall', label: 'Firewall', icon: BrickWall, keys: 'g 0', href: `${base}/firewall` },
        { key: 'domains', label: 'Domains', icon: Waypoints, keys: 'g 5', href: `${base}/domains` },
        { key: 'backups', label: 'Backups', icon: DatabaseBackup, keys: 'g 8', href: `${base}/backups` },
        { key: 'operations', label: 'Operations', icon: Activity, keys: 'g o', href: `${base}/operations` },
        { key: 'people', label: 'People', icon: UserRoundCog, keys: 'g k', href: `${base}/people` },
      ],
    });
  }
  if (membership !== undefined && roleMay(membership.role, 'member.read')) {
    const base = `/o/${membership.organization.name}`;
    const entries: NavEntry[] = [
      { key: 'members', label: 'Members', icon: Users, keys: 'g m', href: `${base}/members` },
    ];
    if (roleMay(membership.role, 'group.read')) {
      entries.push({ key: 'groups', label: 'Groups', icon: UsersRound, keys: 'g c', href: `${base}/groups` });
    }
    entries.push({ key: 'roles', label: 'Roles', icon: ListChecks, keys: 'g b', href: `${base}/roles` });
    if (roleMay(membership.role, 'service-account.read')) {
      const href = `${base}/service-accounts`;
      entries.push({ key: 'service-accounts', label: 'Service accounts', icon: Bot, keys: 'g v', href });
    }
    if (roleMay(membership.role, 'grant.read')) {
      entries.push({ key: 'grants', label: 'App permissions', icon: ShieldCheck, keys: 'g f', href: `${base}/apps` });
    }
    if (roleMay(membership.role, 'entry.read')) {
      entries.push({ key: 'entries', label: 'Entries', icon: DoorOpen, keys: 'g y', href: `${base}/entries` });
    }
    if (roleMay(membership.role, 'dns.read')) {
      entries.push({ key: 'dns', label: 'DNS providers', icon: CloudCog, keys: 'g 6', href: `${base}/dns` });
    }
    if (roleMay(membership.role, 'quota.read')) {
      entries.push({ key: 'quotas', label: 'Quotas', icon: Gauge, keys: 'g q', href: `${base}/quotas` });
    }
    if (roleMay(membership.role, 'audit.read')) {
      entries.push({ key: 'audit', label: 'Audit log', icon: ScrollText, keys: 'g a', href: `${base}/audit` });
    }
    if (roleMay(membership.role, 'organization.update')) {
      entries.push({ key: 'sign-in', label: 'Sign-in', icon: KeyRound, keys: 'g n', href: `${base}/sign-in` });
      entries.push({ key: 'settings', label: 'Settings', icon: Settings, keys: 'g w', href: `${base}/settings` });
    }
    groups.push({ label: membership.organization.title, entries });
  }
  const installation: NavEntry[] = [{ key: 'images', label: 'Images', icon: Layers, keys: 'g g', href: '/images' }];
  if (session.user.platformAdmin)
    installation.push(
      { key: 'hosts', label: 'Hosts', icon: Server, keys: 'g s', href: '/hosts' },
      { key: 'organizations', label: 'Organizations', icon: Building2, keys: 'g z', href: '/platform/organizations' },
      { key: 'users', label: 'Users', icon: UsersRound, keys: 'g u', href: '/platform/users' },
      { key: 'registration', label: 'Registration', icon: Ticket, keys: 'g e', href: '/platform/registration' },
      { key: 'mail', label: 'Mail', icon: Mail, keys: 'g d', href: '/platform/mail' },
      { key: 'providers', label: 'Identity providers', icon: LogIn, keys: 'g p', href: '/identity-providers' },
      { key: 'platform-dns', label: 'DNS providers', icon: CloudCog, keys: 'g 7', href: '/platform/dns' },
      { key: 'limits', label: 'Limits', icon: SlidersHorizontal, keys: 'g t', href: '/platform/limits' },
      { key: 'apps', label: 'Sign-in to apps', icon: AppWindow, keys: 'g x', href: '/oidc-clients' },
      { key: 'keys', label: 'Keys', icon: KeySquare, keys: 'g j', href: '/platform/keys' },
      { key: 'data', label: 'Data', icon: Table2, keys: 'g 9', href: '/platform/data' },
      { key: 'platform-audit', label: 'Audit log', icon: ScrollText, keys: 'g l', href: '/platform/audit' },
    );
  groups.push({ label: 'Installation', entries: installation });
  return groups;
}
