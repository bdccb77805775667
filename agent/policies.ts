/**
 * What guests may reach and who may reach them, beyond the base rules of every network. The list comes whole from the
 * control plane and is kept over restarts; where a guest is, only the engine is asked. While the rules cannot be loaded,
 * no guest is started: the network guard asks here. Addresses behind domain names come from the resolver's answers.
 */
import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import { expandIp6 } from '#domain/addresses.ts';
import type { InstanceId, ProjectId } from '#domain/ids.ts';
import { nameMatches } from '#domain/network-rules.ts';
import { type Answer, Answers } from './answers.ts';
import type { Engine, NetworkSpec, Passage } from './engine.ts';
import type { KeyedLocks } from './locks.ts';
import { enterElement, type NameScope, NameSets, type NewElement, nameScopes } from './name-sets.ts';
import type { HostGuard } from './network-guard.ts';
import { OwnTable } from './own-table.ts';
import { openPassages, passages } from './passages.ts';
import { type Policies, policyTable } from './policy-table.ts';
import { answerFor } from './shared-link.ts';
import type { AgentState } from './state.ts';

export class PolicyKeeper implements HostGuard {
  /** Who was told which address for which name. */
  readonly answers = new Answers();
  readonly #engine: Engine;
  readonly #state: AgentState;
  readonly #locks: KeyedLocks;
  readonly #bridge: (project: ProjectId) => string;
  readonly #table: OwnTable;
  readonly #names: (lines: readonly string[]) => void;
  readonly #rewrite: (spec: NetworkSpec) => Promise<void>;
  readonly #log: Pick<Logger, 'warn'>;
  /** What lets guests of a project reach each other. */
  #open = new Map<ProjectId, Passage[]>();
  /** What the engine's rules of each network were last made for. */
  readonly #written = new Map<ProjectId, string>();
  readonly #nameSets = new NameSets();
  /** By network (projects) or guest (groups): which sets its answers fill. */
  #scopes = new Map<string, NameScope[]>();
  #adopted = false;
  /** What waits for the transaction that is under way. */
  #waiting: NewElement[] = [];
  #flushing: Promise<void> | null = null;

  constructor(parts: {
    engine: Engine;
    state: AgentState;
    locks: KeyedLocks;
    bridge: (project: ProjectId) => string;
    table: string;
    /** Told which names matter, as lines for the resolver. */
    names: (lines: readonly string[]) => void;
    /** The engine's rules of a project's network must know of other passages. */
    rewrite: (spec: NetworkSpec) => Promise<void>;
    log: Pick<Logger, 'warn'>;
  }) {
    this.#engine = parts.engine;
    this.#state = parts.state;
    this.#locks = parts.locks;
    this.#bridge = parts.bridge;
    this.#table = new OwnTable(parts.table);
    this.#names = parts.names;
    this.#rewrite = parts.rewrite;
    this.#log = parts.log;
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

  /** What the engine's rules of a project's network must let through between its guests. */
  passages(project: ProjectId): readonly Passage[] {
    return this.#open.get(project) ?? [];
  }

  /** A guest is new here: what its groups say holds before it starts. Errors: unavailable. */
  async placed(instance: InstanceId): Promise<void> {
    if (this.#state.policies.instances.some((each) => each.instance === instance)) await this.check();
  }

  /** What the resolver has answered somebody: resolves when the rules know it. Errors: unavailable. */
  async answered(answer: Answer): Promise<void> {
    const now = Date.now();
    this.answers.add(answer, now);
    const elements = this.#scopesOf(answer.client).flatMap(({ set, names }) =>
      names.some((name) => nameMatches(name, answer.name))
        ? this.#nameSets.add(set, answer.addresses, answer.ttlSeconds, now)
        : [],
    );
    if (this.#nameSets.wasFull()) this.#log.warn({ name: answer.name }, 'a rule has no room for more addresses');
    if (elements.length > 0) await this.#enter(elements);
  }

  /** One transaction at a time; what comes meanwhile goes together into the next. */
  async #enter(elements: readonly NewElement[]): Promise<void> {
    this.#waiting.push(...elements);
    while (this.#flushing !== null) {
      await this.#flushing.catch(() => undefined);
      if (this.#waiting.length === 0) return;
    }
    this.#flushing = this.#locks.run('policy-table', async () => {
      // Rules may have gone meanwhile, and their sets with them.
      const batch = this.#waiting.splice(0).filter(({ set }) => this.#nameSets.has(set));
      if (batch.length > 0) await this.#table.run(batch.flatMap(enterElement));
    });
    try {
      await this.#flushing;
    } catch (error) {
      // Somebody took the table away: it comes back with everything in it.
      this.#log.warn({ err: error }, 'addresses of names could not be entered');
      await this.check();
    } finally {
      this.#flushing = null;
    }
  }

