/** Metrics of one host or instance: range, graphs or table, and what to say when there is nothing or nothing new. */
import { ChartLine, Table2 } from 'lucide-react';
import { useState } from 'react';
import type { MetricSeries } from '#contract/metrics.ts';
import { type MetricRange, metricRangeNames } from '#domain/metrics.ts';
import { Card } from '../ui/card.tsx';
import { EmptyState } from '../ui/empty-state.tsx';
import { Notice } from '../ui/notice.tsx';
import { Segmented } from '../ui/segmented.tsx';
import { TimeAgo } from '../ui/time.tsx';
import { MetricChart } from './chart.tsx';
import { graphsOf, momentsOf } from './figures.ts';
import { MetricTable } from './metric-table.tsx';

const rangeTitles: Record<MetricRange, string> = {
  '1h': 'Last hour, every 10 seconds',
  '6h': 'Last 6 hours, by minute',
  '24h': 'Last day, every 5 minutes',
  '7d': 'Last week, by hour',
  '90d': 'Last 90 days, by day',
};

export function MetricsView({
  series,
  range,
  onRange,
  stale,
  empty,
}: {
  series: MetricSeries;
  range: MetricRange;
  onRange: (range: MetricRange) => void;
  /** Why figures are old, in words. */
  stale: string;
  empty: string;
}) {
  const [form, setForm] = useState<'graphs' | 'table'>('graphs');
  const graphs = graphsOf(series);
  const moments = momentsOf(series);
  const { current } = series;
  return (
    <div className="flex flex-col gap-4">
      <div className="flex flex-wrap items-center gap-2">
        <Segmented
          label="Range"
          value={range}
          onChange={onRange}
          options={metricRangeNames.map((name) => ({ value: name, label: name, title: rangeTitles[name] }))}
        />
        <Segmented
          label="Shown as"
          value={form}
          onChange={setForm}
          options={[
            {
              value: 'graphs',
              label: (
                <>
                  <ChartLine aria-hidden="true" /> Graphs
                </>
              ),
            },
            {
              value: 'table',
              label: (
                <>
                  <Table2 aria-hidden="true" /> Table
                </>
              ),
            },
          ]}
        />
        <p className="ml-auto text-faint text-xs">{rangeTitles[range]}</p>
      </div>
      {current?.stale === true ? (
        <Notice tone="warn" title="These figures are old">
          {stale} The last ones are from <TimeAgo at={current.at} />.
        </Notice>
      ) : null}
      {graphs.every((graph) => graph.missing !== undefined) ? (
        <div className="card">
          <EmptyState icon={<ChartLine />} title={current === null ? 'Nothing measured yet' : 'Nothing in this range'}>
            {current === null ? empty : 'Choose a longer range.'}
          </EmptyState>
        </div>
      ) : form === 'table' ? (
        <MetricTable graphs={graphs.filter((graph) => graph.missing === undefined)} moments={moments} />
      ) : (
        <div className="grid gap-4 lg:grid-cols-2">
          {graphs.map((graph) => (
            <Card key={graph.id} title={graph.title}>
              {graph.missing === undefined ? (
                <MetricChart graph={graph} moments={moments} />
              ) : (
                <p className="text-faint text-sm">{graph.missing}</p>
              )}
            </Card>
          ))}
        </div>
      )}
    </div>
  );
}
