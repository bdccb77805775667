import { Dialog } from '@base-ui/react/dialog';
import { useQueryClient } from '@tanstack/react-query';
import { Outlet, useMatches, useNavigate, useRouter } from '@tanstack/react-router';
import { lazy, Suspense, useEffect, useState } from 'react';
import { actionRequest } from '../actions/request.ts';
import { stepUpRequests } from '../api/step-up.ts';
import { useShortcuts } from '../lib/keyboard.ts';
import { projectSlug } from '../lib/scope.ts';
import { startLive } from '../live/connection.ts';
import { showPresence } from '../live/presence.ts';
import { cx } from '../ui/cx.ts';
import { Logo } from '../ui/logo.tsx';
import { navGroups } from './nav.ts';
import { usePreferences } from './preferences.ts';
import { useEntered, useScope } from './session.ts';
import { SideNav } from './side-nav.tsx';
import { TopBar } from './top-bar.tsx';

const CommandPalette = lazy(() => import('./palette.tsx').then((module) => ({ default: module.CommandPalette })));
const ShortcutSheet = lazy(() => import('./shortcut-sheet.tsx').then((module) => ({ default: module.ShortcutSheet })));
const StepUpDialog = lazy(() =>
  import('../components/step-up-dialog.tsx').then((module) => ({ default: module.StepUpDialog })),
);
const EntryBanner = lazy(() => import('./entry-banner.tsx').then((module) => ({ default: module.EntryBanner })));
const ActionHost = lazy(() => import('../actions/host.tsx').then((module) => ({ default: module.ActionHost })));

/** Top bar, navigation and the page. Also where live hints, the palette and action dialogs live. */
export function AppShell() {
  const client = useQueryClient();
  const navigate = useNavigate();
  const router = useRouter();
  const scope = useScope();
  usePreferences(scope.session.preferences);
  const [drawer, setDrawer] = useState(false);
  const [palette, setPalette] = useState(false);
  const [sheet, setSheet] = useState(false);
  const requested = actionRequest.use() !== null;
  const confirming = stepUpRequests.use().length > 0;
  const groups = navGroups(scope);
  const entered = useEntered();
  const wide = useMatches({ select: (matches) => matches.some((match) => match.staticData.wide === true) });

  useEffect(() => startLive(client), [client]);
  useEffect(showPresence, []);
  // A rule that came while a page is open: the routes decide again where the person may be.
  const shut = scope.session.memberships.filter((each) => each.needsSecondFactor).length;
  useEffect(() => {
    if (shut > 0) void router.invalidate();
  }, [router, shut]);
  useShortcuts([
    { keys: 'mod+k', label: 'Search and commands', group: 'Everywhere', run: () => setPalette(true) },
    { keys: '?', label: 'Keyboard shortcuts', group: 'Everywhere', run: () => setSheet(true) },
    ...(scope.project === undefined
      ? []
      : [
          {
            keys: 'c',
            label: 'Create an instance',
            group: 'Everywhere',
            run: () =>
              void navigate({
                to: '/p/$project/instances/new',
                params: { project: projectSlug(scope.session, scope.project!) },
              }),
          },
        ]),
    ...groups.flatMap((group) =>
      group.entries.map((entry) => ({
        keys: entry.keys,
        label: entry.label,
        group: 'Go to',
        run: () => void navigate({ to: entry.href }),
      })),
    ),
  ]);

  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#main"
        className="sr-only z-50 rounded-md bg-accent px-3 py-2 text-on-accent focus:not-sr-only focus:fixed focus:top-2 focus:left-2"
      >
        Skip to the content
      </a>
      <TopBar
        scope={scope}
        onMenu={() => setDrawer(true)}
        onPalette={() => setPalette(true)}
        onShortcuts={() => setSheet(true)}
      />
      <div className="flex min-h-0 flex-1">
        <div className="sticky top-12 hidden h-[calc(100dvh-3rem)] w-54 shrink-0 overflow-y-auto border-line border-r bg-surface lg:block">
          <SideNav groups={groups} />
        </div>
        <div className={cx('flex min-w-0 flex-1 flex-col', wide && 'lg:h-[calc(100dvh-3rem)]')}>
          <Suspense>{entered === undefined ? null : <EntryBanner membership={entered} />}</Suspense>
          <main
            id="main"
            tabIndex={-1}
            className="flex min-h-0 min-w-0 flex-1 flex-col px-4 py-5 outline-hidden sm:px-6 sm:py-6"
          >
            <div className={cx('mx-auto flex w-full min-h-0 flex-1 flex-col', wide ? 'max-w-none' : 'max-w-300')}>
              <Outlet />
            </div>
          </main>
        </div>
      </div>
      <Dialog.Root open={drawer} onOpenChange={setDrawer}>
        <Dialog.Portal>
          <Dialog.Backdrop className="fixed inset-0 z-40 bg-scrim transition-opacity duration-100 data-ending-style:opacity-0 data-starting-style:opacity-0" />
          <Dialog.Popup
            aria-label="Navigation"
            className="fixed inset-y-0 left-0 z-40 w-68 overflow-y-auto border-line border-r bg-surface shadow-pop outline-hidden transition-transform duration-150 data-ending-style:-translate-x-full data-starting-style:-translate-x-full"
          >
            <div className="flex h-12 items-center gap-2 border-line border-b px-4 font-semibold">
              <Logo /> Berth
            </div>
            <SideNav groups={groups} onNavigate={() => setDrawer(false)} />
          </Dialog.Popup>
        </Dialog.Portal>
      </Dialog.Root>
      <Suspense>
        {palette ? (
          <CommandPalette scope={scope} onClose={() => setPalette(false)} onShortcuts={() => setSheet(true)} />
        ) : null}
        {sheet ? <ShortcutSheet onClose={() => setSheet(false)} /> : null}
        {requested ? <ActionHost /> : null}
        {confirming ? <StepUpDialog /> : null}
      </Suspense>
    </div>
  );
}
