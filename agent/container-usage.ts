/**
 * What the containers inside a server use, read from their control groups: one look for all, twice a second apart. Works
 * with both versions of control groups, also where `docker stats` shows nothing but zeros, and in half of its time.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { AgentResult } from '#contract/agent-results.ts';
import type { InstanceId } from '#domain/ids.ts';
import { CONTAINERS_LISTED_MAX } from '#domain/stacks.ts';
import { askInside, dockerState, refusal } from './containers.ts';
import type { Engine } from './engine.ts';

const APART_MS = 1_000;
/** Above it a limit means none. */
const LIMIT_BYTES_MAX = 2 ** 60;

/** `docker/<id>` with one driver, `docker-<id>.scope` with the other. */
const FILES =
  '.*/docker[/-][0-9a-f]{64}(\\.scope)?/(memory\\.(usage_in_bytes|current|limit_in_bytes|max|stat)|cpuacct\\.usage|cpu\\.stat|pids\\.current)';
const LINES = '^([0-9]+$|inactive_file |total_inactive_file |usage_usec )';
const LOOK = [
  ...['find', '/sys/fs/cgroup', '-regextype', 'posix-extended', '-regex', FILES],
  ...['-exec', 'grep', '-HE', LINES, '{}', '+'],
] as const;

type Figures = { cpuSeconds: number; memoryBytes: number; cacheBytes: number; limitBytes: number; processes: number };
type Usage = AgentResult<'containerUsage'>;

const asked = new Map<InstanceId, Promise<Usage>>();

/** Who asks while somebody else waits gets the same answer. Errors: not_found, state_conflict, timeout. */
export function containerUsage(engine: Engine, instance: InstanceId): Promise<Usage> {
  const asking = asked.get(instance) ?? measure(engine, instance).finally(() => asked.delete(instance));
  asked.set(instance, asking);
  return asking;
}

async function measure(engine: Engine, instance: InstanceId): Promise<Usage> {
  if ((await dockerState(engine, instance)) !== 'running') return [];
  const look = async () => {
    const result = await askInside(engine, instance, LOOK);
    if (result.code !== 0 && result.stdout === '' && result.stderr !== '') {
      throw refusal('The server does not say what its containers use.', result);
    }
    return { at: performance.now(), figures: parseFigures(result.stdout) };
  };
  const before = await look();
  if (before.figures.size === 0) return [];
  await sleep(APART_MS);
  const after = await look();
  return usageOf(before.figures, after.figures, (after.at - before.at) / 1000);
}

/** Of those that were there both times. */
export function usageOf(before: Map<string, Figures>, after: Map<string, Figures>, seconds: number): Usage {
  return [...after].flatMap(([id, now]) => {
    const then = before.get(id);
    if (then === undefined) return [];
    const cpu = seconds > 0 ? ((now.cpuSeconds - then.cpuSeconds) / seconds) * 100 : 0;
    return [
      {
        id,
        cpuPercent: Math.max(0, Math.round(cpu * 10) / 10),
        memoryBytes: Math.max(0, now.memoryBytes - now.cacheBytes),
        memoryLimitBytes: now.limitBytes > 0 && now.limitBytes < LIMIT_BYTES_MAX ? now.limitBytes : null,
        processes: now.processes,
      },
    ];
  });
}

/** Lines such as `/sys/fs/cgroup/memory/docker/<id>/memory.usage_in_bytes:397312`. */
export function parseFigures(text: string): Map<string, Figures> {
  const found = new Map<string, Figures>();
  for (const line of text.split('\n')) {
    const match = /docker[/-]([0-9a-f]{64})(?:\.scope)?\/([a-z_.]+):(?:([a-z_]+) )?(\d{1,20})$/.exec(line);
    if (match === null) continue;
    const [, id = '', file = '', key, digits = ''] = match;
    const figures = found.get(id) ?? { cpuSeconds: 0, memoryBytes: 0, cacheBytes: 0, limitBytes: 0, processes: 0 };
    if (!found.has(id)) {
      if (found.size >= CONTAINERS_LISTED_MAX) continue;
      found.set(id, figures);
    }
    const value = Number(digits);
    if (file === 'memory.usage_in_bytes' || file === 'memory.current') figures.memoryBytes = value;
    if (file === 'memory.limit_in_bytes' || file === 'memory.max') figures.limitBytes = value;
    if (file === 'memory.stat') figures.cacheBytes = Math.max(figures.cacheBytes, value);
    if (file === 'pids.current') figures.processes = value;
    // Where both are there they count the same.
    if (file === 'cpuacct.usage') figures.cpuSeconds = Math.max(figures.cpuSeconds, value / 1e9);
    if (file === 'cpu.stat' && key === 'usage_usec') figures.cpuSeconds = Math.max(figures.cpuSeconds, value / 1e6);
  }
  return found;
}
