import { Link, useLocation, useNavigate, useRouter } from '@tanstack/react-router';
import {
  BookOpen,
  Building2,
  Check,
  ChevronRight,
  ChevronsUpDown,
  CircleQuestionMark,
  Code,
  Keyboard,
  KeyRound,
  LogOut,
  Menu as MenuIcon,
  Monitor,
  Moon,
  Palette,
  Search,
  Sun,
  UserRound,
} from 'lucide-react';
import { call } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { Avatar } from '../components/avatar.tsx';
import { isOnlyGuest, type Membership, type Project, rememberProject } from '../lib/scope.ts';
import { themeStore } from '../lib/theme.ts';
import { IconButton } from '../ui/button.tsx';
import { Kbd, shortcutText } from '../ui/kbd.tsx';
import { Logo } from '../ui/logo.tsx';
import type { MenuEntry } from '../ui/menu.tsx';
import { Menu } from '../ui/menu.tsx';
import { useCrumbs } from './frames.tsx';
import { helpFor } from './help.ts';
import { LiveIndicator } from './live-indicator.tsx';
import { chooseTheme } from './preferences.ts';
import type { Scope } from './session.ts';
import { afterSwitch, firstProject } from './switch.ts';

function ProjectSwitcher({ scope }: { scope: Scope }) {
  const router = useRouter();
  const { session, project, membership } = scope;
  function switchTo(there: Membership, into: Project | undefined) {
    if (into !== undefined) rememberProject(into);
    const { pathname } = router.state.location;
    void router.navigate({ to: afterSwitch(session, pathname, { membership: there, project: into }) });
  }
  const entries: MenuEntry[] = session.memberships.flatMap((there, index) => {
    const { organization } = there;
    return [
      ...(index === 0 ? [] : [{ kind: 'separator' as const, key: `line-${organization.id}` }]),
      there === membership
        ? { kind: 'label' as const, key: organization.id, label: organization.title }
        : {
            key: organization.id,
            label: organization.title,
            icon: <Building2 />,
            onSelect: () => switchTo(there, firstProject(session, organization.id)),
          },
      ...session.projects
        .filter((each) => each.organization === organization.id)
        .map((each) => ({
          key: each.id,
          label: each.title,
          hint: each.title === each.name ? undefined : each.name,
          icon: each.id === project?.id ? <Check className="!text-accent" /> : <span className="size-4" />,
          onSelect: () => switchTo(there, each),
        })),
    ];
  });
  return (
    <Menu
      align="start"
      label="Project"
      entries={entries}
      trigger={
        <button type="button" className="flex h-8 min-w-0 items-center gap-1.5 rounded-md px-2 text-sm hover:bg-hover">
          <span className="hidden truncate text-faint xl:inline">{membership?.organization.title ?? 'Berth'}</span>
          <span aria-hidden="true" className="hidden text-line-strong xl:inline">
            /
          </span>
          <span className="truncate font-medium">{project?.title ?? 'No project'}</span>
          <span className="sr-only">, switch project</span>
          <ChevronsUpDown className="size-3.5 shrink-0 text-faint" />
        </button>
      }
    />
  );
}

