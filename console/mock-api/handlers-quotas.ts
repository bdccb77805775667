/** Quotas of the mock: one limit for every project, fifty times that for the organization. */
import { mapQuota, type Quota } from '#domain/quotas.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';
import type { MockState } from './state.ts';
import { hint, usedQuota } from './state.ts';

type QuotaName = 'quotaGet' | 'quotaUpdate' | 'organizationQuotaGet' | 'platformQuotaGet' | 'platformQuotaUpdate';

const may = (state: MockState) =>
  state.role === 'owner' || state.role === 'admin' ? true : 'Administrators of the organization set this.';
const can = (state: MockState) => ({
  update: state.user.platformAdmin ? (true as const) : 'Administrators of the installation set this.',
});

function whole(state: MockState): OutputOf<'platformQuotaGet'> {
  const used = state.projects.map((project) => usedQuota(state, project.id));
  return {
    limit: state.organizationLimit,
    used: mapQuota((resource) => used.reduce((sum, each) => sum + each[resource], 0)),
    can: can(state),
  };
}

/** What a body says replaces what was there. */
function change(limit: Quota, body: Partial<Record<keyof Quota, number | undefined>>): void {
  Object.assign(
    limit,
    mapQuota((resource) => body[resource] ?? limit[resource]),
  );
}

export const quotaHandlers: Pick<Handlers, QuotaName> = {
  quotaGet: (state, { params }) => ({
    limit: state.limit,
    used: usedQuota(state, params.project),
    can: { update: may(state) },
  }),
  quotaUpdate: (state, { params, body }) => {
    change(state.limit, body);
    hint('quota', params.project, params.project);
    return { limit: state.limit, used: usedQuota(state, params.project), can: { update: may(state) } };
  },
  organizationQuotaGet: (state) => ({
    ...whole(state),
    projects: state.projects.map((project) => ({
      project: { id: project.id, name: project.name, title: project.title },
      limit: state.limit,
      used: usedQuota(state, project.id),
      can: { update: may(state) },
    })),
  }),
  platformQuotaGet: whole,
  platformQuotaUpdate: (state, { params, body }) => {
    change(state.organizationLimit, body);
    hint('quota', params.organization);
    return whole(state);
  },
};
