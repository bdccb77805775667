/**
 * Proofs. A store function that touches tenant data takes an `Authorized<Resource, Action>` and never a bare id. A proof
 * can only be made here: the constructor demands a key that never leaves this file. One query resolves the resource
 * together with its organization, every role the caller holds there (own, by group, in the project, by an entry) and
 * what is granted to them on exactly this app; "not found" and "not allowed" are the same error.
 */
import { sql } from 'kysely';
import {
  type Action,
  type GrantPermission,
  highestRole,
  holdingMay,
  type PlatformAction,
  platformMay,
  type Role,
  roleMay,
} from '#domain/authz.ts';
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type {
  BackupId,
  DomainId,
  EntryId,
  ForwardId,
  GroupId,
  HostId,
  ImageId,
  InstanceId,
  InvitationId,
  OperationId,
  OrganizationId,
  ProjectId,
  RouteId,
  SecurityGroupId,
  SnapshotId,
  UserId,
} from '#domain/ids.ts';
import { refuseBeyondScopes } from '#domain/scopes.ts';
import { serviceRole } from '#domain/service-accounts.ts';
import type { Db } from './database.ts';
import { grantsHeld, rolesHeld, someGrantIn } from './held.ts';

/** What a request names. Parents that stand in the path are part of the reference and must match. */
export type Ref =
  | { kind: 'organization'; id: OrganizationId }
  | { kind: 'member'; id: UserId; organization: OrganizationId }
  | { kind: 'invitation'; id: InvitationId; organization: OrganizationId }
  | { kind: 'group'; id: GroupId; organization: OrganizationId }
  | { kind: 'service-account'; id: UserId; organization: OrganizationId }
  | { kind: 'entry'; id: EntryId; organization: OrganizationId }
  | { kind: 'project'; id: ProjectId }
  | { kind: 'instance'; id: InstanceId }
  | { kind: 'snapshot'; id: SnapshotId; instance: InstanceId }
  | { kind: 'route'; id: RouteId }
  | { kind: 'domain'; id: DomainId }
  | { kind: 'forward'; id: ForwardId }
  | { kind: 'backup'; id: BackupId }
  | { kind: 'security-group'; id: SecurityGroupId }
  | { kind: 'operation'; id: OperationId }
  | { kind: 'image'; id: ImageId }
  | { kind: 'host'; id: HostId }
  | { kind: 'deleted-organization'; id: OrganizationId }
  | { kind: 'platform' };
export type ResourceKind = Ref['kind'];
type IdOf<K extends ResourceKind> = Extract<Ref, { kind: K }> extends { id: infer I } ? I : null;

const key = Symbol('authorized');

/** Berth acting on its own. Made by `asSystem` only, so that every use can be found with one search. */
export class SystemCaller {
  readonly kind = 'system';
  readonly reason: string;
  readonly actorKind: 'system' | 'workflow';
  constructor(secret: typeof key, reason: string, actorKind: 'system' | 'workflow') {
    if (secret !== key) throw new Error('a SystemCaller is made by asSystem()');
    this.reason = reason;
    this.actorKind = actorKind;
  }
}

/** The privilege of workflows and reconcilers, with the reason that is written to the audit log. */
export function asSystem(reason: string, actorKind: 'system' | 'workflow' = 'system'): SystemCaller {
  return new SystemCaller(key, reason, actorKind);
}

export type Actor = Caller | SystemCaller;

/** Proof that `actor` may do `A` to this resource, made at the time of the look-up. */
export class Authorized<K extends ResourceKind, A extends Action | PlatformAction> {
  readonly #secret: typeof key;
  readonly kind: K;
  readonly action: A;
  readonly id: IdOf<K>;
  readonly actor: Actor;
  /** Null only for platform resources (images, hosts, their operations). */
  readonly organizationId: OrganizationId | null;
  readonly projectId: ProjectId | null;
  readonly instanceId: InstanceId | null;
  /**
   * Effective role of the person for this: the highest they hold in the organization, by groups and in the project.
   * Null for Berth itself, for platform resources and for who only holds grants.
   */
  readonly role: Role | null;
  /** What is granted to the person on exactly this instance; for a project, on one instance in it (is there any?). */
  readonly permissions: readonly GrantPermission[];
  constructor(
    secret: typeof key,
    fields: {
      kind: K;
      action: A;
      id: IdOf<K>;
      actor: Actor;
      organizationId: OrganizationId | null;
      projectId: ProjectId | null;
      instanceId: InstanceId | null;
      role: Role | null;
      permissions: readonly GrantPermission[];
    },
  ) {
    if (secret !== key) throw new Error('a proof is made by authorize()');
    this.#secret = secret;
    this.kind = fields.kind;
    this.action = fields.action;
    this.id = fields.id;
    this.actor = fields.actor;
    this.organizationId = fields.organizationId;
    this.projectId = fields.projectId;
    this.instanceId = fields.instanceId;
    this.role = fields.role;
    this.permissions = fields.permissions;
    Object.freeze(this);
  }

