/**
 * Named points in workflows at which a test may kill -9 or hold the process, to prove that every one of them is
 * survived. In production there is no configuration for it and the function below does nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** `before` the effect, after the `effect` but before its record, after it was `recorded`, before an `undo`. */
export type StopMoment = 'before' | 'effect' | 'recorded' | 'undo';
export type StopPoint = (kind: string, step: string, moment: StopMoment) => Promise<void>;

export type StopAt = { kind: string; step: string; moment: StopMoment; action: 'kill' | 'hold' };

const HOLD_MS = 600_000;

export const noStopPoint: StopPoint = async () => {};

/** Stops at the one given point, the first time it is reached. */
export function stopPointAt(stopAt: StopAt | undefined): StopPoint {
  if (stopAt === undefined) return noStopPoint;
  return async (kind, step, moment) => {
    if (stopAt.kind !== kind || stopAt.step !== step || stopAt.moment !== moment) return;
    if (stopAt.action === 'kill') process.kill(process.pid, 'SIGKILL');
    await sleep(HOLD_MS);
  };
}
