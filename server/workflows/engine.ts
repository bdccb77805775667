/**
 * How an operation runs: the steps of its workflow one after the other, each written down before and after, each with
 * its undo. When a step fails for good, what was done is undone in reverse order and the operation fails cleanly.
 *
 * Principles
 * - A step looks before it acts: it may run twice (kill -9 between its effect and its record).
 * - What steps share is in rows, never in memory. A step gets the operation's input and reads the rest.
 * - Transient trouble (an engine or database that is away) is retried with growing pauses, bounded; a definite answer
 *   (conflict, not found, ...) is not.
 * - The end is one transaction: whoever sees the operation finished sees everything else in its final state too.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { BerthError, type ErrorCode, toBerthError } from '#domain/errors.ts';
import { isFinished } from '#domain/operations.ts';
import { isDatabaseAway } from '../runtime/database-away.ts';
import type { Run } from '../runtime/workflows.ts';
import { record } from '../store/audit.ts';
import { asSystem } from '../store/authorized.ts';
import { releaseRepositories } from '../store/backup-repositories.ts';
import { type Trx, transact } from '../store/database.ts';
import type { OperationRecord } from '../store/operations.ts';
import * as operations from '../store/operations.ts';
import { StepProgress } from './progress.ts';
import type { Services } from './services.ts';

/** Attempts of one step (one process run) on transient errors, and of one undo, which must try harder. */
export const STEP_ATTEMPTS_MAX = 8;
export const UNDO_ATTEMPTS_MAX = 10;
export const BACKOFF_FIRST_MS = 200;
export const BACKOFF_MS_MAX = 10_000;
/** How long bookkeeping waits for a database that is away before the run gives up. */
const BOOKKEEPING_ATTEMPTS_MAX = 120;

/** What a step works with. */
export type StepContext<Input = unknown> = {
  services: Services;
  operation: OperationRecord & { input: Input };
  /** Shows how far the step is; throttled, the last call wins. */
  report(percent: number | null, message: string | null): void;
};

export type Step<Input = unknown> = {
  name: string;
  title: string;
  /** Does it, or finds it done. */
  do(context: StepContext<Input>): Promise<void>;
  /** Takes back what `do` did, also when it did only half or nothing. Absent: a comment beside says why. */
  undo?(context: StepContext<Input>): Promise<void>;
  attempts?: number;
};

export type Workflow<Input = unknown> = {
  steps: readonly Step<Input>[];
  /** The last transaction of a success: final states, releases. */
  succeeded?(tx: Trx, context: StepContext<Input>): Promise<void>;
  /** The last transaction of a failure, after the undos. */
  failed?(tx: Trx, context: StepContext<Input>, error: StepError): Promise<void>;
};

export type StepError = { code: ErrorCode; message: string; detail?: string | undefined; stopped?: boolean };
type Outcome = { ok: true } | { ok: false; error: StepError };

/** Thrown by a step whose operation somebody wanted to end, once nothing of it runs any more. */
export class OperationStopped extends BerthError {
  constructor(by: string) {
    super('state_conflict', `Stopped by ${by}.`);
  }
}

/** Types are per workflow; the registry holds them all. */
// biome-ignore lint/suspicious/noExplicitAny: the input's type is known only inside each workflow
export type AnyWorkflow = Workflow<any>;

/** Answers that will not change by asking again. */
const definite: ReadonlySet<ErrorCode> = new Set([
  'invalid_input',
  'unauthenticated',
  'not_found',
  'conflict',
  'name_taken',
  'state_conflict',
  'quota_exceeded',
  'gone',
  'too_large',
  'unsupported',
]);

export function isTransient(error: unknown): boolean {
  return !(error instanceof BerthError) || !definite.has(error.code);
}

export function backoffMs(attempt: number): number {
  return Math.min(BACKOFF_MS_MAX, BACKOFF_FIRST_MS * 2 ** (attempt - 1));
}

/** Runs one operation to its end, or on from where it was. */
export async function runOperation(
  workflow: AnyWorkflow,
  services: Services,
  run: Run,
  operation: OperationRecord,
): Promise<void> {
  if (isFinished(operation.state)) return;
  await patiently(services, () => operations.begin(services.db, operation, services.now()));

  let failure: { index: number; error: StepError } | null = null;
  for (const [index, step] of workflow.steps.entries()) {
    const outcome = await run.step(step.name, () => doStep(services, operation, step, index));
    if (!outcome.ok) {
      failure = { index, error: outcome.error };
      break;
    }
    await services.stopPoint(operation.kind, step.name, 'recorded');
  }

  if (failure === null) {
    await run.step('finish', () => finish(services, operation, workflow, null));
    return;
  }
  const { index: broken, error } = failure;
  for (let index = broken; index >= 0; index--) {
    const step = workflow.steps[index];
    if (step?.undo === undefined) continue;
    await run.step(`undo ${step.name}`, () => undoStep(services, operation, step, index, index === broken));
  }
  await run.step('finish', () => finish(services, operation, workflow, error));
}

