/** The verbs, each bound to what does it. Bodies arrive parsed by their closed schema. */
import type { Duplex } from 'node:stream';
import type { AgentInput, AgentVerb } from '#contract/agent.ts';
import type {
  AgentBuildProgress,
  AgentEvent,
  AgentHostFacts,
  AgentLogEntry,
  AgentResult,
} from '#contract/agent-results.ts';
import type { InstanceId } from '#domain/ids.ts';
import { Backups } from './backups/backups.ts';
import { cutClients } from './clients.ts';
import { containerUsage } from './container-usage.ts';
import { actOnContainer, dockerUsage, innerContainers } from './containers.ts';
import type { Engine, GuestProcess } from './engine.ts';
import type { Flows } from './flows.ts';
import type { Forwards } from './forwards.ts';
import { endRun, lookAtRun } from './guest-runs.ts';
import { startGuestRun } from './guest-tasks.ts';
import { Guests } from './guests.ts';
import { Health } from './health.ts';
import { hostAddresses, machineFacts, type OwnInterface, usedRanges4 } from './host-facts.ts';
import { type ImageBuilder, Images } from './images.ts';
import type { KeyedLocks } from './locks.ts';
import { followLogs, readLogs } from './logs.ts';
import type { MetricSampler } from './metrics.ts';
import type { NetworkGuard } from './network-guard.ts';
import type { PolicyKeeper } from './policies.ts';
import type { Registry } from './registry.ts';
import type { Resolver } from './resolver.ts';
import { Screens } from './screens.ts';
import { SshLogins } from './ssh.ts';
import { checkStack, stacks } from './stacks.ts';
import type { AgentState } from './state.ts';

export type VerbContext = { onProgress: (progress: AgentBuildProgress) => void; signal: AbortSignal };
export type VerbTable = { [V in AgentVerb]: (input: AgentInput<V>, context: VerbContext) => Promise<AgentResult<V>> };

export type Agent = {
  verbs: VerbTable;
  terminal(instance: InstanceId, user: 'root' | 'berth', cols: number, rows: number): Promise<GuestProcess>;
  follow(
    instance: InstanceId,
    query: { lines: number; of?: string | undefined },
    onEntry: (entry: AgentLogEntry) => void,
  ): Promise<GuestProcess>;
  files(instance: InstanceId): Promise<Duplex>;
  watch(onEvent: (event: AgentEvent) => void, signal: AbortSignal): Promise<void>;
};

export type AgentParts = {
  engine: Engine;
  state: AgentState;
  locks: KeyedLocks;
  guard: NetworkGuard;
  forwards: Forwards;
  policies: PolicyKeeper;
  registry: Registry;
  /** Null: guests ask the engine's. */
  resolver: Resolver | null;
  flows: Flows;
  builder: ImageBuilder;
  importDir: string;
  /** The port of the user plane. */
  httpsPort: number;
  metrics: MetricSampler;
  own: OwnInterface;
  stateDir: string;
  backupsDir: string;
  /** For what goes wrong when nobody asked for it. */
  onError: (error: unknown) => void;
};

