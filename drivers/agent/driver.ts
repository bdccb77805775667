/** Instances on hosts that run a Berth agent. */
import { agentEventSchema } from '#contract/agent-results.ts';
import type { BackupProgress, ImageBuildProgress, InstanceDriver, RepositoryRef } from '../interface.ts';
import { AgentClient, type AgentClientOptions } from './client.ts';

const BACK_OFF_MS = { first: 100, max: 5_000 };
/** The agent says something at least every 15 seconds. */
const SILENCE_MS_MAX = 45_000;

export type AgentDriver = InstanceDriver & { close(): Promise<void> };

/** A driver for one agent. It keeps no state: the agent and its engine are asked every time. */
export function agentDriver(options: AgentClientOptions & { name?: string }): AgentDriver {
  const client = new AgentClient(options);
  const done = async (answer: Promise<null>): Promise<void> => void (await answer);
  return {
    name: options.name ?? 'agent',
    close: () => client.close(),
    capabilities: () => ({
      kinds: ['desktop', 'server'],
      pause: true,
      snapshots: true,
      liveResize: true,
      diskShrink: true,
    }),
    host: () => client.call('host', {}),
    ensureNetwork: (spec, beside = false) => done(client.call('ensureNetwork', { ...spec, beside })),
    removeNetwork: (project) => done(client.call('removeNetwork', { project })),
    createGuest: (spec) => client.call('createGuest', spec),
    cloneGuest: (source, spec) => client.call('cloneGuest', { source, spec }),
    observe: (instance) => client.call('observe', { instance }),
    list: () => client.call('list', {}),
    flows: (done) => client.call('flows', { done }),
    metrics: (after) => client.call('metrics', { after }),
    power: (instance, action, how) => client.call('power', { instance, action, ...how }),
    resize: (instance, size) => client.call('resize', { instance, size }),
    setHostname: (instance, hostname) => done(client.call('setHostname', { instance, hostname })),
    moveGuest: (instance, to, operation) => client.call('moveGuest', { instance, ...to, operation }),
    destroyGuest: (instance) => done(client.call('destroyGuest', { instance })),
    setPolicies: (policies) => done(client.call('setPolicies', policies)),
    setRegistry: (spec) => client.call('setRegistry', spec),
    setForwards: (forwards) => client.call('setForwards', { forwards }),
    createSnapshot: (instance, snapshot, operation) =>
      done(client.call('createSnapshot', { instance, snapshot, operation })),
    restoreSnapshot: (instance, snapshot) => done(client.call('restoreSnapshot', { instance, snapshot })),
    deleteSnapshot: (instance, snapshot) => done(client.call('deleteSnapshot', { instance, snapshot })),
    backupGuest: (instance, ref, bytesMax, onProgress) =>
      client.call('backupGuest', { ...ref, instance, bytesMax }, { onProgress: shown(onProgress) }),
    restoreBackup: (instance, ref, onProgress) =>
      done(client.call('restoreBackup', { ...ref, instance }, { onProgress: shown(onProgress) })),
    recoverGuest: (spec, ref, onProgress) =>
      client.call('recoverGuest', { ...ref, spec }, { onProgress: shown(onProgress) }),
    deleteBackup: async (ref, instance) => (await client.call('deleteBackup', { ...ref, instance })).storedBytes,
    hasBackup: (ref) => client.call('hasBackup', ref),
    removeRepository: (ref) => done(client.call('removeRepository', repositoryOf(ref))),
    verifyRepository: (ref, onProgress) =>
      client.call('verifyRepository', repositoryOf(ref), { onProgress: shown(onProgress) }),
    repositories: () => client.call('repositories', {}),
    health: (instance) => client.call('health', { instance }),
    innerContainers: (instance) => client.call('innerContainers', { instance }),
    containerUsage: (instance) => client.call('containerUsage', { instance }),
    actOnContainer: (instance, container, action) => done(client.call('containerAct', { instance, container, action })),
    dockerUsage: (instance) => client.call('dockerUsage', { instance }),
    stacks: (instance) => client.call('stacks', { instance }),
    checkStack: async (instance, stack, text) => (await client.call('stackCheck', { instance, stack, text })).said,
    startGuestRun: (instance, run, task) => done(client.call('guestRun', { instance, run, task })),
    lookAtGuestRun: (instance, run, part) => client.call('guestRunLook', { instance, run, part }),
    endGuestRun: (instance, run, part) => done(client.call('guestRunEnd', { instance, run, part })),
    sshHostKeys: async (instance) => (await client.call('sshHostKeys', { instance })).publicKeys,
    logs: (instance, query) => client.call('logs', { instance, ...query }),
    async files(instance) {
      // Large, and needed only where somebody looks at files.
      const { guestFiles } = await import('./files.ts');
      return guestFiles(client.socket('/v1/files', { instance }));
    },
    images: () => client.call('images', {}),
    recipes: () => client.call('recipes', {}),
    buildImage: (recipe, onProgress, signal) => client.call('buildImage', { recipe }, { onProgress, signal }),
    importImage: (source, as) => client.call('importImage', { source, as }),
    deleteImage: (fingerprint) => done(client.call('deleteImage', { fingerprint })),
    allowImages: (fingerprints) => done(client.call('allowImages', { fingerprints })),

    async watch(onEvent, signal) {
      let backOff = BACK_OFF_MS.first;
      while (!signal.aborted) {
        try {
          // The agent's first line is `resync`: whatever happened while nobody listened is unknown.
          for await (const line of client.lines('/v1/events', signal, SILENCE_MS_MAX)) {
            backOff = BACK_OFF_MS.first;
            if (line !== null) onEvent(agentEventSchema.parse(line));
          }
        } catch {
          // Whatever it was, the next connection begins with a full look.
        }
        if (signal.aborted) return;
        await pause(backOff, signal);
        backOff = Math.min(backOff * 2, BACK_OFF_MS.max);
      }
    },
  };
}

/** The agent refuses what it does not know: callers may hold more than it needs. */
function repositoryOf({ repository, place, password }: RepositoryRef): RepositoryRef {
  return { repository, place, password };
}

/** The agent says 0 where it does not know how far it is. */
function shown(onProgress: (progress: BackupProgress) => void) {
  return ({ percent, line }: ImageBuildProgress) => onProgress({ percent: percent > 0 ? percent : null, line });
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
