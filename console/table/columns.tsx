/** Columns that many tables have, so that they read the same everywhere. */
import type { RowData } from '@tanstack/react-table';
import type { ReactNode } from 'react';
import { TimeAgo } from '../ui/time.tsx';
import type { Column } from './data-table.tsx';

/** Buttons or a menu at the end of a row. `narrow`: one button without words. */
export function actionsColumn<T extends RowData>(cell: (row: T) => ReactNode, { narrow = false } = {}): Column<T> {
  return {
    id: 'actions',
    header: 'Actions',
    quietHeader: true,
    align: 'right',
    ...(narrow ? { width: 'w-12' } : {}),
    cell,
  };
}

/** A moment, as the time since or until then. */
export function timeColumn<T extends RowData>(
  id: string,
  header: string,
  at: (row: T) => string,
  { from }: Pick<Column<T>, 'from'> = {},
): Column<T> {
  return {
    id,
    header,
    ...(from === undefined ? {} : { from }),
    cell: (row) => <TimeAgo at={at(row)} className="whitespace-nowrap text-soft" />,
  };
}

/** When a key, a token or an account was last used, and from which address where that is known. */
export function lastUsedColumn<T extends { lastUsedAt: string | null; lastUsedAddress?: string | null }>({
  from,
}: Pick<Column<T>, 'from'> = {}): Column<T> {
  return {
    id: 'used',
    header: 'Last used',
    ...(from === undefined ? {} : { from }),
    cell: ({ lastUsedAt, lastUsedAddress = null }) =>
      lastUsedAt === null ? (
        <span className="text-faint">never</span>
      ) : (
        <div>
          <TimeAgo at={lastUsedAt} className="whitespace-nowrap text-soft" />
          {lastUsedAddress === null ? null : <p className="mono text-faint text-xs">{lastUsedAddress}</p>}
        </div>
      ),
  };
}
