/** Pages without the shell: before signing in, and those that fill a window of their own. */
import { createRoute, lazyRouteComponent } from '@tanstack/react-router';
import { safeReturn } from '../lib/scope.ts';
import { root, signedIn } from './root.tsx';

const setup = createRoute({
  getParentRoute: () => root,
  path: '/setup',
  staticData: { crumb: 'Set up' },
  validateSearch: (search: Record<string, unknown>): { code?: string | undefined } => ({
    code: typeof search['code'] === 'string' ? search['code'] : undefined,
  }),
  component: lazyRouteComponent(() => import('../pages/entry/setup.tsx'), 'SetupPage'),
});
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  staticData: { crumb: 'Sign in' },
  validateSearch: (search: Record<string, unknown>): { return?: string | undefined } => ({
    return: safeReturn(search['return']) ?? undefined,
  }),
  component: lazyRouteComponent(() => import('../pages/entry/sign-in.tsx'), 'SignInPage'),
});
/** Where identity providers send browsers back to. */
const outside = createRoute({
  getParentRoute: () => root,
  path: '/sign-in/$provider',
  staticData: { crumb: 'Sign in' },
  component: lazyRouteComponent(() => import('../pages/entry/outside.tsx'), 'OutsidePage'),
});
const invitation = createRoute({
  getParentRoute: () => root,
  path: '/invitations/$secret',
  staticData: { crumb: 'Invitation' },
  component: lazyRouteComponent(() => import('../pages/entry/invitation.tsx'), 'InvitationPage'),
});
const forgotten = createRoute({
  getParentRoute: () => root,
  path: '/forgot-password',
  staticData: { crumb: 'Forgotten password' },
  component: lazyRouteComponent(() => import('../pages/entry/forgotten.tsx'), 'ForgottenPage'),
});
const reset = createRoute({
  getParentRoute: () => root,
  path: '/reset-password/$secret',
  staticData: { crumb: 'New password' },
  component: lazyRouteComponent(() => import('../pages/entry/reset.tsx'), 'ResetPage'),
});
const confirmEmail = createRoute({
  getParentRoute: () => root,
  path: '/confirm-email/$secret',
  staticData: { crumb: 'Change of address' },
  component: lazyRouteComponent(() => import('../pages/entry/confirm-email.tsx'), 'ConfirmEmailPage'),
});
const register = createRoute({
  getParentRoute: () => root,
  path: '/register',
  staticData: { crumb: 'Register' },
  validateSearch: (search: Record<string, unknown>): { code?: string | undefined } => ({
    code: typeof search['code'] === 'string' ? search['code'].slice(0, 64) : undefined,
  }),
  component: lazyRouteComponent(() => import('../pages/entry/register.tsx'), 'RegisterPage'),
});
const registration = createRoute({
  getParentRoute: () => root,
  path: '/register/$secret',
  staticData: { crumb: 'Your account' },
  component: lazyRouteComponent(() => import('../pages/entry/registration.tsx'), 'RegistrationPage'),
});
/** Where a desktop's own name leads: its screen in the whole window, without the console around it. */
const screenWindow = createRoute({
  getParentRoute: () => root,
  path: '/screen/$instance',
  staticData: { crumb: 'Screen', wide: true },
  beforeLoad: signedIn,
  component: lazyRouteComponent(() => import('../pages/instance/screen/window.tsx'), 'ScreenWindow'),
});
/** An app that is not our own wants to know who is here. */
const appQuestion = createRoute({
  getParentRoute: () => root,
  path: '/app-sign-in/$interaction',
  staticData: { crumb: 'Sign in to an app' },
  beforeLoad: signedIn,
  component: lazyRouteComponent(() => import('../pages/entry/app-question.tsx'), 'AppQuestionPage'),
});

export const entryPages = [
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
] as const;
