/** The audit logs and the activity of a project, answered from memory. */

import type { RouteName } from '#contract/api.ts';
import type { AuditState } from '#contract/audit.ts';
import { roleMay } from '#domain/authz.ts';
import type { Handlers, Input } from './handlers.ts';
import type { MockState } from './state.ts';
import { iso, record } from './state.ts';

type Mine =
  | 'auditList'
  | 'auditExport'
  | 'auditState'
  | 'auditRetention'
  | 'platformAuditList'
  | 'platformAuditExport'
  | 'platformAuditState'
  | 'platformAuditRetention'
  | 'platformAuditDeletedList'
  | 'activityList';

const HOUR_MS = 3_600_000;

function list(state: MockState, query: Input<'auditList'>['query']) {
  const words = (query.q ?? '').toLowerCase().split(/\s+/).filter(Boolean);
  return {
    items: state.audit.filter(
      (each) =>
        (query.action === undefined || each.action.startsWith(query.action)) &&
        (query.actor === undefined || each.actor.includes(query.actor)) &&
        (query.target === undefined || each.target.includes(query.target)) &&
        (query.result === undefined || each.result === query.result) &&
        (query.since === undefined || each.at >= query.since) &&
        (query.until === undefined || each.at < query.until) &&
        words.every((word) => JSON.stringify(each).toLowerCase().includes(word)),
    ),
    nextCursor: null,
  };
}

function proof(state: MockState, chain: string, may: boolean): AuditState {
  const entries = state.audit[0]?.position ?? 0;
  const signed = Math.max(0, entries - 2);
  return {
    chain,
    entries,
    first: Math.min(412, entries + 1),
    head:
      signed === 0
        ? null
        : {
            at: iso(Date.now() - HOUR_MS / 2),
            chain,
            key: 'q8Xv3mJtS2kLw0pYhN5cRzT1uGdEbFaI7oQxWyVs9Kc',
            link: '7d3f'.repeat(16),
            position: signed,
            signature: 'c2lnbmVk'.repeat(10),
          },
    verifiedTo: signed,
    verifiedAt: signed === 0 ? null : iso(Date.now() - HOUR_MS / 2),
    problem: null,
    retentionDays: state.auditRetention,
    keys: [
      {
        crv: 'Ed25519',
        kid: 'b2Lw0pYhN5cRzT1uGdEbFaI7oQxWyVs9Kcq8Xv3mJtS',
        kty: 'OKP',
        x: 'ZWFybGllcg',
        retiredAt: iso(Date.now() - 400 * HOUR_MS),
      },
      {
        crv: 'Ed25519',
        kid: 'q8Xv3mJtS2kLw0pYhN5cRzT1uGdEbFaI7oQxWyVs9Kc',
        kty: 'OKP',
        x: 'bW9jaw',
        retiredAt: null,
      },
    ],
    can: { setRetention: may ? true : 'Only an owner of the organization may change this.' },
  };
}

const ofOrganization = (state: MockState) => proof(state, state.organization.id, roleMay(state.role, 'audit.update'));
const DELETED = 'org_01ja0c9r8e2m4k6t8v0x2z4b6d';
const ofPlatform = (state: MockState, deleted?: string) =>
  deleted === undefined
    ? proof(state, 'platform', state.user.platformAdmin)
    : {
        ...proof(state, deleted, false),
        can: { setRetention: 'The organization was deleted: what its owner chose stays.' },
      };

const deletedLogs = [
  {
    organization: DELETED as never,
    name: 'old-harbour',
    title: 'Old Harbour',
    deletedAt: iso(Date.now() - 90 * HOUR_MS),
    entries: 1207,
    first: 412,
    lastAt: iso(Date.now() - 90 * HOUR_MS),
    retentionDays: 90,
  },
];

function setRetention(state: MockState, days: number | null): void {
  state.auditRetention = days;
  record(state, 'audit.retention', 'audit', null, 'audit log');
}

export const auditHandlers: Pick<Handlers, Extract<RouteName, Mine>> = {
  auditList: (state, { query }) => list(state, query),
  auditExport: (state) => ({ format: 'mock', entries: state.audit }),
  auditState: ofOrganization,
  auditRetention: (state, { body }) => {
    setRetention(state, body.days);
    return ofOrganization(state);
  },
  platformAuditList: (state, { query }) => list(state, query),
  platformAuditExport: (state) => ({ format: 'mock', entries: state.audit }),
  platformAuditState: (state, { query }) => ofPlatform(state, query.organization),
  platformAuditDeletedList: (state) => ({ items: state.user.platformAdmin ? deletedLogs : [], nextCursor: null }),
  platformAuditRetention: (state, { body }) => {
    setRetention(state, body.days);
    return ofPlatform(state);
  },
  activityList: (state, { query }) => ({
    items: state.audit
      .filter(
        (each) =>
          each.targetKind === 'instance' ||
          each.targetKind === 'snapshot' ||
          each.targetKind === 'backup' ||
          each.targetKind === 'route' ||
          each.targetKind === 'forward',
      )
      .filter((each) => query.instance === undefined || each.targetId === query.instance)
      .slice(0, query.limit)
      .map((each) => ({
        id: each.id,
        at: each.at,
        actor: each.actor,
        action: each.action,
        target: each.target,
        targetId: each.targetId,
        result: each.result,
      })),
    nextCursor: null,
  }),
};
