/** React Query over the client: keys are `[route name, input]`, so hints can name exactly what they make stale. */
import type { QueryKey } from '@tanstack/react-query';
import { QueryCache, QueryClient, queryOptions } from '@tanstack/react-query';
import type { ApiError, InputOf, RouteName } from './client.ts';
import { call, toApiError } from './client.ts';

declare module '@tanstack/react-query' {
  interface Register {
    defaultError: ApiError;
  }
}

/**
 * Options for `useQuery`, `ensureQueryData`, `prefetchQuery` of a GET endpoint. A request whose answer nobody wants any
 * more is not broken off: the answer may carry the new secret of the session, and without it the person is signed out.
 */
export function apiQuery<K extends RouteName>(name: K, input: InputOf<K>) {
  return queryOptions({
    queryKey: [name, input] as const,
    queryFn: () => call(name, input),
  });
}

/** True when `key` belongs to one of `names` and, where given, has this value among its path parameters. */
export function keyIs(key: QueryKey, names: readonly RouteName[], params: Record<string, string | null> = {}): boolean {
  if (!names.includes(key[0] as RouteName)) return false;
  const own = (key[1] as { params?: Record<string, unknown> } | undefined)?.params ?? {};
  return Object.entries(params).every(([name, value]) => value === null || !(name in own) || own[name] === value);
}

let onSignedOut: () => void = () => {};
/** The shell says what to do when the session has ended. */
export function setSignedOutHandler(handler: () => void): void {
  onSignedOut = handler;
}

let onFactorMissing: () => void = () => {};
/** The shell says what to do when an organization asks for a second factor that the person does not have. */
export function setFactorMissingHandler(handler: () => void): void {
  onFactorMissing = handler;
}

export const queryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => {
      // The session query itself decides where to go; anything else means that the session ended underneath us.
      const { code } = toApiError(error);
      if (code === 'unauthenticated' && query.queryKey[0] !== 'whoami') onSignedOut();
      if (code === 'second_factor_required') onFactorMissing();
    },
  }),
  defaultOptions: {
    queries: {
      staleTime: 15_000,
      gcTime: 5 * 60_000,
      refetchOnWindowFocus: true,
      retry: (count, error) => {
        const { code } = toApiError(error);
        return (
          (code === 'network' || code === 'unavailable' || code === 'timeout' || code === 'upstream_failed') &&
          count < 3
        );
      },
      retryDelay: (attempt) => Math.min(500 * 2 ** attempt, 8000),
    },
    mutations: { retry: false },
  },
});
