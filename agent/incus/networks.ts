/** A project's engine project, bridge and rules: made, compared, repaired and removed. */
import { BerthError } from '#domain/errors.ts';
import type { ProjectId } from '#domain/ids.ts';
import type { NetworkSpec, Opening, Passage } from '../engine.ts';
import { label, type Names } from '../names.ts';
import { configDifferences, type NetworkPlan, planNetwork, sameRules } from './acl.ts';
import { type IncusClient, segment } from './client.ts';
import { askNeighboursOften } from './neighbours.ts';
import { endOrphanDhcp } from './orphans.ts';
import { patiently } from './patience.ts';
import type { IncusAcl, IncusConfig, IncusNetwork, IncusProject } from './types.ts';

/** Bridges and rules live in the engine's default project; guests live in their own. */
const SHARED = { project: 'default' };

export class IncusNetworks {
  readonly #client: IncusClient;
  readonly #names: Names;
  readonly #hostAddresses: () => readonly string[];
  readonly #openings: (project: ProjectId) => readonly Opening[];
  readonly #cachePort: () => number | null;
  readonly #passages: (project: ProjectId) => readonly Passage[];

  constructor(
    client: IncusClient,
    names: Names,
    hostAddresses: () => readonly string[],
    openings: (project: ProjectId) => readonly Opening[],
    cachePort: () => number | null,
    passages: (project: ProjectId) => readonly Passage[],
  ) {
    this.#client = client;
    this.#names = names;
    this.#hostAddresses = hostAddresses;
    this.#openings = openings;
    this.#cachePort = cachePort;
    this.#passages = passages;
  }

