/**
 * A deterministic in-memory twin of a host agent: same contract, same errors, no machine. Tests inject faults through
 * `faults`, change guests behind Berth's back through `behind`, and can keep the "engine's" state in a file so that it
 * outlives a killed control plane.
 */
import { BerthError, notFound } from '#domain/errors.ts';
import { defaultForwardPorts, type ForwardProtocol } from '#domain/forwards.ts';
import type { GuestRunPart } from '#domain/guest-runs.ts';
import type { BackupRepositoryId, InstanceId, OperationId, ProjectId, SnapshotId } from '#domain/ids.ts';
import type { ObservedState } from '#domain/instances.ts';
import { SAMPLE_SECONDS } from '#domain/metrics.ts';
import type { RegistrySpec, RegistryStatus } from '#domain/registry.ts';
import { GIB, type Size } from '#domain/sizes.ts';
import type { ContainerAction, ContainerUse, DockerUse } from '#domain/stacks.ts';
import type {
  BackupMade,
  BackupProgress,
  BackupRef,
  DriverCapabilities,
  DriverEvent,
  DriverImage,
  FlowBatch,
  ForwardAnswer,
  ForwardSpec,
  GuestFiles,
  GuestObservation,
  GuestPlace,
  GuestRun,
  GuestSpec,
  GuestTask,
  HealthReport,
  HostFacts,
  ImageBuildProgress,
  InnerContainer,
  InstanceDriver,
  LogEntry,
  LogQuery,
  MetricSample,
  NetworkSpec,
  PolicySpec,
  PowerAction,
  RepositoryRef,
} from '../interface.ts';
import * as backups from './backups.ts';
import * as docker from './docker.ts';
import { FaultInjector, type SimulatedVerb } from './faults.ts';
import { keepDisk, newDisk, restoreDisk, type SimulatedDisk, simulatedFiles } from './files.ts';
import { healthOf, hostKeyOf, logsOf, observationOf, powerTarget, simulatedReading, UIDS_PER_GUEST } from './guests.ts';
import { type SimulatedImageFacts, simulatedImage, simulatedRecipes } from './images.ts';
import { type SimulatedGuest, type SimulatedState, StateFile } from './state.ts';

export type SimulatedOptions = {
  name?: string;
  /** Milliseconds since 1970; tests pass a fake clock. */
  now?: () => number;
  /** Keeps the state in this JSON file. */
  stateFile?: string;
  /** Several processes use the file: it is read again before every call. */
  shared?: boolean;
  /** Start with both recipes built and allowed (default true). */
  withImages?: boolean;
};

const SAMPLE_MS = SAMPLE_SECONDS * 1000;

export class SimulatedDriver implements InstanceDriver {
  readonly name: string;
  readonly faults = new FaultInjector();
  readonly #now: () => number;
  readonly #file: StateFile;
  readonly #shared: boolean;
  readonly #listeners = new Set<(event: DriverEvent) => void>();
  #state: SimulatedState;
  readonly #disks = new Map<InstanceId, SimulatedDisk>();

  constructor(options: SimulatedOptions = {}) {
    this.name = options.name ?? 'simulated';
    this.#now = options.now ?? Date.now;
    this.#file = new StateFile(options.stateFile ?? null);
    this.#shared = options.shared ?? false;
    this.#state = this.#file.load();
    if ((options.withImages ?? true) && this.#state.images.length === 0) {
      for (const recipe of simulatedRecipes) this.#addImage(recipe);
      this.#state.allowed = this.#state.images.map((image) => image.fingerprint);
      this.#save();
    }
  }

  capabilities(): DriverCapabilities {
    return { kinds: ['desktop', 'server'], pause: true, snapshots: true, liveResize: true, diskShrink: false };
  }

