import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Ban, Check, Waypoints } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { FlowRow } from '#contract/flows.ts';
import { FLOW_DAYS_KEPT } from '#domain/flows.ts';
import { canonicalRange, parsePorts } from '#domain/network-rules.ts';
import { call, download, type OutputOf, toApiError } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { formatBytes } from '../../lib/format.ts';
import type { FlowSearch } from '../../routes/flow-search.ts';
import { useProject } from '../../shell/session.ts';
import { DataTable } from '../../table/data-table.tsx';
import { FilterInput } from '../../table/filter-input.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { ErrorPanel } from '../../ui/error-panel.tsx';
import { ProgressBar } from '../../ui/progress.tsx';
import { Select } from '../../ui/select.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { useInstance } from './context.ts';

const REFRESH_MS = 15_000;
const HOUR_MS = 3_600_000;
const spans = [
  { value: '1', label: 'Last hour' },
  { value: '24', label: 'Last day' },
  { value: 'all', label: `Last ${FLOW_DAYS_KEPT} days` },
] as const;
const verdicts = [
  { value: 'any', label: 'Allowed and denied' },
  { value: 'allowed', label: 'Allowed' },
  { value: 'denied', label: 'Denied' },
] as const;

/** What is typed is an address or range, a port, or a part of a name. */
function filterOf(search: FlowSearch) {
  const { q = '', verdict, hours } = search;
  const [span] = parsePorts(q) ?? [];
  const what =
    q === ''
      ? {}
      : canonicalRange(q) !== null
        ? { address: q }
        : span !== undefined && span.first === span.last
          ? { port: span.first }
          : { name: q };
  // To the minute, so that the same question is asked with the same words for a while.
  const since =
    hours === undefined
      ? {}
      : { since: new Date(Math.floor(Date.now() / 60_000) * 60_000 - hours * HOUR_MS).toISOString() };
  return { ...what, ...since, ...(verdict === undefined ? {} : { verdict }) };
}

