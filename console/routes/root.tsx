/** What every page stands on: the frame, and the shell that only signed-in people see. */
import { createRootRouteWithContext, createRoute, redirect } from '@tanstack/react-router';
import { toApiError } from '../api/client.ts';
import { apiQuery, queryClient } from '../api/queries.ts';
import type { Session } from '../lib/scope.ts';
import { AppShell } from '../shell/app-shell.tsx';
import { RootFrame, RootNotFound } from '../shell/frames.tsx';
import { sessionQuery } from '../shell/session.ts';

type Crumb = string | ((params: Record<string, string>) => string);
declare module '@tanstack/react-router' {
  interface StaticDataRouteOption {
    /** Its words in the breadcrumbs and the tab's title. */
    crumb?: Crumb;
    /** The page uses the whole width and height (terminal, screen, logs). */
    wide?: boolean;
  }
}
export const root = createRootRouteWithContext<Record<never, never>>()({
  component: RootFrame,
  notFoundComponent: RootNotFound,
});
export async function signedIn({ location }: { location: { href: string } }): Promise<{ session: Session }> {
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
export function enrolFirst(href: string): never {
  throw redirect({ to: '/account/security', search: { return: href === '/' ? undefined : href } });
}
export const shell = createRoute({
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
