/** The data page of the mock: instances and hosts as if they were rows. */
import { type DataTable, dataTableNames, dataTables } from '#domain/data.ts';
import { BerthError } from '#domain/errors.ts';
import type { Handlers } from './handlers.ts';
import type { MockState } from './state.ts';

function rowsOf(state: MockState, table: string): Record<string, unknown>[] {
  if (table === 'instance') {
    return state.instances.map((each) => ({
      ...each,
      project_id: each.project,
      cpus: each.size.cpus,
      memory_bytes: each.size.memoryBytes,
      disk_bytes: each.size.diskBytes,
      created_at: each.createdAt,
      observed_at: each.observedAt,
    }));
  }
  if (table === 'host') return state.hosts.map((each) => ({ ...each, last_seen_at: each.lastSeenAt }));
  return [];
}

export const dataHandlers: Pick<Handlers, 'dataTables' | 'dataRows'> = {
  dataTables: () => ({ items: dataTableNames.map((table) => ({ table, columns: [...dataTables[table]] })) }),
  dataRows: (state, { params, query }) => {
    const columns: readonly string[] = dataTables[params.table as DataTable];
    if (query.column !== undefined && !columns.includes(query.column)) {
      throw new BerthError('invalid_input', 'There is no such column.');
    }
    const text = (value: unknown) => (value === null || value === undefined ? null : String(value));
    const all = rowsOf(state, params.table).filter(
      (row) => query.column === undefined || (text(row[query.column]) ?? '').includes(query.value ?? ''),
    );
    const from = query.cursor === undefined ? 0 : Number(query.cursor);
    return {
      table: params.table,
      columns: [...columns],
      items: all.slice(from, from + query.limit).map((row) => columns.map((column) => text(row[column]))),
      nextCursor: all.length > from + query.limit ? String(from + query.limit) : null,
    };
  },
};
