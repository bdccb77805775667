/** Every page of the console in one map. Code and data of a page are fetched on hover or focus of a link to it. */
import {
  createRootRouteWithContext,
  createRoute,
  createRouter,
  lazyRouteComponent,
  notFound,
  Outlet,
  redirect,
} from '@tanstack/react-router';
import { toApiError } from './api/client.ts';
import { apiQuery, queryClient, setFactorMissingHandler, setSignedOutHandler } from './api/queries.ts';
import './lib/outside-return.ts';
import { resolveInstance } from './lib/resolve-instance.ts';
import type { Session } from './lib/scope.ts';
import {
  defaultProject,
  findMembership,
  findProject,
  isSomewhereGuest,
  projectSlug,
  rememberProject,
  safeReturn,
} from './lib/scope.ts';
import { AppShell } from './shell/app-shell.tsx';
import { NotFoundPage, PageError, PagePending, RootFrame, RootNotFound } from './shell/frames.tsx';
import { sessionQuery } from './shell/session.ts';

type Crumb = string | ((params: Record<string, string>) => string);
declare module '@tanstack/react-router' {
  interface StaticDataRouteOption {
    /** Its words in the breadcrumbs and the tab's title. */
    crumb?: Crumb;
    /** The page uses the whole width and height (terminal, screen, logs). */
    wide?: boolean;
  }
  interface Register {
    router: typeof router;
  }
}

const root = createRootRouteWithContext<Record<never, never>>()({
  component: RootFrame,
  notFoundComponent: RootNotFound,
});

// ---- before signing in -------------------------------------------------------------------------------------------
const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  staticData: { crumb: 'Set up' },
  validateSearch: (search: Record<string, unknown>): { code?: string | undefined } => ({
    code: typeof search['code'] === 'string' ? search['code'] : undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/entry/setup.tsx'), 'SetupPage'),
});
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  staticData: { crumb: 'Sign in' },
  validateSearch: (search: Record<string, unknown>): { return?: string | undefined } => ({
    return: safeReturn(search['return']) ?? undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/entry/sign-in.tsx'), 'SignInPage'),
});
/** Where identity providers send browsers back to. */
const outside = createRoute({
  getParentRoute: () => root,
  path: '/sign-in/$provider',
  staticData: { crumb: 'Sign in' },
  component: lazyRouteComponent(() => import('./pages/entry/outside.tsx'), 'OutsidePage'),
});
const invitation = createRoute({
  getParentRoute: () => root,
  path: '/invitations/$secret',
  staticData: { crumb: 'Invitation' },
  component: lazyRouteComponent(() => import('./pages/entry/invitation.tsx'), 'InvitationPage'),
});

