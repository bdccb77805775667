/** An Operation is what a person follows: steps with durations. A workflow run is what makes it survive a crash. */
export const operationStates = ['pending', 'running', 'succeeded', 'failed', 'stopped'] as const;
export type OperationState = (typeof operationStates)[number];
export const stepStates = ['pending', 'running', 'succeeded', 'failed', 'undone', 'skipped', 'stopped'] as const;
export type StepState = (typeof stepStates)[number];

export const operationKinds = [
  'instance.create',
  'instance.start',
  'instance.stop',
  'instance.restart',
  'instance.pause',
  'instance.resume',
  'instance.resize',
  'instance.rename',
  'instance.clone',
  'instance.archive',
  'instance.restore',
  'instance.purge',
  'instance.transfer',
  'snapshot.create',
  'snapshot.restore',
  'snapshot.delete',
  'backup.create',
  'backup.restore',
  'backup.recover',
  'backup.delete',
  'backup.verify',
  'stack.up',
  'stack.down',
  'stack.restart',
  'stack.pull',
  'docker.clean',
  'files.pack',
  'files.unpack',
  'image.build',
  'image.import',
  'image.delete',
] as const;
export type OperationKind = (typeof operationKinds)[number];

export function isFinished(state: OperationState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'stopped';
}

/**
 * What a person may stop while it runs: commands inside a guest, which can be ended at any moment. Everything else ends by
 * itself or takes itself back.
 */
export function isStoppable(kind: OperationKind): boolean {
  return /^(?:stack|docker|files)\./.test(kind);
}
