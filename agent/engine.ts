/**
 * The port every engine adapter fulfils: what the verbs need from whatever really runs guests on this host. Incus is
 * the first adapter; Docker Engine and Podman go beside it. The port speaks Berth's ids and sizes only: an adapter
 * builds the engine's own bodies from them, so nothing a caller sends is ever passed on as engine configuration.
 *
 * Every call is idempotent. An adapter touches only objects that carry this installation's labels; for everything
 * else it answers `not_found`, exactly as if it did not exist.
 */
import type { Duplex, Readable } from 'node:stream';
import type { AgentInput } from '#contract/agent.ts';
import type { AgentEvent, AgentGuestObservation, AgentImage } from '#contract/agent-results.ts';
import type { ForwardProtocol } from '#domain/forwards.ts';
import type { BackupId, InstanceId, OperationId, ProjectId, SecurityGroupId, SnapshotId } from '#domain/ids.ts';
import type { InstanceKind } from '#domain/instances.ts';
import type { Reading } from '#domain/metrics.ts';
import type { NetworkRule } from '#domain/network-rules.ts';
import type { Size } from '#domain/sizes.ts';

export type GuestSpec = AgentInput<'createGuest'>;
/** Where a guest belongs; `operation` is stored on it. */
export type GuestPlace = AgentInput<'moveGuest'>;
export type NetworkSpec = Omit<AgentInput<'ensureNetwork'>, 'beside'>;

/** A guest with what its label says it is, and whether its image writes the host name by itself at first start. */
export type Guest = AgentGuestObservation &
  Pick<GuestAddresses, 'honest4' | 'honest6'> & { kind: InstanceKind; templated: boolean };

/** A port of a guest that the network of its project lets everybody reach. */
export type Opening = { protocol: ForwardProtocol; port: number; address4: string; address6: string };

export type GuestAddresses = {
  instance: InstanceId;
  project: ProjectId;
  address4: string | null;
  address6: string | null;
  /** Whether what it sends carries its own addresses for certain. */
  honest4: boolean;
  honest6: boolean;
};

/** Guests of a project that others of it may reach, in one family; `deny` wins. */
export type Passage = Pick<NetworkRule, 'action' | 'protocol' | 'ports'> & {
  project: ProjectId;
  /** Whose rule it is: all of `to` have it. */
  group: SecurityGroupId;
  family: 4 | 6;
  from: readonly string[];
  to: readonly string[];
};

export type EngineFacts = {
  engine: string;
  engineVersion: string;
  poolName: string;
  poolDriver: string;
  poolBytes: number;
  poolUsedBytes: number;
};

export type ExecOptions = {
  /** uid inside the guest. */
  uid?: number;
  gid?: number;
  cwd?: string;
  environment?: Record<string, string>;
  /** The process is killed after this long. */
  timeoutMs: number;
  /** Reading stops (and the process is killed) above this. */
  bytesMax: number;
};
export type ExecResult = { code: number; stdout: string; stderr: string };

/** A running process inside a guest. `close` kills it; `exited` resolves with its code. */
export type GuestProcess = {
  /** `fd` is 2 for what a followed process says to its error output; a terminal has only one. */
  onOutput(listener: (bytes: Buffer, fd: 1 | 2) => void): void;
  write(bytes: Buffer): void;
  resize(cols: number, rows: number): void;
  /** Stops and restarts reading from the engine: back-pressure of a slow reader. */
  pause(): void;
  resume(): void;
  close(): void;
  readonly exited: Promise<number>;
};

export type GuestFile = { content: Buffer; mode: number; uid: number; gid: number };

/** What a new image is made of, besides its bytes. */
export type ImageLabels = { name: string; kind: InstanceKind; recipeHash: string | null; description: string };

