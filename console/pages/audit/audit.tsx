import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate, useRouteContext, useSearch } from '@tanstack/react-router';
import { ScrollText } from 'lucide-react';
import { type ReactNode, useState } from 'react';
import type { AuditEntry, DeletedLog } from '#contract/audit.ts';
import type { OutputOf } from '../../api/client.ts';
import { call } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import type { AuditSearch } from '../../routes/audit-search.ts';
import { timeColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { FilterInput } from '../../table/filter-input.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { ErrorPanel } from '../../ui/error-panel.tsx';
import { Input } from '../../ui/input.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Select } from '../../ui/select.tsx';
import { SkeletonRows } from '../../ui/skeleton.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { actorKinds, EntryPanel, results } from './entry-panel.tsx';
import { ExportButton, type LogScope, ProofCard, platformQuery } from './proof.tsx';

export function AuditPage() {
  const { organizationId } = useRouteContext({ from: '/shell/o/$organization' });
  const search = useSearch({ from: '/shell/o/$organization/audit' });
  const navigate = useNavigate({ from: '/o/$organization/audit' });
  return (
    <AuditLog
      scope={organizationId}
      title="Audit log"
      description="Every change and every sign-in, by whom and from where. Whatever is changed or removed afterwards is found."
      search={search}
      set={(next) => void navigate({ search: (before) => ({ ...before, ...next }), replace: true })}
    />
  );
}

export function PlatformAuditPage() {
  const search = useSearch({ from: '/shell/platform/audit' });
  const navigate = useNavigate({ from: '/platform/audit' });
  const set = (next: Partial<AuditSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });
  const deleted = search.deleted;
  return (
    <AuditLog
      key={deleted ?? 'installation'}
      scope={deleted === undefined ? null : { deleted }}
      title={deleted === undefined ? 'Audit log of the installation' : 'Audit log of a deleted organization'}
      description={
        deleted === undefined
          ? 'What belongs to no organization: images, hosts, sign-ins of unknown accounts. Each look at it is recorded here too.'
          : 'Nothing is added to it any more. It is kept for as long as the organization chose; each look at it is recorded in the log of the installation.'
      }
      search={search}
      set={set}
      choose={<ChooseLog deleted={deleted} onChoose={(next) => set({ deleted: next })} />}
    />
  );
}

const INSTALLATION = 'installation';

/** The installation's log, or one of an organization that was deleted; nothing while there is none. */
function ChooseLog({
  deleted,
  onChoose,
}: {
  deleted: string | undefined;
  onChoose: (organization: string | undefined) => void;
}) {
  const query = useQuery(apiQuery('platformAuditDeletedList', { query: { limit: 200 } }));
  const logs = query.data?.items ?? [];
  if (logs.length === 0 && deleted === undefined) return null;
  return (
    <Select
      label="Which log"
      className="sm:w-72"
      value={deleted ?? INSTALLATION}
      options={[
        { value: INSTALLATION, label: 'The installation' },
        ...logs.map((log) => ({
          value: log.organization,
          label: `${log.name}, deleted`,
          hint: <DeletedHint log={log} />,
        })),
      ]}
      onChange={(chosen) => onChoose(chosen === INSTALLATION ? undefined : chosen)}
    />
  );
}

function DeletedHint({ log }: { log: DeletedLog }) {
  return (
    <>
      <TimeAgo at={log.deletedAt} />
      {log.lastAt === null ? '; entries removed, signed for' : `; entries ${log.first} to ${log.entries}`}
    </>
  );
}

type LogProps = {
  scope: LogScope;
  title: string;
  description: string;
  search: AuditSearch;
  set: (next: Partial<AuditSearch>) => void;
  /** Beside the export: another log. */
  choose?: ReactNode;
};

