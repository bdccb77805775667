/** What benchmarks share: figures, load, the machine, the running installation and a signed-in client to it. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Pool } from 'undici';
import { BerthClient } from '#cli/client.ts';
import { configPath, readConfig, resolveContext } from '#cli/config.ts';

const run = promisify(execFile);
export const LAUNCHER = join(import.meta.dirname, '../berth');

/** Without a hint an operation is looked at this often. */
const HINT_MS_MAX = 2_000;

export type Result = {
  name: string;
  /** True when the goal was reached. */
  reached: boolean;
  goal: string;
  figures: Record<string, number | string | null>;
};

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
export const median = (values: readonly number[]): number => percentile(values, 0.5);
export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));

const TICK_US = 10_000;

/** Processor time a process has used so far, in microseconds. */
export function cpuUsed(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

/** Where the figures were taken. */
export function machine(): Record<string, string | number> {
  const os = /PRETTY_NAME="([^"]+)"/.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown';
  const [first] = cpus();
  return {
    os,
    kernel: release(),
    arch: arch(),
    cpu: first?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: round(totalmem() / 1024 ** 3),
    node: process.version,
    loadBefore: Number(readFileSync('/proc/loadavg', 'utf8').split(' ')[0]),
  };
}

/** Keeps `connections` requests under way for `ms`; latencies in milliseconds. Errors: an answer that is not 200. */
export async function load(
  target: { origin: string; socketPath: string; path: string; headers: Record<string, string> },
  options: { connections: number; ms: number },
): Promise<{ perSecond: number; p50: number; p95: number; p99: number }> {
  const pool = new Pool(target.origin, {
    socketPath: target.socketPath,
    connections: options.connections,
    pipelining: 1,
  });
  const latencies: number[] = [];
  const end = performance.now() + options.ms;
  const startedAt = performance.now();
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      const before = performance.now();
      const { statusCode, body } = await pool.request({ method: 'GET', path: target.path, headers: target.headers });
      await body.dump();
      if (statusCode !== 200) throw new Error(`${target.path} answered ${statusCode}`);
      latencies.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: options.connections }, worker));
  const seconds = (performance.now() - startedAt) / 1000;
  await pool.close();
  return {
    perSecond: round(latencies.length / seconds),
    p50: round(percentile(latencies, 0.5), 2),
    p95: round(percentile(latencies, 0.95), 2),
    p99: round(percentile(latencies, 0.99), 2),
  };
}

export type Installation = { dataDir: string; installation: string; domain: string; httpsPort: number; pool: string };

/** The installation of this machine: BERTH_DATA_DIR, else the default. Errors: none there, or not root. */
export function installation(): Installation {
  const dataDir = process.env['BERTH_DATA_DIR'] ?? '/var/lib/berth';
  const config = JSON.parse(readFileSync(join(dataDir, 'config.json'), 'utf8')) as {
    installation: string;
    domain: string;
    ports: { https: number };
    pool: { name: string };
  };
  return {
    dataDir,
    installation: config.installation,
    domain: config.domain,
    httpsPort: config.ports.https,
    pool: config.pool.name,
  };
}

export type ProcessReport = { name: string; pid: number | null; healthy: boolean; memoryBytes: number | null };

/** `./berth status --json` of this installation. */
export async function status(): Promise<{ processes: ProcessReport[] }> {
  const { dataDir } = installation();
  const { stdout } = await run(LAUNCHER, ['status', '--json', '--data-dir', dataDir]);
  return JSON.parse(stdout) as { processes: ProcessReport[] };
}

/** The client and project that `berth login` left behind. Errors: not signed in. */
export async function signedIn(): Promise<{ client: BerthClient; project: string }> {
  const { context } = resolveContext(await readConfig(configPath(process.env)), process.env, undefined);
  if (context?.token === undefined) throw new Error('sign in first: ./berth login');
  const client = new BerthClient({
    url: context.url,
    token: context.token,
    userAgent: 'berth-bench',
    ...(context.ca === undefined ? {} : { caFile: context.ca }),
  });
  const { projects } = await client.call('whoami', {});
  const project = projects[0];
  if (project === undefined) throw new Error('there is no project');
  return { client, project: project.id };
}

/** Waits for an operation by polling closely. Errors: it failed. */
export async function finished(client: BerthClient, id: string, everyMs = 25): Promise<void> {
  for (;;) {
    const operation = await client.call('operationsGet', { params: { operation: id } });
    if (operation.state === 'succeeded') return;
    if (operation.state === 'failed' || operation.state === 'stopped') {
      throw new Error(`${operation.title}: ${operation.error?.message ?? operation.state}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/**
 * Runs `start`, which answers an accepted operation, and waits for its end as a person's client does: by the live hints,
 * asking once for each and hardly in between. Errors: it failed.
 */
export async function followed<T extends { operation: { id: string } }>(
  client: BerthClient,
  start: () => Promise<T>,
): Promise<T> {
  const stop = new AbortController();
  let hint: () => void = () => undefined;
  const listening = (async () => {
    for await (const event of client.events({ signal: stop.signal })) if (event?.kind === 'operation') hint();
  })().catch(() => undefined);
  try {
    const accepted = await start();
    for (;;) {
      const hinted = new Promise<void>((resolve) => {
        hint = resolve;
      });
      const operation = await client.call('operationsGet', { params: { operation: accepted.operation.id } });
      if (operation.state === 'succeeded') return accepted;
      if (operation.state === 'failed' || operation.state === 'stopped') {
        throw new Error(`${operation.title}: ${operation.error?.message ?? operation.state}`);
      }
      await Promise.race([hinted, sleep(HINT_MS_MAX, undefined, { signal: stop.signal }).catch(() => undefined)]);
    }
  } finally {
    stop.abort();
    await listening;
  }
}

/** Deletes an instance and its data; one whose creation failed is told on stderr and left to look at. */
export async function removeInstance(client: BerthClient, instance: { id: string; name: string }): Promise<void> {
  const now = await client.call('instancesGet', { params: { instance: instance.id } });
  if (now.phase === 'failed') {
    process.stderr.write(`${instance.name} could not be created; see: berth operations list\n`);
    return;
  }
  const archived = await client.call('instancesArchive', { params: { instance: instance.id } });
  await finished(client, archived.operation.id, 200);
  const purged = await client.call('instancesPurge', {
    params: { instance: instance.id },
    body: { confirmName: instance.name },
  });
  await finished(client, purged.operation.id, 200);
}

/** One JSON object on stdout: what `bench/run.ts` collects. */
export function print(result: Result): void {
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}
