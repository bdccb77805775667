/** The mock's memory: one object per thing in the contract's own shapes, plus the outbox of hints. */
import { randomBytes } from 'node:crypto';
import type { AddressSet } from '#contract/address-sets.ts';
import type { AuditEntry } from '#contract/audit.ts';
import type { Backup } from '#contract/backups.ts';
import type { DnsProvider } from '#contract/dns-providers.ts';
import type { Domain } from '#contract/domains.ts';
import type { EgressPolicy } from '#contract/egress.ts';
import type { Event } from '#contract/events.ts';
import type { Forward } from '#contract/forwards.ts';
import type { Host } from '#contract/hosts.ts';
import type { Image } from '#contract/images.ts';
import type { Instance } from '#contract/instances.ts';
import type { Operation } from '#contract/operations.ts';
import type { Route } from '#contract/routes.ts';
import type { SecurityGroup } from '#contract/security-groups.ts';
import type { Action, Role } from '#domain/authz.ts';
import { type GrantPermission, holdingMay, NOT_GRANTED, type WorkingRole } from '#domain/authz.ts';
import type { EventKind } from '#domain/events.ts';
import type { Id, IdPrefix, OrganizationId, ProjectId } from '#domain/ids.ts';
import { makeId } from '#domain/ids.ts';
import type { Ability, InstanceVerb } from '#domain/instances.ts';
import { displayState, instanceAbility, instanceVerbs } from '#domain/instances.ts';
import type { Quota } from '#domain/quotas.ts';
import { defaultOrganizationQuota, defaultQuota, instanceUse, mapQuota } from '#domain/quotas.ts';
import type { OutputOf } from '../api/client.ts';
import { type MockFactors, noFactors } from './handlers-factors.ts';
import { type MockClient, someClients } from './handlers-oidc-clients.ts';
import { type MockOutside, someProviders } from './handlers-outside.ts';
import { emptyRecording, type MockRecording } from './handlers-ssh-recordings.ts';
import { type MockAccounts, someAccounts } from './seed-accounts.ts';

export const DOMAIN = 'berth.localhost';

export type Snapshot = OutputOf<'snapshotsList'>['items'][number];
export type Token = OutputOf<'tokensList'>['items'][number];
export type SshKey = OutputOf<'sshKeysList'>['items'][number];
export type SshSession = OutputOf<'sshSessionsList'>['items'][number];
type ServiceAccount = Omit<OutputOf<'serviceAccountsList'>['items'][number], 'can' | 'groups' | 'tokens' | 'handle'> & {
  living: OutputOf<'serviceTokensList'>['items'];
};
export type SessionRow = OutputOf<'sessionsList'>['items'][number];
export type Invitation = OutputOf<'invitationsList'>['items'][number] & { secret: string };
export type Member = { user: { id: Id<'usr'>; email: string; name: string }; role: Role; joinedAt: string };
export type User = OutputOf<'whoami'>['user'];
export type Project = Omit<OutputOf<'projectsList'>['items'][number], 'can'>;
export type Organization = Omit<OutputOf<'organizationsGet'>, 'can'>;
type Group = Omit<OutputOf<'groupsList'>['items'][number], 'can' | 'members'> & { people: Id<'usr'>[] };
type Entry = Omit<OutputOf<'entriesList'>['items'][number], 'can'>;
type ProjectRole = { project: Id<'prj'>; subject: Id<'usr'> | Id<'grp'>; role: WorkingRole };
/** What people may do is worked out when it is asked for. */
export type InstanceRow = Omit<Instance, 'can' | 'state'>;
export type RouteRow = Omit<Route, 'can'>;
export type DomainRow = Omit<Domain, 'can' | 'routes'>;
export type ImageRow = Omit<Image, 'can'>;

