/**
 * The one table: sorting, filtering by text, selection, keyboard (j k Enter x), rows as links, and only the rows on screen
 * in the document once there are many. State that belongs in the address (sort, filter) is given from outside.
 */
import type { RowData } from '@tanstack/react-table';
import {
  columnFilteringFeature,
  createFilteredRowModel,
  createSortedRowModel,
  globalFilteringFeature,
  rowSelectionFeature,
  rowSortingFeature,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, ArrowUp } from 'lucide-react';
import type { MouseEvent, ReactNode } from 'react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useShortcuts } from '../lib/keyboard.ts';
import { cx } from '../ui/cx.ts';
import { Checkbox } from '../ui/switch.tsx';

/** Beyond this many rows only those on screen are rendered. */
const VIRTUAL_FROM = 80;

export type Column<T extends RowData> = {
  id: string;
  header: ReactNode;
  cell: (row: T) => ReactNode;
  /** Makes the column sortable. */
  sort?: (row: T) => string | number;
  /** Text that the filter looks at. */
  text?: (row: T) => string;
  /** Hidden on screens narrower than this. */
  from?: 'sm' | 'md' | 'lg' | 'xl' | '2xl';
  /** On a phone it gets what the others leave; what is longer is broken or cut. */
  fills?: boolean;
  /** On a phone it stands in the cells of the column that fills, below what is there. */
  beneath?: boolean;
  align?: 'right';
  width?: string;
  /** Screen readers hear the header, nobody sees it (action columns). */
  quietHeader?: boolean;
};

const fromClass = {
  sm: 'max-sm:hidden',
  md: 'max-md:hidden',
  lg: 'max-lg:hidden',
  xl: 'max-xl:hidden',
  '2xl': 'max-2xl:hidden',
} as const;

const features = tableFeatures({
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  columnFilteringFeature,
  globalFilteringFeature,
  filteredRowModel: createFilteredRowModel(),
  rowSelectionFeature,
});

function columnClass<T extends RowData>({ from, beneath, fills, align, width }: Column<T>): string {
  return cx(
    from && fromClass[from],
    beneath && fromClass.sm,
    fills && 'max-sm:w-full max-sm:max-w-0',
    align === 'right' && 'text-right',
    width,
  );
}

export type DataTableProps<T extends RowData> = {
  label: string;
  rows: readonly T[];
  columns: readonly Column<T>[];
  rowId: (row: T) => string;
  rowName: (row: T) => string;
  /** Where a row leads; plain and middle click, and Enter. */
  href?: (row: T) => string;
  onOpen?: (row: T) => void;
  filter?: string;
  /** 'name' ascending, '-name' descending. */
  sort?: string | undefined;
  onSort?: (sort: string | undefined) => void;
  selected?: ReadonlySet<string>;
  onSelect?: (selected: ReadonlySet<string>) => void;
  empty?: ReactNode;
  rowHeight?: number;
  /** Old data while new is on its way: dimmed, not hidden. */
  stale?: boolean;
};

