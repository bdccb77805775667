/** The engine of this machine, as far as `up` and `doctor` need it: is Incus there, and Berth's own storage pool. */
import { statfsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { socketAnswers, socketRequest } from './health.ts';
import { run } from './run.ts';

export const INCUS_DIR = '/var/lib/incus';
export const INCUS_SOCKET = `${INCUS_DIR}/unix.socket`;
export const LXCFS_DIR = '/var/lib/lxcfs';
const GIB = 1024 ** 3;
/** A loop file takes this share of what is free, between these bounds. */
export const POOL_SHARE = 0.6;
export const POOL_BYTES_MAX = 100 * GIB;
export const POOL_BYTES_MIN = 10 * GIB;
const ENGINE_TIMEOUT_MS = 300_000;

type IncusAnswer<T> = {
  type: 'sync' | 'async' | 'error';
  metadata: T;
  operation?: string;
  error?: string;
  error_code?: number;
};

/** One call of the engine's API; waits for the operation it starts. `null` for "not found". Errors: what the engine says. */
export async function incus<T>(method: string, path: string, body?: unknown): Promise<T | null> {
  const answer = await call<T>(method, path, body);
  if (answer.error_code === 404) return null;
  if (answer.type === 'error') throw new Error(`Incus: ${answer.error}`);
  if (answer.type !== 'async' || answer.operation === undefined) return answer.metadata;
  const done = await call<{ status_code: number; err: string }>('GET', `${answer.operation}/wait?timeout=300`);
  if (done.type === 'error') throw new Error(`Incus: ${done.error}`);
  if (done.metadata.status_code >= 400) throw new Error(`Incus: ${done.metadata.err}`);
  return answer.metadata;
}

/** A removal that the engine refuses is tried again for this long: a guest may be half made, its rules may be changing. */
const REMOVAL_MS_MAX = 30_000;
const REMOVAL_PAUSE_MS = 500;

/** Removes one object of the engine; what is gone already is no error. Errors: what the engine says to the last try. */
export async function removeFromIncus(path: string): Promise<void> {
  const deadline = Date.now() + REMOVAL_MS_MAX;
  for (;;) {
    try {
      await incus('DELETE', path);
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(REMOVAL_PAUSE_MS);
    }
  }
}

async function call<T>(method: string, path: string, body?: unknown): Promise<IncusAnswer<T>> {
  const answer = await socketRequest({ socket: INCUS_SOCKET, method, path, body, timeoutMs: ENGINE_TIMEOUT_MS });
  return JSON.parse(answer.body) as IncusAnswer<T>;
}

export type EngineInfo = { version: string; storage: string[]; kernel: string };

/** The engine's version and storage drivers; null when it does not answer. */
export async function engineInfo(): Promise<EngineInfo | null> {
  if (!(await socketAnswers(INCUS_SOCKET))) return null;
  type Environment = {
    server_version: string;
    kernel_version: string;
    storage_supported_drivers: { Name: string }[] | null;
  };
  const server = await incus<{ environment: Environment }>('GET', '/1.0').catch(() => null);
  if (server === null) return null;
  const { server_version: version, kernel_version: kernel, storage_supported_drivers: drivers } = server.environment;
  return { version, kernel, storage: (drivers ?? []).map((driver) => driver.Name) };
}

/** How large the loop file becomes: a share of what is free, within bounds. Error when there is not enough. */
export function poolBytes(freeBytes: number, askedBytes: number | null): number {
  if (askedBytes !== null) {
    if (askedBytes > freeBytes) throw new Error(`--pool-size asks for more than the ${gib(freeBytes)} that are free`);
    return askedBytes;
  }
  const bytes = Math.floor(Math.min(freeBytes * POOL_SHARE, POOL_BYTES_MAX) / GIB) * GIB;
  if (bytes < POOL_BYTES_MIN) {
    throw new Error(
      `only ${gib(freeBytes)} are free: Berth wants at least ${gib(POOL_BYTES_MIN / POOL_SHARE)}, or a disk (--pool-device), or a size of your choice (--pool-size)`,
    );
  }
  return bytes;
}

export function gib(bytes: number): string {
  return `${Math.round((bytes / GIB) * 10) / 10} GiB`;
}

export function freeBytes(path: string): number {
  const info = statfsSync(path);
  return info.bavail * info.bsize;
}

export type PoolWish = {
  name: string;
  installation: string;
  device: string | null;
  sizeBytes: number | null;
};

/**
 * Makes the storage pool of this installation when the engine has none of that name: btrfs on the given disk, else in a
 * loop file of ours, else (no btrfs in the kernel) plain folders without quotas. Returns a note for people, or null.
 */
export async function ensurePool(wish: PoolWish): Promise<{ driver: string; warning: string | null; made: boolean }> {
  const found = await incus<{ driver: string; config: Record<string, string> }>(
    'GET',
    `/1.0/storage-pools/${wish.name}`,
  );
  if (found !== null) return { driver: found.driver, warning: null, made: false };
  const labels = { 'user.berth.installation': wish.installation };
  let why: string;
  try {
    await modprobe('btrfs');
    await modprobe('loop');
    // Incus mounts its own loop files after a reboot by itself, so the file is where it keeps them. A device that holds
    // anything is refused by the engine.
    const place =
      wish.device === null ? { size: `${poolBytes(freeBytes(INCUS_DIR), wish.sizeBytes)}B` } : { source: wish.device };
    const config = { ...place, ...labels };
    await incus('POST', '/1.0/storage-pools', {
      name: wish.name,
      driver: 'btrfs',
      description: `Berth ${wish.installation}`,
      config,
    });
    return { driver: 'btrfs', warning: null, made: true };
  } catch (error) {
    why = error instanceof Error ? error.message : String(error);
    if (wish.device !== null || /--pool-size|are free/.test(why)) throw error;
  }
  await incus('POST', '/1.0/storage-pools', {
    name: wish.name,
    driver: 'dir',
    description: `Berth ${wish.installation}`,
    config: labels,
  });
  return {
    driver: 'dir',
    warning: `btrfs cannot be used here (${why.split('\n')[0]}): plain folders instead, without disk limits and with slow snapshots`,
    made: true,
  };
}

/** Loads a kernel module where that is possible; built-in or absent ones are no error here. */
async function modprobe(name: string): Promise<void> {
  await run(['modprobe', name], { timeoutMs: 20_000 });
}
