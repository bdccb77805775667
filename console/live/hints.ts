/**
 * Which queries a hint makes stale. Hints are never data: they only say what to fetch again. The mapped type makes a new
 * event kind without a rule a compile error.
 */
import type { QueryKey } from '@tanstack/react-query';
import type { Event } from '#contract/events.ts';
import type { EventKind } from '#domain/events.ts';
import type { RouteName } from '../api/client.ts';
import { keyIs } from '../api/queries.ts';

type Rule = { routes: readonly RouteName[]; params: (hint: Event) => Record<string, string | null> };

const rules: { readonly [K in EventKind]: readonly Rule[] } = {
  instance: [
    { routes: ['instancesGet', 'instancesContainers', 'sshAccess'], params: (hint) => ({ instance: hint.id }) },
    { routes: ['instancesList', 'quotaGet'], params: (hint) => ({ project: hint.project }) },
    { routes: ['ownApps'], params: () => ({}) },
  ],
  operation: [
    { routes: ['operationsGet'], params: (hint) => ({ operation: hint.id }) },
    { routes: ['operationsList'], params: (hint) => ({ project: hint.project }) },
    {
      routes: ['instancesGet', 'stacksList', 'instancesContainers'],
      params: (hint) => ({ instance: hint.instance }),
    },
    { routes: ['instancesList'], params: (hint) => ({ project: hint.project }) },
    { routes: ['platformOperationsList'], params: () => ({}) },
  ],
  snapshot: [
    { routes: ['snapshotsList'], params: (hint) => ({ instance: hint.instance }) },
    { routes: ['quotaGet'], params: (hint) => ({ project: hint.project }) },
  ],
  setting: [{ routes: ['controlAccessGet', 'platformCertificateGet'], params: () => ({}) }],
  dns: [
    {
      routes: ['dnsProvidersList', 'platformDnsProvidersList', 'platformCertificateGet', 'domainsList'],
      params: () => ({}),
    },
  ],
  domain: [{ routes: ['domainsList'], params: (hint) => ({ project: hint.project }) }],
  route: [
    { routes: ['routesList'], params: (hint) => ({ instance: hint.instance }) },
    { routes: ['routesListProject', 'quotaGet'], params: (hint) => ({ project: hint.project }) },
    { routes: ['instancesGet'], params: (hint) => ({ instance: hint.instance }) },
  ],
  'security-group': [
    { routes: ['securityGroupsList', 'addressSetsList'], params: (hint) => ({ project: hint.project }) },
  ],
  egress: [{ routes: ['egressGet'], params: (hint) => ({ project: hint.project }) }],
  backup: [
    { routes: ['backupsList'], params: (hint) => ({ instance: hint.instance }) },
    { routes: ['backupsListProject', 'quotaGet'], params: (hint) => ({ project: hint.project }) },
  ],
  forward: [
    { routes: ['forwardsList'], params: (hint) => ({ instance: hint.instance }) },
    { routes: ['forwardsListProject', 'quotaGet'], params: (hint) => ({ project: hint.project }) },
  ],
  image: [{ routes: ['imagesList', 'platformOperationsList'], params: () => ({}) }],
  host: [{ routes: ['hostsList', 'hostsGet', 'registryGet'], params: () => ({}) }],
  member: [
    {
      routes: [
        'membersList',
        'invitationsList',
        'organizationSignInGet',
        'whoami',
        'groupsList',
        'groupMembersList',
        'projectRolesList',
        'grantsList',
        'instanceAccessGet',
        'instanceAccessCandidates',
        'ownApps',
        'serviceAccountsList',
        'serviceTokensList',
        'entriesList',
        'organizationsList',
        'projectsList',
      ],
      params: () => ({}),
    },
  ],
  project: [
    {
      routes: [
        'organizationsGet',
        'organizationsList',
        'projectsList',
        'projectsGet',
        'whoami',
        'sshRecordingPolicyGet',
        'sshAccess',
      ],
      params: () => ({}),
    },
  ],
  quota: [
    { routes: ['quotaGet'], params: (hint) => ({ project: hint.project }) },
    { routes: ['organizationQuotaGet', 'platformQuotaGet'], params: () => ({}) },
  ],
  session: [{ routes: ['whoami', 'accountGet', 'securityGet', 'sessionsList', 'sshKeysList'], params: () => ({}) }],
  key: [{ routes: ['keysList'], params: () => ({}) }],
  audit: [
    {
      // Not platformAuditList: each reading of it is recorded, and nobody read what only the page fetched again.
      routes: ['auditList', 'auditState', 'platformAuditState', 'activityList'],
      params: () => ({}),
    },
  ],
  user: [{ routes: ['usersList', 'registrationCodesList', 'registrationSettingsGet'], params: () => ({}) }],
  ssh: [{ routes: ['sshSessionsList', 'sshRecordingsList'], params: (hint) => ({ instance: hint.instance }) }],
  mail: [{ routes: ['mailSettingsGet', 'mailMessagesList'], params: () => ({}) }],
};

/** True when any of `hints` makes the query with this key stale. */
export function isStaleAfter(key: QueryKey, hints: readonly Event[]): boolean {
  return hints.some((hint) => rules[hint.kind]?.some((rule) => keyIs(key, rule.routes, rule.params(hint))) ?? false);
}
