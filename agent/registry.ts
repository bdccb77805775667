/**
 * The image cache of this host: runs it as a user of its own, lets guests to it and to nothing else, and tells their
 * Docker of it. What the cache does is in the room registry; it is another process because tenants talk to it and
 * nothing that tenants talk to is root. What was ordered is not kept over a restart (there is a password in it): the
 * control plane says it again. Only whether there is a cache is, so that doors do not open and shut.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Logger } from 'pino';
import type { RegistryAnswer } from '#contract/agent-results.ts';
import type { AgentConfig } from '#contract/config.ts';
import {
  REGISTRY_LINE_BYTES_MAX,
  type RegistryFacts,
  type RegistryOrder,
  type RegistrySpec,
  registryReportSchema,
} from '#contract/registry-process.ts';
import { PULL_MARK, REGISTRY_PORT } from '#domain/registry.ts';
import type { NetworkSpec } from './engine.ts';
import { gatewayOf4 } from './incus/acl.ts';
import type { Names } from './names.ts';
import type { NetworkGuard } from './network-guard.ts';
import { OwnTable } from './own-table.ts';
import type { RegistryMirrors } from './registry-mirrors.ts';
import type { AgentState } from './state.ts';

const RENEW_TRIES_MAX = 3;
const RENEW_AGAIN_MS = 1_000;
const CHECK_MS = 15_000;
const AGAIN_MS = { first: 500, max: 30_000 };
const STOP_MS_MAX = 3_500;
/** How often guests are looked at without a reason. Without a cache there is nothing but what was left behind. */
const MIRRORS_MS = { on: 60_000, off: 10 * 60_000 };

export type RegistryParts = {
  config: AgentConfig['registry'];
  names: Names;
  state: AgentState;
  guard: NetworkGuard;
  mirrors: RegistryMirrors;
  log: Logger;
};

type Door = { bridge: string; gateway: string };