  /** Makes it as specified and repairs what differs. Returns what was wrong, in words. Errors: conflict. */
  async ensure(spec: NetworkSpec): Promise<string[]> {
    const found: string[] = [];
    await patiently(() => this.#ensure(spec, found));
    return found;
  }

  async remove(project: ProjectId): Promise<void> {
    await patiently(() => this.#remove(project));
  }

  async #ensure(spec: NetworkSpec, found: string[]): Promise<void> {
    const acl = this.#names.acl(spec.project);
    const bridge = this.#names.bridge(spec.project);
    const named = { installation: this.#names.installation, acl, bridge };
    const [openings, passages] = [this.#openings(spec.project), this.#passages(spec.project)];
    const plan = planNetwork(spec, named, this.#hostAddresses(), openings, this.#cachePort(), passages);
    await this.#ensureAcl(acl, plan, spec.project, found);
    await this.#ensureBridge(bridge, plan, spec, found);
    askNeighboursOften(bridge);
    await this.#ensureProject(this.#names.project(spec.project), plan, spec.project, found);
  }

  async #remove(project: ProjectId): Promise<void> {
    const engineProject = await this.#get<IncusProject>(`/1.0/projects/${segment(this.#names.project(project))}`);
    const bridge = await this.#get<IncusNetwork>(`/1.0/networks/${segment(this.#names.bridge(project))}`);
    const acl = await this.#get<IncusAcl>(`/1.0/network-acls/${segment(this.#names.acl(project))}`);
    if (engineProject !== null) {
      this.#prove(engineProject.value.config, project);
      const guests = (engineProject.value.used_by ?? []).filter((url) => url.startsWith('/1.0/instances/'));
      if (guests.length > 0) throw new BerthError('conflict', 'Guests still use this network.');
      await this.#delete(`/1.0/projects/${segment(engineProject.value.name)}`, {});
    }
    if (bridge !== null) {
      this.#prove(bridge.value.config, project);
      await this.#delete(`/1.0/networks/${segment(bridge.value.name)}`, SHARED);
    }
    if (acl !== null) {
      this.#prove(acl.value.config, project);
      await this.#delete(`/1.0/network-acls/${segment(acl.value.name)}`, SHARED);
    }
  }

  async #ensureAcl(name: string, plan: NetworkPlan, project: ProjectId, found: string[]): Promise<void> {
    const path = `/1.0/network-acls/${segment(name)}`;
    const present = await this.#get<IncusAcl>(path);
    const body = { description: `Berth ${project}`, ...plan.acl };
    if (present === null) {
      found.push('the rules were missing');
      await this.#create('/1.0/network-acls', { name, ...body });
      return;
    }
    this.#prove(present.value.config, project);
    const same =
      sameRules(present.value.egress, plan.acl.egress) &&
      sameRules(present.value.ingress, plan.acl.ingress) &&
      configDifferences(plan.acl.config, present.value.config).length === 0;
    if (same) return;
    found.push('the rules were different');
    await this.#client.call('PUT', path, { query: SHARED, body, etag: present.etag });
  }

  async #ensureBridge(name: string, plan: NetworkPlan, spec: NetworkSpec, found: string[]): Promise<void> {
    const path = `/1.0/networks/${segment(name)}`;
    const present = await this.#get<IncusNetwork>(path);
    const description = `Berth ${spec.project}`;
    if (present === null) {
      found.push('the bridge was missing');
      endOrphanDhcp(name);
      await this.#create('/1.0/networks', { name, type: 'bridge', description, config: plan.network });
      return;
    }
    this.#prove(present.value.config, spec.project);
    const wrong = configDifferences(plan.network, present.value.config);
    if (wrong.length === 0) return;
    const moved = wrong.includes('ipv4.address') || wrong.includes('ipv6.address');
    const used = (present.value.used_by ?? []).some((url) => url.startsWith('/1.0/instances/'));
    if (moved && used) throw new BerthError('conflict', 'The network exists with other addresses and is in use.');
    found.push(`the bridge was different (${wrong.join(', ')})`);
    await this.#client.call('PUT', path, {
      query: SHARED,
      body: { description, config: { ...keepVolatile(present.value.config), ...plan.network } },
      etag: present.etag,
    });
  }

  async #ensureProject(name: string, plan: NetworkPlan, project: ProjectId, found: string[]): Promise<void> {
    const path = `/1.0/projects/${segment(name)}`;
    const present = await this.#get<IncusProject>(path);
    const description = `Berth ${project}`;
    if (present === null) {
      found.push('the engine project was missing');
      await this.#create('/1.0/projects', { name, description, config: plan.project }, {});
      return;
    }
    this.#prove(present.value.config, project);
    // Anything beyond the plan (a widened restriction, a path allowance) is taken away again.
    const extra = Object.keys(present.value.config).filter((key) => !(key in plan.project));
    const wrong = [...configDifferences(plan.project, present.value.config), ...extra];
    if (wrong.length === 0) return;
    found.push(`the engine project was different (${wrong.join(', ')})`);
    await this.#client.call('PUT', path, { body: { description, config: plan.project }, etag: present.etag });
  }

  /** Objects with our name but without our labels belong to somebody else. */
  #prove(config: IncusConfig, project: ProjectId): void {
    if (config[label.installation] === this.#names.installation && config[label.project] === project) return;
    throw new BerthError('conflict', 'An object with this name exists on the host and is not ours.');
  }

  async #get<T>(path: string): Promise<{ value: T; etag: string } | null> {
    try {
      return await this.#client.callWithTag<T>(path, { query: path.startsWith('/1.0/projects') ? {} : SHARED });
    } catch (error) {
      if (error instanceof BerthError && error.code === 'not_found') return null;
      throw error;
    }
  }

  async #create(path: string, body: unknown, query: Record<string, string> = SHARED): Promise<void> {
    await this.#client.call('POST', path, { query, body });
  }

  async #delete(path: string, query: Record<string, string>): Promise<void> {
    try {
      await this.#client.call('DELETE', path, { query });
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'not_found') throw error;
    }
  }
}

function keepVolatile(config: IncusConfig): IncusConfig {
  return Object.fromEntries(Object.entries(config).filter(([key]) => key.startsWith('volatile.')));
}
