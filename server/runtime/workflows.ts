/**
 * Durable runs, behind a small interface: DBOS Transact keeps what each step answered in PostgreSQL (schema `dbos`), so
 * a run that was cut by kill -9 goes on where it was. Only this file knows DBOS.
 *
 * What must be known when using it:
 * - Steps are at least once: killed between an effect and its record, a step runs again. Look before you act.
 * - A run belongs to the replica (`replicaId`) that started it. `launch` takes up this replica's own unfinished runs;
 *   those of a dead replica are taken up with `adopt` (see reconcilers/replica-keeper.ts).
 * - Step functions must answer, never throw: what a thrown error looks like after a restart is not under our control.
 * - DBOS is one per process: so is this.
 */
import { AsyncResource } from 'node:async_hooks';
import { DBOS } from '@dbos-inc/dbos-sdk';
import type { Pool } from 'pg';
import { isDatabaseAway } from './database-away.ts';

/** Bumped only when the order or names of steps change so that runs begun by the version before cannot be replayed. */
const RUN_FORMAT = 'berth-1';
const SCHEMA = 'dbos';
const RUN_NAME = 'operation';
/** Restarts after which a run is given up: a run that kills the process each time must not do so for ever. */
const RECOVERIES_MAX = 200;
const ADOPTED_AT_ONCE_MAX = 500;
const FORGOTTEN_AT_ONCE_MAX = 1_000;

/** Given to a run's body. `step` remembers the answer (JSON) of `work` under `name` and its place in the order. */
export type Run = { id: string; step<T>(name: string, work: () => Promise<T>): Promise<T> };
export type RunBody = (run: Run) => Promise<void>;

export type DurableLog = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
};

export type DurableOptions = {
  /** Own pool: a stuck workflow must not starve requests of connections, nor the other way round. */
  pool: Pool;
  replicaId: string;
  /** The one body: it finds out from its id what to do. */
  body: RunBody;
  log: DurableLog;
};

export type DurableRuns = {
  /** Starts the run with this id at once, in this process; does nothing when a run with this id is known already. */
  start(id: string): Promise<void>;
  /** Of these run ids, those that were ever started. */
  known(ids: readonly string[]): Promise<Set<string>>;
  /** Of these run ids, those that ended, well or badly. */
  ended(ids: readonly string[]): Promise<Set<string>>;
  /** Unfinished runs that belong to none of `replicas`. */
  orphaned(replicas: readonly string[]): Promise<string[]>;
  /**
   * Unfinished runs of this replica that nothing executes: their body broke off because the database was away when it
   * wanted to write. (One that is just being taken up may look so for a moment: look twice.)
   */
  strays(): Promise<string[]>;
  /** Takes up runs of a dead replica: some living replica goes on with them within a second or two. */
  adopt(ids: readonly string[]): Promise<void>;
  /** Forgets ended runs older than `before` (their operations stay); answers how many, at most FORGOTTEN_AT_ONCE_MAX. */
  forget(before: Date): Promise<number>;
  /** True once `stop` was called: bodies stop at their next step instead of recording the shutdown as a failure. */
  readonly stopping: boolean;
  stop(): Promise<void>;
};