  /** True for objects made here; a look-alike has no private field. */
  static isGenuine(value: unknown): boolean {
    return typeof value === 'object' && value !== null && #secret in value;
  }

  /** The person behind the proof. Errors: internal when Berth itself acts. */
  get person(): PersonCaller {
    if (this.actor.kind !== 'person') throw new BerthError('internal', 'This needs a person.');
    return this.actor;
  }

  /** Organization of a tenant resource. Errors: internal for platform resources. */
  get organization(): OrganizationId {
    if (this.organizationId === null) throw new BerthError('internal', 'This belongs to no organization.');
    return this.organizationId;
  }

  /** Project of a tenant resource inside a project. Errors: internal otherwise. */
  get project(): ProjectId {
    if (this.projectId === null) throw new BerthError('internal', 'This belongs to no project.');
    return this.projectId;
  }
}

/** Proof for anything in a project that may be done to one instance. */
export type InstanceProof<A extends Action = Action> = Authorized<'instance', A>;
export type ProjectProof<A extends Action = Action> = Authorized<'project', A>;
export type OrganizationProof<A extends Action = Action> = Authorized<'organization', A>;

type Found = {
  organization_id: OrganizationId | null;
  project_id: ProjectId | null;
  instance_id: InstanceId | null;
  /** Everything held, in no order. */
  roles: Role[] | null;
  permissions: GrantPermission[] | null;
  /** The organization asks for a second factor and the person has none. */
  factor_missing: boolean;
};

const nouns: Record<ResourceKind, string> = {
  organization: 'organization',
  member: 'member',
  invitation: 'invitation',
  group: 'group',
  'service-account': 'service account',
  entry: 'entry',
  project: 'project',
  instance: 'instance',
  snapshot: 'snapshot',
  route: 'route',
  domain: 'domain',
  forward: 'port forward',
  backup: 'backup',
  'security-group': 'security group',
  operation: 'operation',
  image: 'image',
  host: 'host',
  'deleted-organization': 'deleted organization',
  platform: 'page',
};

/** What the database says about `key`, or what was remembered of it. */
export type LookUp = <T extends object>(key: string, ask: () => Promise<T | null>) => Promise<T | null>;
const askAlways: LookUp = (_key, ask) => ask();

/**
 * THE door. Resolves `ref` and answers a proof, or throws: unauthenticated (nobody is signed in), not_found (does not
 * exist, is not yours, or your role does not allow it), forbidden (the token's scopes), second_factor_required (allowed, once you have one).
 */
export async function authorizeRef<R extends Ref, A extends Action | PlatformAction>(
  db: Db,
  actor: Actor,
  action: A,
  ref: R,
  lookUp: LookUp = askAlways,
): Promise<Authorized<R['kind'], A>> {
  if (actor.kind === 'anonymous') throw new BerthError('unauthenticated', 'Sign in first.');
  // Before anything is looked up: what a token lacks says nothing about what exists.
  if (actor.kind === 'person') refuseBeyondScopes(actor.scopes, action);
  const userId = actor.kind === 'person' ? actor.userId : null;
  const found = await resolve(db, ref, userId, lookUp);
  if (found === null) throw notFound(nouns[ref.kind]);
  const isService = actor.kind === 'person' && actor.serviceOf !== null;
  const role = isService ? serviceRole(found.roles ?? []) : highestRole(found.roles ?? []);
  const permissions = found.permissions ?? [];
  if (actor.kind === 'person' && !personMay(actor, action, ref.kind, found.organization_id, role, permissions)) {
    throw notFound(nouns[ref.kind]);
  }
  if (actor.kind === 'person' && found.factor_missing && !isPlatformAction(action)) {
    throw new BerthError(
      'second_factor_required',
      'This organization asks its members for a second factor. Set one up under Account, Security.',
    );
  }
  return new Authorized<R['kind'], A>(key, {
    kind: ref.kind,
    action,
    id: ('id' in ref ? ref.id : null) as IdOf<R['kind']>,
    actor,
    organizationId: found.organization_id,
    projectId: found.project_id,
    instanceId: found.instance_id,
    role,
    permissions,
  });
}

function isPlatformAction(action: Action | PlatformAction): action is PlatformAction {
  return action.startsWith('platform.');
}

