/** Pages of the own account. */
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { apiQuery, queryClient } from '../api/queries.ts';
import { safeReturn } from '../lib/scope.ts';
import { shell } from './root.tsx';

const account = createRoute({
  getParentRoute: () => shell,
  path: '/account',
  staticData: { crumb: 'Account' },
  component: lazyRouteComponent(() => import('../pages/account/layout.tsx'), 'AccountLayout'),
});
const accountProfile = createRoute({
  getParentRoute: () => account,
  path: '/',
  component: lazyRouteComponent(() => import('../pages/account/profile.tsx'), 'ProfileTab'),
});
const accountSecurity = createRoute({
  getParentRoute: () => account,
  path: '/security',
  staticData: { crumb: 'Security' },
  validateSearch: (search: Record<string, unknown>): { return?: string | undefined } => ({
    return: safeReturn(search['return']) ?? undefined,
  }),
  loader: () => queryClient.prefetchQuery(apiQuery('securityGet', {})),
  component: lazyRouteComponent(() => import('../pages/account/security/security.tsx'), 'SecurityTab'),
});
const accountSessions = createRoute({
  getParentRoute: () => account,
  path: '/sessions',
  staticData: { crumb: 'Sessions' },
  component: lazyRouteComponent(() => import('../pages/account/sessions.tsx'), 'SessionsTab'),
});
const device = createRoute({
  getParentRoute: () => shell,
  path: '/device',
  staticData: { crumb: 'Sign a program in' },
  validateSearch: (search: Record<string, unknown>): { code?: string | undefined } => ({
    code: typeof search['code'] === 'string' && search['code'].length <= 40 ? search['code'] : undefined,
  }),
  component: lazyRouteComponent(() => import('../pages/account/device.tsx'), 'DevicePage'),
});
const accountSshKeys = createRoute({
  getParentRoute: () => account,
  path: '/ssh-keys',
  staticData: { crumb: 'SSH keys' },
  component: lazyRouteComponent(() => import('../pages/account/ssh-keys.tsx'), 'SshKeysTab'),
});
const accountTokens = createRoute({
  getParentRoute: () => account,
  path: '/tokens',
  staticData: { crumb: 'API tokens' },
  component: lazyRouteComponent(() => import('../pages/account/tokens.tsx'), 'TokensTab'),
});
const accountAppearance = createRoute({
  getParentRoute: () => account,
  path: '/appearance',
  staticData: { crumb: 'Appearance' },
  component: lazyRouteComponent(() => import('../pages/account/appearance.tsx'), 'AppearanceTab'),
});

export const accountPages = [
  device,
  account.addChildren([
    accountProfile,
    accountSecurity,
    accountSessions,
    accountSshKeys,
    accountTokens,
    accountAppearance,
  ]),
] as const;