/** What left this instance: the largest destinations, and everything by hour. */
export function FlowsTab() {
  const project = useProject();
  const instance = useInstance();
  const search = useSearch({ from: '/shell/p/$project/instances/$instance/flows' });
  const navigate = useNavigate({ from: '/p/$project/instances/$instance/flows' });
  const set = (next: Partial<FlowSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  const params = { project: project.id };
  const filter = { ...filterOf(search), instance: instance.id };
  const query = useInfiniteQuery({
    queryKey: ['flowsList', { params, query: filter }],
    queryFn: ({ pageParam }): Promise<OutputOf<'flowsList'>> =>
      call('flowsList', {
        params,
        query: { ...filter, limit: 100, ...(pageParam === null ? {} : { cursor: pageParam }) },
      }),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
    refetchInterval: REFRESH_MS,
  });
  const rows = query.data?.pages.flatMap((page) => page.items) ?? [];
  const filtered = Object.values(search).some((value) => value !== undefined);
  return (
    <div className="flex flex-col gap-6">
      <Top filter={filter} />
      <section aria-labelledby="flows-title">
        <div className="mb-3 flex flex-wrap items-center gap-2">
          <h2 id="flows-title" className="mr-auto font-semibold text-base">
            What left
          </h2>
          <FilterInput
            label="Search by name, address or port"
            placeholder="Name, address or port"
            value={search.q ?? ''}
            onChange={(q) => set({ q: q || undefined })}
          />
          <Select
            label="Verdict"
            value={search.verdict ?? 'any'}
            options={verdicts}
            onChange={(verdict) => set({ verdict: verdict === 'any' ? undefined : verdict })}
          />
          <Select
            label="Since when"
            value={search.hours === undefined ? 'all' : search.hours === 1 ? '1' : '24'}
            options={spans}
            onChange={(hours) => set({ hours: hours === 'all' ? undefined : hours === '1' ? 1 : 24 })}
          />
          <ExportButton filter={filter} />
        </div>
        {query.isPending ? (
          <SkeletonRows />
        ) : query.isError ? (
          <ErrorPanel
            title={query.error.title}
            detail={query.error.message}
            requestId={query.error.requestId}
            onRetry={() => void query.refetch()}
          />
        ) : (
          <FlowTable rows={rows} filtered={filtered} />
        )}
        {query.hasNextPage ? (
          <div className="mt-3 flex justify-center">
            <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
              Earlier
            </Button>
          </div>
        ) : null}
      </section>
    </div>
  );
}

type Filter = ReturnType<typeof filterOf> & { instance: FlowRow['instance']['id'] };

/** A bar for each of the largest destinations. */
function Top({ filter }: { filter: Filter }) {
  const project = useProject();
  const query = useQuery({
    ...apiQuery('flowsTop', { params: { project: project.id }, query: filter }),
    refetchInterval: REFRESH_MS,
  });
  return (
    <QueryView query={query} rows={3}>
      {({ items }) => {
        if (items.length === 0) return null;
        const bytes = (row: (typeof items)[number]) => row.sentBytes + row.receivedBytes;
        const most = Math.max(1, ...items.map(bytes));
        return (
          <section aria-labelledby="top-title">
            <h2 id="top-title" className="mb-3 font-semibold text-base">
              Largest destinations
            </h2>
            <ul className="grid max-w-4xl grid-cols-[minmax(0,1fr)_minmax(4rem,16rem)_auto] items-center gap-x-4 gap-y-2 text-sm">
              {items.map((row) => (
                <li key={row.destination} className="contents">
                  <span className="mono truncate" title={row.destination}>
                    {row.destination}
                  </span>
                  <ProgressBar
                    percent={(100 * bytes(row)) / most}
                    label={`${row.destination}: ${formatBytes(bytes(row))}`}
                    tone={row.connections === 0 ? 'bad' : 'accent'}
                  />
                  <span className="whitespace-nowrap text-right text-soft tabular-nums">
                    {row.connections === 0 ? `${row.denied} denied` : formatBytes(bytes(row))}
                  </span>
                </li>
              ))}
            </ul>
          </section>
        );
      }}
    </QueryView>
  );
}

function Verdict({ verdict }: { verdict: FlowRow['verdict'] }) {
  return verdict === 'allowed' ? (
    <Badge tone="ok">
      <Check className="size-3" aria-hidden="true" /> Allowed
    </Badge>
  ) : (
    <Badge tone="bad">
      <Ban className="size-3" aria-hidden="true" /> Denied
    </Badge>
  );
}

function FlowTable({ rows, filtered }: { rows: FlowRow[]; filtered: boolean }) {
  const name = (row: FlowRow): string => row.name ?? row.address ?? 'Many more destinations';
  return (
    <DataTable
      label="What left"
      rows={rows}
      rowId={(row) => [row.verdict, row.address, row.protocol, row.port, row.firstAt].join(' ')}
      rowName={name}
      columns={[
        {
          id: 'destination',
          header: 'Destination',
          cell: (row) => (
            <span className="flex min-w-0 flex-col">
              <span className="truncate font-medium">{name(row)}</span>
              {row.name === null ? null : <span className="mono truncate text-soft text-xs">{row.address}</span>}
            </span>
          ),
        },
        {
          id: 'port',
          header: 'Port',
          from: 'sm',
          cell: (row) => (row.port === null ? row.protocol.toUpperCase() : `${row.protocol.toUpperCase()} ${row.port}`),
        },
        { id: 'verdict', header: 'Verdict', cell: (row) => <Verdict verdict={row.verdict} /> },
        { id: 'connections', header: 'Connections', from: 'md', align: 'right', cell: (row) => row.connections },
        { id: 'sent', header: 'Sent', from: 'sm', align: 'right', cell: (row) => formatBytes(row.sentBytes) },
        {
          id: 'received',
          header: 'Received',
          from: 'md',
          align: 'right',
          cell: (row) => formatBytes(row.receivedBytes),
        },
        { id: 'first', header: 'First', from: 'lg', cell: (row) => <TimeAgo at={row.firstAt} /> },
        { id: 'last', header: 'Last', cell: (row) => <TimeAgo at={row.lastAt} /> },
      ]}
      empty={
        <EmptyState icon={<Waypoints />} title={filtered ? 'Nothing matches' : 'Nothing has left yet'}>
          {filtered
            ? 'Search for something else, or look further back.'
            : 'Destinations appear here some seconds after the first connection, also when it was denied.'}
        </EmptyState>
      }
    />
  );
}

function ExportButton({ filter }: { filter: Filter }) {
  const project = useProject();
  const [busy, setBusy] = useState(false);
  async function save() {
    setBusy(true);
    try {
      const file = await download('flowsExport', { params: { project: project.id }, query: filter });
      const link = document.createElement('a');
      link.href = URL.createObjectURL(file.blob);
      link.download = file.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    setBusy(false);
  }
  return (
    <Button busy={busy} onClick={() => void save()}>
      Export
    </Button>
  );
}
