/** Keeps the records of domains and routes at connected DNS providers: written, looked at, removed. */
import { dueDnsRecords } from '../store/dns-records.ts';
import { type DnsWork, planRecords, type Silent, workOnRecord } from '../workflows/dns-records.ts';
import type { Reconciler } from './reconciler.ts';

const EVERY_MS = 10_000;
const AT_ONCE_MAX = 50;
const BATCHES_MAX = 20;
const SIDE_BY_SIDE = 4;

export function dnsKeeper(work: DnsWork, everyMs = EVERY_MS): Reconciler {
  return {
    name: 'dns-keeper',
    everyMs,
    async run(signal) {
      const planned = await planRecords(work);
      const silent: Silent = new Map();
      let done = 0;
      for (let batch = 0; batch < BATCHES_MAX && !signal.aborted; batch++) {
        const due = await dueDnsRecords(work.db, new Date(work.now()), AT_ONCE_MAX);
        let worked = 0;
        for (let at = 0; at < due.length && !signal.aborted; at += SIDE_BY_SIDE) {
          const outcomes = await Promise.all(
            due.slice(at, at + SIDE_BY_SIDE).map((each) => workOnRecord(work, each, silent)),
          );
          worked += outcomes.filter(Boolean).length;
        }
        done += worked;
        if (worked === 0) break;
      }
      return planned + done === 0 ? null : `planned ${planned} DNS records, worked on ${done}`;
    },
  };
}
