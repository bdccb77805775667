import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { Boxes, Monitor, Plus, Server, Trash2, X } from 'lucide-react';
import { useMemo, useState } from 'react';
import type { Instance } from '#contract/instances.ts';
import { blockedReason, instanceActionList } from '../../actions/instances.ts';
import { requestAction } from '../../actions/request.ts';
import { instanceSlug, useActionEntries } from '../../actions/use-actions.tsx';
import { apiQuery } from '../../api/queries.ts';
import { NewInstanceLinks } from '../../components/new-instance-links.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { Thumbnail } from '../../components/thumbnail.tsx';
import { UsageBars } from '../../components/usage-bars.tsx';
import { formatBytes, plural } from '../../lib/format.ts';
import { kindTitle, stateWords } from '../../lib/instance-view.ts';
import { projectSlug } from '../../lib/scope.ts';
import { METRICS_POLL_MS } from '../../metrics/poll.ts';
import { useMay, useProject, useSession } from '../../shell/session.ts';
import { actionsColumn } from '../../table/columns.tsx';
import type { Column } from '../../table/data-table.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { FilterInput } from '../../table/filter-input.tsx';
import { Button, buttonClass, IconButton } from '../../ui/button.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { ActionsMenu } from '../../ui/menu.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Segmented } from '../../ui/segmented.tsx';
import { TimeAgo } from '../../ui/time.tsx';

function rowHref(project: string, row: Instance): string {
  return `/p/${project}/instances/${instanceSlug(row)}`;
}

function RowMenu({ instance }: { instance: Instance }) {
  const entries = useActionEntries();
  return <ActionsMenu of={instance.name} entries={entries(instance)} />;
}

