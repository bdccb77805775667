/** Pages of a project and of what is in it. */
import { createRoute, lazyRouteComponent, notFound, Outlet, redirect } from '@tanstack/react-router';
import { parseLogSource } from '#domain/logs.ts';
import { type MetricRange, metricRangeNames } from '#domain/metrics.ts';
import { apiQuery, queryClient } from '../api/queries.ts';
import { resolveInstance } from '../lib/resolve-instance.ts';
import { defaultProject, findProject, isSomewhereGuest, projectSlug, rememberProject } from '../lib/scope.ts';
import { readFlowSearch } from './flow-search.ts';
import { enrolFirst, shell } from './root.tsx';

const start = createRoute({
  getParentRoute: () => shell,
  path: '/',
  beforeLoad: ({ context }) => {
    const project = defaultProject(context.session);
    if (project !== undefined)
      throw redirect({ to: '/p/$project', params: { project: projectSlug(context.session, project) } });
    if (isSomewhereGuest(context.session)) throw redirect({ to: '/apps' });
  },
  component: lazyRouteComponent(() => import('../pages/home/no-project.tsx'), 'NoProjectPage'),
});
/** The home of guests: what is shared with them. */
const ownApps = createRoute({
  getParentRoute: () => shell,
  path: '/apps',
  staticData: { crumb: 'Apps' },
  loader: () => queryClient.prefetchQuery(apiQuery('ownApps', {})),
  component: lazyRouteComponent(() => import('../pages/home/apps.tsx'), 'OwnAppsPage'),
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
  component: lazyRouteComponent(() => import('../pages/home/home.tsx'), 'HomePage'),
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
  component: lazyRouteComponent(() => import('../pages/instances/list.tsx'), 'InstancesPage'),
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
  component: lazyRouteComponent(() => import('../pages/create/create.tsx'), 'CreatePage'),
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
  component: lazyRouteComponent(() => import('../pages/instance/layout.tsx'), 'InstanceLayout'),
});
const instanceOverview = createRoute({
  getParentRoute: () => instance,
  path: '/',
  component: lazyRouteComponent(() => import('../pages/instance/overview.tsx'), 'OverviewTab'),
});
const instanceScreen = createRoute({
  getParentRoute: () => instance,
  path: '/screen',
  staticData: { crumb: 'Screen', wide: true },
  component: lazyRouteComponent(() => import('../pages/instance/screen/screen.tsx'), 'ScreenTab'),
});
const instanceTerminal = createRoute({
  getParentRoute: () => instance,
  path: '/terminal',
  staticData: { crumb: 'Terminal', wide: true },
  component: lazyRouteComponent(() => import('../pages/instance/terminal/terminal.tsx'), 'TerminalTab'),
});
const instanceLogs = createRoute({
  getParentRoute: () => instance,
  path: '/logs',
  staticData: { crumb: 'Logs', wide: true },
  validateSearch: (
    search: Record<string, unknown>,
  ): { q?: string | undefined; priority?: number | undefined; of?: string | undefined } => ({
    of: typeof search['of'] === 'string' && parseLogSource(search['of']) !== null ? search['of'] : undefined,
    q: typeof search['q'] === 'string' && search['q'] !== '' ? search['q'] : undefined,
    priority: typeof search['priority'] === 'number' ? search['priority'] : undefined,
  }),
  component: lazyRouteComponent(() => import('../pages/instance/logs/logs.tsx'), 'LogsTab'),
});
const instanceMetrics = createRoute({
  getParentRoute: () => instance,
  path: '/metrics',
  staticData: { crumb: 'Metrics' },
  validateSearch: (search: Record<string, unknown>): { range?: MetricRange | undefined } => ({
    range: metricRangeNames.find((name) => name === search['range']),
  }),
  component: lazyRouteComponent(() => import('../pages/instance/metrics.tsx'), 'MetricsTab'),
});
const instanceFiles = createRoute({
  getParentRoute: () => instance,
  path: '/files',
  staticData: { crumb: 'Files' },
  validateSearch: (search: Record<string, unknown>): { path?: string | undefined; hidden?: true | undefined } => ({
    path: typeof search['path'] === 'string' && search['path'].startsWith('/') ? search['path'] : undefined,
    hidden: search['hidden'] === true ? true : undefined,
  }),
  component: lazyRouteComponent(() => import('../pages/instance/files/files.tsx'), 'FilesTab'),
});
const instanceStacks = createRoute({
  getParentRoute: () => instance,
  path: '/stacks',
  staticData: { crumb: 'Stacks' },
  component: lazyRouteComponent(() => import('../pages/instance/stacks/stacks.tsx'), 'StacksTab'),
});
const instanceSnapshots = createRoute({
  getParentRoute: () => instance,
  path: '/snapshots',
  staticData: { crumb: 'Snapshots' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('snapshotsList', { params: { instance: context.instanceId } })),
  component: lazyRouteComponent(() => import('../pages/instance/snapshots.tsx'), 'SnapshotsTab'),
});
const instanceBackups = createRoute({
  getParentRoute: () => instance,
  path: '/backups',
  staticData: { crumb: 'Backups' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('backupsList', { params: { instance: context.instanceId } })),
  component: lazyRouteComponent(() => import('../pages/instance/backups.tsx'), 'BackupsTab'),
});
const instanceRoutes = createRoute({
  getParentRoute: () => instance,
  path: '/routes',
  staticData: { crumb: 'Routes' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('routesList', { params: { instance: context.instanceId } })),
  component: lazyRouteComponent(() => import('../pages/instance/routes.tsx'), 'RoutesTab'),
});
const instanceSsh = createRoute({
  getParentRoute: () => instance,
  path: '/ssh',
  staticData: { crumb: 'SSH' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('sshAccess', { params: { instance: context.instanceId } })),
  component: lazyRouteComponent(() => import('../pages/instance/ssh.tsx'), 'SshTab'),
});
const instanceFlows = createRoute({
  getParentRoute: () => instance,
  path: '/flows',
  staticData: { crumb: 'Traffic', wide: true },
  validateSearch: readFlowSearch,
  component: lazyRouteComponent(() => import('../pages/instance/flows.tsx'), 'FlowsTab'),
});
const instanceActivity = createRoute({
  getParentRoute: () => instance,
  path: '/activity',
  staticData: { crumb: 'Activity' },
  component: lazyRouteComponent(() => import('../pages/instance/activity.tsx'), 'ActivityTab'),
});
const instanceSettings = createRoute({
  getParentRoute: () => instance,
  path: '/settings',
  staticData: { crumb: 'Settings' },
  component: lazyRouteComponent(() => import('../pages/instance/settings.tsx'), 'SettingsTab'),
});
const projectBackups = createRoute({
  getParentRoute: () => project,
  path: '/backups',
  staticData: { crumb: 'Backups' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(
      apiQuery('backupsListProject', { params: { project: context.project.id }, query: { limit: 200 } }),
    ),
  component: lazyRouteComponent(() => import('../pages/backups/list.tsx'), 'ProjectBackupsPage'),
});
const projectRoutes = createRoute({
  getParentRoute: () => project,
  path: '/routes',
  staticData: { crumb: 'Routes' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(
      apiQuery('routesListProject', { params: { project: context.project.id }, query: { limit: 200 } }),
    ),
  component: lazyRouteComponent(() => import('../pages/routes/list.tsx'), 'ProjectRoutesPage'),
});
const firewall = createRoute({
  getParentRoute: () => project,
  path: '/firewall',
  staticData: { crumb: 'Firewall' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('securityGroupsList', { params: { project: context.project.id } })),
  component: lazyRouteComponent(() => import('../pages/firewall/page.tsx'), 'FirewallPage'),
});
const projectDomains = createRoute({
  getParentRoute: () => project,
  path: '/domains',
  staticData: { crumb: 'Domains' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('domainsList', { params: { project: context.project.id } })),
  component: lazyRouteComponent(() => import('../pages/domains/list.tsx'), 'DomainsPage'),
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
  component: lazyRouteComponent(() => import('../pages/operations/list.tsx'), 'OperationsPage'),
});
const projectPeople = createRoute({
  getParentRoute: () => project,
  path: '/people',
  staticData: { crumb: 'People' },
  loader: ({ context }) =>
    queryClient.prefetchQuery(apiQuery('projectRolesList', { params: { project: context.project.id } })),
  component: lazyRouteComponent(() => import('../pages/project/people.tsx'), 'ProjectPeoplePage'),
});
const operation = createRoute({
  getParentRoute: () => shell,
  path: '/operations/$operation',
  staticData: { crumb: 'Operation' },
  loader: ({ params }) => queryClient.prefetchQuery(apiQuery('operationsGet', { params })),
  component: lazyRouteComponent(() => import('../pages/operations/detail.tsx'), 'OperationPage'),
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

export const projectPages = [
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
        instanceMetrics,
        instanceLogs,
        instanceFiles,
        instanceStacks,
        instanceSnapshots,
        instanceBackups,
        instanceRoutes,
        instanceSsh,
        instanceFlows,
        instanceActivity,
        instanceSettings,
      ]),
    ]),
    projectRoutes,
    projectBackups,
    firewall,
    projectDomains,
    operations,
    projectPeople,
  ]),
  operation,
  instanceById,
] as const;
