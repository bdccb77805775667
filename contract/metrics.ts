/** What hosts and instances use: now, and as series over a range. */
import { z } from 'zod';
import { METRIC_POINTS_MAX, metricRangeNames } from '#domain/metrics.ts';
import { API_PREFIX, idSchema, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

const figure = z.number().nullable();

/** Bytes are bytes, rates are per second, CPU is in cores. */
export const currentMetricsSchema = z.object({
  at: timestamp,
  /** The host has not been heard of for a while, or this does not run: the figures are of `at`, not of now. */
  stale: z.boolean(),
  cpuCores: figure,
  cpuLimitCores: figure,
  memoryBytes: figure,
  memoryLimitBytes: figure,
  diskBytes: figure,
  diskLimitBytes: figure,
  diskReadBytesPerSecond: figure,
  diskWrittenBytesPerSecond: figure,
  receivedBytesPerSecond: figure,
  sentBytesPerSecond: figure,
  processes: figure,
});
export type CurrentMetrics = z.output<typeof currentMetricsSchema>;

const values = z
  .array(figure)
  .max(METRIC_POINTS_MAX)
  .meta({ description: 'One value for each step from `from` on; null where nothing is known' });
const averaged = z.object({ average: values, highest: values });

export const metricSeriesSchema = z.object({
  range: z.enum(metricRangeNames),
  from: timestamp,
  stepSeconds: z.number().int(),
  points: z.number().int(),
  cpuCores: averaged,
  memoryBytes: averaged,
  diskReadBytesPerSecond: averaged,
  diskWrittenBytesPerSecond: averaged,
  receivedBytesPerSecond: averaged,
  sentBytesPerSecond: averaged,
  processes: averaged,
  diskBytes: values,
  cpuLimitCores: values,
  memoryLimitBytes: values,
  diskLimitBytes: values,
  current: currentMetricsSchema.nullable(),
});
export type MetricSeries = z.output<typeof metricSeriesSchema>;

const tag = 'metrics';
const query = z.object({ range: z.enum(metricRangeNames).default('1h') });
const description = 'Series have a fixed grid. Averages are of the step, `highest` is the highest sample in it.';

export const metricRoutes = {
  instanceMetrics: defineRoute({
    id: 'metrics.instance',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/metrics`,
    tag,
    access: 'instance.inspect',
    rateClass: 'api',
    status: 200,
    summary: 'CPU, memory, disk and network of an instance',
    description,
    params: z.object({ instance: idSchema('ins') }),
    query,
    response: metricSeriesSchema,
  }),
  projectMetrics: defineRoute({
    id: 'metrics.project',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/metrics`,
    tag,
    access: 'instance.inspect',
    rateClass: 'api',
    status: 200,
    summary: 'What every instance of a project uses now',
    params: z.object({ project: idSchema('prj') }),
    response: z.object({ items: z.array(currentMetricsSchema.extend({ instance: idSchema('ins') })) }),
  }),
  hostMetrics: defineRoute({
    id: 'metrics.host',
    method: 'GET',
    path: `${API_PREFIX}/hosts/:host/metrics`,
    tag,
    access: 'platform.host.read',
    rateClass: 'api',
    status: 200,
    summary: 'CPU, memory, disk and network of a host',
    description,
    params: z.object({ host: idSchema('hst') }),
    query,
    response: metricSeriesSchema,
  }),
  prometheus: defineRoute({
    id: 'metrics.prometheus',
    method: 'GET',
    path: '/metrics',
    tag,
    access: 'platform.metric.read',
    rateClass: 'api',
    status: 200,
    summary: 'Hosts and instances for Prometheus',
    description:
      'Text in the Prometheus format, or OpenMetrics where the Accept header asks for it. For a token with the scope platform.metric.read.',
    produces: 'metrics',
  }),
  projectPrometheus: defineRoute({
    id: 'metrics.projectPrometheus',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/metrics/prometheus`,
    tag,
    access: 'instance.inspect',
    rateClass: 'api',
    status: 200,
    summary: 'Instances of one project for Prometheus',
    params: z.object({ project: idSchema('prj') }),
    produces: 'metrics',
  }),
} as const;
