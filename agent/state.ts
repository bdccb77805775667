/** What the agent must remember over restarts: allowed images and the networks it has promised. One file, root only. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { AGENT_ALLOWED_IMAGES_MAX, agentVerbs, fingerprintSchema } from '#contract/agent.ts';
import { BerthError } from '#domain/errors.ts';
import type { ProjectId } from '#domain/ids.ts';
import type { NetworkSpec } from './engine.ts';

const stateSchema = z.strictObject({
  version: z.literal(1),
  allowed: z.array(fingerprintSchema).max(AGENT_ALLOWED_IMAGES_MAX),
  networks: z.array(agentVerbs.ensureNetwork),
  /** Absent in files of older agents. */
  forwards: agentVerbs.setForwards.shape.forwards.default([]),
  policies: agentVerbs.setPolicies.default({ projects: [], groups: [], instances: [] }),
  /** Whether there is an image cache. */
  registry: z.boolean().default(false),
});
type State = z.output<typeof stateSchema>;
const NO_POLICIES: State['policies'] = { projects: [], groups: [], instances: [] };

export class AgentState {
  readonly #path: string;
  #state: State;

  /** Errors: throws when the file is there but cannot be understood (starting over would open the allow-list). */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    this.#path = join(directory, 'state.json');
    this.#state = this.#load();
  }

  #load(): State {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT')
        return { version: 1, allowed: [], networks: [], forwards: [], policies: NO_POLICIES, registry: false };
      throw error;
    }
    return stateSchema.parse(JSON.parse(text));
  }

  #save(next: State): void {
    const aside = `${this.#path}.tmp`;
    writeFileSync(aside, `${JSON.stringify(next, null, 2)}\n`, { mode: 0o600, flush: true });
    renameSync(aside, this.#path);
    this.#state = next;
  }

  isAllowed(fingerprint: string): boolean {
    return this.#state.allowed.includes(fingerprint);
  }

  allow(fingerprints: readonly string[]): void {
    const allowed = [...new Set(fingerprints)].sort();
    if (allowed.join() !== this.#state.allowed.join()) this.#save({ ...this.#state, allowed });
  }

  /** An image that is let go may not be used any more, even where its bytes stay for somebody else. */
  disallow(fingerprint: string): void {
    this.allow(this.#state.allowed.filter((entry) => entry !== fingerprint));
  }

  get networks(): readonly NetworkSpec[] {
    return this.#state.networks;
  }

  network(project: ProjectId): NetworkSpec | null {
    return this.#state.networks.find((spec) => spec.project === project) ?? null;
  }

  /** Errors: conflict when another project has one of the subnets. */
  putNetwork(spec: NetworkSpec): void {
    const others = this.#state.networks.filter((other) => other.project !== spec.project);
    if (others.some((other) => other.subnet4 === spec.subnet4 || other.subnet6 === spec.subnet6)) {
      throw new BerthError('conflict', 'Another project has this subnet.');
    }
    const before = this.network(spec.project);
    if (before !== null && before.subnet4 === spec.subnet4 && before.subnet6 === spec.subnet6) return;
    this.#save({ ...this.#state, networks: [...others, spec] });
  }

  get forwards(): State['forwards'] {
    return this.#state.forwards;
  }

  putForwards(forwards: readonly State['forwards'][number][]): void {
    if (JSON.stringify(forwards) !== JSON.stringify(this.#state.forwards)) {
      this.#save({ ...this.#state, forwards: [...forwards] });
    }
  }

  get policies(): State['policies'] {
    return this.#state.policies;
  }

  putPolicies(policies: State['policies']): void {
    if (JSON.stringify(policies) !== JSON.stringify(this.#state.policies)) this.#save({ ...this.#state, policies });
  }

  get registry(): boolean {
    return this.#state.registry;
  }

  putRegistry(registry: boolean): void {
    if (registry !== this.#state.registry) this.#save({ ...this.#state, registry });
  }

  dropNetwork(project: ProjectId): void {
    if (this.network(project) === null) return;
    this.#save({ ...this.#state, networks: this.#state.networks.filter((spec) => spec.project !== project) });
  }
}
