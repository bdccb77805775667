/** How instances are shown: tone and words of a state. The words come from the API, the tone is ours. */
import type { DisplayState, HealthState } from '#domain/instances.ts';
import type { OperationState } from '#domain/operations.ts';
import type { Tone } from '../ui/badge.tsx';

export const stateTones: Record<DisplayState, Tone> = {
  creating: 'busy',
  failed: 'bad',
  archived: 'idle',
  deleting: 'busy',
  running: 'ok',
  starting: 'busy',
  stopping: 'busy',
  stopped: 'idle',
  paused: 'warn',
  unhealthy: 'warn',
  drifted: 'warn',
  unknown: 'idle',
};

export const stateWords: Record<DisplayState, string> = {
  creating: 'Creating',
  failed: 'Failed',
  archived: 'Deleted',
  deleting: 'Removing',
  running: 'Running',
  starting: 'Starting',
  stopping: 'Stopping',
  stopped: 'Stopped',
  paused: 'Paused',
  unhealthy: 'Unhealthy',
  drifted: 'Drifted',
  unknown: 'Unknown',
};

/** States that are on their way to another one. */
export function isMoving(state: DisplayState): boolean {
  return state === 'creating' || state === 'starting' || state === 'stopping' || state === 'deleting';
}

/** States that want somebody to look. */
export function needsAttention(state: DisplayState): boolean {
  return state === 'failed' || state === 'unhealthy' || state === 'drifted';
}

export const healthTones: Record<HealthState, Tone> = {
  unknown: 'idle',
  starting: 'busy',
  healthy: 'ok',
  degraded: 'warn',
  unhealthy: 'bad',
};

export const operationTones: Record<OperationState, Tone> = {
  pending: 'busy',
  running: 'busy',
  succeeded: 'ok',
  failed: 'bad',
  stopped: 'idle',
};
export const operationWords: Record<OperationState, string> = {
  pending: 'Waiting',
  running: 'Running',
  succeeded: 'Done',
  failed: 'Failed',
  stopped: 'Stopped',
};

/** '2 CPU · 4 GiB · 40 GiB disk' */
export function kindTitle(kind: 'desktop' | 'server'): string {
  return kind === 'desktop' ? 'Desktop' : 'Server';
}
