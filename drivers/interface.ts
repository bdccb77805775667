/**
 * The contract every driver fulfils: what the control plane may ask of something that runs instances. `drivers/agent`
 * talks to host agents (Incus now, Docker Engine and Podman behind the same agent later), `drivers/simulated` is a
 * deterministic twin for tests. One conformance suite (`drivers/conformance`) decides whether a driver is done.
 *
 * Rules: every call is idempotent ("look before you do") because workflow steps are at-least-once. `operation` is
 * stored on what is created so that orphans can be found. Drivers never read the database and never decide policy.
 * Errors are BerthError: not_found, conflict, invalid_input, unsupported, upstream_failed, unavailable, timeout.
 */
import type { Readable } from 'node:stream';
import type { FileEntry, FileType } from '#domain/files.ts';
import type { Flow } from '#domain/flows.ts';
import type { ForwardProtocol, ForwardState, PortRange } from '#domain/forwards.ts';
import type { GuestRunPart, GuestTask } from '#domain/guest-runs.ts';
import type {
  BackupId,
  BackupRepositoryId,
  InstanceId,
  OperationId,
  ProjectId,
  SecurityGroupId,
  SnapshotId,
} from '#domain/ids.ts';
import type { HealthCheck, HealthState, InstanceKind, ObservedState } from '#domain/instances.ts';
import type { Reading } from '#domain/metrics.ts';
import type { NetworkRule, RuleAction } from '#domain/network-rules.ts';
import type { RegistrySpec, RegistryStatus } from '#domain/registry.ts';
import type { Size } from '#domain/sizes.ts';
import type { Container, ContainerAction, ContainerUse, DockerState, DockerUse, Stack } from '#domain/stacks.ts';

/** A project's network on one host. Names on the engine are derived from the id by the agent. */
export type NetworkSpec = {
  project: ProjectId;
  /** CIDR such as 10.64.3.0/24; the gateway is the first address. */
  subnet4: string;
  /** CIDR such as fd42:1:2:3::/64; the gateway is ::1. */
  subnet6: string;
};

export type GuestSpec = {
  instance: InstanceId;
  project: ProjectId;
  operation: OperationId;
  kind: InstanceKind;
  /** Host name inside the guest; a DNS label. */
  hostname: string;
  /** Fingerprint (sha256 hex) of an allow-listed image. */
  imageFingerprint: string;
  size: Size;
  address4: string;
  address6: string;
};

/** Where a guest belongs: project and addresses in the project's network. */
export type GuestPlace = Pick<GuestSpec, 'project' | 'address4' | 'address6'>;

export type PowerAction = 'start' | 'stop' | 'restart' | 'pause' | 'resume';

/** What the engine says about one guest. `limits` are the engine's real figures, so that drift can be seen. */
export type GuestObservation = {
  instance: InstanceId;
  project: ProjectId;
  state: ObservedState;
  hostname: string;
  size: Size | null;
  imageFingerprint: string | null;
  address4: string | null;
  address6: string | null;
  /** First host uid of the guest's id map and how many; null when not known (never started). */
  uidBase: number | null;
  uidCount: number | null;
  createdAt: string;
  startedAt: string | null;
  memoryUsedBytes: number | null;
  diskUsedBytes: number | null;
  /** CPU time used since start, in nanoseconds. */
  cpuUsedNs: number | null;
  processes: number | null;
  snapshots: { snapshot: SnapshotId; createdAt: string }[];
};

/** What the host and all its running guests have used so far, at one moment. */
/** A piece of what left guests. */
export type FlowBatch = { batch: string | null; flows: (Flow & { instance: InstanceId })[] };
export type MetricSample = { at: string; host: Reading; guests: (Reading & { instance: InstanceId })[] };

export type HealthReport = { state: HealthState; checks: HealthCheck[]; checkedAt: string };

/** A container running on the Docker Engine inside a server. */
export type InnerContainer = Container;

export type { GuestTask } from '#domain/guest-runs.ts';
/** `gone`: never started here, or the server was restarted since. `lines` are its last words. */
export type GuestRun = { state: 'running' | 'exited' | 'gone'; code: number | null; lines: string[] };

export type LogEntry = { ts: string; unit: string; priority: number; message: string };
/** `of` is a source of domain/logs.ts; absent: the journal. */
export type LogQuery = { lines: number; search?: string; unit?: string; sinceIso?: string; of?: string };

