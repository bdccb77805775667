/** What differs between what is wanted of an instance and what is there, and what can be done about it. Pure. */
import type { DesiredState, InstanceAction, ObservedState } from './instances.ts';
import type { Size } from './sizes.ts';

/** Repairs tried in a row before a person has to look. */
export const REPAIR_ATTEMPTS_MAX = 5;
const REPAIR_FIRST_MS = 5_000;
const REPAIR_MS_MAX = 5 * 60_000;

export type Repair = { type: 'power'; action: InstanceAction } | { type: 'resize' };
/** `text` is for people; `repair` null means that Berth cannot put it right by itself. */
export type Drift = { text: string; repair: Repair | null };

export type Wanted = { desired: DesiredState; size: Size };
/** null: the engine has no such guest. */
export type Present = { state: ObservedState; size: Size | null } | null;

/** Null when nothing differs, or while it is on its way between two states. */
export function driftOf(wanted: Wanted, present: Present): Drift | null {
  if (present === null) {
    return {
      text: 'The engine no longer has this machine. Its data is gone unless the engine was changed.',
      repair: null,
    };
  }
  const power = powerDrift(wanted.desired, present.state);
  if (power !== null) return power;
  const differing = present.size === null ? [] : sizeDifferences(wanted.size, present.size);
  if (differing.length === 0) return null;
  return { text: `Its ${differing.join(' and ')} was changed behind Berth's back.`, repair: { type: 'resize' } };
}

function powerDrift(desired: DesiredState, state: ObservedState): Drift | null {
  if (state === desired || state === 'starting' || state === 'stopping' || state === 'unknown') return null;
  const to = (action: InstanceAction): Repair => ({ type: 'power', action });
  if (state === 'error') {
    return { text: 'The engine reports an error.', repair: desired === 'running' ? to('start') : null };
  }
  if (desired === 'running') {
    return state === 'paused'
      ? { text: 'It was paused without Berth.', repair: to('resume') }
      : { text: 'It stopped without Berth.', repair: to('start') };
  }
  if (desired === 'paused') {
    return state === 'running'
      ? { text: 'It was resumed without Berth.', repair: to('pause') }
      : // What it had in memory is gone: starting it to pause it would help nobody.
        { text: 'It was paused and stopped without Berth.', repair: null };
  }
  return { text: 'It was started without Berth.', repair: to('stop') };
}

/** CPU and memory must be exact; a disk may be larger than wanted where it cannot shrink. */
function sizeDifferences(wanted: Size, present: Size): string[] {
  const differing: string[] = [];
  if (wanted.cpus !== present.cpus) differing.push('CPU limit');
  if (wanted.memoryBytes !== present.memoryBytes) differing.push('memory limit');
  if (wanted.diskBytes > present.diskBytes) differing.push('disk size');
  return differing;
}

/** Pause before the repair after `attempts` ones, in milliseconds. */
export function repairPauseMs(attempts: number): number {
  return Math.min(REPAIR_MS_MAX, REPAIR_FIRST_MS * 2 ** Math.max(0, attempts - 1));
}
