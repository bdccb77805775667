import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Table2 } from 'lucide-react';
import { useState } from 'react';
import type { OutputOf } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { FilterInput } from '../../table/filter-input.tsx';
import { Button } from '../../ui/button.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Notice } from '../../ui/notice.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Select } from '../../ui/select.tsx';

const ROWS = 50;
const route = getRouteApi('/shell/platform/data');

function Rows({ columns, items, table }: Pick<OutputOf<'dataRows'>, 'columns' | 'items' | 'table'>) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="card max-h-[70vh] overflow-auto" aria-label={`Rows of ${table}`} tabIndex={0}>
      <table className="tabular w-full text-xs">
        <thead className="sticky top-0 bg-surface text-left text-faint">
          <tr>
            {columns.map((column) => (
              <th key={column} scope="col" className="whitespace-nowrap px-3 py-2 font-medium">
                {column}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {items.map((cells, row) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: rows have no key of their own and never move
            <tr key={row} className="border-line border-t">
              {cells.map((cell, index) => (
                <td key={columns[index]} className="max-w-80 truncate whitespace-nowrap px-3 py-1.5" title={cell ?? ''}>
                  {cell === null ? <span className="text-faint">null</span> : cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function TableView({ table, column, value }: { table: string; column: string | undefined; value: string }) {
  /** Cursors of the pages before, the shown one last. */
  const [cursors, setCursors] = useState<string[]>([]);
  const cursor = cursors.at(-1);
  const filter = column === undefined || value === '' ? {} : { column, value };
  const query = useQuery({
    ...apiQuery('dataRows', {
      params: { table },
      query: { limit: ROWS, ...filter, ...(cursor === undefined ? {} : { cursor }) },
    }),
    // Every look is recorded: none happens by itself.
    staleTime: Number.POSITIVE_INFINITY,
    refetchOnWindowFocus: false,
  });
  return (
    <QueryView query={query}>
      {({ columns, items, nextCursor }) =>
        items.length === 0 ? (
          <div className="card">
            <EmptyState icon={<Table2 />} title="No rows">
              {value === '' ? 'This table is empty.' : 'Nothing holds that text.'}
            </EmptyState>
          </div>
        ) : (
          <div className="flex flex-col gap-3">
            <Rows columns={columns} items={items} table={table} />
            <div className="flex items-center gap-2">
              <Button
                size="sm"
                blocked={cursors.length === 0 ? 'This is the first page.' : undefined}
                onClick={() => setCursors(cursors.slice(0, -1))}
              >
                Newer
              </Button>
              <Button
                size="sm"
                blocked={nextCursor === null ? 'This is the last page.' : undefined}
                onClick={() => nextCursor !== null && setCursors([...cursors, nextCursor])}
              >
                Older
              </Button>
              <span className="text-faint text-xs">Page {cursors.length + 1}</span>
            </div>
          </div>
        )
      }
    </QueryView>
  );
}

/** Tables as they are stored, for administrators of the installation. */
export function DataPage() {
  const { table, column, q = '' } = route.useSearch();
  const navigate = useNavigate();
  const tables = useQuery({ ...apiQuery('dataTables', {}), staleTime: Number.POSITIVE_INFINITY });
  const go = (search: { table?: string | undefined; column?: string | undefined; q?: string | undefined }) =>
    void navigate({ to: '/platform/data', search, replace: true });
  return (
    <>
      <PageHeader title="Data" description="Tables as they are stored. Nothing can be changed here." />
      <Notice className="mb-4" title="Every look is recorded">
        Which table, which filter, who and when stand in the audit log of the installation. Secrets and what they could
        be guessed from are in no column.
      </Notice>
      <QueryView query={tables}>
        {({ items }) => {
          const chosen = items.find((each) => each.table === table);
          const by = chosen?.columns.find((each) => each === column) ?? chosen?.columns[0];
          return (
            <>
              <div className="mb-3 flex flex-wrap items-center gap-2">
                <div className="w-52">
                  <Select
                    label="Table"
                    placeholder="Choose a table"
                    value={table ?? ''}
                    onChange={(next) => go({ table: next })}
                    options={items.map((each) => ({ value: each.table, label: each.table }))}
                  />
                </div>
                {chosen === undefined || by === undefined ? null : (
                  <>
                    <div className="w-44">
                      <Select
                        label="Column to search in"
                        value={by}
                        onChange={(next) => go({ table, column: next, q })}
                        options={chosen.columns.map((each) => ({ value: each, label: each }))}
                      />
                    </div>
                    <FilterInput
                      label="Text to look for"
                      placeholder={`Part of ${by}`}
                      value={q}
                      onChange={(next) => go({ table, column: by, q: next === '' ? undefined : next })}
                    />
                  </>
                )}
              </div>
              {chosen === undefined ? (
                <div className="card">
                  <EmptyState icon={<Table2 />} title="Choose a table">
                    From the command line: <code>berth data show instance --where name=web</code>
                  </EmptyState>
                </div>
              ) : (
                <TableView key={`${table} ${by} ${q}`} table={chosen.table} column={by} value={q} />
              )}
            </>
          );
        }}
      </QueryView>
    </>
  );
}
