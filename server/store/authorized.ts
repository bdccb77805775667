/**
 * Proofs. A store function that touches tenant data takes an `Authorized<Resource, Action>` and never a bare id. A proof
 * can only be made here: the constructor demands a key that never leaves this file. One query resolves the resource
 * together with its organization and the caller's role there; "not found" and "not allowed" are the same error.
 */
import { sql } from 'kysely';
import { type Action, type PlatformAction, platformMay, type Role, roleMay } from '#domain/authz.ts';
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type {
  HostId,
  ImageId,
  InstanceId,
  InvitationId,
  OperationId,
  OrganizationId,
  ProjectId,
  RouteId,
  SnapshotId,
  UserId,
} from '#domain/ids.ts';
import type { Db } from './database.ts';

/** What a request names. Parents that stand in the path are part of the reference and must match. */
export type Ref =
  | { kind: 'organization'; id: OrganizationId }
  | { kind: 'member'; id: UserId; organization: OrganizationId }
  | { kind: 'invitation'; id: InvitationId; organization: OrganizationId }
  | { kind: 'project'; id: ProjectId }
  | { kind: 'instance'; id: InstanceId }
  | { kind: 'snapshot'; id: SnapshotId; instance: InstanceId }
  | { kind: 'route'; id: RouteId }
  | { kind: 'operation'; id: OperationId }
  | { kind: 'image'; id: ImageId }
  | { kind: 'host'; id: HostId }
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
  /** Role of the person in the organization; null for Berth itself and for platform resources. */
  readonly role: Role | null;
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
  role: Role | null;
};

const nouns: Record<ResourceKind, string> = {
  organization: 'organization',
  member: 'member',
  invitation: 'invitation',
  project: 'project',
  instance: 'instance',
  snapshot: 'snapshot',
  route: 'route',
  operation: 'operation',
  image: 'image',
  host: 'host',
  platform: 'page',
};

/**
 * THE door. Resolves `ref` and answers a proof, or throws: unauthenticated (nobody is signed in), not_found (does not
 * exist, is not yours, or your role does not allow it).
 */
export async function authorizeRef<R extends Ref, A extends Action | PlatformAction>(
  db: Db,
  actor: Actor,
  action: A,
  ref: R,
): Promise<Authorized<R['kind'], A>> {
  if (actor.kind === 'anonymous') throw new BerthError('unauthenticated', 'Sign in first.');
  const userId = actor.kind === 'person' ? actor.userId : null;
  const found = await resolve(db, ref, userId);
  if (found === null) throw notFound(nouns[ref.kind]);
  if (actor.kind === 'person' && !personMay(actor, action, found)) throw notFound(nouns[ref.kind]);
  return new Authorized<R['kind'], A>(key, {
    kind: ref.kind,
    action,
    id: ('id' in ref ? ref.id : null) as IdOf<R['kind']>,
    actor,
    organizationId: found.organization_id,
    projectId: found.project_id,
    instanceId: found.instance_id,
    role: found.role,
  });
}

function isPlatformAction(action: Action | PlatformAction): action is PlatformAction {
  return action.startsWith('platform.');
}

function personMay(person: PersonCaller, action: Action | PlatformAction, found: Found): boolean {
  if (isPlatformAction(action)) return platformMay(person.platformAdmin, action);
  // Operations of no organization (image builds) follow the right to look at images; stopping them needs an administrator.
  if (found.organization_id === null) {
    return platformMay(
      person.platformAdmin,
      action === 'operation.read' ? 'platform.image.read' : 'platform.image.build',
    );
  }
  return found.role !== null && roleMay(found.role, action);
}

async function resolve(db: Db, ref: Ref, userId: UserId | null): Promise<Found | null> {
  if (ref.kind === 'platform') return { organization_id: null, project_id: null, instance_id: null, role: null };
  const { rows } = await resourceQuery(ref, userId).execute(db);
  return rows[0] ?? null;
}

function resourceQuery(ref: Exclude<Ref, { kind: 'platform' }>, user: UserId | null) {
  const role = sql`(select m.role from membership m where m.organization_id = r.organization_id and m.user_id = ${user})`;
  switch (ref.kind) {
    case 'organization':
      return sql<Found>`select r.organization_id, null as project_id, null as instance_id, ${role} as role
        from (select id as organization_id from organization where id = ${ref.id}) r`;
    case 'member':
      return sql<Found>`select r.organization_id, null as project_id, null as instance_id, ${role} as role
        from membership r where r.organization_id = ${ref.organization} and r.user_id = ${ref.id}`;
    case 'invitation':
      return sql<Found>`select r.organization_id, null as project_id, null as instance_id, ${role} as role
        from invitation r where r.id = ${ref.id} and r.organization_id = ${ref.organization}`;
    case 'project':
      return sql<Found>`select r.organization_id, r.id as project_id, null as instance_id, ${role} as role
        from project r where r.id = ${ref.id}`;
    case 'instance':
      return sql<Found>`select r.organization_id, r.project_id, r.id as instance_id, ${role} as role
        from instance r where r.id = ${ref.id}`;
    case 'snapshot':
      return sql<Found>`select r.organization_id, r.project_id, r.instance_id, ${role} as role
        from snapshot r where r.id = ${ref.id} and r.instance_id = ${ref.instance}`;
    case 'route':
      return sql<Found>`select r.organization_id, r.project_id, r.instance_id, ${role} as role
        from route r where r.id = ${ref.id}`;
    case 'operation':
      return sql<Found>`select r.organization_id, r.project_id, r.instance_id, ${role} as role
        from operation r where r.id = ${ref.id}`;
    case 'image':
      return sql<Found>`select null as organization_id, null as project_id, null as instance_id, null as role
        from image r where r.id = ${ref.id}`;
    case 'host':
      return sql<Found>`select null as organization_id, null as project_id, null as instance_id, null as role
        from host r where r.id = ${ref.id}`;
  }
}