/** `bare`: nothing stands before them. */
function Breadcrumbs({ bare }: { bare: boolean }) {
  const crumbs = useCrumbs();
  return (
    <nav aria-label="Breadcrumbs" className="hidden min-w-0 items-center text-sm md:flex">
      <ol className="flex min-w-0 items-center gap-1">
        {crumbs.map((crumb, index) => (
          <li key={`${crumb.pathname} ${crumb.text}`} className="flex min-w-0 items-center gap-1">
            {bare && index === 0 ? null : (
              <ChevronRight aria-hidden="true" className="size-3.5 shrink-0 text-line-strong" />
            )}
            {index === crumbs.length - 1 ? (
              <span aria-current="page" className="truncate px-1 text-soft">
                {crumb.text}
              </span>
            ) : (
              <Link to={crumb.pathname} className="truncate rounded-sm px-1 text-faint hover:text-text">
                {crumb.text}
              </Link>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** Pages of the documentation are no part of the console: they open beside it. */
function openPage(path: string): void {
  window.open(path, '_blank', 'noopener');
}

function AccountMenu({ scope, onShortcuts }: { scope: Scope; onShortcuts: () => void }) {
  const navigate = useNavigate();
  const theme = themeStore.use();
  const { user, preferences } = scope.session;
  async function signOut() {
    await call('signOut', {}).catch(() => undefined);
    queryClient.clear();
    await navigate({ to: '/sign-in', search: { return: undefined } });
  }
  const themes = [
    ['light', 'Light', <Sun key="l" />],
    ['dark', 'Dark', <Moon key="d" />],
    ['system', 'As the system', <Monitor key="s" />],
  ] as const;
  return (
    <Menu
      label="Account"
      entries={[
        { kind: 'label', key: 'who', label: <span className="block truncate text-soft">{user.email}</span> },
        { key: 'account', label: 'Account', icon: <UserRound />, onSelect: () => void navigate({ to: '/account' }) },
        {
          key: 'tokens',
          label: 'API tokens',
          icon: <KeyRound />,
          onSelect: () => void navigate({ to: '/account/tokens' }),
        },
        {
          key: 'appearance',
          label: 'Appearance',
          icon: <Palette />,
          onSelect: () => void navigate({ to: '/account/appearance' }),
        },
        { key: 'keys', label: 'Keyboard shortcuts', icon: <Keyboard />, shortcut: '?', onSelect: onShortcuts },
        { kind: 'separator', key: 'line1' },
        ...themes.map(([value, label, icon]) => ({
          key: value,
          label,
          icon,
          checked: theme === value,
          onSelect: () => void chooseTheme(value),
        })),
        { kind: 'separator', key: 'line2' },
        {
          key: 'help',
          label: 'Help with this page',
          icon: <CircleQuestionMark />,
          onSelect: () => openPage(helpFor(location.pathname)),
        },
        { key: 'docs', label: 'Documentation', icon: <BookOpen />, onSelect: () => openPage('/docs/') },
        { key: 'source', label: 'Source code', icon: <Code />, onSelect: () => openPage('/docs/source') },
        { kind: 'separator', key: 'line3' },
        { key: 'out', label: 'Sign out', icon: <LogOut />, onSelect: () => void signOut() },
      ]}
      trigger={
        <button type="button" className="rounded-full hover:brightness-97">
          <Avatar name={user.name} src={preferences.avatar} />
          <span className="sr-only">, account of {user.name}</span>
        </button>
      }
    />
  );
}

/** The page of the documentation about the page in view, beside the console. */
function HelpLink() {
  const path = useLocation({ select: ({ pathname }) => pathname });
  return (
    <a
      href={helpFor(path)}
      target="_blank"
      rel="noopener"
      aria-label="Help with this page (opens beside the console)"
      title="Help with this page"
      className="inline-flex size-8 items-center justify-center rounded-md text-soft hover:bg-hover hover:text-text max-sm:hidden"
    >
      <CircleQuestionMark className="size-4" aria-hidden="true" />
    </a>
  );
}

export function TopBar({
  scope,
  onMenu,
  onPalette,
  onShortcuts,
}: {
  scope: Scope;
  onMenu: () => void;
  onPalette: () => void;
  onShortcuts: () => void;
}) {
  const theme = themeStore.use();
  const guest = isOnlyGuest(scope.session);
  const next = theme === 'light' ? 'dark' : theme === 'dark' ? 'system' : 'light';
  return (
    <header className="sticky top-0 z-20 flex h-12 items-center gap-1 border-line border-b bg-surface px-3">
      <IconButton label="Menu" quiet className="lg:hidden" onClick={onMenu}>
        <MenuIcon />
      </IconButton>
      <Link
        to="/"
        aria-label="Berth, home"
        className="flex items-center gap-2 rounded-md pr-2 font-semibold tracking-tight lg:w-47 lg:pl-1.5"
      >
        <Logo className="size-6.5" />
        <span className="max-sm:sr-only">Berth</span>
      </Link>
      {guest ? null : <ProjectSwitcher scope={scope} />}
      <Breadcrumbs bare={guest} />
      <div className="ml-auto flex items-center gap-1">
        <button
          type="button"
          onClick={onPalette}
          className="flex h-8 items-center gap-2 rounded-md border border-line bg-sunken px-2.5 text-faint text-sm hover:border-line-strong max-md:size-8 max-md:justify-center max-md:border-transparent max-md:bg-transparent max-md:px-0 md:w-56"
        >
          <Search className="size-4" />
          <span className="max-md:sr-only">Search or do…</span>
          <Kbd className="ml-auto max-md:hidden">{shortcutText('mod+k')}</Kbd>
        </button>
        <LiveIndicator />
        <HelpLink />
        <IconButton
          label={`Theme: ${theme}. Switch to ${next}`}
          className="max-sm:hidden"
          onClick={() => void chooseTheme(next)}
        >
          {theme === 'light' ? <Sun /> : theme === 'dark' ? <Moon /> : <Monitor />}
        </IconButton>
        <AccountMenu scope={scope} onShortcuts={onShortcuts} />
      </div>
    </header>
  );
}
