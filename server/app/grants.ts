/** The registry of app permissions: who may use which app. */

import { ACCESS_PEOPLE_SHOWN_MAX, CANDIDATES_SHOWN_MAX } from '#contract/grants.ts';
import {
  ENTRY_ROLE,
  type GrantPermission,
  grantPermissions,
  highestRole,
  holdingMay,
  mayGrant,
  type Role,
} from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import type { GroupId, InstanceId, OrganizationId, UserId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { record } from '#server/store/audit.ts';
import type { InstanceProof, OrganizationProof } from '#server/store/authorized.ts';
import { transact } from '#server/store/database.ts';
import * as store from '#server/store/grants.ts';
import { roleAbility, tooMuch } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { publicUrl } from './present-instance.ts';

type Page = { cursor?: string | undefined; limit: number };
export type GrantChange = { app: InstanceId; subject: UserId | GroupId; permissions: readonly GrantPermission[] };

export async function listOrganizationApps(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  page: Page & { search?: string | undefined },
): Promise<{ items: store.App[]; nextCursor: string | null }> {
  return store.listApps(app.db, await authorize(app, caller, 'grant.read', at(organization)), page);
}

export async function listOrganizationGrants(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  page: Page & { app?: InstanceId | undefined; subject?: UserId | GroupId | undefined },
): Promise<{ items: store.Grant[]; nextCursor: string | null }> {
  return store.listGrants(app.db, await authorize(app, caller, 'grant.read', at(organization)), page);
}

const at = (id: OrganizationId) => ({ kind: 'organization', id }) as const;

/**
 * All or nothing; how many rows are different now. Errors: not_found, invalid_input (an app or subject that is not of
 * this organization, a pair named twice), state_conflict (more than the caller holds), conflict (too many grants).
 */
export async function changeGrants(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  changes: readonly GrantChange[],
): Promise<number> {
  return applyChanges(app, caller, await authorize(app, caller, 'grant.update', at(organization)), changes);
}

async function applyChanges(
  app: AppContext,
  caller: PersonCaller,
  proof: OrganizationProof<'grant.update'> | InstanceProof<'grant.update'>,
  changes: readonly GrantChange[],
): Promise<number> {
  const { organization } = proof;
  const given = new Set(changes.flatMap((change) => change.permissions));
  if (![...given].every((permission) => mayGrant(proof.role ?? 'guest', permission))) throw tooMuch();
  return transact(app.db, async (trx) => {
    const { known, count } = await store.lockGrants(
      trx,
      proof,
      changes.map((change) => change.app),
    );
    const subjects = await store.subjectNames(
      trx,
      organization,
      changes.map((change) => change.subject),
    );
    refuseStrangers(changes, known, subjects);
    let size = count;
    let changed = 0;
    const touched = new Set<UserId | GroupId>();
    for (const change of changes) {
      const before = await store.setGrant(trx, proof, { id: app.ids.make('grt'), ...change });
      if (sameSet(before, change.permissions)) continue;
      changed++;
      size += Math.sign(change.permissions.length) - Math.sign(before.length);
      touched.add(change.subject);
      await record(trx, caller, {
        action: change.permissions.length > 0 ? 'grants.set' : 'grants.remove',
        targetKind: 'instance',
        targetId: change.app,
        target: known.get(change.app)?.name ?? change.app,
        organizationId: organization,
        projectId: known.get(change.app)?.project ?? null,
        before: { subject: subjects.get(change.subject), permissions: before },
        after: { subject: subjects.get(change.subject), permissions: change.permissions },
      });
    }
    if (size > store.GRANTS_PER_ORGANIZATION_MAX && size > count) {
      throw new BerthError('conflict', `An organization has at most ${store.GRANTS_PER_ORGANIZATION_MAX} grants.`);
    }
    await store.tellSubjects(trx, organization, touched);
    return changed;
  });
}

const sameSet = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((item) => other.includes(item));

/** Foreign ids and ids of nothing look alike. */
function refuseStrangers(
  changes: readonly GrantChange[],
  apps: ReadonlyMap<string, unknown>,
  subjects: ReadonlyMap<string, string>,
): void {
  const pairs = new Set<string>();
  const fields = changes.flatMap(({ app, subject }, index) => {
    const pair = `${app} ${subject}`;
    const problems = [
      ...(apps.has(app) ? [] : [{ field: `changes.${index}.app`, message: 'Not an app of this organization.' }]),
      ...(subjects.has(subject)
        ? []
        : [{ field: `changes.${index}.subject`, message: 'Not a member or group of this organization.' }]),
      ...(pairs.has(pair) ? [{ field: `changes.${index}`, message: 'Named twice.' }] : []),
    ];
    pairs.add(pair);
    return problems;
  });
  if (fields.length > 0) throw new BerthError('invalid_input', 'Nothing was changed.', { fields: fields.slice(0, 20) });
}

export type PresentedOwnApp = Omit<store.OwnApp, 'roles' | 'permissions'> & { permissions: GrantPermission[] };

/** What the person may open anywhere, by role or by grant. */
export async function listOwnApps(app: AppContext, person: PersonCaller): Promise<PresentedOwnApp[]> {
  return (await store.listOwnApps(app.db, person)).flatMap(({ roles, permissions: granted, ...rest }) => {
    const holding = { role: highestRole(roles ?? []), permissions: granted ?? [] };
    const permissions = grantPermissions.filter((permission) => holdingMay(holding, `instance.${permission}`));
    if (permissions.length === 0) return [];
    return [{ ...rest, url: rest.url === null ? null : publicUrl(app.config, rest.url), permissions }];
  });
}

export type PresentedAccess = {
  grants: store.AppGrant[];
  roles: (store.RoleHolders & { permissions: GrantPermission[] })[];
  entries: { name: string; email: string; expiresAt: Date }[];
  can: { share: Ability };
};

/** Who may open an instance, and why. Errors: not_found. */
export async function readInstanceAccess(
  app: AppContext,
  caller: PersonCaller,
  id: InstanceId,
): Promise<PresentedAccess> {
  return accessOf(app, await authorize(app, caller, 'grant.read', { kind: 'instance', id }));
}

/** Whom an instance can be shared with: no more than the caller may know. Errors: not_found. */
export async function listAccessCandidates(
  app: AppContext,
  caller: PersonCaller,
  id: InstanceId,
  search: string,
): Promise<{ items: store.Candidate[]; more: boolean }> {
  const proof = await authorize(app, caller, 'grant.update', { kind: 'instance', id });
  const organization = { kind: 'organization', id: proof.organization } as const;
  const whole = await authorize(app, caller, 'member.read', organization).then(
    () => true,
    (error: unknown) => {
      if (error instanceof BerthError && error.code === 'not_found') return false;
      throw error;
    },
  );
  const found = await store.listCandidates(app.db, proof, { search, whole, limit: CANDIDATES_SHOWN_MAX + 1 });
  return { items: found.slice(0, CANDIDATES_SHOWN_MAX), more: found.length > CANDIDATES_SHOWN_MAX };
}

/** What `subject` may do with the instance from now on. Errors: as of `changeGrants`. */
export async function setInstanceAccess(
  app: AppContext,
  caller: PersonCaller,
  { app: id, ...change }: GrantChange,
): Promise<PresentedAccess> {
  const proof = await authorize(app, caller, 'grant.update', { kind: 'instance', id });
  await applyChanges(app, caller, proof, [{ app: id, ...change }]);
  return accessOf(app, proof);
}

const permissionsOf = (role: Role): GrantPermission[] =>
  grantPermissions.filter((permission) => holdingMay({ role, permissions: [] }, `instance.${permission}`));

async function accessOf(
  app: AppContext,
  proof: InstanceProof<'grant.read' | 'grant.update'>,
): Promise<PresentedAccess> {
  const [grants, holders, entries] = await Promise.all([
    store.listGrantsOn(app.db, proof),
    store.listRoleHolders(app.db, proof, ACCESS_PEOPLE_SHOWN_MAX),
    permissionsOf(ENTRY_ROLE).length === 0 ? [] : store.listOpenEntries(app.db, proof, app.clock.now()),
  ]);
  const roles = holders.flatMap((held) => {
    const permissions = permissionsOf(held.role);
    return permissions.length === 0 ? [] : [{ ...held, permissions }];
  });
  return { grants, roles, entries, can: { share: roleAbility(proof.role, 'grant.update') } };
}
