/** Pages of the installation as a whole; most are for its administrators. */
import { createRoute, lazyRouteComponent, notFound } from '@tanstack/react-router';
import { type MetricRange, metricRangeNames } from '#domain/metrics.ts';
import { apiQuery, queryClient } from '../api/queries.ts';
import { auditSearch } from './audit-search.ts';
import { shell } from './root.tsx';

const limits = createRoute({
  getParentRoute: () => shell,
  path: '/platform/limits',
  staticData: { crumb: 'Limits' },
  beforeLoad: ({ context }) => {
    if (!context.session.user.platformAdmin) throw notFound();
  },
  loader: () =>
    Promise.all([
      queryClient.prefetchQuery(apiQuery('rateLimitsGet', {})),
      queryClient.prefetchQuery(apiQuery('outboundGet', {})),
    ]).then(() => undefined),
  component: lazyRouteComponent(() => import('../pages/platform/limits.tsx'), 'LimitsPage'),
});
const platformAudit = createRoute({
  getParentRoute: () => shell,
  path: '/platform/audit',
  staticData: { crumb: 'Audit log of the installation' },
  beforeLoad: ({ context }) => {
    if (!context.session.user.platformAdmin) throw notFound();
  },
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import('../pages/audit/audit.tsx'), 'PlatformAuditPage'),
});
const images = createRoute({
  getParentRoute: () => shell,
  path: '/images',
  staticData: { crumb: 'Images' },
  loader: () => queryClient.prefetchQuery(apiQuery('imagesList', {})),
  component: lazyRouteComponent(() => import('../pages/images/images.tsx'), 'ImagesPage'),
});
const hosts = createRoute({
  getParentRoute: () => shell,
  path: '/hosts',
  staticData: { crumb: 'Hosts' },
  validateSearch: (search: Record<string, unknown>): { range?: MetricRange | undefined } => ({
    range: metricRangeNames.find((name) => name === search['range']),
  }),
  loader: () => queryClient.prefetchQuery(apiQuery('hostsList', {})),
  component: lazyRouteComponent(() => import('../pages/hosts/hosts.tsx'), 'HostsPage'),
});
const identityProviders = createRoute({
  getParentRoute: () => shell,
  path: '/identity-providers',
  staticData: { crumb: 'Identity providers' },
  loader: () => queryClient.prefetchQuery(apiQuery('identityProvidersList', {})),
  component: lazyRouteComponent(() => import('../pages/identity-providers/list.tsx'), 'IdentityProvidersPage'),
});
const platformDns = createRoute({
  getParentRoute: () => shell,
  path: '/platform/dns',
  staticData: { crumb: 'DNS providers of the installation' },
  beforeLoad: ({ context }) => {
    if (!context.session.user.platformAdmin) throw notFound();
  },
  loader: () =>
    Promise.all([
      queryClient.prefetchQuery(apiQuery('platformDnsProvidersList', {})),
      queryClient.prefetchQuery(apiQuery('platformCertificateGet', {})),
    ]).then(() => undefined),
  component: lazyRouteComponent(() => import('../pages/dns-providers/list.tsx'), 'PlatformDnsPage'),
});
const platformOrganizations = createRoute({
  getParentRoute: () => shell,
  path: '/platform/organizations',
  staticData: { crumb: 'Organizations' },
  validateSearch: (search: Record<string, unknown>): { q?: string | undefined } => ({
    q: typeof search['q'] === 'string' && search['q'] !== '' ? search['q'].slice(0, 100) : undefined,
  }),
  component: lazyRouteComponent(() => import('../pages/platform/organizations.tsx'), 'OrganizationsPage'),
});
const platformKeys = createRoute({
  getParentRoute: () => shell,
  path: '/platform/keys',
  staticData: { crumb: 'Keys' },
  loader: () => queryClient.prefetchQuery(apiQuery('keysList', {})),
  component: lazyRouteComponent(() => import('../pages/platform/keys.tsx'), 'KeysPage'),
});
const platformUsers = createRoute({
  getParentRoute: () => shell,
  path: '/platform/users',
  staticData: { crumb: 'Users' },
  validateSearch: (search: Record<string, unknown>): { q?: string | undefined } => ({
    q: typeof search['q'] === 'string' && search['q'] !== '' ? search['q'].slice(0, 100) : undefined,
  }),
  component: lazyRouteComponent(() => import('../pages/platform/users.tsx'), 'UsersPage'),
});
const platformRegistration = createRoute({
  getParentRoute: () => shell,
  path: '/platform/registration',
  staticData: { crumb: 'Registration' },
  loader: () => queryClient.prefetchQuery(apiQuery('registrationCodesList', {})),
  component: lazyRouteComponent(() => import('../pages/platform/registration.tsx'), 'RegistrationAdminPage'),
});
const platformMail = createRoute({
  getParentRoute: () => shell,
  path: '/platform/mail',
  staticData: { crumb: 'Mail' },
  loader: () => queryClient.prefetchQuery(apiQuery('mailSettingsGet', {})),
  component: lazyRouteComponent(() => import('../pages/platform/mail.tsx'), 'MailPage'),
});
const platformData = createRoute({
  getParentRoute: () => shell,
  path: '/platform/data',
  staticData: { crumb: 'Data' },
  beforeLoad: ({ context }) => {
    if (!context.session.user.platformAdmin) throw notFound();
  },
  validateSearch: (
    search: Record<string, unknown>,
  ): { table?: string | undefined; column?: string | undefined; q?: string | undefined } => ({
    table: typeof search['table'] === 'string' ? search['table'].slice(0, 63) : undefined,
    column: typeof search['column'] === 'string' ? search['column'].slice(0, 63) : undefined,
    q: typeof search['q'] === 'string' && search['q'] !== '' ? search['q'].slice(0, 100) : undefined,
  }),
  component: lazyRouteComponent(() => import('../pages/platform/data.tsx'), 'DataPage'),
});
const oidcClients = createRoute({
  getParentRoute: () => shell,
  path: '/oidc-clients',
  staticData: { crumb: 'Sign-in to apps' },
  loader: () => queryClient.prefetchQuery(apiQuery('oidcClientsList', {})),
  component: lazyRouteComponent(() => import('../pages/oidc-clients/list.tsx'), 'OidcClientsPage'),
});

export const installationPages = [
  limits,
  platformAudit,
  images,
  hosts,
  identityProviders,
  platformOrganizations,
  platformKeys,
  platformData,
  platformUsers,
  platformRegistration,
  platformMail,
  platformDns,
  oidcClients,
] as const;
