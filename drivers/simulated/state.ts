/** What the simulated engine holds, kept in memory and, if a file is given, on disk after every change. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import type { InstanceId, OperationId, ProjectId, SnapshotId } from '#domain/ids.ts';
import type { InstanceKind, ObservedState } from '#domain/instances.ts';
import type { RegistryStatus } from '#domain/registry.ts';
import type { Size } from '#domain/sizes.ts';
import type { DriverImage, FlowBatch, ForwardSpec, HostFacts, NetworkSpec, PolicySpec } from '../interface.ts';
import type { SimulatedRepositories } from './backups.ts';
import type { SimulatedDocker } from './docker.ts';
import type { KeptDisk } from './files.ts';

export type SimulatedSnapshot = { snapshot: SnapshotId; createdAt: string; operation: OperationId; content: number };

export type SimulatedGuest = {
  instance: InstanceId;
  project: ProjectId;
  operation: OperationId;
  kind: InstanceKind;
  state: ObservedState;
  hostname: string;
  size: Size;
  imageFingerprint: string;
  address4: string;
  address6: string;
  uidBase: number;
  createdAt: string;
  startedAt: string | null;
  /** Stands for the guest's disk: snapshots remember it, restoring brings it back. */
  content: number;
  snapshots: SimulatedSnapshot[];
  docker: SimulatedDocker;
  /** Its files, as they were when something was last packed or unpacked. */
  disk?: KeptDisk;
};

export type SimulatedState = {
  networks: Record<string, NetworkSpec>;
  guests: Record<string, SimulatedGuest>;
  forwards: ForwardSpec[];
  policies: PolicySpec;
  repositories: SimulatedRepositories;
  /** How the image cache is whenever it is on. */
  registry: RegistryStatus;
  /** What is told as having left guests, in this order. */
  flows: FlowBatch[];
  /** Ports on which some program of the host listens. */
  busyPorts: HostFacts['forwards']['busy'];
  images: DriverImage[];
  allowed: string[];
  nextUid: number;
};

export const emptyState = (): SimulatedState => ({
  networks: {},
  guests: {},
  forwards: [],
  policies: { projects: [], groups: [], instances: [] },
  repositories: {},
  registry: {
    state: 'running',
    problem: null,
    upstreamProblem: null,
    usedBytes: 0,
    images: [],
    since: '2026-01-01T00:00:00.000Z',
    hits: 0,
    misses: 0,
    servedBytes: 0,
    fetchedBytes: 0,
    evictedBytes: 0,
    limit: null,
    mirrors: { using: 0, theirs: 0 },
  },
  flows: [],
  busyPorts: [],
  images: [],
  allowed: [],
  nextUid: 1_000_000,
});

/** Loads and saves the state; the file survives kill -9 of the process that uses it (written aside, then renamed). */
export class StateFile {
  readonly #path: string | null;
  constructor(path: string | null) {
    this.#path = path;
  }

  load(): SimulatedState {
    if (this.#path === null || !existsSync(this.#path)) return emptyState();
    return JSON.parse(readFileSync(this.#path, 'utf8')) as SimulatedState;
  }

  save(state: SimulatedState): void {
    if (this.#path === null) return;
    const aside = `${this.#path}.${process.pid}.tmp`;
    writeFileSync(aside, JSON.stringify(state));
    renameSync(aside, this.#path);
  }
}