const forgotten = createRoute({
  getParentRoute: () => root,
  path: '/forgot-password',
  staticData: { crumb: 'Forgotten password' },
  component: lazyRouteComponent(() => import('./pages/entry/forgotten.tsx'), 'ForgottenPage'),
});
const reset = createRoute({
  getParentRoute: () => root,
  path: '/reset-password/$secret',
  staticData: { crumb: 'New password' },
  component: lazyRouteComponent(() => import('./pages/entry/reset.tsx'), 'ResetPage'),
});
const confirmEmail = createRoute({
  getParentRoute: () => root,
  path: '/confirm-email/$secret',
  staticData: { crumb: 'Change of address' },
  component: lazyRouteComponent(() => import('./pages/entry/confirm-email.tsx'), 'ConfirmEmailPage'),
});
const register = createRoute({
  getParentRoute: () => root,
  path: '/register',
  staticData: { crumb: 'Register' },
  validateSearch: (search: Record<string, unknown>): { code?: string | undefined } => ({
    code: typeof search['code'] === 'string' ? search['code'].slice(0, 64) : undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/entry/register.tsx'), 'RegisterPage'),
});
const registration = createRoute({
  getParentRoute: () => root,
  path: '/register/$secret',
  staticData: { crumb: 'Your account' },
  component: lazyRouteComponent(() => import('./pages/entry/registration.tsx'), 'RegistrationPage'),
});

// ---- signed in ---------------------------------------------------------------------------------------------------
async function signedIn({ location }: { location: { href: string } }): Promise<{ session: Session }> {
  try {
    return { session: await queryClient.ensureQueryData(sessionQuery) };
  } catch (error) {
    if (toApiError(error).code !== 'unauthenticated') throw error;
    const state = await queryClient.ensureQueryData(apiQuery('setupState', {}));
    if (state.needed) throw redirect({ to: '/setup' });
    throw redirect({ to: '/sign-in', search: { return: location.href === '/' ? undefined : location.href } });
  }
}
/** Who lacks the second factor that their organization asks for sets one up before anything else of it opens. */
function enrolFirst(href: string): never {
  throw redirect({ to: '/account/security', search: { return: href === '/' ? undefined : href } });
}
const shell = createRoute({
  getParentRoute: () => root,
  id: 'shell',
  component: AppShell,
  beforeLoad: async ({ location }) => {
    const { session } = await signedIn({ location });
    const shut = session.memberships.length > 0 && session.memberships.every((each) => each.needsSecondFactor);
    if (shut && !location.pathname.startsWith('/account')) enrolFirst(location.href);
    return { session };
  },
});
/** Where a desktop's own name leads: its screen in the whole window, without the console around it. */
const screenWindow = createRoute({
  getParentRoute: () => root,
  path: '/screen/$instance',
  staticData: { crumb: 'Screen', wide: true },
  beforeLoad: signedIn,
  component: lazyRouteComponent(() => import('./pages/instance/screen/window.tsx'), 'ScreenWindow'),
});
/** An app that is not our own wants to know who is here. */
const appQuestion = createRoute({
  getParentRoute: () => root,
  path: '/app-sign-in/$interaction',
  staticData: { crumb: 'Sign in to an app' },
  beforeLoad: signedIn,
  component: lazyRouteComponent(() => import('./pages/entry/app-question.tsx'), 'AppQuestionPage'),
});
const start = createRoute({
  getParentRoute: () => shell,
  path: '/',
  beforeLoad: ({ context }) => {
    const project = defaultProject(context.session);
    if (project !== undefined)
      throw redirect({ to: '/p/$project', params: { project: projectSlug(context.session, project) } });
    if (isSomewhereGuest(context.session)) throw redirect({ to: '/apps' });
  },
  component: lazyRouteComponent(() => import('./pages/home/no-project.tsx'), 'NoProjectPage'),
});
/** The home of guests: what is shared with them. */
const ownApps = createRoute({
  getParentRoute: () => shell,
  path: '/apps',
  staticData: { crumb: 'Apps' },
  loader: () => queryClient.prefetchQuery(apiQuery('ownApps', {})),
  component: lazyRouteComponent(() => import('./pages/home/apps.tsx'), 'OwnAppsPage'),
});

const project = createRoute({
  getParentRoute: () => shell,
  path: '/p/$project',
  component: Outlet,
  beforeLoad: ({ context, params, location }) => {
    const found = findProject(context.session, params.project);
    if (found === undefined) {
      // Projects of an organization that waits for a second factor are not told yet.
      if (context.session.memberships.some((each) => each.needsSecondFactor)) enrolFirst(location.href);
      throw notFound();
    }
    const place = context.session.memberships.find((each) => each.organization.id === found.organization);
    if (place?.needsSecondFactor === true) enrolFirst(location.href);
    rememberProject(found);
    return { project: found };
  },
});
const home = createRoute({
  getParentRoute: () => project,
  path: '/',
  staticData: { crumb: 'Home' },
  beforeLoad: ({ context }) => {
    if (context.project.role === 'guest') throw redirect({ to: '/apps' });
  },
  loader: async ({ context }) => {
    const params = { project: context.project.id };
    await Promise.all([
      queryClient.prefetchQuery(apiQuery('instancesList', { params, query: { limit: 200 } })),
      queryClient.prefetchQuery(apiQuery('quotaGet', { params })),
    ]);
  },
  component: lazyRouteComponent(() => import('./pages/home/home.tsx'), 'HomePage'),
});

const instances = createRoute({
  getParentRoute: () => project,
  path: '/instances',
  staticData: { crumb: 'Instances' },
  component: Outlet,
});
export type InstancesSearch = {
  q?: string | undefined;
  kind?: 'desktop' | 'server' | undefined;
  view?: 'deleted' | undefined;
  sort?: string | undefined;
};
const instanceList = createRoute({
  getParentRoute: () => instances,
  path: '/',
  validateSearch: (search: Record<string, unknown>): InstancesSearch => ({
    q: typeof search['q'] === 'string' && search['q'] !== '' ? search['q'].slice(0, 100) : undefined,
    kind: search['kind'] === 'desktop' || search['kind'] === 'server' ? search['kind'] : undefined,
    view: search['view'] === 'deleted' ? 'deleted' : undefined,
    sort: typeof search['sort'] === 'string' && /^-?[a-z]+$/i.test(search['sort']) ? search['sort'] : undefined,
  }),
  loader: ({ context }) =>
    queryClient.prefetchQuery(
      apiQuery('instancesList', { params: { project: context.project.id }, query: { limit: 200 } }),
    ),
  component: lazyRouteComponent(() => import('./pages/instances/list.tsx'), 'InstancesPage'),
});
const instanceCreate = createRoute({
  getParentRoute: () => instances,
  path: '/new',
  staticData: { crumb: 'New instance' },
  validateSearch: (
    search: Record<string, unknown>,
  ): { kind?: 'desktop' | 'server' | undefined; name?: string | undefined } => ({
    kind:
      search['kind'] === 'desktop' || search['kind'] === 'server'
        ? (search['kind'] as 'desktop' | 'server')
        : undefined,
    name: typeof search['name'] === 'string' ? search['name'].slice(0, 40) : undefined,
  }),
  loader: ({ context }) =>
    Promise.all([
      queryClient.prefetchQuery(apiQuery('quotaGet', { params: { project: context.project.id } })),
      queryClient.prefetchQuery(apiQuery('imagesList', {})),
      queryClient.prefetchQuery(apiQuery('info', {})),
    ]).then(() => undefined),
  component: lazyRouteComponent(() => import('./pages/create/create.tsx'), 'CreatePage'),
});

const instance = createRoute({
  getParentRoute: () => instances,
  path: '/$instance',
  staticData: { crumb: (params) => params['instance'] ?? '' },
  beforeLoad: async ({ context, params }) => {
    const instanceId = await resolveInstance(context.project.id, params.instance);
    if (instanceId === null) throw notFound();
    return { instanceId };
  },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('instancesGet', { params: { instance: context.instanceId } })),
  component: lazyRouteComponent(() => import('./pages/instance/layout.tsx'), 'InstanceLayout'),
});
const instanceOverview = createRoute({
  getParentRoute: () => instance,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/instance/overview.tsx'), 'OverviewTab'),
});
const instanceScreen = createRoute({
  getParentRoute: () => instance,
  path: '/screen',
  staticData: { crumb: 'Screen', wide: true },
  component: lazyRouteComponent(() => import('./pages/instance/screen/screen.tsx'), 'ScreenTab'),
});
const instanceTerminal = createRoute({
  getParentRoute: () => instance,
  path: '/terminal',
  staticData: { crumb: 'Terminal', wide: true },
  component: lazyRouteComponent(() => import('./pages/instance/terminal/terminal.tsx'), 'TerminalTab'),
});
const instanceLogs = createRoute({
  getParentRoute: () => instance,
  path: '/logs',
  staticData: { crumb: 'Logs', wide: true },
  validateSearch: (search: Record<string, unknown>): { q?: string | undefined; priority?: number | undefined } => ({
    q: typeof search['q'] === 'string' && search['q'] !== '' ? search['q'] : undefined,
    priority: typeof search['priority'] === 'number' ? search['priority'] : undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/instance/logs/logs.tsx'), 'LogsTab'),
});
const instanceSnapshots = createRoute({
  getParentRoute: () => instance,
  path: '/snapshots',
  staticData: { crumb: 'Snapshots' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('snapshotsList', { params: { instance: context.instanceId } })),
  component: lazyRouteComponent(() => import('./pages/instance/snapshots.tsx'), 'SnapshotsTab'),
});
const instanceRoutes = createRoute({
  getParentRoute: () => instance,
  path: '/routes',
  staticData: { crumb: 'Routes' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('routesList', { params: { instance: context.instanceId } })),
  component: lazyRouteComponent(() => import('./pages/instance/routes.tsx'), 'RoutesTab'),
});
const instanceActivity = createRoute({
  getParentRoute: () => instance,
  path: '/activity',
  staticData: { crumb: 'Activity' },
  component: lazyRouteComponent(() => import('./pages/instance/activity.tsx'), 'ActivityTab'),
});
const instanceSettings = createRoute({
  getParentRoute: () => instance,
  path: '/settings',
  staticData: { crumb: 'Settings' },
  component: lazyRouteComponent(() => import('./pages/instance/settings.tsx'), 'SettingsTab'),
});

const projectRoutes = createRoute({
  getParentRoute: () => project,
  path: '/routes',
  staticData: { crumb: 'Routes' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(
      apiQuery('routesListProject', { params: { project: context.project.id }, query: { limit: 200 } }),
    ),
  component: lazyRouteComponent(() => import('./pages/routes/list.tsx'), 'ProjectRoutesPage'),
});
const operations = createRoute({
  getParentRoute: () => project,
  path: '/operations',
  staticData: { crumb: 'Operations' },
  validateSearch: (search: Record<string, unknown>): { state?: 'running' | 'failed' | undefined } => ({
    state:
      search['state'] === 'running' || search['state'] === 'failed'
        ? (search['state'] as 'running' | 'failed')
        : undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/operations/list.tsx'), 'OperationsPage'),
});
const projectPeople = createRoute({
  getParentRoute: () => project,
  path: '/people',
  staticData: { crumb: 'People' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('projectRolesList', { params: { project: context.project.id } })),
  component: lazyRouteComponent(() => import('./pages/project/people.tsx'), 'ProjectPeoplePage'),
});
const operation = createRoute({
  getParentRoute: () => shell,
  path: '/operations/$operation',
  staticData: { crumb: 'Operation' },
  loader: ({ params }) => queryClient.prefetchQuery(apiQuery('operationsGet', { params })),
  component: lazyRouteComponent(() => import('./pages/operations/detail.tsx'), 'OperationPage'),
});
/** An instance by its id alone: links from outside the console (waking pages, mails, the CLI). */
const instanceById = createRoute({
  getParentRoute: () => shell,
  path: '/instances/$id/$',
  beforeLoad: async ({ context, params }) => {
    const found = await queryClient
      .ensureQueryData(apiQuery('instancesGet', { params: { instance: params.id } }))
      .catch(() => null);
    const owner = context.session.projects.find((each) => each.id === found?.project);
    if (found === null || owner === undefined) throw notFound();
    const tab = /^[a-z]+$/.test(params._splat ?? '') ? `/${params._splat}` : '';
    throw redirect({
      href: `/p/${projectSlug(context.session, owner)}/instances/${found.phase === 'archived' ? found.id : found.name}${tab}`,
    });
  },
});

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
  component: lazyRouteComponent(() => import('./pages/organization/groups.tsx'), 'GroupsPage'),
});
const serviceAccounts = createRoute({
  getParentRoute: () => organization,
  path: '/service-accounts',
  staticData: { crumb: 'Service accounts' },
  component: lazyRouteComponent(() => import('./pages/organization/service-accounts.tsx'), 'ServiceAccountsPage'),
});
const apps = createRoute({
  getParentRoute: () => organization,
  path: '/apps',
  staticData: { crumb: 'App permissions' },
  component: lazyRouteComponent(() => import('./pages/organization/apps.tsx'), 'AppsPage'),
});
const entries = createRoute({
  getParentRoute: () => organization,
  path: '/entries',
  staticData: { crumb: 'Entries' },
  component: lazyRouteComponent(() => import('./pages/organization/entries.tsx'), 'EntriesPage'),
});
const members = createRoute({
  getParentRoute: () => organization,
  path: '/members',
  staticData: { crumb: 'Members' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(
      apiQuery('membersList', { params: { organization: context.organizationId }, query: { limit: 200 } }),
    ),
  component: lazyRouteComponent(() => import('./pages/members/members.tsx'), 'MembersPage'),
});
export type AuditSearch = {
  q?: string | undefined;
  action?: string | undefined;
  actor?: string | undefined;
  target?: string | undefined;
  result?: 'ok' | 'refused' | 'failed' | undefined;
  /** Days, as 2026-01-31, in the reader's own time; both belong to it. */
  from?: string | undefined;
  to?: string | undefined;
  /** Id of a deleted organization: its log, among those of the installation. */
  deleted?: string | undefined;
};
function auditSearch(search: Record<string, unknown>): AuditSearch {
  const text = (key: string) =>
    typeof search[key] === 'string' && search[key] !== '' ? search[key].slice(0, 100) : undefined;
  const day = (key: string) => (/^\d{4}-\d{2}-\d{2}$/.test(text(key) ?? '') ? text(key) : undefined);
  const result = search['result'];
  return {
    q: text('q'),
    action: text('action'),
    actor: text('actor'),
    target: text('target'),
    result: result === 'ok' || result === 'refused' || result === 'failed' ? result : undefined,
    from: day('from'),
    to: day('to'),
    deleted: /^org_[0-9a-z]{26}$/.test(text('deleted') ?? '') ? text('deleted') : undefined,
  };
}
const audit = createRoute({
  getParentRoute: () => organization,
  path: '/audit',
  staticData: { crumb: 'Audit log' },
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import('./pages/audit/audit.tsx'), 'AuditPage'),
});
const organizationRoles = createRoute({
  getParentRoute: () => organization,
  path: '/roles',
  staticData: { crumb: 'Roles' },
  component: lazyRouteComponent(() => import('./pages/organization/roles.tsx'), 'RolesPage'),
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
  component: lazyRouteComponent(() => import('./pages/organization/settings.tsx'), 'OrganizationSettingsPage'),
});
const organizationSignIn = createRoute({
  getParentRoute: () => organization,
  path: '/sign-in',
  staticData: { crumb: 'Sign-in' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('organizationSignInGet', { params: { organization: context.organizationId } })),
  component: lazyRouteComponent(() => import('./pages/organization/sign-in.tsx'), 'OrganizationSignInPage'),
});

const organizationQuotas = createRoute({
  getParentRoute: () => organization,
  path: '/quotas',
  staticData: { crumb: 'Quotas' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('organizationQuotaGet', { params: { organization: context.organizationId } })),
  component: lazyRouteComponent(() => import('./pages/organization/quotas.tsx'), 'OrganizationQuotasPage'),
});

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
  component: lazyRouteComponent(() => import('./pages/platform/limits.tsx'), 'LimitsPage'),
});
const platformAudit = createRoute({
  getParentRoute: () => shell,
  path: '/platform/audit',
  staticData: { crumb: 'Audit log of the installation' },
  beforeLoad: ({ context }) => {
    if (!context.session.user.platformAdmin) throw notFound();
  },
  validateSearch: auditSearch,
  component: lazyRouteComponent(() => import('./pages/audit/audit.tsx'), 'PlatformAuditPage'),
});
const images = createRoute({
  getParentRoute: () => shell,
  path: '/images',
  staticData: { crumb: 'Images' },
  loader: () => queryClient.prefetchQuery(apiQuery('imagesList', {})),
  component: lazyRouteComponent(() => import('./pages/images/images.tsx'), 'ImagesPage'),
});
const hosts = createRoute({
  getParentRoute: () => shell,
  path: '/hosts',
  staticData: { crumb: 'Hosts' },
  loader: () => queryClient.prefetchQuery(apiQuery('hostsList', {})),
  component: lazyRouteComponent(() => import('./pages/hosts/hosts.tsx'), 'HostsPage'),
});

const identityProviders = createRoute({
  getParentRoute: () => shell,
  path: '/identity-providers',
  staticData: { crumb: 'Identity providers' },
  loader: () => queryClient.prefetchQuery(apiQuery('identityProvidersList', {})),
  component: lazyRouteComponent(() => import('./pages/identity-providers/list.tsx'), 'IdentityProvidersPage'),
});

const platformOrganizations = createRoute({
  getParentRoute: () => shell,
  path: '/platform/organizations',
  staticData: { crumb: 'Organizations' },
  validateSearch: (search: Record<string, unknown>): { q?: string | undefined } => ({
    q: typeof search['q'] === 'string' && search['q'] !== '' ? search['q'].slice(0, 100) : undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/platform/organizations.tsx'), 'OrganizationsPage'),
});
const platformKeys = createRoute({
  getParentRoute: () => shell,
  path: '/platform/keys',
  staticData: { crumb: 'Keys' },
  loader: () => queryClient.prefetchQuery(apiQuery('keysList', {})),
  component: lazyRouteComponent(() => import('./pages/platform/keys.tsx'), 'KeysPage'),
});
const platformUsers = createRoute({
  getParentRoute: () => shell,
  path: '/platform/users',
  staticData: { crumb: 'Users' },
  validateSearch: (search: Record<string, unknown>): { q?: string | undefined } => ({
    q: typeof search['q'] === 'string' && search['q'] !== '' ? search['q'].slice(0, 100) : undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/platform/users.tsx'), 'UsersPage'),
});
const platformRegistration = createRoute({
  getParentRoute: () => shell,
  path: '/platform/registration',
  staticData: { crumb: 'Registration' },
  loader: () => queryClient.prefetchQuery(apiQuery('registrationCodesList', {})),
  component: lazyRouteComponent(() => import('./pages/platform/registration.tsx'), 'RegistrationAdminPage'),
});
const platformMail = createRoute({
  getParentRoute: () => shell,
  path: '/platform/mail',
  staticData: { crumb: 'Mail' },
  loader: () => queryClient.prefetchQuery(apiQuery('mailSettingsGet', {})),
  component: lazyRouteComponent(() => import('./pages/platform/mail.tsx'), 'MailPage'),
});
const oidcClients = createRoute({
  getParentRoute: () => shell,
  path: '/oidc-clients',
  staticData: { crumb: 'Sign-in to apps' },
  loader: () => queryClient.prefetchQuery(apiQuery('oidcClientsList', {})),
  component: lazyRouteComponent(() => import('./pages/oidc-clients/list.tsx'), 'OidcClientsPage'),
});

const account = createRoute({
  getParentRoute: () => shell,
  path: '/account',
  staticData: { crumb: 'Account' },
  component: lazyRouteComponent(() => import('./pages/account/layout.tsx'), 'AccountLayout'),
});
const accountProfile = createRoute({
  getParentRoute: () => account,
  path: '/',
  component: lazyRouteComponent(() => import('./pages/account/profile.tsx'), 'ProfileTab'),
});
const accountSecurity = createRoute({
  getParentRoute: () => account,
  path: '/security',
  staticData: { crumb: 'Security' },
  validateSearch: (search: Record<string, unknown>): { return?: string | undefined } => ({
    return: safeReturn(search['return']) ?? undefined,
  }),
  loader: () => queryClient.prefetchQuery(apiQuery('securityGet', {})),
  component: lazyRouteComponent(() => import('./pages/account/security/security.tsx'), 'SecurityTab'),
});
const accountSessions = createRoute({
  getParentRoute: () => account,
  path: '/sessions',
  staticData: { crumb: 'Sessions' },
  component: lazyRouteComponent(() => import('./pages/account/sessions.tsx'), 'SessionsTab'),
});
const device = createRoute({
  getParentRoute: () => shell,
  path: '/device',
  staticData: { crumb: 'Sign a program in' },
  validateSearch: (search: Record<string, unknown>): { code?: string | undefined } => ({
    code: typeof search['code'] === 'string' && search['code'].length <= 40 ? search['code'] : undefined,
  }),
  component: lazyRouteComponent(() => import('./pages/account/device.tsx'), 'DevicePage'),
});
const accountTokens = createRoute({
  getParentRoute: () => account,
  path: '/tokens',
  staticData: { crumb: 'API tokens' },
  component: lazyRouteComponent(() => import('./pages/account/tokens.tsx'), 'TokensTab'),
});
const accountAppearance = createRoute({
  getParentRoute: () => account,
  path: '/appearance',
  staticData: { crumb: 'Appearance' },
  component: lazyRouteComponent(() => import('./pages/account/appearance.tsx'), 'AppearanceTab'),
});

const tree = root.addChildren([
  setup,
  signIn,
  outside,
  invitation,
  forgotten,
  reset,
  confirmEmail,
  register,
  registration,
  screenWindow,
  appQuestion,
  shell.addChildren([
    start,
    ownApps,
    project.addChildren([
      home,
      instances.addChildren([
        instanceList,
        instanceCreate,
        instance.addChildren([
          instanceOverview,
          instanceScreen,
          instanceTerminal,
          instanceLogs,
          instanceSnapshots,
          instanceRoutes,
          instanceActivity,
          instanceSettings,
        ]),
      ]),
      projectRoutes,
      operations,
      projectPeople,
    ]),
    operation,
    instanceById,
    organization.addChildren([
      members,
      groups,
      organizationRoles,
      serviceAccounts,
      apps,
      entries,
      organizationQuotas,
      audit,
      organizationSignIn,
      organizationSettings,
    ]),
    limits,
    platformAudit,
    images,
    hosts,
    device,
    identityProviders,
    platformOrganizations,
    platformKeys,
    platformUsers,
    platformRegistration,
    platformMail,
    oidcClients,
    account.addChildren([accountProfile, accountSecurity, accountSessions, accountTokens, accountAppearance]),
  ]),
]);

export const router = createRouter({
  routeTree: tree,
  context: {},
  defaultPreload: 'intent',
  defaultPreloadDelay: 40,
  // React Query decides what is fresh.
  defaultPreloadStaleTime: 0,
  defaultPendingMs: 150,
  defaultPendingMinMs: 300,
  defaultPendingComponent: PagePending,
  defaultErrorComponent: PageError,
  defaultNotFoundComponent: NotFoundPage,
  scrollRestoration: true,
});

setSignedOutHandler(() => {
  if (router.state.location.pathname === '/sign-in') return;
  const here = router.state.location.href;
  queryClient.removeQueries({ queryKey: ['whoami'] });
  void router.navigate({ to: '/sign-in', search: { return: here } }).then(() => queryClient.clear());
});

// The rule came while the page was open.
setFactorMissingHandler(() => {
  const { pathname, href } = router.state.location;
  if (pathname.startsWith('/account')) return;
  void queryClient
    .invalidateQueries({ queryKey: ['whoami'] })
    .then(() => router.navigate({ to: '/account/security', search: { return: href } }));
});
