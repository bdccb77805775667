import { useQueryClient } from '@tanstack/react-query';
import type { ErrorComponentProps } from '@tanstack/react-router';
import { Link, Outlet, useMatches, useRouter } from '@tanstack/react-router';
import { Compass } from 'lucide-react';
import { lazy, Suspense, useEffect, useRef, useState } from 'react';
import { toApiError } from '../api/client.ts';
import { resolvedTheme } from '../lib/theme.ts';
import { titleState } from '../lib/title.ts';
import { Button, buttonClass } from '../ui/button.tsx';
import { EmptyState } from '../ui/empty-state.tsx';
import { ErrorPanel } from '../ui/error-panel.tsx';
import { SkeletonRows } from '../ui/skeleton.tsx';

/** Nothing is told before the first page is there: they may come after it. */
const Toasts = lazy(() => import('./toasts.tsx').then((module) => ({ default: module.Toasts })));

/** Words of the current page, outermost first. */
export function useCrumbs(): { text: string; pathname: string }[] {
  return useMatches({
    select: (matches) =>
      matches.flatMap((match) => {
        const crumb = match.staticData.crumb;
        if (crumb === undefined) return [];
        return [
          {
            text: typeof crumb === 'string' ? crumb : crumb(match.params as Record<string, string>),
            pathname: match.pathname,
          },
        ];
      }),
    structuralSharing: true,
  });
}

/** Says the new page's name to screen readers and moves the focus to the page's start. */
function RouteAnnouncer({ title }: { title: string }) {
  const [said, setSaid] = useState('');
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    setSaid(title);
  }, [title]);
  return (
    <div aria-live="polite" role="status" className="sr-only">
      {said}
    </div>
  );
}

export function RootFrame() {
  const crumbs = useCrumbs();
  const title = [...crumbs.map((each) => each.text).reverse(), 'Berth'].join(' · ');
  const theme = resolvedTheme.use();
  const state = titleState.use();
  useEffect(() => {
    document.title = state === null ? title : `${state} · ${title}`;
  }, [title, state]);
  return (
    <>
      <Outlet />
      <RouteAnnouncer title={title} />
      <Suspense>
        <Toasts theme={theme} />
      </Suspense>
    </>
  );
}

/** Below the shell there is a main landmark already; at the root this page brings its own. */
export function NotFoundPage() {
  return (
    <section className="flex flex-1 flex-col">
      <h1 className="sr-only">Not found</h1>
      <EmptyState
        icon={<Compass />}
        title="There is nothing here, or it is not yours to see"
        action={
          <Link to="/" className={buttonClass('primary')}>
            Go home
          </Link>
        }
      >
        The address may be mistyped, or the thing was renamed or removed.
      </EmptyState>
    </section>
  );
}

export function RootNotFound() {
  return (
    <main>
      <NotFoundPage />
    </main>
  );
}

export function PagePending() {
  return <SkeletonRows rows={6} label="Loading the page" />;
}

export function PageError({ error, reset }: ErrorComponentProps) {
  const problem = toApiError(error);
  const router = useRouter();
  const client = useQueryClient();
  return (
    <ErrorPanel
      title={problem.title}
      detail={problem.message}
      requestId={problem.requestId}
      onRetry={() => {
        void client.invalidateQueries();
        reset();
        void router.invalidate();
      }}
      action={
        problem.title === 'The console made a mistake' ? (
          <Button tone="ghost" onClick={() => location.reload()}>
            Reload the console
          </Button>
        ) : undefined
      }
    />
  );
}
