/**
 * Who sees and sets quotas. The platform's administrators give an organization its limits; the organization's
 * administrators divide them among its projects, never beyond. Both limits are checked at every reservation
 * (store/quotas.ts), so projects may together be allowed more than the organization: first come, first served.
 */
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError, isRefused } from '#domain/errors.ts';
import type { OrganizationId, ProjectId } from '#domain/ids.ts';
import { beyond, mapQuota, type Quota } from '#domain/quotas.ts';
import { record } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import {
  getOrganizationQuota,
  getQuota,
  listProjectQuotas,
  type ProjectQuota,
  type QuotaState,
  updateOrganizationQuotaLimits,
  updateQuotaLimits,
} from '#server/store/quotas.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

type Ability = true | string;
export type QuotaAnswer = QuotaState & { can: { update: Ability } };
export type QuotaChanges = Partial<{ [K in keyof Quota]: Quota[K] | undefined }>;

const ADMINISTRATORS_ONLY = 'Administrators of the organization set this.';
const PLATFORM_ONLY = 'Administrators of the installation set this.';

/** Projects are given their limits by who administers the whole organization; a role in the project is not enough. */
async function mayUpdate(app: AppContext, caller: PersonCaller, id: OrganizationId): Promise<Ability> {
  try {
    await authorize(app, caller, 'quota.update', { kind: 'organization', id });
    return true;
  } catch (error) {
    if (isRefused(error)) return ADMINISTRATORS_ONLY;
    throw error;
  }
}

function changed(limit: Quota, changes: QuotaChanges): Quota {
  return mapQuota((resource) => changes[resource] ?? limit[resource]);
}

export async function readQuota(app: AppContext, caller: PersonCaller, id: ProjectId): Promise<QuotaAnswer> {
  const proof = await authorize(app, caller, 'quota.read', { kind: 'project', id });
  return { ...(await getQuota(app.db, proof)), can: { update: await mayUpdate(app, caller, proof.organization) } };
}

/** Changes the given limits, leaves the others. Errors: not_found, invalid_input (more than the organization may use). */
export async function updateQuota(
  app: AppContext,
  caller: PersonCaller,
  id: ProjectId,
  changes: QuotaChanges,
): Promise<QuotaAnswer> {
  const proof = await authorize(app, caller, 'quota.read', { kind: 'project', id });
  const organization = await authorize(app, caller, 'quota.update', { kind: 'organization', id: proof.organization });
  return transact(app.db, async (trx) => {
    const before = await getQuota(trx, proof, true);
    const whole = await getOrganizationQuota(trx, organization);
    const limit = changed(before.limit, changes);
    // What was set before the organization's limit was lowered may stay; what is set now may not be more.
    const tooMuch = beyond(limit, whole.limit).filter((resource) => limit[resource] > before.limit[resource]);
    if (tooMuch.length > 0) {
      throw new BerthError('invalid_input', "A project's limit cannot be more than its organization's.", {
        fields: tooMuch.map((resource) => ({
          field: resource,
          message: `The organization may use ${whole.limit[resource]}.`,
        })),
      });
    }
    await updateQuotaLimits(trx, proof, organization, limit);
    await record(trx, caller, {
      action: 'quota.update',
      targetKind: 'project',
      targetId: id,
      target: 'quota',
      organizationId: proof.organization,
      projectId: id,
      before: before.limit,
      after: limit,
    });
    return { limit, used: before.used, can: { update: true } };
  });
}

export async function readOrganizationQuota(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
): Promise<QuotaAnswer & { projects: (ProjectQuota & { can: { update: Ability } })[] }> {
  const proof = await authorize(app, caller, 'quota.read', { kind: 'organization', id });
  const projects = await listProjectQuotas(app.db, proof);
  const update = await mayUpdate(app, caller, id);
  return {
    ...(await getOrganizationQuota(app.db, proof)),
    can: { update: caller.platformAdmin ? true : PLATFORM_ONLY },
    projects: projects.map((project) => ({ ...project, can: { update } })),
  };
}

export async function readPlatformQuota(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
): Promise<QuotaAnswer> {
  const proof = await authorize(app, caller, 'platform.quota.read', { kind: 'organization', id });
  return { ...(await getOrganizationQuota(app.db, proof)), can: { update: true } };
}

/** Changes the given limits, leaves the others; projects keep theirs, but use no more than this together. */
export async function updatePlatformQuota(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
  changes: QuotaChanges,
): Promise<QuotaAnswer> {
  const proof = await authorize(app, caller, 'platform.quota.update', { kind: 'organization', id });
  return transact(app.db, async (trx) => {
    const before = await getOrganizationQuota(trx, proof, true);
    const limit = changed(before.limit, changes);
    await updateOrganizationQuotaLimits(trx, proof, limit);
    await record(trx, caller, {
      action: 'platform.quota.update',
      targetKind: 'organization',
      targetId: id,
      target: 'quota',
      organizationId: id,
      before: before.limit,
      after: limit,
    });
    return { limit, used: before.used, can: { update: true } };
  });
}