export class Registry {
  readonly #parts: RegistryParts;
  readonly #table: OwnTable;
  #spec: RegistrySpec | null = null;
  #child: ChildProcess | null = null;
  #facts: RegistryFacts | null = null;
  #failed: string | null = null;
  #againMs = AGAIN_MS.first;
  #timer: NodeJS.Timeout | null = null;
  #ordered = '';
  #mirrorsAt = 0;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: RegistryParts) {
    this.#parts = parts;
    this.#table = new OwnTable(parts.names.table('registry'));
  }

  /** The port that the rules of networks leave open at the gateway; null: none. */
  get port(): number | null {
    return this.#parts.state.registry ? REGISTRY_PORT : null;
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), CHECK_MS);
    void this.check();
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
    this.#spec = null;
    await this.#end();
  }

  /** From now on this way. Errors: unavailable when the rules cannot be loaded. */
  async set(spec: RegistrySpec): Promise<RegistryAnswer> {
    await this.#inTurn(async () => {
      this.#spec = spec;
      const on = spec.enabled && this.#parts.config !== undefined;
      if (this.#parts.state.registry !== on) {
        this.#parts.state.putRegistry(on);
        this.#mirrorsAt = 0;
        for (const network of this.#parts.state.networks) await this.#renew(network);
      }
      await this.#apply();
    });
    return this.answer();
  }

  /** The rules of one network with the door or without. What the engine refuses now is the guard's to repair: it says no to new guests until then. */
  async #renew(network: NetworkSpec): Promise<void> {
    for (let tries = 1; tries <= RENEW_TRIES_MAX; tries++) {
      try {
        return await this.#parts.guard.check(network, true);
      } catch (error) {
        this.#parts.log.warn(
          { err: error, project: network.project, tries },
          'a network could not be changed for the image cache',
        );
        await new Promise((resolve) => setTimeout(resolve, RENEW_AGAIN_MS));
      }
    }
  }

  answer(): RegistryAnswer {
    const mirrors = this.#parts.mirrors.counts();
    if (this.#spec !== null && this.#spec.enabled && this.#parts.config === undefined) {
      return {
        ...nothing,
        state: 'failed',
        problem: 'docker-registry is not installed on this host: run berth up.',
        mirrors,
      };
    }
    if (this.#spec?.enabled !== true) return { ...nothing, mirrors };
    if (this.#failed !== null) return { ...(this.#facts ?? nothing), state: 'failed', problem: this.#failed, mirrors };
    return { ...(this.#facts ?? { ...nothing, state: 'starting' }), mirrors };
  }

  /**
   * Puts back what is lost: rules, process, doors of new networks, and what guests know. `guests`: some of them have
   * changed.
   */
  async check(guests = false): Promise<void> {
    if (guests) this.#mirrorsAt = 0;
    try {
      await this.#inTurn(() => this.#apply());
    } catch (error) {
      this.#parts.log.error({ err: error }, 'the image cache could not be checked');
    }
  }

  async #apply(): Promise<void> {
    const on = this.#parts.state.registry;
    const doors = on ? this.#parts.state.networks.map((network) => this.#door(network)) : [];
    await this.#table.keep(doors.length === 0 ? null : doorTable(doors));
    if (!on) {
      await this.#end();
    } else if (this.#spec?.enabled === true) {
      this.#order(this.#spec, doors);
    }
    // Before the control plane has said anything, what guests know stays as it is.
    if (this.#spec === null || Date.now() - this.#mirrorsAt < MIRRORS_MS[on ? 'on' : 'off']) return;
    this.#mirrorsAt = Date.now();
    void this.#parts.mirrors.keep(on);
  }

  #door(network: NetworkSpec): Door {
    return { bridge: this.#parts.names.bridge(network.project), gateway: gatewayOf4(network.subnet4) };
  }

  #order(spec: RegistrySpec, doors: readonly Door[]): void {
    const { config } = this.#parts;
    if (config === undefined) return;
    const order: RegistryOrder = {
      spec,
      listen: doors.map((door) => door.gateway),
      port: REGISTRY_PORT,
      program: config.program,
      dataDir: config.dataDir,
    };
    const line = JSON.stringify(order);
    if (this.#child === null) this.#run(config);
    else if (line === this.#ordered) return;
    this.#ordered = line;
    this.#child?.stdin?.write(`${line}\n`);
  }

  #run({ main, user, dataDir }: NonNullable<AgentConfig['registry']>): void {
    const child = spawn(process.execPath, ['--max-semi-space-size=1', main], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: dataDir,
      uid: user.uid,
      gid: user.gid,
      env: {
        PATH: '/usr/bin:/bin',
        HOME: '/nonexistent',
        TZ: 'UTC',
        NODE_ENV: 'production',
        NODE_NO_WARNINGS: '1',
        NODE_COMPILE_CACHE: `${dataDir}/compiled`,
      },
    });
    this.#child = child;
    const startedAt = Date.now();
    child.stdin.on('error', () => undefined);
    let bytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      const end = chunk.lastIndexOf(10);
      bytes = end === -1 ? bytes + chunk.length : chunk.length - end - 1;
      // It is not root and may be somebody else by now: it does not get to fill root's memory.
      if (bytes > REGISTRY_LINE_BYTES_MAX) child.kill('SIGKILL');
    });
    createInterface({ input: child.stdout }).on('line', (line) => this.#hear(line));
    const ended = (why: string): void => {
      if (this.#child !== child) return;
      this.#child = null;
      this.#ordered = '';
      if (this.#spec?.enabled !== true || this.#timer === null) return;
      this.#failed = `The image cache ended (${why}) and is started again.`;
      this.#parts.log.warn({ why }, 'the image cache ended and is started again');
      if (Date.now() - startedAt > AGAIN_MS.max) this.#againMs = AGAIN_MS.first;
      setTimeout(() => void this.check(), this.#againMs).unref();
      this.#againMs = Math.min(this.#againMs * 2, AGAIN_MS.max);
    };
    child.once('error', (error) => ended(error.message));
    child.once('exit', (code, signal) => ended(signal ?? `code ${code}`));
  }

  #hear(line: string): void {
    try {
      const report = registryReportSchema.parse(JSON.parse(line));
      if ('failed' in report) this.#failed = report.failed;
      else {
        this.#failed = null;
        this.#facts = report;
      }
    } catch {
      this.#failed = 'The image cache says what cannot be understood.';
    }
  }

  async #end(): Promise<void> {
    const child = this.#child;
    this.#child = null;
    this.#ordered = '';
    this.#facts = null;
    this.#failed = null;
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.stdin?.end();
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX);
    await gone;
    clearTimeout(timer);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }
}

const nothing: RegistryFacts = {
  state: 'off',
  problem: null,
  upstreamProblem: null,
  usedBytes: 0,
  images: [],
  since: new Date(0).toISOString(),
  hits: 0,
  misses: 0,
  servedBytes: 0,
  fetchedBytes: 0,
  evictedBytes: 0,
  limit: null,
};

/**
 * Marks what comes in by a door, and refuses what would reach the cache any other way: from outside, from another
 * network's bridge. Before the host's own table, which knows the mark.
 */
export function doorTable(doors: readonly Door[]): string {
  const gateways = [...new Set(doors.map((door) => door.gateway))].join(', ');
  return `  set doors { type ifname . ipv4_addr; elements = { ${doors.map(({ bridge, gateway }) => `"${bridge}" . ${gateway}`).join(', ')} }; }
  set gateways { type ipv4_addr; elements = { ${gateways} }; }
  chain pulls {
    type filter hook input priority filter - 11; policy accept;
    iifname "lo" accept
    tcp dport ${REGISTRY_PORT} iifname . ip daddr @doors meta mark set ${PULL_MARK} accept
    tcp dport ${REGISTRY_PORT} ip daddr @gateways reject with tcp reset
  }`;
}
