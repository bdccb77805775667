import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useRouteContext, useSearch } from '@tanstack/react-router';
import { ScrollText } from 'lucide-react';
import { useState } from 'react';
import type { AuditEntry } from '#contract/audit.ts';
import { call } from '../../api/client.ts';
import { describeUserAgent, formatMoment, humanize } from '../../lib/format.ts';
import { DataTable } from '../../table/data-table.tsx';
import { FilterInput } from '../../table/filter-input.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { Copyable } from '../../ui/copy-button.tsx';
import { SidePanel } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { ErrorPanel } from '../../ui/error-panel.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Properties } from '../../ui/properties.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { TimeAgo } from '../../ui/time.tsx';

const results = { ok: ['ok', 'Done'], refused: ['warn', 'Refused'], failed: ['bad', 'Failed'] } as const;
const kinds = {
  user: 'person',
  token: 'API token',
  workflow: 'workflow',
  system: 'Berth',
  anonymous: 'nobody known',
} as const;

export function AuditPage() {
  const { organizationId } = useRouteContext({ from: '/shell/o/$organization' });
  const search = useSearch({ from: '/shell/o/$organization/audit' });
  const navigate = useNavigate({ from: '/o/$organization/audit' });
  const [shown, setShown] = useState<AuditEntry | null>(null);
  const query = useInfiniteQuery({
    queryKey: ['auditList', { params: { organization: organizationId }, query: search }],
    queryFn: ({ pageParam, signal }) =>
      call(
        'auditList',
        {
          params: { organization: organizationId },
          query: { ...search, limit: 100, ...(pageParam === null ? {} : { cursor: pageParam }) },
        },
        { signal },
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
  });
  const set = (next: Partial<typeof search>) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  const rows = query.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <>
      <PageHeader
        title="Audit log"
        description="Every change and every sign-in, by whom and from where. Entries cannot be changed or removed."
      />
      <div className="mb-3 flex flex-wrap gap-2">
        <FilterInput
          label="Filter by action"
          placeholder="Action, as instance.create"
          value={search.action ?? ''}
          onChange={(action) => set({ action: action || undefined })}
        />
        <FilterInput
          shortcut={false}
          label="Filter by person"
          placeholder="Person"
          value={search.actor ?? ''}
          onChange={(actor) => set({ actor: actor || undefined })}
        />
        <FilterInput
          shortcut={false}
          label="Filter by target"
          placeholder="Target"
          value={search.target ?? ''}
          onChange={(target) => set({ target: target || undefined })}
        />
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
        <DataTable<AuditEntry>
          label="Audit log"
          rows={rows}
          rowId={(row) => row.id}
          rowName={(row) => row.action}
          onOpen={setShown}
          empty={
            <EmptyState icon={<ScrollText />} title="Nothing matches">
              Change or clear the filters.
            </EmptyState>
          }
          columns={[
            {
              id: 'at',
              header: 'When',
              cell: (row) => <TimeAgo at={row.at} className="whitespace-nowrap text-soft" />,
            },
            {
              id: 'actor',
              header: 'Who',
              cell: (row) => (
                <span className="block max-w-52 truncate">
                  {row.actor}
                  {row.actorKind === 'user' || row.actorKind === 'system' ? null : (
                    <span className="ml-1.5 text-faint text-xs">{kinds[row.actorKind]}</span>
                  )}
                </span>
              ),
            },
            {
              id: 'action',
              header: 'Did',
              cell: (row) => (
                <button
                  type="button"
                  className="mono whitespace-nowrap text-left text-xs hover:text-accent"
                  onClick={() => setShown(row)}
                >
                  {row.action}
                </button>
              ),
            },
            {
              id: 'target',
              header: 'To',
              from: 'sm',
              cell: (row) => <span className="block max-w-60 truncate text-soft">{row.target}</span>,
            },
            {
              id: 'result',
              header: 'Result',
              cell: (row) => <Badge tone={results[row.result][0]}>{results[row.result][1]}</Badge>,
            },
            {
              id: 'address',
              header: 'From',
              from: 'lg',
              cell: (row) => <span className="mono text-faint text-xs">{row.address ?? ''}</span>,
            },
          ]}
        />
      )}
      {query.hasNextPage ? (
        <div className="mt-3 flex justify-center">
          <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Older entries
          </Button>
        </div>
      ) : null}
      <SidePanel
        open={shown !== null}
        onClose={() => setShown(null)}
        title={shown === null ? '' : humanize(shown.action)}
        description={shown?.target}
      >
        {shown === null ? null : (
          <div className="flex flex-col gap-4">
            <Properties
              className="-mx-4"
              items={[
                ['Entry', <Copyable key="i" text={shown.id} />],
                [
                  'When',
                  <time key="w" dateTime={shown.at}>
                    {formatMoment(Date.parse(shown.at))}
                  </time>,
                ],
                ['Who', `${shown.actor} (${kinds[shown.actorKind]})`],
                [
                  'Action',
                  <span key="a" className="mono">
                    {shown.action}
                  </span>,
                ],
                [
                  'Target',
                  shown.targetId === null ? (
                    shown.target
                  ) : (
                    <span key="t" className="min-w-0">
                      <span className="block">{shown.target}</span>
                      <Copyable text={shown.targetId} className="text-xs" />
                    </span>
                  ),
                ],
                [
                  'Result',
                  <Badge key="r" tone={results[shown.result][0]}>
                    {results[shown.result][1]}
                  </Badge>,
                ],
                ['From', shown.address],
                [
                  'With',
                  shown.userAgent === null ? null : (
                    <span key="u" title={shown.userAgent}>
                      {describeUserAgent(shown.userAgent)}
                    </span>
                  ),
                ],
                ['Request', shown.requestId === null ? null : <Copyable key="q" text={shown.requestId} />],
              ]}
            />
            {shown.before === null || shown.before === undefined ? null : (
              <div>
                <h3 className="mb-1 text-faint text-xs">Before</h3>
                <CodeBlock label="state before" code={JSON.stringify(shown.before, null, 2)} />
              </div>
            )}
            {shown.after === null || shown.after === undefined ? null : (
              <div>
                <h3 className="mb-1 text-faint text-xs">After</h3>
                <CodeBlock label="state after" code={JSON.stringify(shown.after, null, 2)} />
              </div>
            )}
          </div>
        )}
      </SidePanel>
    </>
  );
}