export function newId<P extends IdPrefix>(prefix: P, at = Date.now()): Id<P> {
  return makeId(prefix, at, (count) => new Uint8Array(randomBytes(count)));
}
export function iso(at = Date.now()): string {
  return new Date(at).toISOString();
}

export type MockState = {
  setupNeeded: boolean;
  signedIn: boolean;
  role: Role;
  user: User;
  organization: Organization;
  /** Other organizations of the installation, as its administrator sees them. */
  tenants: OutputOf<'organizationsList'>['items'];
  projects: Project[];
  groups: Group[];
  projectRoles: ProjectRole[];
  grants: OutputOf<'grantsList'>['items'];
  entries: Entry[];
  limit: Quota;
  organizationLimit: Quota;
  instances: InstanceRow[];
  snapshots: Snapshot[];
  routes: RouteRow[];
  domains: DomainRow[];
  dnsProviders: DnsProvider[];
  platformWildcard: Domain['wildcard'];
  forwards: Forward[];
  backups: Backup[];
  securityGroups: SecurityGroup[];
  egress: EgressPolicy;
  addressSets: (AddressSet & { project: ProjectId })[];
  operations: Operation[];
  images: ImageRow[];
  hosts: Host[];
  members: Member[];
  invitations: Invitation[];
  tokens: Token[];
  sshKeys: SshKey[];
  sshSessions: { instance: string; items: SshSession[] }[];
  /** Instances whose changed host keys were accepted. */
  sshAccepted: string[];
  sshRecording: MockRecording;
  serviceAccounts: ServiceAccount[];
  sessions: SessionRow[];
  factors: MockFactors;
  accounts: MockAccounts;
  audit: AuditEntry[];
  /** Days; null: for ever. */
  auditRetention: number | null;
  outside: MockOutside;
  clients: MockClient[];
};

export const listeners = new Set<(id: number, hint: Event | 'resync') => void>();
let outbox = 0;

/** Sends a hint to every open event stream, as the server does after each change. */
export function hint(kind: EventKind, id: string, project: string | null = null, instance: string | null = null): void {
  outbox++;
  for (const listener of listeners) listener(outbox, { kind, id, project, instance, version: outbox });
}

export function touch(_state: MockState, row: InstanceRow): void {
  row.version++;
  hint('instance', row.id, row.project, row.id);
}

export function record(
  state: MockState,
  action: string,
  targetKind: string,
  targetId: string | null,
  target: string,
  result: 'ok' | 'refused' | 'failed' = 'ok',
  actor = state.user.email,
): void {
  state.audit.unshift({
    id: newId('aud'),
    position: (state.audit[0]?.position ?? 0) + 1,
    at: iso(),
    actorKind: actor === 'Berth' ? 'system' : 'user',
    actorId: actor === 'Berth' ? null : state.user.id,
    actor,
    action,
    targetKind,
    targetId,
    target,
    result,
    address: actor === 'Berth' ? null : '192.0.2.17',
    userAgent:
      actor === 'Berth' ? null : 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0 Safari/537.36',
    requestId: `req-${randomBytes(6).toString('hex')}`,
    before: null,
    after: null,
  });
  hint('audit', state.audit[0]!.id);
}

/** What the person of the mock was given on one instance, alone or in a group. */
export function grantedTo(state: MockState, app: string): GrantPermission[] {
  const mine: string[] = [
    state.user.id,
    ...state.groups.filter((each) => each.people.includes(state.user.id)).map((each) => each.id),
  ];
  return state.grants
    .filter((each) => each.app === app && mine.includes(each.subject))
    .flatMap((each) => each.permissions);
}

