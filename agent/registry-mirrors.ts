/**
 * Tells the Docker inside servers of the image cache, in their /etc/docker/daemon.json, and takes it back when there is
 * none any more. Only Berth's own entry is ever touched: who writes a file that is no JSON, has mirrors of their own or
 * takes the entry out is left alone.
 */
import type { Logger } from 'pino';
import type { MirrorCounts } from '#contract/agent-results.ts';
import { BerthError } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import { REGISTRY_PORT } from '#domain/registry.ts';
import type { Engine, Guest, NetworkSpec } from './engine.ts';
import { gatewayOf4 } from './incus/acl.ts';
import type { KeyedLocks } from './locks.ts';
import type { AgentState } from './state.ts';

const FILE = '/etc/docker/daemon.json';
const FOLDER = '/etc/docker';
/** Says that the entry was written here once: who took it out since wants it out. */
const MARK = '/etc/berth/registry-mirror';
const FILE_BYTES_MAX = 256 * 1024;
const EXEC = { timeoutMs: 10_000, bytesMax: 16 * 1024 };
/** A guest that was seen right is looked at again after so long, or when it has started anew. */
const AGAIN_MS = 10 * 60_000;

/** What a person's file means for us: the text it should have (null: no file), or that it is theirs. */
export type MirrorPlan = { text: string | null } | 'same' | 'theirs';

const isOurs = (entry: unknown): boolean =>
  typeof entry === 'string' && /^http:\/\/10(?:\.\d{1,3}){3}:(\d+)\/?$/.exec(entry)?.[1] === String(REGISTRY_PORT);

/** Pure. `mirror` null: there is no cache. `marked`: our entry was written into this guest before. */
export function planMirror(text: string | null, mirror: string | null, marked: boolean): MirrorPlan {
  let config: Record<string, unknown> = {};
  if (text !== null && text.trim() !== '') {
    try {
      const parsed: unknown = JSON.parse(text);
      if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'theirs';
      config = parsed as Record<string, unknown>;
    } catch {
      return 'theirs';
    }
  }
  const present = config['registry-mirrors'];
  if (present !== undefined && !Array.isArray(present)) return 'theirs';
  const others = (present ?? []).filter((entry) => !isOurs(entry));
  const had = (present ?? []).length > others.length;
  if (mirror === null) {
    if (!had) return 'same';
    const { 'registry-mirrors': _gone, ...rest } = config;
    const left = others.length === 0 ? rest : { ...config, 'registry-mirrors': others };
    return { text: Object.keys(left).length === 0 ? null : write(left) };
  }
  // Somebody took it out, or asks other mirrors: as they like.
  if (!had && (marked || others.length > 0)) return 'theirs';
  if (had && (present ?? []).filter(isOurs).join() === mirror) return 'same';
  const entries = had ? (present ?? []).map((entry) => (isOurs(entry) ? mirror : entry)) : [mirror];
  return { text: write({ ...config, 'registry-mirrors': [...new Set(entries)] }) };
}

function write(config: Record<string, unknown>): string {
  return `${JSON.stringify(config, null, 2)}\n`;
}

type Seen = { key: string; at: number; state: 'using' | 'theirs' | 'none' };

export class RegistryMirrors {
  readonly #engine: Engine;
  readonly #state: AgentState;
  readonly #locks: KeyedLocks;
  readonly #log: Logger;
  readonly #seen = new Map<InstanceId, Seen>();
  #running = false;

  constructor(parts: { engine: Engine; state: AgentState; locks: KeyedLocks; log: Logger }) {
    this.#engine = parts.engine;
    this.#state = parts.state;
    this.#locks = parts.locks;
    this.#log = parts.log;
  }

  counts(): MirrorCounts {
    const of = (state: Seen['state']): number => [...this.#seen.values()].filter((seen) => seen.state === state).length;
    return { using: of('using'), theirs: of('theirs') };
  }

  /** Looks at every running server that was not seen right a while ago. One round at a time. */
  async keep(on: boolean): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      const guests = (await this.#engine.list()).filter((guest) => guest.kind === 'server');
      const present = new Set(guests.map((guest) => guest.instance));
      for (const instance of this.#seen.keys()) if (!present.has(instance)) this.#seen.delete(instance);
      for (const guest of guests.filter((each) => each.state === 'running')) await this.#one(guest, on);
    } catch (error) {
      this.#log.warn({ err: error }, 'servers could not be told of the image cache');
    } finally {
      this.#running = false;
    }
  }

  async #one(guest: Guest, on: boolean): Promise<void> {
    const network = this.#state.network(guest.project);
    if (network === null) return;
    const mirror = on ? mirrorOf(network) : null;
    const key = `${mirror} ${guest.startedAt}`;
    const seen = this.#seen.get(guest.instance);
    if (seen?.key === key && Date.now() - seen.at < AGAIN_MS) return;
    try {
      const state = await this.#locks.run(guest.instance, () => this.#write(guest.instance, mirror));
      this.#seen.set(guest.instance, { key, at: Date.now(), state });
    } catch (error) {
      // It may be stopping; the next round tries again.
      if (!(error instanceof BerthError)) throw error;
      this.#log.info({ instance: guest.instance, problem: error.message }, 'a server was not told of the image cache');
    }
  }

  async #write(instance: InstanceId, mirror: string | null): Promise<Seen['state']> {
    const file = await this.#engine.readFile(instance, FILE, FILE_BYTES_MAX);
    const marked = (await this.#engine.readFile(instance, MARK, FILE_BYTES_MAX)) !== null;
    if (mirror === null && file === null && !marked) return 'none';
    const plan = planMirror(file?.content.toString('utf8') ?? null, mirror, marked);
    if (plan === 'theirs') return 'theirs';
    if (plan !== 'same') {
      if (plan.text === null) await this.#engine.removeFile(instance, FILE);
      else {
        await this.#engine.exec(instance, ['mkdir', '-p', FOLDER], EXEC);
        await this.#engine.writeFile(instance, FILE, plan.text, file?.mode ?? 0o644);
      }
      await this.#reload(instance);
    }
    if (mirror === null) await this.#engine.removeFile(instance, MARK);
    else if (!marked) {
      await this.#engine.exec(instance, ['mkdir', '-p', '/etc/berth'], EXEC);
      await this.#engine.writeFile(instance, MARK, 'Berth has told Docker of the image cache of this host.\n', 0o644);
    }
    return mirror === null ? 'none' : 'using';
  }

  /** Only an engine that is awake: asking one that sleeps would wake it. */
  async #reload(instance: InstanceId): Promise<void> {
    const awake = await this.#engine.exec(instance, ['systemctl', 'is-active', '--quiet', 'docker.service'], EXEC);
    if (awake.code !== 0) return;
    await this.#engine.exec(instance, ['systemctl', 'reload', 'docker.service'], EXEC);
  }
}

export function mirrorOf(network: NetworkSpec): string {
  return `http://${gatewayOf4(network.subnet4)}:${REGISTRY_PORT}`;
}
