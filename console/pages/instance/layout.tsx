import { Outlet, useLocation, useMatches, useNavigate } from '@tanstack/react-router';
import { Ellipsis, ExternalLink, Lock } from 'lucide-react';
import { useEffect } from 'react';
import { toast } from 'sonner';
import type { Instance } from '#contract/instances.ts';
import { NOT_GRANTED, roleMay } from '#domain/authz.ts';
import { actionsFor, blockedReason } from '../../actions/instances.ts';
import { instanceSlug, useActionEntries, usePerform } from '../../actions/use-actions.tsx';
import { OperationProgress } from '../../components/operation-progress.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { TabNav } from '../../components/tab-nav.tsx';
import { Thumbnail } from '../../components/thumbnail.tsx';
import { kindTitle, stateWords } from '../../lib/instance-view.ts';
import { useShortcuts } from '../../lib/keyboard.ts';
import { projectSlug } from '../../lib/scope.ts';
import { titleState } from '../../lib/title.ts';
import { useProject, useSession } from '../../shell/session.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { CopyButton } from '../../ui/copy-button.tsx';
import { cx } from '../../ui/cx.ts';
import { Menu } from '../../ui/menu.tsx';
import { Notice } from '../../ui/notice.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { Tooltip } from '../../ui/tooltip.tsx';
import { useInstanceQuery } from './context.ts';

const tabs = [
  ['', 'Overview'],
  ['screen', 'Screen'],
  ['terminal', 'Terminal'],
  ['ssh', 'SSH'],
  ['metrics', 'Metrics'],
  ['flows', 'Traffic'],
  ['files', 'Files'],
  ['stacks', 'Stacks'],
  ['logs', 'Logs'],
  ['snapshots', 'Snapshots'],
  ['backups', 'Backups'],
  ['routes', 'Routes'],
  ['activity', 'Activity'],
  ['settings', 'Settings'],
] as const;

/** Whether a guest may ever open this tab; whether it can be opened now is said there. */
function isGranted(instance: Instance, tab: string): boolean {
  if (tab !== 'screen' && tab !== 'terminal' && tab !== 'ssh') return false;
  return instance.can[tab] !== NOT_GRANTED;
}

function Tabs({ instance }: { instance: Instance }) {
  const session = useSession();
  const project = useProject();
  const base = `/p/${projectSlug(session, project)}/instances/${instanceSlug(instance)}`;
  return (
    <TabNav
      label={`Parts of ${instance.name}`}
      className="-mx-4 px-4 sm:mx-0 sm:px-0"
      tabs={tabs
        .filter(([path]) => path !== 'screen' || instance.kind === 'desktop')
        .filter(([path]) => path !== 'flows' || roleMay(project.role, 'flow.read'))
        .filter(([path]) => path !== 'stacks' || instance.kind === 'server')
        .filter(([path]) => project.role !== 'guest' || path === '' || isGranted(instance, path))
        .map(([path, label]) => ({ to: path === '' ? base : `${base}/${path}`, label }))}
    />
  );
}