/** The instance as the API shows it: state in one word, and what the person may do. */
export function present(state: MockState, row: InstanceRow): Instance {
  const facts = {
    phase: row.phase,
    desired: row.desired,
    observed: row.observed,
    health: row.health,
    busyWith: row.operation?.title ?? null,
    protected: row.protected,
  };
  const needs: Partial<Record<InstanceVerb, Action>> = {
    rename: 'instance.update',
    resize: 'instance.update',
    snapshot: 'instance.snapshot',
    rollback: 'instance.rollback',
    backup: 'backup.create',
    overwrite: 'backup.restore',
    clone: 'instance.create',
    transfer: 'instance.archive',
    archive: 'instance.archive',
    restore: 'instance.archive',
    purge: 'instance.purge',
    screen: 'instance.open',
    terminal: 'instance.terminal',
    logs: 'instance.logs',
    route: 'route.create',
    forward: 'forward.create',
    share: 'grant.update',
  };
  const can = Object.fromEntries(
    instanceVerbs.map((verb): [InstanceVerb, Ability] => {
      if (!holdingMay({ role: state.role, permissions: grantedTo(state, row.id) }, needs[verb] ?? 'instance.power'))
        return [verb, state.role === 'guest' ? NOT_GRANTED : `Your role (${state.role}) does not allow this.`];
      return [verb, instanceAbility(verb, row.kind, facts)];
    }),
  ) as Instance['can'];
  return { ...row, state: displayState(facts), can };
}

export function usedQuota(state: MockState, project: ProjectId): Quota {
  const mine = state.instances.filter((each) => each.project === project);
  const uses = mine.map(instanceUse);
  const used = mapQuota((resource) => uses.reduce((sum, use) => sum + use[resource], 0));
  used.routes = state.routes.filter((each) => each.project === project).length;
  used.portForwards = state.forwards.filter((each) => each.project === project).length;
  const backups = state.backups.filter((each) => each.project === project);
  used.backups = backups.length;
  used.backupBytes = backups.reduce((sum, each) => sum + (each.addedBytes ?? 0), 0);
  used.snapshots = state.snapshots.filter((each) => mine.some((one) => one.id === each.instance)).length;
  return used;
}

export function emptyState(): MockState {
  const now = Date.now();
  const organization: Organization = {
    id: newId('org') as OrganizationId,
    name: 'harbour',
    title: 'Harbour Lab',
    createdAt: iso(now - 40 * 86_400_000),
  };
  const user: User = {
    id: newId('usr'),
    email: 'mara@harbour.example',
    name: 'Mara Lindqvist',
    platformAdmin: true,
    createdAt: organization.createdAt,
  };
  return {
    setupNeeded: false,
    signedIn: true,
    role: 'owner',
    user,
    organization,
    organizationLimit: { ...defaultOrganizationQuota },
    limit: { ...defaultQuota, instances: 12, cpus: 24, memoryBytes: 48 * 1024 ** 3, diskBytes: 480 * 1024 ** 3 },
    projects: [
      {
        id: newId('prj'),
        organization: organization.id,
        name: 'main',
        title: 'Main',
        createdAt: organization.createdAt,
      },
    ],
    tenants: [],
    groups: [],
    projectRoles: [],
    grants: [],
    entries: [],
    instances: [],
    snapshots: [],
    routes: [],
    domains: [],
    dnsProviders: [],
    platformWildcard: null,
    forwards: [],
    backups: [],
    securityGroups: [],
    addressSets: [],
    egress: {
      default: 'allow',
      rules: [],
      connectionsMax: null,
      bytesPerSecondMax: null,
      state: 'applied',
      can: { update: true },
    },
    operations: [],
    images: [],
    hosts: [],
    members: [
      { user: { id: user.id, email: user.email, name: user.name }, role: 'owner', joinedAt: organization.createdAt },
    ],
    invitations: [],
    tokens: [],
    sshKeys: [],
    sshSessions: [],
    sshAccepted: [],
    sshRecording: emptyRecording(),
    serviceAccounts: [],
    sessions: [],
    factors: noFactors(),
    accounts: someAccounts(user, organization),
    audit: [],
    auditRetention: 90,
    outside: someProviders(organization.id),
    clients: someClients(organization.id),
  };
}