export function DataTable<T extends RowData>({
  label,
  rows,
  columns,
  rowId,
  rowName,
  href,
  onOpen,
  filter = '',
  sort,
  onSort,
  selected,
  onSelect,
  empty,
  rowHeight = 53,
  stale = false,
}: DataTableProps<T>) {
  const definitions = useMemo(
    () =>
      columns.map((column) => ({
        id: column.id,
        accessorFn: (row: T) => column.sort?.(row) ?? '',
        enableSorting: column.sort !== undefined,
        sortFn: (a: { original: T }, b: { original: T }) => {
          const left = column.sort?.(a.original) ?? '';
          const right = column.sort?.(b.original) ?? '';
          return typeof left === 'number' && typeof right === 'number'
            ? left - right
            : String(left).localeCompare(String(right), 'en', { numeric: true });
        },
      })),
    [columns],
  );
  const sorting = useMemo(
    () => (sort === undefined ? [] : [{ id: sort.replace(/^-/, ''), desc: sort.startsWith('-') }]),
    [sort],
  );
  const texts = useMemo(() => columns.flatMap((column) => (column.text === undefined ? [] : [column.text])), [columns]);
  const data = rows as T[];
  const table = useTable({
    features,
    columns: definitions,
    data,
    getRowId: rowId,
    state: { sorting, globalFilter: filter },
    onSortingChange: () => {},
    onGlobalFilterChange: () => {},
    // The filter function looks at whole rows, so it is asked once per row.
    getColumnCanGlobalFilter: (column: { id: string }) => column.id === columns[0]?.id,
    globalFilterFn: (row: { original: T }, _column: string, value: string) =>
      texts.some((text) => text(row.original).toLowerCase().includes(value.trim().toLowerCase())),
  });
  const shown = table.getRowModel().rows;
  const [active, setActive] = useState<string | null>(null);
  const body = useRef<HTMLTableSectionElement>(null);
  const virtual = shown.length > VIRTUAL_FROM;
  const [offset, setOffset] = useState(0);
  useEffect(() => {
    if (virtual && body.current !== null) setOffset(body.current.getBoundingClientRect().top + window.scrollY);
  }, [virtual]);
  const virtualizer = useWindowVirtualizer({
    count: virtual ? shown.length : 0,
    estimateSize: () => rowHeight,
    overscan: 12,
    scrollMargin: offset,
    getItemKey: (index) => shown[index]?.id ?? index,
  });
  const items = virtual ? virtualizer.getVirtualItems().map((item) => item.index) : shown.map((_, index) => index);
  const before = virtual ? (virtualizer.getVirtualItems()[0]?.start ?? offset) - offset : 0;
  const after = virtual
    ? virtualizer.getTotalSize() + offset - (virtualizer.getVirtualItems().at(-1)?.end ?? offset)
    : 0;

  const open = (row: T) => onOpen?.(row);
  const move = (by: number) => {
    const at = shown.findIndex((row) => row.id === active);
    const next = shown[Math.max(0, Math.min(shown.length - 1, at + by))];
    if (next === undefined) return;
    setActive(next.id);
    if (virtual) virtualizer.scrollToIndex(shown.indexOf(next));
    else body.current?.querySelector(`[data-row="${CSS.escape(next.id)}"]`)?.scrollIntoView({ block: 'nearest' });
  };
  const current = shown.find((row) => row.id === active);
  const toggle = (id: string) => {
    if (selected === undefined) return;
    const next = new Set(selected);
    if (!next.delete(id)) next.add(id);
    onSelect?.(next);
  };
  useShortcuts([
    { keys: 'j', label: 'Next row', group: 'Table', run: () => move(1) },
    { keys: 'k', label: 'Previous row', group: 'Table', run: () => move(-1) },
    ...(onOpen === undefined
      ? []
      : [
          {
            keys: 'Enter',
            label: 'Open the row',
            group: 'Table',
            run: () => current !== undefined && open(current.original),
          },
        ]),
    ...(onSelect === undefined
      ? []
      : [
          {
            keys: 'x',
            label: 'Select the row',
            group: 'Table',
            run: () => current !== undefined && toggle(current.id),
          },
        ]),
  ]);

  function click(event: MouseEvent, row: T) {
    if (
      (event.target as HTMLElement).closest('a, button, input, label, [role="menu"]') !== null ||
      window.getSelection()?.toString() !== ''
    )
      return;
    const target = href?.(row);
    if (target !== undefined && (event.metaKey || event.ctrlKey || event.button === 1))
      window.open(target, '_blank', 'noopener');
    else if (event.button === 0) open(row);
  }

  if (rows.length === 0 && empty !== undefined) return <div className="card">{empty}</div>;
  const allSelected = shown.length > 0 && shown.every((row) => selected?.has(row.id) === true);
  return (
    <div className={cx('card relative overflow-x-auto transition-opacity', stale && 'opacity-60')}>
      <table
        className="w-full border-collapse text-left text-sm"
        aria-label={label}
        aria-rowcount={virtual ? shown.length : undefined}
      >
        <thead>
          <tr className="border-line border-b">
            {onSelect === undefined ? null : (
              <th scope="col" className="w-10 pl-4">
                <Checkbox
                  label="Select all"
                  checked={allSelected}
                  mixed={!allSelected && (selected?.size ?? 0) > 0}
                  onChange={(on) => onSelect(new Set(on ? shown.map((row) => row.id) : []))}
                />
              </th>
            )}
            {columns.map((column) => {
              const direction = sort === column.id ? 'ascending' : sort === `-${column.id}` ? 'descending' : undefined;
              return (
                <th
                  key={column.id}
                  scope="col"
                  aria-sort={direction}
                  className={cx(
                    'h-9 whitespace-nowrap px-3 font-medium text-faint text-xs first:pl-4 last:pr-4',
                    columnClass(column),
                  )}
                >
                  {column.sort !== undefined && onSort !== undefined ? (
                    <button
                      type="button"
                      className="-mx-1 inline-flex items-center gap-1 rounded-sm px-1 hover:text-text"
                      onClick={() =>
                        onSort(
                          direction === undefined ? column.id : direction === 'ascending' ? `-${column.id}` : undefined,
                        )
                      }
                    >
                      {column.header}
                      {direction === 'ascending' ? (
                        <ArrowUp className="size-3" />
                      ) : direction === 'descending' ? (
                        <ArrowDown className="size-3" />
                      ) : null}
                    </button>
                  ) : column.quietHeader === true ? (
                    <span className="sr-only">{column.header}</span>
                  ) : (
                    column.header
                  )}
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody ref={body}>
          {before > 0 ? (
            <tr>
              <td style={{ height: before, padding: 0 }} />
            </tr>
          ) : null}
          {items.map((index) => {
            const row = shown[index];
            if (row === undefined) return null;
            return (
              <tr
                key={row.id}
                data-row={row.id}
                aria-rowindex={virtual ? index + 1 : undefined}
                aria-selected={selected?.has(row.id)}
                onClick={(event) => click(event, row.original)}
                onAuxClick={(event) => click(event, row.original)}
                className={cx(
                  'border-line border-b transition-colors duration-75 last:border-b-0 hover:bg-hover/60',
                  onOpen !== undefined && 'cursor-pointer',
                  selected?.has(row.id) && 'bg-accent-soft/60',
                  row.id === active && 'shadow-[inset_2px_0_0_var(--accent)] bg-hover/60',
                )}
              >
                {onSelect === undefined ? null : (
                  <td className="pl-4">
                    <Checkbox
                      label={`Select ${rowName(row.original)}`}
                      checked={selected?.has(row.id) === true}
                      onChange={() => toggle(row.id)}
                    />
                  </td>
                )}
                {columns.map((column) => (
                  <td
                    key={column.id}
                    className={cx('px-3 py-2 align-middle first:pl-4 last:pr-4', columnClass(column))}
                  >
                    {column.cell(row.original)}
                    {column.fills
                      ? columns
                          .filter(({ beneath }) => beneath)
                          .map((each) => (
                            <div key={each.id} className="truncate text-xs sm:hidden">
                              {each.cell(row.original)}
                            </div>
                          ))
                      : null}
                  </td>
                ))}
              </tr>
            );
          })}
          {after > 0 ? (
            <tr>
              <td style={{ height: after, padding: 0 }} />
            </tr>
          ) : null}
          {shown.length === 0 ? (
            <tr>
              <td colSpan={columns.length + 1} className="px-4 py-10 text-center text-faint text-sm">
                Nothing matches “{filter}”.
              </td>
            </tr>
          ) : null}
        </tbody>
      </table>
    </div>
  );
}
