/**
 * Ports of this host that lead to guests. The wanted list comes whole from the control plane and is kept over restarts;
 * where a guest is, only the engine is asked. The rules are two maps in a table of this installation's own, never a rule
 * per forward, and the engine's rules of the project get the same openings. A program of the host keeps its port.
 */
import type { Logger } from 'pino';
import type { AgentInput } from '#contract/agent.ts';
import type { ForwardState, PortRange } from '#domain/forwards.ts';
import type { InstanceId, ProjectId } from '#domain/ids.ts';
import type { Engine, Opening } from './engine.ts';
import type { KeyedLocks } from './locks.ts';
import type { NetworkGuard } from './network-guard.ts';
import { OwnTable } from './own-table.ts';
import { type BusyPort, busyPorts, usablePool } from './ports.ts';
import type { AgentState } from './state.ts';

export const FORWARD_SECONDS = 30;

export type ForwardSpec = AgentInput<'setForwards'>['forwards'][number];
export type ForwardAnswer = Pick<ForwardSpec, 'protocol' | 'hostPort'> & { state: ForwardState };
/** A forward that works: where it leads. */
type Led = ForwardSpec & { project: ProjectId; address4: string; address6: string };

/** The table's content. */
export function forwardTable(led: readonly Led[]): string {
  const elements = (address: (forward: Led) => string): string =>
    led
      .map((forward) => `${forward.protocol} . ${forward.hostPort} : ${address(forward)} . ${forward.port}`)
      .join(', ');
  return `
  map to4 { type inet_proto . inet_service : ipv4_addr . inet_service; elements = { ${elements((each) => each.address4)} }; }
  map to6 { type inet_proto . inet_service : ipv6_addr . inet_service; elements = { ${elements((each) => each.address6)} }; }
  chain arriving {
    type nat hook prerouting priority -105; policy accept;
    iifname "bth*" return
    fib daddr type local dnat ip to meta l4proto . th dport map @to4
    fib daddr type local dnat ip6 to meta l4proto . th dport map @to6
  }
  chain from_host {
    type nat hook output priority -105; policy accept;
    oifname "lo" ip daddr 127.0.0.0/8 return
    ip6 daddr ::1 return
    fib daddr type local dnat ip to meta l4proto . th dport map @to4
    fib daddr type local dnat ip6 to meta l4proto . th dport map @to6
  }`;
}

export class Forwards {
  readonly #engine: Engine;
  readonly #state: AgentState;
  readonly #locks: KeyedLocks;
  readonly #guard: NetworkGuard;
  readonly #pool: PortRange;
  readonly #table: OwnTable;
  readonly #log: Logger;
  #openings = new Map<ProjectId, Opening[]>();
  #timer: NodeJS.Timeout | null = null;

  constructor(parts: {
    engine: Engine;
    state: AgentState;
    locks: KeyedLocks;
    guard: NetworkGuard;
    pool: PortRange;
    table: string;
    log: Logger;
  }) {
    this.#engine = parts.engine;
    this.#state = parts.state;
    this.#locks = parts.locks;
    this.#guard = parts.guard;
    this.#pool = parts.pool;
    this.#table = new OwnTable(parts.table);
    this.#log = parts.log;
  }

  start(): void {
    this.#timer = setInterval(() => void this.check(), FORWARD_SECONDS * 1000);
    void this.check();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** What the rules of a project's network must let in. */
  openings(project: ProjectId): readonly Opening[] {
    return this.#openings.get(project) ?? [];
  }

  /** The pool as it can be used here, and which of its ports are busy. */
  facts(): { pool: PortRange | null; busy: BusyPort[] } {
    const pool = usablePool(this.#pool);
    return { pool, busy: pool === null ? [] : busyPorts(pool) };
  }

  /** Errors: unavailable when the rules cannot be loaded. */
  async set(forwards: readonly ForwardSpec[]): Promise<ForwardAnswer[]> {
    return this.#locks.run('forwards', async () => {
      this.#state.putForwards(forwards);
      return this.#apply(true);
    });
  }

  /** A guest has gone: nothing may lead to its address, which another one gets. */
  async drop(instance: InstanceId): Promise<void> {
    if (!this.#state.forwards.some((forward) => forward.instance === instance)) return;
    await this.#locks.run('forwards', async () => {
      this.#state.putForwards(this.#state.forwards.filter((forward) => forward.instance !== instance));
      await this.#apply(true);
    });
  }

  /** A guest has another address. */
  async moved(instance: InstanceId): Promise<void> {
    if (!this.#state.forwards.some((forward) => forward.instance === instance)) return;
    await this.#locks.run('forwards', () => this.#apply(true));
  }

  /** Puts back what is lost, takes away what is strange. */
  async check(): Promise<void> {
    try {
      await this.#locks.run('forwards', () => this.#apply(false));
    } catch (error) {
      this.#log.error({ err: error }, 'port forwards could not be checked');
    }
  }

  async #apply(asked: boolean): Promise<ForwardAnswer[]> {
    const wanted = this.#state.forwards;
    const { pool, busy } = this.facts();
    const guests = new Map(
      (wanted.length === 0 ? [] : await this.#engine.places()).map((guest) => [guest.instance, guest]),
    );
    const led: Led[] = [];
    const answers = wanted.map((forward): ForwardAnswer => {
      const { protocol, hostPort } = forward;
      const answer = (state: ForwardState): ForwardAnswer => ({ protocol, hostPort, state });
      if (pool === null || hostPort < pool.first || hostPort > pool.last) return answer('outside');
      if (busy.some((each) => each.protocol === protocol && each.port === hostPort)) return answer('taken');
      const guest = guests.get(forward.instance);
      if (guest === undefined || guest.address4 === null || guest.address6 === null) return answer('absent');
      led.push({ ...forward, project: guest.project, address4: guest.address4, address6: guest.address6 });
      return answer('active');
    });
    await this.#open(led);
    const changed = await this.#table.keep(led.length === 0 ? null : forwardTable(led));
    if (changed && !asked)
      this.#log.warn({ forwards: led.length }, 'port forwards were not as wanted and were put right');
    return answers;
  }

  /** Lets the engine's rules of every touched project know, before the first packet comes. */
  async #open(led: readonly Led[]): Promise<void> {
    const next = new Map<ProjectId, Opening[]>();
    for (const { project, protocol, port, address4, address6 } of led) {
      next.set(project, [...(next.get(project) ?? []), { protocol, port, address4, address6 }]);
    }
    const before = this.#openings;
    this.#openings = next;
    for (const project of new Set([...before.keys(), ...next.keys()])) {
      if (JSON.stringify(before.get(project)) === JSON.stringify(next.get(project))) continue;
      const spec = this.#state.network(project);
      if (spec !== null) await this.#guard.check(spec, true);
    }
  }
}
