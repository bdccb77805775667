/** The columns of metric_point, and the one way several of its rows become one: for tiers and for answers alike. */
import { sql } from 'kysely';

/** Weighted by samples that had rates, and by all samples. Each has a `_max` beside it. */
const rates = ['cpu', 'read', 'written', 'received', 'sent'] as const;
const gauges = ['memory', 'processes'] as const;
/** The last that was known counts. */
const lasts = ['cpu_limit', 'memory_limit', 'disk', 'disk_limit'] as const;

export const pointColumns = [
  'samples',
  'rated',
  ...rates,
  ...rates.map((name) => `${name}_max` as const),
  ...gauges,
  ...gauges.map((name) => `${name}_max` as const),
  ...lasts,
] as const;
export type PointColumn = (typeof pointColumns)[number];

const average = (name: string, weight: string): string =>
  `sum(${name} * ${weight}) filter (where ${name} is not null) / nullif(sum(${weight}) filter (where ${name} is not null), 0) as ${name}`;
const highest = (name: string): string => `max(${name}_max) as ${name}_max`;
const last = (name: string): string =>
  `(array_agg(${name} order by at desc) filter (where ${name} is not null))[1] as ${name}`;

/** In the order of `pointColumns`. */
export const merged = sql.raw(
  [
    'sum(samples)::integer as samples',
    'sum(rated)::integer as rated',
    ...rates.map((name) => average(name, 'rated')),
    ...rates.map(highest),
    ...gauges.map((name) => average(name, 'samples')),
    ...gauges.map(highest),
    ...lasts.map(last),
  ].join(', '),
);
export const columnList = sql.raw(pointColumns.join(', '));
export const overwritten = sql.raw(pointColumns.map((name) => `${name} = excluded.${name}`).join(', '));