export type Engine = {
  readonly name: string;
  facts(): Promise<EngineFacts>;
  /** What this host's engine and kernel cannot do, in plain words. */
  missing(): Promise<string[]>;

  ensureNetwork(spec: NetworkSpec): Promise<void>;
  removeNetwork(project: ProjectId): Promise<void>;
  /** Compares the network with its specification and repairs it; returns what was wrong. Throws when it stays wrong. */
  guardNetwork(spec: NetworkSpec): Promise<string[]>;

  /** `allowed` is the fingerprint check's answer: the adapter never decides policy. */
  create(spec: GuestSpec): Promise<Guest>;
  /** True when another guest of the project has one of the addresses. */
  addressTaken(place: Omit<GuestPlace, 'operation'>): Promise<boolean>;
  /** Copies a guest or snapshot; the copy is stopped and still has the source's identity files. */
  clone(source: { instance: InstanceId; snapshot: SnapshotId | null }, spec: GuestSpec): Promise<Guest>;
  /** Declares a new guest finished: its files are as they must be and it may start (a half-made copy must not). */
  settle(instance: InstanceId): Promise<void>;
  observe(instance: InstanceId): Promise<Guest | null>;
  list(): Promise<Guest[]>;
  /** Where every guest is; cheaper than `list`. */
  places(): Promise<GuestAddresses[]>;
  /** What every running guest has used so far, by one cheap call. */
  readings(): Promise<(Reading & { instance: InstanceId })[]>;
  power(
    instance: InstanceId,
    action: 'start' | 'stop' | 'restart' | 'pause' | 'resume',
    options: { force: boolean; timeoutSeconds: number },
  ): Promise<void>;
  resize(instance: InstanceId, size: Size): Promise<void>;
  setHostnameLabel(instance: InstanceId, hostname: string): Promise<void>;
  /** Disk and snapshots come along. An adapter that was interrupted goes on where it was. Errors: state_conflict. */
  move(place: GuestPlace): Promise<void>;
  destroy(instance: InstanceId): Promise<void>;

  createSnapshot(instance: InstanceId, snapshot: SnapshotId, operation: OperationId): Promise<void>;
  restoreSnapshot(instance: InstanceId, snapshot: SnapshotId): Promise<void>;
  deleteSnapshot(instance: InstanceId, snapshot: SnapshotId): Promise<void>;

  /**
   * A copy of its disk as it is now that nobody writes to, as a folder of this host with the owners that the guest sees
   * (errors: unsupported where the kernel cannot show them); `thawDisk` removes it, and the engine
   * itself does when nobody has for hours. One that an earlier try left is replaced.
   */
  freezeDisk(instance: InstanceId, backup: BackupId): Promise<string>;
  thawDisk(instance: InstanceId, backup: BackupId): Promise<void>;
  /** Removes every such copy: for a start, when nothing works on any. Answers how many. */
  thawAll(): Promise<number>;
  /** The disk of a stopped guest, as a folder of this host. Errors: state_conflict (it runs). */
  openDisk(instance: InstanceId): Promise<string>;
  /** A guest with nothing on its disk, which may not start before `settle`; `whole`: it is there, and finished. */
  createHollow(spec: GuestSpec): Promise<{ guest: Guest; whole: boolean }>;

  exec(instance: InstanceId, argv: readonly string[], options: ExecOptions): Promise<ExecResult>;
  /** A PTY. */
  terminal(
    instance: InstanceId,
    argv: readonly string[],
    options: { uid: number; gid: number; cwd: string; environment: Record<string, string>; cols: number; rows: number },
  ): Promise<GuestProcess>;
  /** A process whose output is followed. */
  follow(instance: InstanceId, argv: readonly string[]): Promise<GuestProcess>;
  /** SFTP (version 3), as root of the guest, whether it runs or not; its root is the guest's. */
  files(instance: InstanceId): Promise<Duplex>;
  /** Null when there is no such file. */
  readFile(instance: InstanceId, path: string, bytesMax: number): Promise<GuestFile | null>;
  /** Names in a directory; empty when there is none. */
  readDirectory(instance: InstanceId, path: string): Promise<string[]>;
  writeFile(instance: InstanceId, path: string, content: string, mode: number): Promise<void>;
  removeFile(instance: InstanceId, path: string): Promise<void>;

  images(): Promise<AgentImage[]>;
  /** Imports a split image (metadata tarball and root file system). Adopts one that is there with the same content. */
  importImage(
    files: { metadata: string; rootfs: string } | { unified: string },
    labels: ImageLabels,
    signal: AbortSignal,
  ): Promise<AgentImage>;
  pullImage(
    source: { url: string; protocol: 'simplestreams' | 'incus'; alias: string },
    labels: ImageLabels,
    signal: AbortSignal,
  ): Promise<AgentImage>;
  /** Unpacks an image into the pool now, so that the first guest from it is as quick as the others. */
  warmImage(fingerprint: string): Promise<void>;
  deleteImage(fingerprint: string): Promise<void>;

  /** Calls `onEvent` until `signal` aborts; reconnects by itself and then says `resync`. */
  watch(onEvent: (event: AgentEvent) => void, signal: AbortSignal): Promise<void>;
};

/** A stream of an image part, for adapters. */
export type ImagePart = { name: string; stream: () => Readable; bytes: number };
