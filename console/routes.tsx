/**
 * Every page of the console in one tree, by area in `routes/`. Code and data of a page are fetched on hover or focus of a
 * link to it.
 */
import { createRouter } from '@tanstack/react-router';
import { queryClient, setFactorMissingHandler, setSignedOutHandler } from './api/queries.ts';
import './lib/outside-return.ts';
import { accountPages } from './routes/account.tsx';
import { entryPages } from './routes/entry.tsx';
import { installationPages } from './routes/installation.tsx';
import { organizationPages } from './routes/organization.tsx';
import { projectPages } from './routes/project.tsx';
import { root, shell } from './routes/root.tsx';
import { NotFoundPage, PageError, PagePending } from './shell/frames.tsx';

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}

const tree = root.addChildren([
  ...entryPages,
  shell.addChildren([...projectPages, ...organizationPages, ...installationPages, ...accountPages]),
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
