/** Makes things really happen over time: operations run their steps, instances pass through their states, hints go out. */
import type { Operation } from '#contract/operations.ts';
import type { InstanceRow, MockState } from './state.ts';
import { hint, iso, touch } from './state.ts';

/** How long one step takes by default (milliseconds). */
export const STEP_MS = 900;

/** How long a command that is stopped takes to end. */
const STOP_MS = 600;
const stoppers = new Map<string, () => void>();

/** Ends the running step of an operation somebody wants to end. */
export function stop(operation: Operation): void {
  stoppers.get(operation.id)?.();
}

export type StepEffect = {
  at: number;
  before?: () => void;
  after?: () => void;
  ms?: number;
  fail?: string;
  percent?: boolean;
};

/** Runs the steps of an operation one after another; `effects` hook into single steps by index. */
export function run(
  state: MockState,
  operation: Operation,
  row: InstanceRow | null,
  effects: readonly StepEffect[],
  done: (ok: boolean) => void,
): void {
  const announce = () => {
    const current = operation.steps.find((each) => each.state === 'running');
    if (row !== null) {
      row.operation =
        operation.finishedAt === null
          ? {
              id: operation.id,
              title: operation.title,
              step: current?.title ?? null,
              percent: current?.percent ?? null,
            }
          : null;
      touch(state, row);
    }
    hint('operation', operation.id, operation.project, operation.instance);
  };
  operation.state = 'running';
  operation.startedAt = iso();
  let index = 0;
  const next = () => {
    const step = operation.steps[index];
    if (step === undefined) {
      operation.state = 'succeeded';
      operation.finishedAt = iso();
      done(true);
      announce();
      return;
    }
    const effect = effects.find((each) => each.at === index);
    effect?.before?.();
    Object.assign(step, {
      state: 'running',
      startedAt: iso(),
      attempts: 1,
      percent: effect?.percent === true ? 0 : null,
    });
    announce();
    const ms = effect?.ms ?? STEP_MS;
    if (effect?.percent === true) {
      const ticks = 10;
      for (let tick = 1; tick < ticks; tick++) {
        setTimeout(
          () => {
            step.percent = tick * 10;
            announce();
          },
          (ms / ticks) * tick,
        );
      }
    }
    let over = false;
    const end = () => {
      if (over) return;
      over = true;
      step.finishedAt = iso();
      step.percent = null;
      if (operation.stop !== null) {
        Object.assign(step, { state: 'stopped', message: `Stopped by ${operation.stop.by}.` });
        for (const later of operation.steps.slice(index + 1)) later.state = 'skipped';
        Object.assign(operation, { state: 'stopped', finishedAt: iso() });
        done(false);
        announce();
        return;
      }
      if (effect?.fail !== undefined) {
        Object.assign(step, { state: 'failed', message: effect.fail });
        for (const earlier of operation.steps.slice(0, index)) earlier.state = 'undone';
        Object.assign(operation, {
          state: 'failed',
          finishedAt: iso(),
          error: { code: 'upstream_failed', message: `${effect.fail} What had been done was undone.` },
        });
        done(false);
        announce();
        return;
      }
      step.state = 'succeeded';
      effect?.after?.();
      index++;
      next();
    };
    const ending = setTimeout(end, ms);
    stoppers.set(operation.id, () => {
      clearTimeout(ending);
      setTimeout(end, STOP_MS);
    });
  };
  announce();
  setTimeout(next, 150);
}
