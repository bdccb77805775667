/** One graph on a canvas. All graphs of a page share their cursor. */
import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { displayTimeZone, formatMoment, formatTick } from '../lib/format.ts';
import { resolvedTheme, token } from '../lib/theme.ts';
import { type Graph, summaryOf } from './figures.ts';

const HEIGHT_PX = 168;
const AXIS_PX = 68;
const SYNC = 'metrics';
const DAY_SECONDS = 86_400;
/** 1, 2, 4 ... in steps that people read as KiB, MiB, GiB. */
const BINARY_STEPS = Array.from({ length: 51 }, (_, power) => 2 ** power);
const FONT = '11px "Inter Variable", sans-serif';

function axis(): Pick<uPlot.Axis, 'stroke' | 'grid' | 'ticks' | 'font'> {
  const line = { stroke: token('line'), width: 1 };
  return { stroke: token('text-faint'), grid: line, ticks: line, font: FONT };
}

function optionsOf(graph: Graph, width: number): uPlot.Options {
  const zone = displayTimeZone();
  return {
    width,
    height: HEIGHT_PX,
    // A missing zone is the browser's own.
    tzDate: (at) => (zone === undefined ? new Date(at * 1000) : uPlot.tzDate(new Date(at * 1000), zone)),
    cursor: { sync: { key: SYNC }, drag: { x: false, y: false }, points: { size: 6 } },
    legend: { live: true },
    padding: [10, 8, 0, 0],
    scales: { y: { range: (_plot, _low, high) => [0, high === null || high <= 0 ? 1 : high * 1.08] } },
    axes: [
      {
        ...axis(),
        values: (_plot, ticks, _axis, _space, step) => ticks.map((at) => formatTick(at * 1000, step >= DAY_SECONDS)),
      },
      {
        ...axis(),
        size: AXIS_PX,
        ...(graph.bytes === true ? { incrs: BINARY_STEPS } : {}),
        values: (_plot, ticks) => ticks.map((tick) => graph.format(tick)),
      },
    ],
    series: [
      { label: 'Time', value: (_plot, at: number | null) => (at === null ? '–' : formatMoment(at * 1000)) },
      ...graph.lines.map((line, index) => ({
        label: line.label,
        stroke: token(line.color),
        width: 1.5,
        spanGaps: false,
        ...(line.dashed === true ? { dash: [4, 4] } : {}),
        ...(index === 0 ? { fill: `color-mix(in srgb, ${token(line.color)} 14%, transparent)` } : {}),
        points: { show: false },
        value: (_plot: uPlot, value: number | null) => (value === null ? '–' : graph.format(value)),
      })),
    ],
  };
}

export function MetricChart({ graph, moments }: { graph: Graph; moments: readonly number[] }) {
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const theme = resolvedTheme.use();
  const latest = useRef(graph);
  latest.current = graph;
  const data = [[...moments], ...graph.lines.map((line) => [...line.values])] as uPlot.AlignedData;
  const now = useRef(data);
  now.current = data;
  // Other lines, another graph; other values only other data.
  const shape = `${theme} ${graph.id} ${graph.lines.map((line) => line.label).join()}`;

  // biome-ignore lint/correctness/useExhaustiveDependencies: made anew when the shape or the colours change
  useEffect(() => {
    const box = place.current;
    if (box === null) return;
    const made = new uPlot(optionsOf(latest.current, box.clientWidth), now.current, box);
    plot.current = made;
    const observer = new ResizeObserver(() => {
      if (box.clientWidth > 0) made.setSize({ width: box.clientWidth, height: HEIGHT_PX });
    });
    observer.observe(box);
    return () => {
      observer.disconnect();
      plot.current = null;
      made.destroy();
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(data), [data]);

  return <div ref={place} role="img" aria-label={summaryOf(graph)} className="metric-chart min-w-0" />;
}