function Header({ instance, compact, tab }: { instance: Instance; compact: boolean; tab: string }) {
  const entries = useActionEntries();
  const perform = usePerform();
  const all = actionsFor(instance);
  const guest = useProject().role === 'guest';
  const primary = ['screen', 'terminal', 'start', 'resume', 'restore']
    .flatMap((id) => all.find((action) => action.id === id) ?? [])
    .filter((action, index) => index < 2 || action.group === 'power')
    // No button for where one is already.
    .filter((action) => action.kind !== 'tab' || action.tab !== tab)
    .filter((action) => !guest || blockedReason(action, instance) === undefined);
  const share = guest ? undefined : all.find((action) => action.id === 'share');
  const first = primary.find((action) => blockedReason(action, instance) === undefined);
  useShortcuts(
    all.flatMap((action) =>
      action.keys === undefined || blockedReason(action, instance) !== undefined
        ? []
        : [{ keys: action.keys, label: action.label, group: instance.name, run: () => perform(action, instance) }],
    ),
  );
  return (
    <header className={cx('flex flex-wrap items-center gap-x-4 gap-y-3', compact ? 'mb-2' : 'mb-4')}>
      {compact ? null : <Thumbnail instance={instance} className="h-13 w-20 rounded-md max-sm:hidden" />}
      <div className="min-w-0 flex-1 max-sm:basis-full">
        <div className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <h1 className={cx('truncate', compact ? 'text-lg' : 'text-xl')}>{instance.name}</h1>
          <StateBadge instance={instance} />
          {instance.protected ? (
            <Tooltip label="Protected: it cannot be deleted until that is switched off in the settings.">
              <button type="button" aria-label="Protected" className="text-faint">
                <Lock className="size-3.5" />
              </button>
            </Tooltip>
          ) : null}
        </div>
        {compact ? null : (
          <p className="mt-0.5 flex min-w-0 flex-wrap items-center gap-x-2 text-sm text-soft">
            <span>{kindTitle(instance.kind)}</span>
            {instance.url === null ? null : (
              <span className="inline-flex min-w-0 items-center gap-0.5">
                <span aria-hidden="true" className="mr-1.5 text-line-strong">
                  ·
                </span>
                <a
                  href={instance.url}
                  target="_blank"
                  rel="noopener noreferrer"
                  className="inline-flex min-w-0 items-center gap-1 truncate text-accent hover:underline"
                >
                  {instance.url.replace('https://', '')}{' '}
                  <ExternalLink className="size-3.5 shrink-0" aria-hidden="true" />
                </a>
                <CopyButton text={instance.url} label="Copy the address" className="!h-6 !w-6" />
              </span>
            )}
          </p>
        )}
      </div>
      <div className="flex flex-wrap items-center gap-2">
        {primary.map((action) => (
          <Button
            key={action.id}
            size={compact ? 'sm' : 'md'}
            tone={action === first ? 'primary' : 'secondary'}
            icon={<action.icon />}
            blocked={blockedReason(action, instance)}
            onClick={() => perform(action, instance)}
          >
            {action.label}
          </Button>
        ))}
        {share === undefined ? null : (
          <Button
            size={compact ? 'sm' : 'md'}
            icon={<share.icon />}
            blocked={blockedReason(share, instance)}
            onClick={() => perform(share, instance)}
          >
            {share.label}
          </Button>
        )}
        {guest ? null : (
          <Menu
            label={`Actions of ${instance.name}`}
            entries={entries(
              instance,
              [...primary, ...(share === undefined ? [] : [share])].map((action) => action.id),
            )}
            trigger={
              <IconButton label="More actions" tone="secondary" size={compact ? 'sm' : 'md'} quiet>
                <Ellipsis />
              </IconButton>
            }
          />
        )}
      </div>
    </header>
  );
}

/** An instance that moved to another project takes its open pages along. */
function useFollow(instance: Instance | undefined) {
  const session = useSession();
  const here = useProject();
  const navigate = useNavigate();
  const tab = useLocation({ select: ({ pathname }) => pathname.split('/')[5] });
  const moved = instance === undefined || instance.project === here.id ? undefined : instance;
  const target = session.projects.find((each) => each.id === moved?.project);
  const slug = moved === undefined || target === undefined ? undefined : instanceSlug(moved);
  const href =
    target === undefined || slug === undefined
      ? undefined
      : `/p/${projectSlug(session, target)}/instances/${slug}${tab === undefined ? '' : `/${tab}`}`;
  const title = target?.title;
  useEffect(() => {
    if (href === undefined) return;
    toast.message(`It is in the project ${title} now.`);
    void navigate({ href, replace: true });
  }, [href, title, navigate]);
}

export function InstanceLayout() {
  const query = useInstanceQuery();
  useFollow(query.data);
  const wide = useMatches({ select: (matches) => matches.some((match) => match.staticData.wide === true) });
  const tab = useLocation({ select: ({ pathname }) => pathname.split('/')[5] ?? '' });
  const state = query.data?.state;
  useEffect(() => {
    titleState.set(state === undefined || state === 'running' ? null : stateWords[state]);
    return () => titleState.set(null);
  }, [state]);
  return (
    <QueryView query={query}>
      {(instance) => (
        <>
          <Header instance={instance} compact={wide} tab={tab} />
          <Tabs instance={instance} />
          {wide ? null : (
            <div className="mb-5 flex flex-col gap-3 empty:hidden">
              {instance.phase === 'archived' && instance.purgeAt !== null ? (
                <Notice tone="warn" title="Deleted">
                  It is removed for good <TimeAgo at={instance.purgeAt} />. Until then it can be restored with
                  everything on it.
                </Notice>
              ) : null}
              {instance.drift === null ? null : (
                <Notice tone="warn" title="It is not as it should be">
                  {instance.drift}
                </Notice>
              )}
              {instance.operation === null ? null : <OperationProgress id={instance.operation.id} />}
            </div>
          )}
          <Outlet />
        </>
      )}
    </QueryView>
  );
}