export function agent(parts: AgentParts): Agent {
  const { engine, state, guard } = parts;
  const guests = new Guests(engine, state, parts.locks, guard);
  const backups = new Backups(engine, guests, parts.locks, parts.backupsDir, parts.onError);
  const screens = new Screens(engine);
  const ssh = new SshLogins(engine, parts.locks, parts.stateDir);
  const health = new Health(engine, screens);
  const images = new Images(engine, parts.builder, parts.importDir);

  /** The rules of its groups hold before a new guest starts. */
  const placed = async <T>(instance: InstanceId, made: Promise<T>): Promise<T> => {
    const guest = await made;
    await parts.policies.placed(instance);
    return guest;
  };
  const verbs: VerbTable = {
    host: async (): Promise<AgentHostFacts> => {
      const [facts, missing] = await Promise.all([engine.facts(), engine.missing()]);
      return {
        ...machineFacts(),
        ...facts,
        missing,
        usedRanges4: usedRanges4(parts.own),
        addresses: hostAddresses(parts.own),
        forwards: parts.forwards.facts(),
      };
    },
    ensureNetwork: async ({ beside, ...spec }) => {
      const asked = !guests.knowsNetwork(spec);
      const checks = async (): Promise<void> => {
        await guests.ensureNetwork(spec, asked);
        await parts.resolver?.check();
        await parts.policies.check();
        if (parts.registry.port !== null) await parts.registry.check();
        await parts.flows.check();
      };
      // Checks of before a change would be repeated with what the network was.
      if (asked) guard.forget(spec.project);
      await (beside === true && !asked ? guard.recheck(spec.project, checks) : checks());
      return null;
    },
    removeNetwork: ({ project }) => guests.removeNetwork(project),
    createGuest: (spec) => placed(spec.instance, guests.create(spec)),
    cloneGuest: (input) => placed(input.spec.instance, guests.clone(input)),
    observe: ({ instance }) => guests.observe(instance),
    list: () => guests.list(),
    flows: async ({ done }) => parts.flows.take(done),
    metrics: async ({ after }) => parts.metrics.after(after),
    power: (input) => guests.power(input),
    resize: (input) => guests.resize(input),
    setHostname: (input) => guests.setHostname(input),
    moveGuest: async (input) => {
      await parts.flows.handOver();
      const guest = await guests.move(input);
      await parts.forwards.moved(input.instance);
      await parts.policies.check();
      return guest;
    },
    destroyGuest: async ({ instance }) => {
      await parts.forwards.drop(instance);
      await parts.flows.handOver();
      const gone = await guests.destroy(instance);
      await parts.policies.check();
      return gone;
    },
    setPolicies: (policies) => parts.policies.set(policies),
    setForwards: ({ forwards }) => parts.forwards.set(forwards),
    setRegistry: (spec) => parts.registry.set(spec),
    createSnapshot: ({ instance, snapshot, operation }) => guests.createSnapshot(instance, snapshot, operation),
    restoreSnapshot: ({ instance, snapshot }) => guests.restoreSnapshot(instance, snapshot),
    deleteSnapshot: ({ instance, snapshot }) => guests.deleteSnapshot(instance, snapshot),
    backupGuest: (input, context) => backups.backup(input, context),
    restoreBackup: (input, context) => backups.restore(input, context),
    recoverGuest: (input, context) => placed(input.spec.instance, backups.recover(input, context)),
    deleteBackup: (input, context) => backups.delete(input, context),
    hasBackup: (input, context) => backups.has(input, context),
    removeRepository: (input, context) => backups.removeRepository(input, context),
    verifyRepository: (input, context) => backups.verify(input, context),
    repositories: () => backups.repositories(),
    health: ({ instance }) => health.report(instance),
    innerContainers: ({ instance }) => innerContainers(engine, instance),
    containerUsage: ({ instance }) => containerUsage(engine, instance),
    containerAct: (input) => actOnContainer(engine, input),
    dockerUsage: ({ instance }) => dockerUsage(engine, instance),
    stacks: ({ instance }) => stacks(engine, instance),
    stackCheck: (input) => checkStack(engine, input),
    guestRun: (input) => parts.locks.run(`docker ${input.instance}`, () => startGuestRun(engine, input)),
    guestRunLook: ({ instance, run, part }) => lookAtRun(engine, instance, run, part),
    guestRunEnd: ({ instance, run, part }) => endRun(engine, instance, run, part),
    logs: (query) => readLogs(engine, query),
    images: () => images.list(),
    recipes: async () => images.recipes(),
    buildImage: ({ recipe }, { onProgress, signal }) => images.build(recipe, onProgress, signal),
    importImage: (input, { onProgress, signal }) => images.import(input, onProgress, signal),
    deleteImage: async ({ fingerprint }) => {
      state.disallow(fingerprint);
      await engine.deleteImage(fingerprint);
      return null;
    },
    allowImages: async ({ fingerprints }) => {
      state.allow(fingerprints);
      return null;
    },
    screenCredentials: ({ instance }) => screens.credentials(instance),
    sshHostKeys: ({ instance }) => ssh.hostKeys(instance),
    sshLogin: ({ instance }) => ssh.prepare(instance),
    sshSign: ({ instance, data }) => ssh.sign(instance, data),
    cutClients: async ({ clients }) => ({ cut: await cutClients(parts.httpsPort, clients) }),
  };

  return {
    verbs,
    // `su` and not a bare shell: it gives the account's groups, home and login shell, as any login would.
    terminal: (instance, user, cols, rows) =>
      engine.terminal(instance, ['su', '--login', user], {
        uid: 0,
        gid: 0,
        cwd: '/',
        environment: { TERM: 'xterm-256color', COLORTERM: 'truecolor' },
        cols,
        rows,
      }),
    follow: (instance, query, onEntry) => followLogs(engine, instance, query, onEntry),
    files: (instance) => engine.files(instance),
    watch: (onEvent, signal) => engine.watch(onEvent, signal),
  };
}
