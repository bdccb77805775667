/**
 * What an instance is and what may be done to it when. Desired and observed state are different facts, written by
 * different code: people and workflows write `desired`, engine events and the watcher write `observed`.
 */
export const instanceKinds = ['desktop', 'server'] as const;
export type InstanceKind = (typeof instanceKinds)[number];

/** Where it is in its life: `ready` is the long middle. */
export const instancePhases = ['creating', 'ready', 'failed', 'archived', 'purging'] as const;
export type InstancePhase = (typeof instancePhases)[number];

export const desiredStates = ['running', 'paused', 'stopped'] as const;
export type DesiredState = (typeof desiredStates)[number];

export const observedStates = [
  'unknown',
  'absent',
  'stopped',
  'starting',
  'running',
  'paused',
  'stopping',
  'error',
] as const;
export type ObservedState = (typeof observedStates)[number];

export const healthStates = ['unknown', 'starting', 'healthy', 'degraded', 'unhealthy'] as const;
export type HealthState = (typeof healthStates)[number];

/** One probe's answer: `rfb`, `systemd`, `sshd`, `openclaw`. */
export type HealthCheck = { name: string; state: HealthState; message: string; optional: boolean };

export const instanceActions = ['start', 'stop', 'restart', 'pause', 'resume'] as const;
export type InstanceAction = (typeof instanceActions)[number];

/** Days an archived (deleted) instance can be restored. */
export const ARCHIVE_DAYS = 7;
export const SNAPSHOTS_PER_INSTANCE_MAX = 20;
export const ROUTES_PER_INSTANCE_MAX = 20;

export type InstanceFacts = {
  phase: InstancePhase;
  desired: DesiredState;
  observed: ObservedState;
  health: HealthState;
  /** Title of the operation that is changing it now, if any. */
  busyWith: string | null;
  protected: boolean;
};

/** The one word shown to people. */
export const displayStates = [
  'creating',
  'failed',
  'archived',
  'deleting',
  'running',
  'starting',
  'stopping',
  'stopped',
  'paused',
  'unhealthy',
  'drifted',
  'unknown',
] as const;
export type DisplayState = (typeof displayStates)[number];

export function displayState(facts: InstanceFacts): DisplayState {
  if (facts.phase === 'creating') return 'creating';
  if (facts.phase === 'failed') return 'failed';
  if (facts.phase === 'archived') return 'archived';
  if (facts.phase === 'purging') return 'deleting';
  if (facts.observed === 'unknown') return 'unknown';
  if (facts.observed === 'starting' || facts.observed === 'stopping') return facts.observed;
  if (facts.busyWith !== null) {
    if (facts.desired === 'running' && facts.observed !== 'running') return 'starting';
    if (facts.desired === 'stopped' && facts.observed !== 'stopped') return 'stopping';
  }
  if (facts.observed !== facts.desired) return 'drifted';
  if (facts.observed === 'running') {
    if (facts.health === 'unhealthy') return 'unhealthy';
    if (facts.health === 'starting') return 'starting';
  }
  return facts.observed;
}

/** Everything the API lists under `can`. */
export const instanceVerbs = [
  ...instanceActions,
  'rename',
  'resize',
  'snapshot',
  'rollback',
  'backup',
  'overwrite',
  'clone',
  'transfer',
  'archive',
  'restore',
  'purge',
  'screen',
  'terminal',
  'ssh',
  'logs',
  'files',
  'stacks',
  'route',
  'forward',
  'share',
] as const;
export type InstanceVerb = (typeof instanceVerbs)[number];

/** true, or the reason (for people) why not. */
export type Ability = true | string;

/** What the instance's own state allows; rights of the person are checked elsewhere and combined by the app layer. */
export function instanceAbility(verb: InstanceVerb | 'archives', kind: InstanceKind, facts: InstanceFacts): Ability {
  if (verb === 'restore') return facts.phase === 'archived' ? true : 'Only an archived instance can be restored.';
  if (verb === 'purge') {
    if (facts.protected) return 'It is protected. Switch protection off in the settings first.';
    return facts.phase === 'archived' || facts.phase === 'failed' ? true : 'Delete (archive) it first.';
  }
  if (facts.phase === 'archived') return 'It is archived. Restore it first.';
  if (facts.phase === 'purging') return 'It is being removed.';
  if (verb === 'archive') {
    if (facts.protected) return 'It is protected. Switch protection off in the settings first.';
    if (facts.phase === 'creating') return 'Wait until it is created.';
    return facts.busyWith === null ? true : `Wait for: ${facts.busyWith}.`;
  }
  if (facts.phase === 'creating') return 'It is still being created.';
  if (facts.phase === 'failed') return 'Its creation failed. Delete it and create it again.';
  if (verb === 'logs' || verb === 'terminal' || verb === 'ssh' || verb === 'screen') {
    if (verb === 'screen' && kind !== 'desktop') return 'Only desktops have a screen.';
    if (verb === 'logs' && facts.observed === 'stopped') return 'Start it first.';
    return facts.observed === 'running' ? true : 'Start it first.';
  }
  if (verb === 'files') {
    return facts.observed === 'running' || facts.observed === 'stopped' ? true : 'Start it first.';
  }
  if (verb === 'archives') return facts.observed === 'running' ? true : 'Start it first.';
  if (verb === 'stacks') {
    if (kind !== 'server') return 'Only servers have Docker inside.';
    return facts.observed === 'running' ? true : 'Start it first.';
  }
  if (verb === 'rename' || verb === 'route' || verb === 'forward' || verb === 'share') return true;
  if (facts.busyWith !== null) return `Wait for: ${facts.busyWith}.`;
  switch (verb) {
    case 'start':
      return facts.observed === 'stopped' || facts.observed === 'error'
        ? true
        : facts.observed === 'paused'
          ? 'It is paused: resume it.'
          : 'It runs already.';
    case 'stop':
      return facts.observed === 'running' || facts.observed === 'paused' ? true : 'It does not run.';
    case 'restart':
      return facts.observed === 'running' ? true : 'It does not run.';
    case 'pause':
      return facts.observed === 'running' ? true : 'Only a running instance can be paused.';
    case 'resume':
      return facts.observed === 'paused' ? true : 'It is not paused.';
    case 'transfer':
      // What it holds in memory cannot move along, and it was paused to keep that.
      return facts.desired === 'paused' || facts.observed === 'paused'
        ? 'It is paused: resume or stop it first.'
        : true;
    case 'rollback':
    case 'resize':
    case 'snapshot':
    case 'backup':
    case 'overwrite':
    case 'clone':
      return true;
    default:
      return true;
  }
}
