/** Starts what goes on working between requests: durable workflow runs and the reconcilers. */
import type { Pool } from 'pg';
import type { ServerConfig } from '#contract/config.ts';
import type { InstanceDriver } from '#drivers/interface.ts';
import type { Clock, Ids } from './runtime/clock.ts';
import type { Log } from './runtime/log.ts';
import { type DurableRuns, launchDurableRuns } from './runtime/workflows.ts';
import type { Db } from './store/database.ts';
import { operationBody } from './workflows/registry.ts';
import { defaultTiming, type Services, type Timing } from './workflows/services.ts';
import { noStopPoint, type StopPoint } from './workflows/stop-point.ts';

export type WorkOptions = {
  db: Db;
  /** Of the durable engine's own: see runtime/workflows.ts. */
  pool: Pool;
  config: Pick<ServerConfig, 'domain' | 'hostName'>;
  driver: InstanceDriver;
  log: Log;
  clock: Clock;
  ids: Ids;
  replicaId: string;
  timing?: Partial<Timing>;
  stopPoint?: StopPoint;
};

export type Work = { services: Services; stop(): Promise<void> };

export async function startWork(options: WorkOptions): Promise<Work> {
  let runs: DurableRuns | null = null;
  const services: Services = {
    db: options.db,
    driver: options.driver,
    log: options.log,
    domain: options.config.domain,
    hostName: options.config.hostName,
    timing: { ...defaultTiming, ...options.timing },
    now: () => options.clock.now().getTime(),
    random: (bytes) => options.ids.random(bytes),
    stopping: () => runs?.stopping ?? false,
    startRun: (operationId) => {
      runs?.start(operationId).catch((error: unknown) => {
        options.log.error({ operationId, err: error }, 'a workflow run could not be started');
      });
    },
    nudge: () => {},
    stopPoint: options.stopPoint ?? noStopPoint,
  };
  runs = await launchDurableRuns({
    pool: options.pool,
    replicaId: options.replicaId,
    body: operationBody(services),
    log: options.log,
  });
  const started = runs;
  return { services, stop: () => started.stop() };
}
