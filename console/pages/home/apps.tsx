import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { ExternalLink, LayoutGrid } from 'lucide-react';
import type { OutputOf } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { Thumbnail } from '../../components/thumbnail.tsx';
import { isMoving, kindTitle, stateTones, stateWords } from '../../lib/instance-view.ts';
import { projectSlug } from '../../lib/scope.ts';
import { useSession } from '../../shell/session.ts';
import { Badge } from '../../ui/badge.tsx';
import { buttonClass } from '../../ui/button.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { PageHeader } from '../../ui/page-header.tsx';

type App = OutputOf<'ownApps'>['items'][number];

/** What the host says, as a state in words; what is neither of them is not known. */
function stateOf(observed: string): keyof typeof stateWords {
  return observed in stateWords ? (observed as keyof typeof stateWords) : 'unknown';
}

/** Home of a guest: the desktops and servers that are shared with them, and nothing else. */
export function OwnAppsPage() {
  const query = useQuery(apiQuery('ownApps', {}));
  return (
    <>
      <PageHeader title="Apps" description="Desktops and servers that are shared with you." />
      <QueryView query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon={<LayoutGrid />} title="Nothing is shared with you yet">
              When somebody shares a desktop or a server with you, it appears here by itself. Ask whoever invited you.
            </EmptyState>
          ) : (
            <ul className="grid gap-3.5 sm:grid-cols-2 xl:grid-cols-3">
              {items.map((each) => (
                <Tile key={each.app} app={each} />
              ))}
            </ul>
          )
        }
      </QueryView>
    </>
  );
}

function Tile({ app }: { app: App }) {
  const { memberships } = useSession();
  const state = stateOf(app.observed);
  const screen = app.kind === 'desktop' && app.permissions.includes('open');
  return (
    <li className="card overflow-hidden">
      <Thumbnail
        instance={{ id: app.app, kind: app.kind, phase: 'ready', observed: app.observed, can: { screen } as never }}
        className="aspect-[16/9] w-full rounded-none border-0 border-line border-b [&>svg]:size-7"
      />
      <div className="flex flex-col gap-3 px-3.5 py-3">
        <div className="flex items-start gap-2">
          <div className="min-w-0 flex-1">
            <h2 className="truncate text-sm">{app.name}</h2>
            <p className="truncate text-faint text-xs">
              {kindTitle(app.kind)}
              {memberships.length > 1 ? ` of ${app.organization.title}` : ''}
            </p>
          </div>
          <Badge tone={stateTones[state]} dot moving={isMoving(state)}>
            {stateWords[state]}
          </Badge>
        </div>
        {app.observed === 'running' ? (
          <Ways app={app} />
        ) : (
          <p className="text-soft text-xs">It cannot be opened now. Who manages it can start it.</p>
        )}
      </div>
    </li>
  );
}

/** Screen, own address and terminal: what is granted, the widest way first. */
function Ways({ app }: { app: App }) {
  const session = useSession();
  const project = session.projects.find((each) => each.id === app.project.id);
  const params = {
    project: project === undefined ? app.project.id : projectSlug(session, project),
    instance: app.app as string,
  };
  const open = app.permissions.includes('open');
  return (
    <div className="flex flex-wrap gap-2">
      {open && app.kind === 'desktop' ? (
        <Link
          to="/p/$project/instances/$instance/screen"
          params={params}
          className={buttonClass('primary', 'sm')}
          aria-label={`Open ${app.name}`}
        >
          Open
        </Link>
      ) : null}
      {open && app.kind === 'server' && app.url !== null ? (
        <a
          href={app.url}
          target="_blank"
          rel="noopener noreferrer"
          className={buttonClass('primary', 'sm')}
          aria-label={`Open ${app.name}, in a new window`}
        >
          Open <ExternalLink />
        </a>
      ) : null}
      {app.permissions.includes('terminal') ? (
        <Link
          to="/p/$project/instances/$instance/terminal"
          params={params}
          className={buttonClass('secondary', 'sm')}
          aria-label={`Terminal of ${app.name}`}
        >
          Terminal
        </Link>
      ) : null}
    </div>
  );
}
