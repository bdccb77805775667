/** Tables and property lists for people. Widths count visible characters; colours are added after measuring. */
import type { Paint } from './format.ts';
import { plain } from './format.ts';

export type Column<Row> = {
  title: string;
  value: (row: Row) => string;
  /** Colours the finished cell. */
  paint?: (text: string, row: Row) => string;
  align?: 'right';
};

const GAP = '  ';
const CELL_WIDTH_MAX = 60;

function shorten(text: string, width: number): string {
  return [...text].length <= width ? text : `${[...text].slice(0, width - 1).join('')}…`;
}

/** Columns aligned, upper-case titles, no lines; `empty` is printed instead when there are no rows. */
export function renderTable<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { paint: Paint; empty: string },
): string {
  if (rows.length === 0) return `${options.empty}\n`;
  const cells = rows.map((row) => columns.map((column) => shorten(plain(column.value(row)), CELL_WIDTH_MAX)));
  const widths = columns.map((column, index) =>
    Math.max([...column.title].length, ...cells.map((line) => [...(line[index] ?? '')].length)),
  );
  const pad = (text: string, index: number): string => {
    const space = ' '.repeat(Math.max(0, (widths[index] ?? 0) - [...text].length));
    if (columns[index]?.align === 'right') return space + text;
    return index === columns.length - 1 ? text : text + space;
  };
  const head = columns.map((column, index) => pad(column.title.toUpperCase(), index)).join(GAP);
  const body = rows.map((row, line) =>
    columns
      .map((column, index) => {
        const text = cells[line]?.[index] ?? '';
        const padded = pad(text, index);
        return column.paint === undefined || text === ''
          ? padded
          : padded.replace(text, () => column.paint?.(text, row) ?? text);
      })
      .join(GAP)
      .trimEnd(),
  );
  return `${[options.paint.dim(head.trimEnd()), ...body].join('\n')}\n`;
}

/** `label  value` lines for one thing; entries with null are left out. */
export function renderProperties(entries: readonly (readonly [string, string | null])[], paint: Paint): string {
  const shown = entries.filter((entry): entry is readonly [string, string] => entry[1] !== null);
  const width = Math.max(...shown.map(([label]) => label.length));
  return shown.map(([label, value]) => `${paint.dim(label.padEnd(width))}  ${value}\n`).join('');
}