async function doStep(services: Services, operation: OperationRecord, step: Step, seq: number): Promise<Outcome> {
  const limit = step.attempts ?? STEP_ATTEMPTS_MAX;
  /** Attempts that broke because our own database was away: they say nothing about the step. */
  let away = 0;
  for (let attempt = 1; ; attempt++) {
    await patiently(services, () => operations.stepStarted(services.db, operation, seq, services.now()));
    const progress = new StepProgress((percent, message) =>
      operations.stepProgress(services.db, operation, seq, percent, message),
    );
    try {
      await services.stopPoint(operation.kind, step.name, 'before');
      await step.do({ services, operation, report: progress.report });
      await services.stopPoint(operation.kind, step.name, 'effect');
      await progress.close();
      await patiently(services, () =>
        operations.stepFinished(services.db, operation, seq, 'succeeded', null, services.now()),
      );
      return { ok: true };
    } catch (cause) {
      await progress.close();
      if (services.stopping()) throw cause;
      const error = toBerthError(cause);
      const ours = isDatabaseAway(cause) && away < BOOKKEEPING_ATTEMPTS_MAX;
      if (ours) away++;
      const last = !ours && (attempt - away >= limit || !isTransient(cause));
      services.log.warn(
        {
          operationId: operation.id,
          step: step.name,
          attempt,
          errorCode: error.code,
          err: cause,
          detail: error.detail,
          last,
        },
        'a step failed',
      );
      if (last) {
        const stopped = cause instanceof OperationStopped;
        await patiently(services, () =>
          operations.stepFinished(
            services.db,
            operation,
            seq,
            stopped ? 'stopped' : 'failed',
            error.message,
            services.now(),
          ),
        );
        return { ok: false, error: { code: error.code, message: error.message, detail: error.detail, stopped } };
      }
      const wait = backoffMs(attempt) * services.timing.backoffFactor;
      await patiently(services, () =>
        operations.stepProgress(services.db, operation, seq, null, `${error.message} Trying again (${attempt}).`),
      );
      await sleep(wait);
    }
  }
}

/** An undo that fails for good is written down and does not keep the others from running: reapers finish the work. */
async function undoStep(
  services: Services,
  operation: OperationRecord,
  step: Step,
  seq: number,
  broke: boolean,
): Promise<{ undone: boolean }> {
  for (let attempt = 1; ; attempt++) {
    try {
      await services.stopPoint(operation.kind, step.name, 'undo');
      await step.undo?.({ services, operation, report: () => {} });
      // The step that broke keeps its own message: that is what people look for.
      if (!broke) {
        await patiently(services, () =>
          operations.stepFinished(services.db, operation, seq, 'undone', null, services.now()),
        );
      }
      return { undone: true };
    } catch (cause) {
      if (services.stopping()) throw cause;
      const error = toBerthError(cause);
      const last = attempt >= UNDO_ATTEMPTS_MAX || !isTransient(cause);
      services.log.error({ operationId: operation.id, step: step.name, attempt, err: cause, last }, 'an undo failed');
      if (last) {
        await patiently(services, () =>
          operations.stepFinished(
            services.db,
            operation,
            seq,
            'failed',
            `Not undone: ${error.message}`,
            services.now(),
          ),
        );
        return { undone: false };
      }
      await sleep(backoffMs(attempt) * services.timing.backoffFactor);
    }
  }
}

async function finish(
  services: Services,
  operation: OperationRecord,
  workflow: AnyWorkflow,
  error: StepError | null,
): Promise<{ finished: true }> {
  await patiently(services, () =>
    transact(services.db, async (tx) => {
      // Conditional: the second time round (killed after the commit, before the record) nothing happens.
      const first = await operations.finish(tx, operation, error, services.now());
      if (!first) return;
      const context: StepContext = { services, operation, report: () => {} };
      if (error === null) {
        await workflow.succeeded?.(tx, context);
      } else {
        await workflow.failed?.(tx, context, error);
        await auditFailure(tx, operation, error);
      }
      await operations.releaseInstances(tx, operation.id);
      await releaseRepositories(tx, operation.id);
    }),
  );
  await services.stopPoint(operation.kind, 'finish', 'effect');
  return { finished: true };
}

/** Accepting was audited as `ok`; that it came to nothing is a fact of its own. */
export async function auditFailure(tx: Trx, operation: OperationRecord, error: StepError): Promise<void> {
  await record(tx, asSystem(operation.title, 'workflow'), {
    action: operation.kind,
    targetKind: operation.instance !== null ? 'instance' : operation.image !== null ? 'image' : 'backup',
    targetId: operation.instance ?? operation.image,
    target: operation.target,
    result: 'failed',
    organizationId: operation.organization,
    projectId: operation.project,
    after: { operation: operation.id, error: error.code, message: error.message },
  });
}

/** Retries bookkeeping while the database is away; a bug (constraint, syntax) comes out at once. */
export async function patiently<T>(services: Services, work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (error) {
      if (services.stopping() || attempt >= BOOKKEEPING_ATTEMPTS_MAX || !worthAnotherTry(error)) throw error;
      await sleep(Math.min(backoffMs(attempt), 2000));
    }
  }
}

/** The database is away, or two transactions met (serialization failure, deadlock). */
function worthAnotherTry(error: unknown): boolean {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return code === '40001' || code === '40P01' || isDatabaseAway(error);
}
