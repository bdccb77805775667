/** The same figures as a table: for keyboards, screen readers and copying. Newest first. */
import { formatMoment } from '../lib/format.ts';
import type { Graph } from './figures.ts';

export function MetricTable({ graphs, moments }: { graphs: readonly Graph[]; moments: readonly number[] }) {
  const columns = graphs.flatMap((graph) =>
    graph.lines
      .filter((line) => line.dashed !== true)
      .map((line) => ({
        graph,
        line,
        title: graph.lines.length === 1 ? graph.title : `${graph.title}: ${line.label}`,
      })),
  );
  const rows = moments
    .map((at, index) => ({ at, values: columns.map(({ line }) => line.values[index] ?? null) }))
    .filter(({ values }) => values.some((value) => value !== null))
    .reverse();
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section className="card max-h-[70vh] overflow-auto" aria-label="Figures" tabIndex={0}>
      <table className="tabular w-full text-sm">
        <thead className="sticky top-0 bg-surface text-left text-faint text-xs">
          <tr>
            <th scope="col" className="whitespace-nowrap px-3 py-2 font-medium">
              Time
            </th>
            {columns.map(({ title }) => (
              <th key={title} scope="col" className="px-3 py-2 text-right font-medium">
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ at, values }) => (
            <tr key={at} className="border-line border-t">
              <th scope="row" className="whitespace-nowrap px-3 py-1.5 text-left font-normal text-soft">
                {formatMoment(at * 1000)}
              </th>
              {values.map((value, index) => (
                <td key={columns[index]?.title} className="whitespace-nowrap px-3 py-1.5 text-right">
                  {value === null ? '–' : columns[index]?.graph.format(value)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