export function InstancesPage() {
  const session = useSession();
  const project = useProject();
  const slug = projectSlug(session, project);
  const search = useSearch({ from: '/shell/p/$project/instances/' });
  const navigate = useNavigate({ from: '/p/$project/instances/' });
  const deleted = search.view === 'deleted';
  const query = useQuery(
    apiQuery('instancesList', {
      params: { project: project.id },
      query: deleted ? { limit: 200, archived: 'true' } : { limit: 200 },
    }),
  );
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const mayCreate = useMay('instance.create');
  const maySeeUsage = useMay('instance.inspect');
  const measured = useQuery({
    ...apiQuery('projectMetrics', { params: { project: project.id } }),
    enabled: maySeeUsage && !deleted,
    refetchInterval: METRICS_POLL_MS['1h'],
  });
  const usage = useMemo(
    () => new Map((measured.data?.items ?? []).map((each) => [each.instance as string, each])),
    [measured.data],
  );

  const href = (row: Instance) => rowHref(slug, row);
  const columns = useMemo<Column<Instance>[]>(
    () => [
      {
        id: 'name',
        header: 'Name',
        fills: true,
        sort: (row) => row.name,
        text: (row) =>
          `${row.name} ${row.description} ${row.id} ${row.address4 ?? ''} ${row.address6 ?? ''} ${row.createdBy} ${stateWords[row.state]}`,
        cell: (row) => (
          <div className="flex min-w-0 items-center gap-3">
            <Thumbnail instance={row} className="h-9 w-14 max-sm:hidden" />
            <div className="min-w-0">
              <Link to={rowHref(slug, row)} className="block truncate font-medium hover:text-accent">
                {row.name}
              </Link>
              <span className="block max-w-64 truncate text-faint text-xs max-sm:max-w-34">
                {row.operation?.step ?? row.drift ?? (row.description === '' ? kindTitle(row.kind) : row.description)}
              </span>
            </div>
          </div>
        ),
      },
      {
        id: 'state',
        header: 'State',
        sort: (row) => stateWords[row.state],
        cell: (row) => <StateBadge instance={row} />,
      },
      {
        id: 'usage',
        header: 'Used now',
        from: 'lg',
        cell: (row) => <UsageBars now={row.observed === 'running' ? usage.get(row.id) : undefined} />,
      },
      {
        id: 'size',
        header: 'Size',
        from: 'xl',
        sort: (row) => row.size.memoryBytes * 1000 + row.size.cpus,
        cell: (row) => (
          <span className="tabular whitespace-nowrap text-soft">
            {row.size.cpus} CPU · {formatBytes(row.size.memoryBytes)} · {formatBytes(row.size.diskBytes)}
          </span>
        ),
      },
      {
        id: 'address',
        header: 'Address',
        from: 'xl',
        cell: (row) =>
          row.url === null ? (
            <span className="text-faint">none yet</span>
          ) : (
            <a
              href={row.url}
              target="_blank"
              rel="noopener noreferrer"
              className="truncate text-soft hover:text-accent hover:underline"
            >
              {row.url.replace('https://', '')}
            </a>
          ),
      },
      {
        id: 'owner',
        header: 'Created by',
        from: '2xl',
        sort: (row) => row.createdBy,
        cell: (row) => <span className="whitespace-nowrap text-soft">{row.createdBy}</span>,
      },
      deleted
        ? {
            id: 'purge',
            header: 'Removed for good',
            sort: (row) => row.purgeAt ?? '',
            cell: (row) =>
              row.purgeAt === null ? null : <TimeAgo at={row.purgeAt} className="whitespace-nowrap text-soft" />,
          }
        : {
            id: 'created',
            header: 'Created',
            from: 'md',
            sort: (row) => row.createdAt,
            cell: (row) => <TimeAgo at={row.createdAt} className="whitespace-nowrap text-soft" />,
          },
      actionsColumn((row) => <RowMenu instance={row} />, { narrow: true }),
    ],
    [deleted, slug, usage],
  );

  const all = query.data?.items ?? [];
  const rows = useMemo(
    () => (query.data?.items ?? []).filter((row) => search.kind === undefined || row.kind === search.kind),
    [query.data, search.kind],
  );
  const chosen = all.filter((row) => selected.has(row.id));
  const set = (next: Partial<typeof search>) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });

  return (
    <>
      <PageHeader
        title={deleted ? 'Deleted instances' : 'Instances'}
        description={
          deleted
            ? 'Kept for 7 days after they were deleted; until then they can be brought back.'
            : 'Desktops and servers of this project.'
        }
        actions={
          deleted ? (
            <Link to="/p/$project/instances" params={{ project: slug }} className={buttonClass()}>
              Back to instances
            </Link>
          ) : (
            <>
              <Link
                to="/p/$project/instances"
                params={{ project: slug }}
                search={{ view: 'deleted' }}
                className={buttonClass('ghost')}
              >
                <Trash2 /> Deleted
              </Link>
              {mayCreate ? (
                <Link to="/p/$project/instances/new" params={{ project: slug }} className={buttonClass('primary')}>
                  <Plus /> New instance
                </Link>
              ) : (
                <Button tone="primary" icon={<Plus />} blocked="Your role does not allow this.">
                  New instance
                </Button>
              )}
            </>
          )
        }
      />
      {all.length === 0 ? null : (
        <div className="mb-3 flex flex-wrap items-center gap-2">
          <FilterInput
            label="Filter instances"
            placeholder="Name, address, person…"
            value={search.q ?? ''}
            onChange={(q) => set({ q: q === '' ? undefined : q })}
          />
          <Segmented
            label="Kind"
            value={search.kind ?? 'all'}
            onChange={(kind) => set({ kind: kind === 'all' ? undefined : kind })}
            options={[
              { value: 'all', label: 'All' },
              {
                value: 'desktop',
                label: (
                  <>
                    <Monitor aria-hidden="true" /> Desktops
                  </>
                ),
              },
              {
                value: 'server',
                label: (
                  <>
                    <Server aria-hidden="true" /> Servers
                  </>
                ),
              },
            ]}
          />
          <p className="tabular ml-auto text-faint text-xs" aria-live="polite">
            {plural(rows.length, 'instance')}
            {rows.length === all.length ? '' : ` of ${all.length}`}
          </p>
        </div>
      )}
      <QueryView query={query}>
        {() => (
          <DataTable
            label={deleted ? 'Deleted instances' : 'Instances'}
            rows={rows}
            columns={columns}
            rowId={(row) => row.id}
            rowName={(row) => row.name}
            href={href}
            onOpen={(row) => void navigate({ to: href(row) })}
            filter={search.q ?? ''}
            sort={search.sort}
            onSort={(sort) => set({ sort })}
            selected={selected}
            onSelect={setSelected}
            empty={
              deleted ? (
                <EmptyState icon={<Trash2 />} title="Nothing deleted">
                  Deleted desktops and servers stay here for 7 days.
                </EmptyState>
              ) : (
                <EmptyState
                  icon={<Boxes />}
                  title="No instances yet"
                  action={mayCreate ? <NewInstanceLinks slug={slug} /> : undefined}
                >
                  A desktop opens in your browser; a server has a terminal, Docker and an address of its own. From the
                  command line: <code>berth instances create desktop my-desk --wait</code>
                </EmptyState>
              )
            }
          />
        )}
      </QueryView>
      {chosen.length === 0 ? null : (
        <section
          aria-label="Selected instances"
          className="fixed inset-x-3 bottom-4 z-30 mx-auto flex w-fit max-w-full flex-wrap items-center gap-2 rounded-xl border border-line-strong bg-raised px-3 py-2 shadow-pop"
        >
          <span className="tabular px-1 font-medium text-sm">{plural(chosen.length, 'selected', 'selected')}</span>
          {instanceActionList
            .filter((action) => action.bulk === true && chosen.some((row) => action.applies(row)))
            .map((action) => {
              const reasons = chosen.map((row) =>
                action.applies(row) ? blockedReason(action, row) : 'Not in this state.',
              );
              const possible = reasons.some((reason) => reason === undefined);
              return (
                <Button
                  key={action.id}
                  size="sm"
                  tone={action.danger === true ? 'danger' : 'secondary'}
                  icon={<action.icon />}
                  blocked={possible ? undefined : reasons[0]}
                  onClick={() => requestAction(action.id, chosen)}
                >
                  {action.label}
                </Button>
              );
            })}
          <IconButton label="Clear the selection" size="sm" onClick={() => setSelected(new Set())}>
            <X />
          </IconButton>
        </section>
      )}
    </>
  );
}
