/** Pages of an organization. */
import { createRoute, lazyRouteComponent, notFound, Outlet } from '@tanstack/react-router';
import { apiQuery, queryClient } from '../api/queries.ts';
import { findMembership } from '../lib/scope.ts';
import { auditSearch } from './audit-search.ts';
import { enrolFirst, shell } from './root.tsx';

const organization = createRoute({
  getParentRoute: () => shell,
  path: '/o/$organization',
  component: Outlet,
  beforeLoad: ({ context, params, location }) => {
    const found = findMembership(context.session, params.organization);
    if (found === undefined) throw notFound();
    if (found.needsSecondFactor) enrolFirst(location.href);
    return { organizationId: found.organization.id };
  },
});
const groups = createRoute({
  getParentRoute: () => organization,
  path: '/groups',
  staticData: { crumb: 'Groups' },
  component: lazyRouteComponent(() => import('../pages/organization/groups.tsx'), 'GroupsPage'),
});
const serviceAccounts = createRoute({
  getParentRoute: () => organization,
  path: '/service-accounts',
  staticData: { crumb: 'Service accounts' },
  component: lazyRouteComponent(() => import('../pages/organization/service-accounts.tsx'), 'ServiceAccountsPage'),
});
const apps = createRoute({
  getParentRoute: () => organization,
  path: '/apps',
  staticData: { crumb: 'App permissions' },
  component: lazyRouteComponent(() => import('../pages/organization/apps.tsx'), 'AppsPage'),
});
const entries = createRoute({
  getParentRoute: () => organization,
  path: '/entries',
  staticData: { crumb: 'Entries' },
  component: lazyRouteComponent(() => import('../pages/organization/entries.tsx'), 'EntriesPage'),
});
const dnsProviders = createRoute({
  getParentRoute: () => organization,
  path: '/dns',
  staticData: { crumb: 'DNS providers' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('dnsProvidersList', { params: { organization: context.organizationId } })),
  component: lazyRouteComponent(() => import('../pages/dns-providers/list.tsx'), 'OrganizationDnsPage'),
});
const members = createRoute({
  getParentRoute: () => organization,
  path: '/members',
  staticData: { crumb: 'Members' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(
      apiQuery('membersList', { params: { organization: context.organizationId }, query: { limit: 200 } }),
    ),
  component: lazyRouteComponent(() => import('../pages/members/members.tsx'), 'MembersPage'),
});
const audit = createRoute({
  getParentRoute: () => organization,
  path: '/audit',
  staticData: { crumb: 'Audit log' },
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import('../pages/audit/audit.tsx'), 'AuditPage'),
});
const organizationRoles = createRoute({
  getParentRoute: () => organization,
  path: '/roles',
  staticData: { crumb: 'Roles' },
  component: lazyRouteComponent(() => import('../pages/organization/roles.tsx'), 'RolesPage'),
});
const organizationSettings = createRoute({
  getParentRoute: () => organization,
  path: '/settings',
  staticData: { crumb: 'Settings' },
  loader: ({ context }) => {
    const params = { organization: context.organizationId };
    return Promise.all([
      queryClient.prefetchQuery(apiQuery('organizationsGet', { params })),
      queryClient.prefetchQuery(apiQuery('projectsList', { params })),
    ]).then(() => undefined);
  },
  component: lazyRouteComponent(() => import('../pages/organization/settings.tsx'), 'OrganizationSettingsPage'),
});
const organizationSignIn = createRoute({
  getParentRoute: () => organization,
  path: '/sign-in',
  staticData: { crumb: 'Sign-in' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('organizationSignInGet', { params: { organization: context.organizationId } })),
  component: lazyRouteComponent(() => import('../pages/organization/sign-in.tsx'), 'OrganizationSignInPage'),
});
const organizationQuotas = createRoute({
  getParentRoute: () => organization,
  path: '/quotas',
  staticData: { crumb: 'Quotas' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('organizationQuotaGet', { params: { organization: context.organizationId } })),
  component: lazyRouteComponent(() => import('../pages/organization/quotas.tsx'), 'OrganizationQuotasPage'),
});

export const organizationPages = [
  organization.addChildren([
    members,
    groups,
    organizationRoles,
    serviceAccounts,
    apps,
    entries,
    dnsProviders,
    organizationQuotas,
    audit,
    organizationSignIn,
    organizationSettings,
  ]),
] as const;