/** Starts DBOS and takes up this replica's unfinished runs. Errors: whatever PostgreSQL says. */
export async function launchDurableRuns(options: DurableOptions): Promise<DurableRuns> {
  let stopping = false;
  /** Runs whose body is being executed in this process. */
  const active = new Set<string>();
  /**
   * The database was away when a step or the engine wanted to write: the run did not fail. It stays unfinished and its
   * body ends nowhere, so that `strays` finds it and it is taken up again.
   */
  const breakOff = <T>(id: string, error: unknown): Promise<T> => {
    options.log.warn({ operationId: id, err: error }, 'a run broke off, it is taken up again');
    active.delete(id);
    return never<T>();
  };
  const body = async (id: string): Promise<void> => {
    active.add(id);
    try {
      await options.body(runOf(id));
    } catch (error) {
      if (isDatabaseAway(error)) return breakOff<void>(id, error);
      throw error;
    } finally {
      active.delete(id);
    }
  };
  const runOf = (id: string): Run => ({
    id,
    step: async <T>(name: string, work: () => Promise<T>): Promise<T> => {
      if (stopping) return never<T>();
      return DBOS.runStep(
        async () => {
          try {
            return await work();
          } catch (error) {
            // A step that broke because the process is going down did not fail: it is taken up after the start.
            if (stopping) return never<T>();
            // Nor did this one; thrown, its error would be remembered as the step's answer.
            if (isDatabaseAway(error)) return breakOff<T>(id, error);
            throw error;
          }
        },
        { name },
      );
    },
  });
  const run = DBOS.registerWorkflow(body, { name: RUN_NAME, maxRecoveryAttempts: RECOVERIES_MAX });
  // A run may be started from within a step of another one; it is nobody's child.
  const outside = new AsyncResource('berth-run');

  const quiet = (level: 'warn' | 'error') => (entry: unknown) =>
    options.log[level]({ detail: entry instanceof Error ? entry.message : String(entry) }, 'workflow engine');
  DBOS.setConfig({
    name: 'berth',
    systemDatabasePool: options.pool,
    systemDatabaseSchemaName: SCHEMA,
    applicationVersion: RUN_FORMAT,
    executorID: options.replicaId,
    logger: { info: () => {}, debug: () => {}, warn: quiet('warn'), error: quiet('error') },
  });
  await DBOS.launch();

  return {
    async start(id) {
      const handle = await outside.runInAsyncScope(() => DBOS.startWorkflow(run, { workflowID: id })(id));
      // A run reports through its operation row; an error here is a bug in the engine's own code.
      handle.getResult().catch((error: unknown) => {
        if (!stopping) options.log.error({ operationId: id, err: error }, 'a workflow run broke');
      });
    },
    async known(ids) {
      if (ids.length === 0) return new Set();
      const rows = await DBOS.listWorkflows({ workflowIDs: [...ids], loadInput: false, loadOutput: false });
      return new Set(rows.map((row) => row.workflowID));
    },
    async ended(ids) {
      if (ids.length === 0) return new Set();
      const rows = await DBOS.listWorkflows({ workflowIDs: [...ids], loadInput: false, loadOutput: false });
      const going = ['PENDING', 'ENQUEUED', 'DELAYED'];
      return new Set(rows.filter((row) => !going.includes(row.status)).map((row) => row.workflowID));
    },
    async orphaned(replicas) {
      const rows = await DBOS.listWorkflows({
        status: 'PENDING',
        loadInput: false,
        loadOutput: false,
        limit: ADOPTED_AT_ONCE_MAX,
      });
      return rows.filter((row) => !replicas.includes(row.executorId ?? '')).map((row) => row.workflowID);
    },
    async strays() {
      const rows = await DBOS.listWorkflows({
        status: 'PENDING',
        executorId: options.replicaId,
        loadInput: false,
        loadOutput: false,
        limit: ADOPTED_AT_ONCE_MAX,
      });
      return rows.map((row) => row.workflowID).filter((id) => !active.has(id));
    },
    async adopt(ids) {
      if (ids.length > 0) await DBOS.resumeWorkflows([...ids]);
    },
    async forget(before) {
      const rows = await DBOS.listWorkflows({
        status: ['SUCCESS', 'ERROR', 'CANCELLED', 'MAX_RECOVERY_ATTEMPTS_EXCEEDED'],
        completedBefore: before.toISOString(),
        loadInput: false,
        loadOutput: false,
        limit: FORGOTTEN_AT_ONCE_MAX,
      });
      if (rows.length > 0) await DBOS.deleteWorkflows(rows.map((row) => row.workflowID));
      return rows.length;
    },
    get stopping() {
      return stopping;
    },
    async stop() {
      stopping = true;
      await DBOS.shutdown({ deregister: true });
    },
  };
}

/** A promise that stays open: the process is about to end and nothing may be recorded any more. */
function never<T>(): Promise<T> {
  return new Promise<T>(() => {});
}