  async #apply(): Promise<boolean> {
    const { policies } = this.#state;
    const bridges = new Map<string, string>(
      this.#state.networks.map((spec) => [spec.project, this.#bridge(spec.project)]),
    );
    const addresses = new Map<string, { address4: string; address6: string }>();
    const guests = policies.instances.length === 0 ? [] : await this.#engine.places();
    for (const { instance, address4, address6 } of guests) {
      if (address4 !== null && address6 !== null) addresses.set(instance, { address4, address6 });
    }
    const between = passages(policies, guests).filter((passage) => bridges.has(passage.project));
    const changed = await this.#locks.run('policy-table', async () => {
      if (!this.#adopted) this.#nameSets.adopt((await this.#table.read()) ?? '', Date.now());
      this.#adopted = true;
      this.#learnNames(policies, addresses);
      const body = policyTable(policies, { bridges, addresses, passages: between });
      return this.#table.keep(body, this.#nameSets.all(Date.now()));
    });
    // The table decides; the engine's rules and the answers on the link come after it, also when they shrink.
    return (await this.#link(openPassages(between), bridges)) || changed;
  }

  async #link(open: Map<ProjectId, Passage[]>, bridges: ReadonlyMap<string, string>): Promise<boolean> {
    this.#open = open;
    for (const spec of this.#state.networks) {
      const wanted = JSON.stringify(open.get(spec.project) ?? []);
      if ((this.#written.get(spec.project) ?? '[]') === wanted) continue;
      try {
        await this.#rewrite(spec);
        this.#written.set(spec.project, wanted);
      } catch (error) {
        // One project's trouble is no other's; the next look tries again.
        this.#log.warn({ err: error, project: spec.project }, "the engine's rules do not know who may reach whom yet");
      }
    }
    const wanted = new Map<string, Set<string>>();
    for (const [project, list] of open) {
      const six = list.filter((passage) => passage.family === 6).flatMap(({ from, to }) => [...from, ...to]);
      wanted.set(bridges.get(project) ?? '', new Set(six));
    }
    return answerFor(wanted, [...bridges.values()]);
  }

  /** Which sets there must be, whose answers fill them, and what was answered before there was a rule. */
  #learnNames(policies: Policies, addresses: ReadonlyMap<string, { address4: string; address6: string }>): void {
    const scopes = new Map<string, NameScope[]>();
    const enter = (key: string, more: readonly NameScope[]): void => {
      if (more.length > 0) scopes.set(key, [...(scopes.get(key) ?? []), ...more]);
    };
    for (const { project, rules } of policies.projects) {
      const network = this.#state.network(project);
      const own = nameScopes(project, rules);
      if (network === null || own.length === 0) continue;
      enter(networkKey(network.subnet4.replace('/24', '')), own);
      enter(networkKey(network.subnet6.replace('/64', '')), own);
    }
    const ofGroup = new Map(policies.groups.map(({ group, rules }) => [group as string, nameScopes(group, rules)]));
    for (const { instance, groups } of policies.instances) {
      const at = addresses.get(instance as InstanceId);
      const own = groups.flatMap((group) => ofGroup.get(group) ?? []);
      if (at === undefined) continue;
      enter(at.address4, own);
      enter(at.address6, own);
    }
    this.#scopes = scopes;
    const fresh = this.#nameSets.keep(new Set([...scopes.values()].flat().map(({ set }) => set)));
    const now = Date.now();
    if (fresh.size > 0) {
      for (const { client, address, name, validUntil } of this.answers.valid(now)) {
        for (const { set, names } of this.#scopesOf(client)) {
          if (fresh.has(set) && names.some((pattern) => nameMatches(pattern, name)))
            this.#nameSets.add(set, [address], (validUntil - now) / 1000, now);
        }
      }
    }
    const lines = new Set<string>();
    for (const [key, entries] of scopes) {
      for (const name of entries.flatMap((entry) => entry.names)) lines.add(`${networkKey(key)} ${name}`);
    }
    const sorted = [...lines].sort();
    this.#names([`# ${createHash('sha256').update(sorted.join('\n')).digest('hex')}`, ...sorted]);
  }

  #scopesOf(client: string): NameScope[] {
    return [...(this.#scopes.get(client) ?? []), ...(this.#scopes.get(networkKey(client)) ?? [])];
  }
}

/** The /24 or /64 that an address is in, in hexadecimal, as the resolver knows it. A key stays what it is. */
export function networkKey(address: string): string {
  if (address.includes('.')) {
    const bytes = address.split('.').slice(0, 3);
    return bytes.map((byte) => Number(byte).toString(16).padStart(2, '0')).join('');
  }
  const groups = address.includes(':') ? expandIp6(address) : null;
  return groups === null
    ? address
    : groups
        .slice(0, 4)
        .map((group) => group.toString(16).padStart(4, '0'))
        .join('');
}