export type DriverImage = {
  fingerprint: string;
  /** Recipe name (`server`, `desktop`) or the alias given at import. */
  name: string;
  kind: InstanceKind;
  recipeHash: string | null;
  sizeBytes: number;
  createdAt: string;
  description: string;
};
export type ImageBuildProgress = { phase: string; percent: number; line: string };

export type HostFacts = {
  hostname: string;
  engine: string;
  engineVersion: string;
  kernel: string;
  os: string;
  cpus: number;
  memoryBytes: number;
  memoryUsedBytes: number;
  poolName: string;
  poolDriver: string;
  poolBytes: number;
  poolUsedBytes: number;
  load1: number;
  uptimeSeconds: number;
  /** Things this host cannot do, in plain words (for example MAC filtering without nft bridge support). */
  missing: string[];
  /** Ranges in use on the host outside Berth (routes, interfaces), so that the allocator avoids them. */
  usedRanges4: string[];
  /** The host's own addresses; tenants must not reach them. */
  addresses: string[];
  /** Pool of ports for forwards (null: none may be used) and those of it that programs of the host listen on. */
  forwards: { pool: PortRange | null; busy: { protocol: ForwardProtocol; port: number }[] };
};

/** A change at the engine. `instance` is what changed; a null instance means "look at everything". */
export type DriverEvent = {
  at: string;
  type: 'instance' | 'image' | 'network' | 'resync';
  instance: InstanceId | null;
  action: string;
};

/** A port of the host that leads to a port of a guest. */
export type ForwardSpec = { protocol: ForwardProtocol; hostPort: number; instance: InstanceId; port: number };
export type ForwardAnswer = { protocol: ForwardProtocol; hostPort: number; state: ForwardState };

/**
 * The files of one guest, as its root sees them; close it after use. Paths are those of domain/files.ts. Errors:
 * not_found, conflict (something else is there), invalid_input (not a file, not a folder), too_large, upstream_failed
 * (the guest's own file system refuses), unavailable.
 */
export type GuestFiles = {
  /** Sorted by name; `complete` is false when there are more than `max`. */
  list(folder: string, max: number): Promise<{ entries: FileEntry[]; complete: boolean }>;
  /** The entry itself: links are not followed. */
  look(path: string): Promise<FileEntry>;
  /** What a link leads to, in the end. */
  follow(path: string): Promise<FileEntry>;
  /** Follows links. */
  read(path: string): Readable;
  /** Bytes from `offset` on; at 0 the file is made anew and must not be there yet. */
  writePart(path: string, offset: number, content: Buffer): Promise<void>;
  makeFolder(path: string, mode: number): Promise<void>;
  /** Errors: conflict when `to` is there, unless `replace`. */
  rename(from: string, to: string, replace: boolean): Promise<void>;
  remove(entry: { path: string; type: FileType }): Promise<void>;
  setMode(path: string, mode: number): Promise<void>;
  setOwner(path: string, uid: number, gid: number): Promise<void>;
  close(): void;
};

/** What the instances of projects may reach, and the rules of security groups with who has them: the whole of it. */
export type PolicySpec = {
  projects: {
    project: ProjectId;
    default: RuleAction;
    rules: NetworkRule[];
    connectionsMax: number | null;
    bytesPerSecondMax: number | null;
  }[];
  groups: { group: SecurityGroupId; rules: NetworkRule[] }[];
  instances: { instance: InstanceId; groups: SecurityGroupId[] }[];
};

/** Where backups are kept. Other places (S3, SFTP) become further types here and in the agent; nobody else looks into it. */
export type BackupPlace = { type: 'local' };
/** A repository of backups and what opens it. The password goes to the program that needs it and is kept nowhere. */
export type RepositoryRef = { repository: BackupRepositoryId; place: BackupPlace; password: string };
export type BackupRef = RepositoryRef & { backup: BackupId };
export type BackupMade = {
  dataBytes: number;
  files: number;
  /** What the repository takes now. */
  storedBytes: number;
};
/** Progress of work on backups; null percent: it is not known. */
export type BackupProgress = { percent: number | null; line: string };