/** Midnight at the beginning of a day, in the reader's own time; `add` days later. */
function dayStart(day: string | undefined, add = 0): string | undefined {
  if (day === undefined) return undefined;
  const date = new Date(`${day}T00:00:00`);
  date.setDate(date.getDate() + add);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

function AuditLog({ scope, title, description, search, set, choose }: LogProps) {
  const [shown, setShown] = useState<AuditEntry | null>(null);
  const { from, to, deleted: _, ...words } = search;
  const since = dayStart(from);
  const until = dayStart(to, 1);
  const filter = { ...words, since, until };
  const input =
    typeof scope === 'string'
      ? { params: { organization: scope }, query: filter }
      : { query: { ...filter, ...platformQuery(scope) } };
  const query = useInfiniteQuery({
    queryKey: [typeof scope === 'string' ? 'auditList' : 'platformAuditList', input],
    queryFn: ({ pageParam }): Promise<OutputOf<'auditList'>> => {
      const page = { ...filter, limit: 100, ...(pageParam === null ? {} : { cursor: pageParam }) };
      return typeof scope === 'string'
        ? call('auditList', { params: { organization: scope }, query: page })
        : call('platformAuditList', { query: { ...page, ...platformQuery(scope) } });
    },
    initialPageParam: null as string | null,
    getNextPageParam: (page) => page.nextCursor,
    // Each reading of the installation's log is recorded: only a person makes one.
    refetchOnWindowFocus: typeof scope === 'string',
  });
  const rows = query.data?.pages.flatMap((page) => page.items) ?? [];
  const filtered = Object.values({ ...words, from, to }).some((value) => value !== undefined);
  return (
    <>
      <PageHeader
        title={title}
        description={description}
        actions={
          <>
            {choose}
            <ExportButton scope={scope} since={since} until={until} />
          </>
        }
      />
      <ProofCard scope={scope} />
      <Filters search={search} set={set} filtered={filtered} />
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
        <Entries rows={rows} filtered={filtered} onOpen={setShown} />
      )}
      {query.hasNextPage ? (
        <div className="mt-3 flex justify-center">
          <Button busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
            Older entries
          </Button>
        </div>
      ) : null}
      <EntryPanel entry={shown} onClose={() => setShown(null)} />
    </>
  );
}

const resultOptions = [
  { value: 'any', label: 'Any result' },
  { value: 'ok', label: 'Done' },
  { value: 'refused', label: 'Refused' },
  { value: 'failed', label: 'Failed' },
] as const;

function Filters({ search, set, filtered }: Pick<LogProps, 'search' | 'set'> & { filtered: boolean }) {
  return (
    <div className="mb-3 flex flex-wrap items-center gap-2">
      <FilterInput
        label="Search all entries"
        placeholder="Search everywhere"
        value={search.q ?? ''}
        onChange={(q) => set({ q: q || undefined })}
      />
      <FilterInput
        shortcut={false}
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
      <Select
        label="Filter by result"
        className="sm:w-36"
        value={search.result ?? 'any'}
        options={resultOptions}
        onChange={(result) => set({ result: result === 'any' ? undefined : result })}
      />
      <span className="flex items-center gap-2 text-sm text-soft">
        <Input
          type="date"
          aria-label="From this day"
          className="w-38"
          value={search.from ?? ''}
          max={search.to}
          onChange={(event) => set({ from: event.target.value || undefined })}
        />
        to
        <Input
          type="date"
          aria-label="To this day"
          className="w-38"
          value={search.to ?? ''}
          min={search.from}
          onChange={(event) => set({ to: event.target.value || undefined })}
        />
      </span>
      {filtered ? (
        <Button
          tone="ghost"
          onClick={() =>
            set({
              q: undefined,
              action: undefined,
              actor: undefined,
              target: undefined,
              result: undefined,
              from: undefined,
              to: undefined,
            })
          }
        >
          Clear
        </Button>
      ) : null}
    </div>
  );
}

function Entries({
  rows,
  filtered,
  onOpen,
}: {
  rows: AuditEntry[];
  filtered: boolean;
  onOpen: (entry: AuditEntry) => void;
}) {
  return (
    <DataTable<AuditEntry>
      label="Audit log"
      rows={rows}
      rowId={(row) => row.id}
      rowName={(row) => row.action}
      onOpen={onOpen}
      empty={
        <EmptyState icon={<ScrollText />} title={filtered ? 'Nothing matches' : 'Nothing yet'}>
          {filtered ? 'Change or clear the filters.' : 'The first change or sign-in will be here.'}
        </EmptyState>
      }
      columns={[
        timeColumn('at', 'When', (row) => row.at),
        {
          id: 'actor',
          header: 'Who',
          beneath: true,
          cell: (row) => (
            <span className="block max-w-52 truncate">
              {row.actor}
              {row.actorKind === 'user' || row.actorKind === 'system' ? null : (
                <span className="ml-1.5 text-faint text-xs">{actorKinds[row.actorKind]}</span>
              )}
            </span>
          ),
        },
        {
          id: 'action',
          header: 'Did',
          fills: true,
          cell: (row) => (
            <button
              type="button"
              className="mono break-words text-left text-xs hover:text-accent max-sm:max-w-full sm:whitespace-nowrap"
              onClick={() => onOpen(row)}
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
  );
}
