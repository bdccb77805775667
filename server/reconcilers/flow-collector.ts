/** Takes over from the host what its firewall has counted, piece by piece, and forgets what is old or too much. */
import { FLOW_SECONDS } from '#domain/flows.ts';
import { transact } from '../store/database.ts';
import { forgetFlows, lastFlowBatch, recordFlows } from '../store/flows.ts';
import { findHostByName } from '../store/hosts.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

const FORGET_MS = 5 * 60_000;
/** Pieces of one run; the rest comes with the next. */
const PIECES_MAX = 4;

export function flowCollector(services: Services, everyMs: number = FLOW_SECONDS * 1000): Reconciler {
  let forgotAt = Number.NEGATIVE_INFINITY;
  return {
    name: 'flow-collector',
    everyMs,
    async run(signal) {
      const host = await findHostByName(services.db, services.hostName);
      if (host === null) return null;
      let done = await lastFlowBatch(services.db, host.id);
      for (let piece = 0; piece < PIECES_MAX && !signal.aborted; piece++) {
        const { batch, flows } = await services.driver.flows(done);
        if (batch === null || batch === done) break;
        await transact(services.db, (tx) => recordFlows(tx, host.id, batch, flows));
        done = batch;
      }
      if (services.now() - forgotAt >= FORGET_MS) {
        forgotAt = services.now();
        for (let round = 0; round < PIECES_MAX && !signal.aborted; round++) {
          if (!(await forgetFlows(services.db, services.now()))) break;
        }
      }
      return null;
    },
  };
}