function personMay(
  person: PersonCaller,
  action: Action | PlatformAction,
  kind: ResourceKind,
  organizationId: OrganizationId | null,
  role: Role | null,
  permissions: readonly GrantPermission[],
): boolean {
  if (isPlatformAction(action)) return platformMay(person.platformAdmin, action);
  // Operations of no organization (image builds) follow the right to look at images; stopping them needs an administrator.
  if (organizationId === null) {
    return platformMay(
      person.platformAdmin,
      action === 'operation.read' ? 'platform.image.read' : 'platform.image.build',
    );
  }
  if (role !== null && roleMay(role, action)) return true;
  // Grants open exactly one app: of a project only the list, which then holds nothing else.
  if (kind === 'project') return action === 'instance.list' && permissions.length > 0;
  return kind === 'instance' && holdingMay({ role: null, permissions }, action);
}

async function resolve(db: Db, ref: Ref, userId: UserId | null, lookUp: LookUp): Promise<Found | null> {
  if (ref.kind === 'platform') {
    return {
      organization_id: null,
      project_id: null,
      instance_id: null,
      roles: null,
      permissions: null,
      factor_missing: false,
    };
  }
  return lookUp(`${userId} ${JSON.stringify(ref)}`, async () => {
    const { rows } = await doorQuery(ref, userId).execute(db);
    return rows[0] ?? null;
  });
}

/** Where the thing named by `ref` is; no row: there is no such thing (or not under this parent). */
function place(ref: Exclude<Ref, { kind: 'platform' }>) {
  switch (ref.kind) {
    case 'organization':
      return sql`select id as organization_id, null::text as project_id, null::text as instance_id
        from organization where id = ${ref.id} and deleted_at is null`;
    case 'deleted-organization':
      return sql`select id as organization_id, null::text as project_id, null::text as instance_id
        from organization where id = ${ref.id} and deleted_at is not null`;
    case 'member':
      return sql`select organization_id, null::text as project_id, null::text as instance_id
        from membership join app_user on id = user_id
        where organization_id = ${ref.organization} and user_id = ${ref.id} and service_of is null`;
    case 'invitation':
      return sql`select organization_id, null::text as project_id, null::text as instance_id
        from invitation where id = ${ref.id} and organization_id = ${ref.organization}`;
    case 'group':
      return sql`select organization_id, null::text as project_id, null::text as instance_id
        from user_group where id = ${ref.id} and organization_id = ${ref.organization}`;
    case 'service-account':
      return sql`select service_of as organization_id, null::text as project_id, null::text as instance_id
        from app_user where id = ${ref.id} and service_of = ${ref.organization} and deleted_at is null`;
    case 'entry':
      return sql`select organization_id, null::text as project_id, null::text as instance_id
        from tenant_entry where id = ${ref.id} and organization_id = ${ref.organization}`;
    case 'project':
      return sql`select organization_id, id as project_id, null::text as instance_id from project where id = ${ref.id}`;
    case 'instance':
      return sql`select organization_id, project_id, id as instance_id from instance where id = ${ref.id}`;
    case 'snapshot':
      return sql`select organization_id, project_id, instance_id
        from snapshot where id = ${ref.id} and instance_id = ${ref.instance}`;
    case 'route':
      return sql`select organization_id, project_id, instance_id from route where id = ${ref.id}`;
    case 'security-group':
      return sql`select organization_id, project_id, null::text as instance_id from security_group where id = ${ref.id}`;
    case 'domain':
      return sql`select organization_id, project_id, null::text as instance_id from domain where id = ${ref.id}`;
    case 'forward':
      return sql`select organization_id, project_id, instance_id from port_forward where id = ${ref.id}`;
    case 'backup':
      return sql`select organization_id, project_id, instance_id
        from backup join backup_repository r on r.id = repository_id where backup.id = ${ref.id}`;
    case 'operation':
      return sql`select organization_id, project_id, instance_id from operation where id = ${ref.id}`;
    case 'image':
      return sql`select null::text as organization_id, null::text as project_id, null::text as instance_id
        from image where id = ${ref.id}`;
    case 'host':
      return sql`select null::text as organization_id, null::text as project_id, null::text as instance_id
        from host where id = ${ref.id}`;
  }
}

/** One statement: the place, and everything the person holds there. */
function doorQuery(ref: Exclude<Ref, { kind: 'platform' }>, user: UserId | null) {
  const roles = rolesHeld(user, sql`r.organization_id`, sql`r.project_id`);
  const permissions =
    ref.kind === 'instance'
      ? grantsHeld(user, sql`a.instance_id = r.instance_id`)
      : ref.kind === 'project'
        ? someGrantIn(user, sql`r.project_id`)
        : sql`null::text[]`;
  return sql<Found>`select r.organization_id, r.project_id, r.instance_id, ${roles} as roles,
    ${permissions} as permissions,
    exists (select from organization o, app_user u where o.id = r.organization_id and o.second_factor_required
      and u.id = ${user} and not u.second_factor and u.service_of is null) as factor_missing from (${place(ref)}) r`;
}
