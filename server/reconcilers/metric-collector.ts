/** Asks the host what it and its instances have used, and keeps it. What the agent still knows from before comes along. */
import { ratesBetween, SAMPLE_SECONDS } from '#domain/metrics.ts';
import { findHostByName } from '../store/hosts.ts';
import { latestOf, type Measured, recordMetrics } from '../store/metrics.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

export const COLLECT_MS = SAMPLE_SECONDS * 1000;

export function metricCollector(services: Services, everyMs: number = COLLECT_MS): Reconciler {
  return {
    name: 'metric-collector',
    everyMs,
    async run(signal) {
      const host = await findHostByName(services.db, services.hostName);
      if (host === null) return null;
      const last = (await latestOf(services.db, [host.id])).get(host.id);
      for (const sample of await services.driver.metrics(last?.at.toISOString() ?? null)) {
        if (signal.aborted) break;
        const at = new Date(sample.at);
        const readings: Pick<Measured, 'subject' | 'reading'>[] = [
          { subject: host.id, reading: sample.host },
          ...sample.guests.map(({ instance, ...reading }) => ({ subject: instance, reading })),
        ];
        const subjects = readings.map(({ subject }) => subject);
        const before = await latestOf(services.db, subjects);
        const measured = readings.map(({ subject, reading }): Measured => {
          const was = before.get(subject);
          const since = was === undefined ? null : { ...was, at: was.at.getTime() };
          return { subject, reading, rates: ratesBetween(since, { ...reading, at: at.getTime() }) };
        });
        await recordMetrics(services.db, at, measured);
      }
      return null;
    },
  };
}