  async host(): Promise<HostFacts> {
    return this.#run('host', () => ({
      hostname: 'simulated',
      engine: 'simulated',
      engineVersion: '1',
      kernel: '6.0-simulated',
      os: 'Simulated',
      cpus: 16,
      memoryBytes: 64 * GIB,
      memoryUsedBytes: 4 * GIB,
      poolName: 'simulated',
      poolDriver: 'memory',
      poolBytes: 1024 * GIB,
      poolUsedBytes: 10 * GIB,
      load1: 0.1,
      uptimeSeconds: 1000,
      missing: [],
      usedRanges4: ['192.0.2.0/24'],
      addresses: ['192.0.2.2'],
      forwards: { pool: { ...defaultForwardPorts }, busy: [...this.#state.busyPorts] },
    }));
  }

  async ensureNetwork(spec: NetworkSpec): Promise<void> {
    await this.#run('ensureNetwork', () => {
      const present = this.#state.networks[spec.project];
      if (present !== undefined && (present.subnet4 !== spec.subnet4 || present.subnet6 !== spec.subnet6)) {
        if (this.#guestsOf(spec.project).length > 0) {
          throw new BerthError('conflict', 'The network exists with other addresses and is in use.');
        }
      }
      this.#state.networks[spec.project] = { ...spec };
      this.#save();
    });
  }

  async removeNetwork(project: ProjectId): Promise<void> {
    await this.#run('removeNetwork', () => {
      if (this.#guestsOf(project).length > 0) throw new BerthError('conflict', 'Guests still use this network.');
      delete this.#state.networks[project];
      this.#save();
    });
  }

  async createGuest(spec: GuestSpec): Promise<GuestObservation> {
    return this.#run('createGuest', () => observationOf(this.#create(spec, 0)));
  }

  async cloneGuest(
    source: { instance: InstanceId; snapshot: SnapshotId | null },
    spec: GuestSpec,
  ): Promise<GuestObservation> {
    return this.#run('cloneGuest', () => {
      const present = this.#state.guests[spec.instance];
      if (present !== undefined) return observationOf(this.#create(spec, present.content));
      const from = this.#guest(source.instance);
      const content = source.snapshot === null ? from.content : this.#snapshot(from, source.snapshot).content;
      return observationOf(this.#create(spec, content));
    });
  }

  async observe(instance: InstanceId): Promise<GuestObservation | null> {
    return this.#run('observe', () => {
      const guest = this.#state.guests[instance];
      return guest === undefined ? null : observationOf(guest);
    });
  }

  async list(): Promise<GuestObservation[]> {
    return this.#run('list', () => Object.values(this.#state.guests).map((guest) => observationOf(guest)));
  }

  /** One sample a call, ten seconds of clock apart at least. A guest uses half of what it may; its counters run with the clock. */
  async metrics(after: string | null): Promise<MetricSample[]> {
    return this.#run('metrics', () => {
      const at = Math.floor(this.#now() / SAMPLE_MS) * SAMPLE_MS;
      if (after !== null && at <= Date.parse(after)) return [];
      const running = Object.values(this.#state.guests).filter((guest) => guest.state === 'running');
      return [
        {
          at: new Date(at).toISOString(),
          host: simulatedReading({ cpus: 16, memoryBytes: 64 * GIB }, at / 1000),
          guests: running.map((guest) => ({
            instance: guest.instance,
            ...simulatedReading(guest.size, Math.max(0, at - Date.parse(guest.startedAt ?? guest.createdAt)) / 1000),
          })),
        },
      ];
    });
  }

  async flows(done: string | null): Promise<FlowBatch> {
    return this.#run('flows', () => {
      const [next] = this.#state.flows.filter(({ batch }) => batch !== done);
      this.#state.flows = this.#state.flows.filter(({ batch }) => batch !== done);
      return structuredClone(next ?? { batch: null, flows: [] });
    });
  }

  async power(
    instance: InstanceId,
    action: PowerAction,
    _options: { force?: boolean; timeoutSeconds?: number },
  ): Promise<GuestObservation> {
    return this.#run('power', () => {
      const guest = this.#guest(instance);
      const target = powerTarget(action, guest.state);
      if (target !== guest.state || action === 'restart') this.#setState(guest, target, action);
      return observationOf(guest);
    });
  }

  async resize(instance: InstanceId, size: Size): Promise<GuestObservation> {
    return this.#run('resize', () => {
      const guest = this.#guest(instance);
      if (size.diskBytes < guest.size.diskBytes)
        throw new BerthError('unsupported', 'A disk cannot be made smaller here.');
      guest.size = { ...size };
      this.#changed(guest.instance, 'resized');
      return observationOf(guest);
    });
  }

  async setHostname(instance: InstanceId, hostname: string): Promise<void> {
    await this.#run('setHostname', () => {
      this.#guest(instance).hostname = hostname;
      this.#changed(instance, 'renamed');
    });
  }

  async moveGuest(instance: InstanceId, to: GuestPlace, operation: OperationId): Promise<GuestObservation> {
    return this.#run('moveGuest', () => {
      const guest = this.#guest(instance);
      const same = guest.project === to.project && guest.address4 === to.address4 && guest.address6 === to.address6;
      if (same) return observationOf(guest);
      if (guest.state !== 'stopped') throw new BerthError('state_conflict', 'Stop it first.');
      this.#checkPlace(to, instance);
      Object.assign(guest, { project: to.project, address4: to.address4, address6: to.address6, operation });
      this.#changed(instance, 'moved');
      return observationOf(guest);
    });
  }

  async destroyGuest(instance: InstanceId): Promise<void> {
    await this.#run('destroyGuest', () => {
      if (this.#state.guests[instance] === undefined) return;
      delete this.#state.guests[instance];
      this.#state.forwards = this.#state.forwards.filter((forward) => forward.instance !== instance);
      this.#changed(instance, 'deleted');
    });
  }

  async setPolicies(policies: PolicySpec): Promise<void> {
    await this.#run('setPolicies', () => {
      this.#state.policies = structuredClone(policies);
      this.#save();
    });
  }

  async setRegistry(spec: RegistrySpec): Promise<RegistryStatus> {
    return this.#run('setRegistry', () => ({
      ...structuredClone(this.#state.registry),
      state: spec.enabled ? this.#state.registry.state : 'off',
    }));
  }

  async setForwards(forwards: ForwardSpec[]): Promise<ForwardAnswer[]> {
    return this.#run('setForwards', () => {
      const { busyPorts } = this.#state;
      const answers = forwards.map(({ protocol, hostPort, instance }): ForwardAnswer => {
        const taken = busyPorts.some((busy) => busy.protocol === protocol && busy.port === hostPort);
        const absent = this.#state.guests[instance] === undefined;
        return { protocol, hostPort, state: taken ? 'taken' : absent ? 'absent' : 'active' };
      });
      this.#state.forwards = structuredClone(forwards);
      this.#save();
      return answers;
    });
  }

  async createSnapshot(instance: InstanceId, snapshot: SnapshotId, operation: OperationId): Promise<void> {
    await this.#run('createSnapshot', () => {
      const guest = this.#guest(instance);
      if (guest.snapshots.some((entry) => entry.snapshot === snapshot)) return;
      guest.snapshots.push({ snapshot, operation, createdAt: this.#iso(), content: guest.content });
      this.#changed(instance, 'snapshot-created');
    });
  }

  async restoreSnapshot(instance: InstanceId, snapshot: SnapshotId): Promise<void> {
    await this.#run('restoreSnapshot', () => {
      const guest = this.#guest(instance);
      guest.content = this.#snapshot(guest, snapshot).content;
      this.#changed(instance, 'restored');
    });
  }

  async deleteSnapshot(instance: InstanceId, snapshot: SnapshotId): Promise<void> {
    await this.#run('deleteSnapshot', () => {
      const guest = this.#guest(instance);
      guest.snapshots = guest.snapshots.filter((entry) => entry.snapshot !== snapshot);
      this.#changed(instance, 'snapshot-deleted');
    });
  }

  async backupGuest(
    instance: InstanceId,
    ref: BackupRef,
    bytesMax: number,
    onProgress: (progress: BackupProgress) => void,
  ): Promise<BackupMade> {
    return this.#run('backupGuest', () => {
      onProgress({ percent: 50, line: 'Simulated.' });
      const made = backups.keep(this.#state.repositories, ref, this.#guest(instance).content, bytesMax);
      this.#save();
      return made;
    });
  }

  async restoreBackup(instance: InstanceId, ref: BackupRef): Promise<void> {
    await this.#run('restoreBackup', () => {
      const guest = this.#guest(instance);
      if (guest.state !== 'stopped') throw new BerthError('state_conflict', 'Stop it first.');
      guest.content = backups.keptContent(this.#state.repositories, ref);
      this.#changed(instance, 'restored');
    });
  }

  async recoverGuest(spec: GuestSpec, ref: BackupRef): Promise<GuestObservation> {
    return this.#run('recoverGuest', () =>
      observationOf(this.#create(spec, backups.keptContent(this.#state.repositories, ref), true)),
    );
  }

  async deleteBackup(ref: BackupRef): Promise<number> {
    return this.#run('deleteBackup', () => {
      const left = backups.forget(this.#state.repositories, ref);
      this.#save();
      return left;
    });
  }

  async hasBackup(ref: BackupRef): Promise<boolean> {
    return this.#run('hasBackup', () => this.#state.repositories[ref.repository]?.backups[ref.backup] !== undefined);
  }

  async removeRepository(ref: RepositoryRef): Promise<void> {
    await this.#run('removeRepository', () => {
      delete this.#state.repositories[ref.repository];
      this.#save();
    });
  }

  async verifyRepository(ref: RepositoryRef): Promise<{ problem: string | null; storedBytes: number }> {
    return this.#run('verifyRepository', () => backups.check(this.#state.repositories, ref));
  }

  async repositories(): Promise<{ repository: BackupRepositoryId; storedBytes: number }[]> {
    return this.#run('repositories', () => backups.uses(this.#state.repositories));
  }

  async health(instance: InstanceId): Promise<HealthReport> {
    return this.#run('health', () => healthOf(this.#guest(instance), this.#iso()));
  }

  /** In memory only: a guest's files are new after a restart of the simulation. */
  async files(instance: InstanceId): Promise<GuestFiles> {
    return this.#run('files', () => {
      const disk = this.#disk(this.#guest(instance));
      return simulatedFiles(disk, () => new Date(this.#now()).toISOString());
    });
  }

  async innerContainers(instance: InstanceId): Promise<InnerContainer[]> {
    return this.#run('innerContainers', () => docker.containersOf(this.#guest(instance).docker));
  }

  async containerUsage(instance: InstanceId): Promise<ContainerUse[]> {
    return this.#run('containerUsage', () =>
      docker
        .containersOf(this.#guest(instance).docker)
        .filter(({ state }) => state === 'running')
        .map(({ id }) => ({ id, cpuPercent: 1.5, memoryBytes: 50_000_000, memoryLimitBytes: null, processes: 3 })),
    );
  }

  async actOnContainer(instance: InstanceId, container: string, action: ContainerAction): Promise<void> {
    await this.#run('actOnContainer', () => {
      docker.act(this.#guest(instance).docker, container, action);
      this.#save();
    });
  }

  async dockerUsage(instance: InstanceId): Promise<DockerUse> {
    return this.#run('dockerUsage', () => {
      this.#guest(instance);
      return docker.useOf();
    });
  }

  async stacks(instance: InstanceId) {
    return this.#run('stacks', () => {
      const guest = this.#guest(instance);
      return {
        docker: 'running' as const,
        stacks: docker.stacksOf(guest.docker, this.#disk(guest)),
        containers: docker.containersOf(guest.docker),
      };
    });
  }

  /** Only what is no YAML at all is wrong. */
  async checkStack(instance: InstanceId, _stack: string, text: string): Promise<string | null> {
    return this.#run('checkStack', () => {
      this.#guest(instance);
      return text.includes('\t') ? 'yaml: line 1: found character that cannot start any token' : null;
    });
  }

  async startGuestRun(instance: InstanceId, run: OperationId, task: GuestTask): Promise<void> {
    await this.#run('startGuestRun', () => {
      const guest = this.#guest(instance);
      if (guest.state !== 'running') throw new BerthError('state_conflict', 'Start it first.');
      docker.startRun(guest.docker, this.#disk(guest), run, task);
      if (task.type === 'pack' || task.type === 'unpack') guest.disk = keepDisk(this.#disk(guest));
      this.#save();
    });
  }

  async lookAtGuestRun(instance: InstanceId, run: OperationId, part: GuestRunPart): Promise<GuestRun> {
    return this.#run('lookAtGuestRun', () => docker.lookAtRun(this.#guest(instance).docker, run, part));
  }

  async endGuestRun(instance: InstanceId, run: OperationId, part: GuestRunPart): Promise<void> {
    await this.#run('endGuestRun', () => {
      docker.endRun(this.#guest(instance).docker, run, part);
      this.#save();
    });
  }

  async sshHostKeys(instance: InstanceId): Promise<string[]> {
    return this.#run('sshHostKeys', () => [hostKeyOf(this.#guest(instance))]);
  }

  async logs(instance: InstanceId, query: LogQuery): Promise<LogEntry[]> {
    return this.#run('logs', () => logsOf(this.#guest(instance), query));
  }

  async images(): Promise<DriverImage[]> {
    return this.#run('images', () => this.#state.images.map((image) => ({ ...image })));
  }

  async recipes() {
    return this.#run('recipes', () => simulatedRecipes.map((recipe) => ({ ...recipe })));
  }

  async buildImage(
    recipe: string,
    onProgress: (progress: ImageBuildProgress) => void,
    signal?: AbortSignal,
  ): Promise<DriverImage> {
    return this.#run('buildImage', () => {
      const known = simulatedRecipes.find((entry) => entry.name === recipe);
      if (known === undefined) throw new BerthError('not_found', 'There is no such recipe.');
      for (const [phase, percent] of [
        ['packages', 30],
        ['configure', 60],
        ['import', 90],
        ['done', 100],
      ] as const) {
        if (signal?.aborted) throw new BerthError('conflict', 'The build was cancelled.');
        onProgress({ phase, percent, line: `${phase} of ${recipe}` });
      }
      const image = this.#addImage(known);
      this.#save();
      this.#emit({ at: this.#iso(), type: 'image', instance: null, action: 'created' });
      return image;
    });
  }

  async importImage(
    source: Parameters<InstanceDriver['importImage']>[0],
    as: Parameters<InstanceDriver['importImage']>[1],
  ): Promise<DriverImage> {
    return this.#run('importImage', () => {
      const image = this.#addImage({
        name: as.name,
        kind: as.kind,
        recipeHash: null,
        title: as.description,
        source: JSON.stringify(source),
      });
      this.#save();
      return image;
    });
  }

  async deleteImage(fingerprint: string): Promise<void> {
    await this.#run('deleteImage', () => {
      this.#state.images = this.#state.images.filter((image) => image.fingerprint !== fingerprint);
      this.#state.allowed = this.#state.allowed.filter((entry) => entry !== fingerprint);
      this.#save();
    });
  }

  async allowImages(fingerprints: string[]): Promise<void> {
    await this.#run('allowImages', () => {
      this.#state.allowed = [...fingerprints];
      this.#save();
    });
  }

  async watch(onEvent: (event: DriverEvent) => void, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#listeners.add(onEvent);
    onEvent({ at: this.#iso(), type: 'resync', instance: null, action: 'connected' });
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
    this.#listeners.delete(onEvent);
  }

  /** Changes made behind Berth's back. */
  readonly behind = {
    /** From now on a check finds this in the repository, and nothing can be taken out of it. */
    damage: (repository: BackupRepositoryId, what: string): void => {
      const found = this.#state.repositories[repository];
      if (found === undefined) throw notFound('repository');
      found.damage = what;
      this.#save();
    },
    repositories: () => Object.values(this.#state.repositories),
    /** Somebody removed its folder. */
    loseRepository: (repository: BackupRepositoryId): void => {
      delete this.#state.repositories[repository];
      this.#save();
    },
    /** The guest dies (or changes state) without anybody having asked. */
    setState: (instance: InstanceId, state: ObservedState): void => {
      this.#setState(this.#guest(instance), state, state);
    },
    kill: (instance: InstanceId): void => this.behind.setState(instance, 'stopped'),
    remove: (instance: InstanceId): void => {
      delete this.#state.guests[instance];
      this.#changed(instance, 'deleted');
    },
    resize: (instance: InstanceId, size: Size): void => {
      this.#guest(instance).size = { ...size };
      this.#changed(instance, 'updated');
    },
    /** Something wrote to the guest's disk; `content` is compared after snapshots and clones. */
    write: (instance: InstanceId, content: number): void => {
      this.#guest(instance).content = content;
      this.#save();
    },
    read: (instance: InstanceId): number => this.#guest(instance).content,
    guests: (): readonly SimulatedGuest[] => Object.values(this.#state.guests),
    policies: (): PolicySpec => this.#state.policies,
    /** Something left guests; it is told when it is asked for. */
    flowed: (batch: FlowBatch): void => {
      this.#state.flows.push(structuredClone(batch));
      this.#save();
    },
    forwards: (): readonly ForwardSpec[] => this.#state.forwards,
    /** Some program of the host listens on a port. */
    listenOn: (protocol: ForwardProtocol, port: number): void => {
      this.#state.busyPorts.push({ protocol, port });
      this.#save();
    },
    networks: (): readonly NetworkSpec[] => Object.values(this.#state.networks),
    /** The engine's event stream broke and came back. */
    reconnect: (): void => this.#emit({ at: this.#iso(), type: 'resync', instance: null, action: 'reconnected' }),
  };

  /** One call of a verb, with the faults that are armed. */
  #run<T>(verb: SimulatedVerb, body: () => T | Promise<T>): Promise<T> {
    return this.faults.run(verb, () => {
      if (this.#shared) this.#state = this.#file.load();
      return body();
    });
  }

  /** `recovered`: what is on its disk comes from a backup, and its image may be gone. */
  #create(spec: GuestSpec, content: number, recovered = false): SimulatedGuest {
    const present = this.#state.guests[spec.instance];
    if (present !== undefined) {
      if (present.project !== spec.project) throw new BerthError('conflict', 'This id is used in another project.');
      return present;
    }
    if (!recovered && !this.#state.allowed.includes(spec.imageFingerprint))
      throw new BerthError('invalid_input', 'This image is not allowed.');
    this.#checkPlace(spec, spec.instance);
    const guest: SimulatedGuest = {
      instance: spec.instance,
      project: spec.project,
      operation: spec.operation,
      kind: spec.kind,
      state: 'stopped',
      hostname: spec.hostname,
      size: { ...spec.size },
      imageFingerprint: spec.imageFingerprint,
      address4: spec.address4,
      address6: spec.address6,
      uidBase: this.#state.nextUid,
      createdAt: this.#iso(),
      startedAt: null,
      content,
      snapshots: [],
      docker: docker.newDocker(),
    };
    this.#state.nextUid += UIDS_PER_GUEST;
    this.#state.guests[spec.instance] = guest;
    this.#changed(spec.instance, 'created');
    return guest;
  }

  /** Errors: conflict. */
  #checkPlace(place: GuestPlace, instance: InstanceId): void {
    if (this.#state.networks[place.project] === undefined)
      throw new BerthError('conflict', 'The project has no network yet.');
    const clash = Object.values(this.#state.guests).find(
      (other) =>
        other.instance !== instance && (other.address4 === place.address4 || other.address6 === place.address6),
    );
    if (clash !== undefined) throw new BerthError('conflict', 'Another guest has this address.');
  }

  #addImage(about: SimulatedImageFacts): DriverImage {
    const image = simulatedImage(about, this.#iso());
    this.#state.images = [...this.#state.images.filter((entry) => entry.fingerprint !== image.fingerprint), image];
    return image;
  }

  #disk(guest: SimulatedGuest): SimulatedDisk {
    const disk =
      this.#disks.get(guest.instance) ??
      (guest.disk === undefined ? newDisk(guest.createdAt) : restoreDisk(guest.disk));
    this.#disks.set(guest.instance, disk);
    return disk;
  }

  #guest(instance: InstanceId): SimulatedGuest {
    const guest = this.#state.guests[instance];
    if (guest === undefined) throw notFound('guest');
    return guest;
  }

  #snapshot(guest: SimulatedGuest, snapshot: SnapshotId) {
    const found = guest.snapshots.find((entry) => entry.snapshot === snapshot);
    if (found === undefined) throw notFound('snapshot');
    return found;
  }

  #guestsOf(project: ProjectId): SimulatedGuest[] {
    return Object.values(this.#state.guests).filter((guest) => guest.project === project);
  }

  #setState(guest: SimulatedGuest, state: ObservedState, action: string): void {
    guest.state = state;
    if (state === 'running' && action !== 'resume') guest.startedAt = this.#iso();
    if (state === 'stopped') guest.startedAt = null;
    this.#changed(guest.instance, action);
  }

  #changed(instance: InstanceId, action: string): void {
    this.#save();
    this.#emit({ at: this.#iso(), type: 'instance', instance, action });
  }

  #emit(event: DriverEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #save(): void {
    this.#file.save(this.#state);
  }

  #iso(): string {
    return new Date(this.#now()).toISOString();
  }
}