export type DriverCapabilities = {
  kinds: readonly InstanceKind[];
  pause: boolean;
  snapshots: boolean;
  liveResize: boolean;
  /** Whether shrinking the disk is possible. */
  diskShrink: boolean;
};

export type InstanceDriver = {
  readonly name: string;
  capabilities(): DriverCapabilities;
  host(): Promise<HostFacts>;

  /**
   * Makes the network (bridge, ACL) exist as specified. `beside`: one that was seen in place a moment ago may be checked
   * beside what comes next, once a minute; nothing is started in it before that has ended well.
   */
  ensureNetwork(spec: NetworkSpec, beside?: boolean): Promise<void>;
  /** Removes the project's network; fine when it does not exist. Errors: conflict while guests use it. */
  removeNetwork(project: ProjectId): Promise<void>;

  /** Creates a stopped guest, or returns the one that is already there with this id. */
  createGuest(spec: GuestSpec): Promise<GuestObservation>;
  /** Copies a guest (or one of its snapshots) into a new stopped guest with fresh identity and secrets. */
  cloneGuest(source: { instance: InstanceId; snapshot: SnapshotId | null }, spec: GuestSpec): Promise<GuestObservation>;
  /** Null when the engine has no such guest. */
  observe(instance: InstanceId): Promise<GuestObservation | null>;
  /** Everything of this installation in one engine call. */
  list(): Promise<GuestObservation[]>;
  /** Samples taken after `after` that are still known, oldest first; null: all of them. */
  metrics(after: string | null): Promise<MetricSample[]>;
  /** What left guests and was not taken over yet: the same piece again until `done` names it; null: nothing now. */
  flows(done: string | null): Promise<FlowBatch>;
  /** `force` kills instead of shutting down; `timeoutSeconds` bounds a graceful stop before it is killed. */
  power(
    instance: InstanceId,
    action: PowerAction,
    options: { force?: boolean; timeoutSeconds?: number },
  ): Promise<GuestObservation>;
  /** Live where the engine can. Errors: unsupported when the disk would shrink below what is used. */
  resize(instance: InstanceId, size: Size): Promise<GuestObservation>;
  setHostname(instance: InstanceId, hostname: string): Promise<void>;
  /**
   * Puts a stopped guest, with its disk and snapshots, into this project and network; nothing happens when it is there
   * (then it may run). Errors: state_conflict while it runs, conflict when an address is taken or there is no network.
   */
  moveGuest(instance: InstanceId, to: GuestPlace, operation: OperationId): Promise<GuestObservation>;
  /** Stops (kills) and removes the guest with all its data; fine when it does not exist. */
  destroyGuest(instance: InstanceId): Promise<void>;

  /**
   * From now on exactly these ports of the host lead to guests, whatever was before; answers what became of each. A
   * forward follows its guest to another project and is gone with it.
   */
  setForwards(forwards: ForwardSpec[]): Promise<ForwardAnswer[]>;
  /** From now on exactly these, whatever was before; open connections go on. */
  setPolicies(policies: PolicySpec): Promise<void>;
  /** From now on the image cache of the host is like this; answers how it is at the moment. */
  setRegistry(spec: RegistrySpec): Promise<RegistryStatus>;

  createSnapshot(instance: InstanceId, snapshot: SnapshotId, operation: OperationId): Promise<void>;
  /** Rolls the guest back; it ends in the power state it had. */
  restoreSnapshot(instance: InstanceId, snapshot: SnapshotId): Promise<void>;
  deleteSnapshot(instance: InstanceId, snapshot: SnapshotId): Promise<void>;

  /**
   * Backs a guest up as it is at one moment, in whatever power state; answers the one that is there when it was made
   * before. It adds at most `bytesMax`. Errors: quota_exceeded (it would add more), conflict (the repository is damaged),
   * unavailable (no room).
   */
  backupGuest(
    instance: InstanceId,
    ref: BackupRef,
    bytesMax: number,
    onProgress: (progress: BackupProgress) => void,
  ): Promise<BackupMade>;
  /** Puts a backup in place of everything on the disk of a stopped guest. Broken off, the disk is incomplete. */
  restoreBackup(instance: InstanceId, ref: BackupRef, onProgress: (progress: BackupProgress) => void): Promise<void>;
  /** Makes a stopped guest out of a backup, with fresh identity and secrets; one that is there is answered. */
  recoverGuest(
    spec: GuestSpec,
    ref: BackupRef,
    onProgress: (progress: BackupProgress) => void,
  ): Promise<GuestObservation>;
  /**
   * Removes a backup and what only it needs, whatever of it there is (also what making it left at `instance`). Answers
   * what the repository takes then. Errors: conflict (it is damaged).
   */
  deleteBackup(ref: BackupRef, instance: InstanceId | null): Promise<number>;
  /** Whether the repository has this backup. Errors: conflict (it is damaged). */
  hasBackup(ref: BackupRef): Promise<boolean>;
  /** Removes a repository with all that is in it, damaged or not; fine when it is gone. */
  removeRepository(ref: RepositoryRef): Promise<void>;
  /** Reads all of a repository; answers what is wrong with it, null when nothing is. */
  verifyRepository(
    ref: RepositoryRef,
    onProgress: (progress: BackupProgress) => void,
  ): Promise<{ problem: string | null; storedBytes: number }>;
  /** Every repository on the host and what it takes. */
  repositories(): Promise<{ repository: BackupRepositoryId; storedBytes: number }[]>;

  health(instance: InstanceId): Promise<HealthReport>;
  /** Containers of the Docker Engine inside a server; empty when none runs. */
  innerContainers(instance: InstanceId): Promise<InnerContainer[]>;
  /** Of those that run. */
  containerUsage(instance: InstanceId): Promise<ContainerUse[]>;
  /** Errors: not_found, conflict (in Docker's words). */
  actOnContainer(instance: InstanceId, container: string, action: ContainerAction): Promise<void>;
  dockerUsage(instance: InstanceId): Promise<DockerUse>;
  /** Does not wake a Docker that sleeps: then only stacks with a folder of their own are known. */
  stacks(instance: InstanceId): Promise<{ docker: DockerState; stacks: Stack[]; containers: InnerContainer[] }>;
  /** What Compose says about `text` as the file of this stack; null: it is right. Errors: unsupported. */
  checkStack(instance: InstanceId, stack: string, text: string): Promise<string | null>;
  /**
   * Starts a command that goes on by itself inside; nothing happens when this run has started it. Errors: not_found (no
   * such stack), conflict (its file is not known), state_conflict, unsupported.
   */
  startGuestRun(instance: InstanceId, run: OperationId, task: GuestTask): Promise<void>;
  lookAtGuestRun(instance: InstanceId, run: OperationId, part: GuestRunPart): Promise<GuestRun>;
  /** Ends it if it runs, and forgets it; its lines stay in the journal. */
  endGuestRun(instance: InstanceId, run: OperationId, part: GuestRunPart): Promise<void>;
  /** What it proves itself with over SSH, as `<type> <base64>`. Errors: state_conflict (none yet, not running). */
  sshHostKeys(instance: InstanceId): Promise<string[]>;
  logs(instance: InstanceId, query: LogQuery): Promise<LogEntry[]>;

  /** Errors: not_found, unavailable. */
  files(instance: InstanceId): Promise<GuestFiles>;

  images(): Promise<DriverImage[]>;
  /** Recipes that can be built here and the hash an up-to-date image has. */
  recipes(): Promise<{ name: string; kind: InstanceKind; title: string; recipeHash: string }[]>;
  /** Builds by recipe and imports; progress is reported while it runs. Joins a build that already runs. */
  buildImage(
    recipe: string,
    onProgress: (progress: ImageBuildProgress) => void,
    signal?: AbortSignal,
  ): Promise<DriverImage>;
  /** Imports from a file in the host's import folder (`path` is a bare file name) or an image server URL. */
  importImage(
    source:
      | { type: 'file'; path: string }
      | { type: 'server'; url: string; protocol: 'simplestreams' | 'incus'; alias: string },
    as: { name: string; kind: InstanceKind; description: string },
  ): Promise<DriverImage>;
  deleteImage(fingerprint: string): Promise<void>;
  /** The images that may be used from now on; everything else is refused by the agent. */
  allowImages(fingerprints: string[]): Promise<void>;

  /** Calls `onEvent` until `signal` aborts; reconnects by itself and then says `resync`. */
  watch(onEvent: (event: DriverEvent) => void, signal: AbortSignal): Promise<void>;
};
