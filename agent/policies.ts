/**
 * What guests may reach and who may reach them, beyond the base rules of every network. The list comes whole from the
 * control plane and is kept over restarts; where a guest is, only the engine is asked. While the rules cannot be loaded,
 * no guest is started: the network guard asks here.
 */
import type { ProjectId } from '#domain/ids.ts';
import type { Engine } from './engine.ts';
import type { KeyedLocks } from './locks.ts';
import type { HostGuard } from './network-guard.ts';
import { OwnTable } from './own-table.ts';
import { type Policies, policyTable } from './policy-table.ts';
import type { AgentState } from './state.ts';

export class PolicyKeeper implements HostGuard {
  readonly #engine: Engine;
  readonly #state: AgentState;
  readonly #locks: KeyedLocks;
  readonly #bridge: (project: ProjectId) => string;
  readonly #table: OwnTable;

  constructor(parts: {
    engine: Engine;
    state: AgentState;
    locks: KeyedLocks;
    bridge: (project: ProjectId) => string;
    table: string;
  }) {
    this.#engine = parts.engine;
    this.#state = parts.state;
    this.#locks = parts.locks;
    this.#bridge = parts.bridge;
    this.#table = new OwnTable(parts.table);
  }

  /** From now on exactly these. Errors: unavailable when they cannot be loaded. */
  async set(policies: Policies): Promise<null> {
    await this.#locks.run('policies', async () => {
      this.#state.putPolicies(policies);
      await this.#apply();
    });
    return null;
  }

  /** Puts back what is lost. Errors: unavailable. */
  async check(): Promise<string[]> {
    const changed = await this.#locks.run('policies', () => this.#apply());
    return changed ? ['rules of projects and security groups were not as wanted'] : [];
  }

  async #apply(): Promise<boolean> {
    const { policies } = this.#state;
    const bridges = new Map<string, string>(
      this.#state.networks.map((spec) => [spec.project, this.#bridge(spec.project)]),
    );
    const addresses = new Map<string, { address4: string; address6: string }>();
    for (const { instance, address4, address6 } of policies.instances.length === 0 ? [] : await this.#engine.places()) {
      if (address4 !== null && address6 !== null) addresses.set(instance, { address4, address6 });
    }
    return this.#table.keep(policyTable(policies, { bridges, addresses }));
  }
}
