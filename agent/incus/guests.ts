/** Guests: system containers. Builds every body itself from Berth's own sizes, ids and addresses. */
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId, ProjectId, SnapshotId } from '#domain/ids.ts';
import { GIB, PROCESSES_MAX, type Size } from '#domain/sizes.ts';
import type { Guest, GuestPlace, GuestSpec } from '../engine.ts';
import { guestName, instanceOfGuest, label, type Names, snapshotName } from '../names.ts';
import { type IncusClient, segment } from './client.ts';
import { observedState, toGuest } from './guest-of.ts';
import { heldMemory } from './memory.ts';
import { awaitProcessors } from './processors.ts';
import type { IncusConfig, IncusDevices, IncusInstance } from './types.ts';

const CREATE_SECONDS_MAX = 300;
const POWER_MARGIN_SECONDS = 30;
const UNPACK_SECONDS_MAX = 600;

export type Located = { name: string; project: string; instance: IncusInstance };
export type PowerAction = 'start' | 'stop' | 'restart' | 'pause' | 'resume';

/** What this kernel can do about forged addresses on a NIC. */
export type NicFilters = { mac: boolean; ip4: boolean; ip6: boolean };

/** A guest whose memory is made smaller keeps at least a tenth of it for what comes next. */
const MEMORY_HELD_MAX = 0.9;
const gib = (bytes: number): string => (bytes / GIB).toFixed(1);

export class IncusGuests {
  readonly #client: IncusClient;
  readonly #names: Names;
  readonly #pool: string;
  readonly #filters: () => Promise<NicFilters>;
  /** Engine project of each guest seen; only a hint, the labels are read again before every change. */
  readonly #where = new Map<InstanceId, string>();

  constructor(client: IncusClient, names: Names, pool: string, filters: () => Promise<NicFilters>) {
    this.#client = client;
    this.#names = names;
    this.#pool = pool;
    this.#filters = filters;
  }

  /** Finds a guest and proves by its labels that it is ours. Errors: not_found. */
  async locate(instance: InstanceId): Promise<Located> {
    const found = await this.find(instance, false);
    if (found === null) throw notFound('instance on this host');
    return found;
  }

  /** Null when the engine has no such guest of ours. `full` adds live state and snapshots. */
  async find(instance: InstanceId, full: boolean): Promise<Located | null> {
    const name = guestName(instance);
    const hint = this.#where.get(instance);
    if (hint !== undefined) {
      const there = await this.#get(name, hint, full);
      if (there !== null && this.#owned(there, instance) && isWhole(there))
        return { name, project: hint, instance: there };
      this.#where.delete(instance);
    }
    const copies = await this.copies(instance, full);
    // Two only in the middle of a move: the one that is whole counts.
    const mine = copies.find((copy) => isWhole(copy.instance)) ?? copies[0];
    if (mine === undefined) return null;
    this.#where.set(instance, mine.project);
    return mine;
  }

  /** The guest in every project that has it: one, or two while it moves. */
  async copies(instance: InstanceId, full = false): Promise<Located[]> {
    const name = guestName(instance);
    const all = await this.#client.call<IncusInstance[]>('GET', '/1.0/instances', {
      query: { recursion: full ? 2 : 1, 'all-projects': 'true', filter: `name eq ${name}` },
    });
    return (all ?? [])
      .filter((candidate) => this.#owned(candidate, instance))
      .map((found) => ({ name, project: found.project, instance: found }));
  }

  /** Where it is from now on. */
  remember(instance: InstanceId, project: string): void {
    this.#where.set(instance, project);
  }

  async observe(instance: InstanceId): Promise<Guest | null> {
    const found = await this.find(instance, true);
    return found === null ? null : toGuest(found.instance);
  }

  /** Everything of this installation in one engine call; without state it is cheaper. */
  async list(withState = true): Promise<Guest[]> {
    const all = await this.#client.call<IncusInstance[]>('GET', '/1.0/instances', {
      query: {
        recursion: withState ? 2 : 1,
        'all-projects': 'true',
        filter: `config.${label.installation} eq ${this.#names.installation}`,
      },
    });
    const guests = new Map<InstanceId, Guest>();
    for (const candidate of all ?? []) {
      const id = instanceOfGuest(candidate.name);
      if (id === null || !this.#owned(candidate, id)) continue;
      if (guests.has(id) && !isWhole(candidate)) continue;
      this.#where.set(id, candidate.project);
      const guest = toGuest(candidate);
      if (guest !== null) guests.set(id, guest);
    }
    return [...guests.values()];
  }

  /** Creates a stopped guest from an image that the caller has checked. Returns the one that is there. */
  async create(spec: GuestSpec): Promise<Guest> {
    const present = await this.#present(spec);
    if (present !== null) return present;
    return this.#make(spec, { type: 'image', fingerprint: spec.imageFingerprint }, true);
  }

  /** Copies a guest or one of its snapshots. The copy is marked unfinished until `markReady`. */
  async clone(source: { instance: InstanceId; snapshot: SnapshotId | null }, spec: GuestSpec): Promise<Guest> {
    const present = await this.#present(spec);
    if (present !== null) return present;
    const from = await this.locate(source.instance);
    const suffix = source.snapshot === null ? '' : `/${snapshotName(source.snapshot)}`;
    return this.#make(
      spec,
      {
        type: 'copy',
        source: `${from.name}${suffix}`,
        project: from.project,
        instance_only: true,
        allow_inconsistent: true,
      },
      false,
    );
  }

  /** A guest without anything on its disk, unfinished until `settle`; `whole`: it is there, and finished. */
  async createHollow(spec: GuestSpec): Promise<{ guest: Guest; whole: boolean }> {
    const present = await this.#present(spec);
    const guest = present ?? (await this.#make(spec, { type: 'none' }, false));
    return { guest, whole: present !== null && this.isReady(await this.locate(spec.instance)) };
  }

  /** The guest if it is there already, looked for where it has to be (one cheap call, on the way of every create). */
  async #present(spec: GuestSpec): Promise<Guest | null> {
    const project = this.#names.project(spec.project);
    const there = await this.#get(guestName(spec.instance), project, true);
    if (there === null) return null;
    if (!this.#owned(there, spec.instance)) throw new BerthError('conflict', 'A guest with this name is not ours.');
    this.#where.set(spec.instance, project);
    return toGuest(there);
  }

  async #make(spec: GuestSpec, source: Record<string, unknown>, ready: boolean): Promise<Guest> {
    const project = this.#names.project(spec.project);
    const name = guestName(spec.instance);
    const config: IncusConfig = {
      ...limits(spec.size),
      'security.nesting': 'true',
      'security.idmap.isolated': 'true',
      'security.privileged': 'false',
      // No engine API inside the guest: labels are ours, not the tenant's.
      'security.guestapi': 'false',
      [label.installation]: this.#names.installation,
      [label.instance]: spec.instance,
      [label.project]: spec.project,
      [label.operation]: spec.operation,
      [label.kind]: spec.kind,
      [label.hostname]: spec.hostname,
      [label.image]: spec.imageFingerprint,
      [readyLabel]: String(ready),
    };
    const body = {
      name,
      type: 'container',
      description: `Berth ${spec.kind} ${spec.instance}`,
      profiles: [],
      ephemeral: false,
      // boot.autostart stays unset: the engine then brings back what ran before a reboot of the host, even while Berth
      // is down, and leaves alone what was stopped on purpose.
      config,
      devices: { root: this.#root(spec.size), eth0: await this.nic(spec) },
      source,
    };
    await this.make(project, body, CREATE_SECONDS_MAX + UNPACK_SECONDS_MAX);
    const made = await this.#present(spec);
    if (made === null) throw new BerthError('upstream_failed', 'The engine did not keep the new guest.');
    return made;
  }

  async make(project: string, body: unknown, waitSeconds: number): Promise<void> {
    try {
      await this.#client.operate('POST', '/1.0/instances', { query: { project }, body, waitSeconds });
    } catch (error) {
      // A create that raced with this one, or one whose answer was lost.
      if (!(error instanceof BerthError) || error.code !== 'conflict') throw error;
    }
  }

  #root(size: Size): Record<string, string> {
    return { type: 'disk', path: '/', pool: this.#pool, size: String(size.diskBytes) };
  }

  async nic(place: Omit<GuestPlace, 'operation'>): Promise<Record<string, string>> {
    const filters = await this.#filters();
    return {
      type: 'nic',
      name: 'eth0',
      network: this.#names.bridge(place.project),
      hwaddr: this.#names.mac(place.instance),
      'ipv4.address': place.address4,
      'ipv6.address': place.address6,
      'security.port_isolation': 'true',
      ...(filters.mac ? { 'security.mac_filtering': 'true' } : {}),
      ...(filters.ip4 ? { 'security.ipv4_filtering': 'true' } : {}),
      ...(filters.ip6 ? { 'security.ipv6_filtering': 'true' } : {}),
    };
  }

  /** True when another guest of the project has one of the addresses. */
  async addressTaken(place: Omit<GuestPlace, 'operation'>): Promise<boolean> {
    const all = await this.#client.call<IncusInstance[]>('GET', '/1.0/instances', {
      query: { recursion: 1, project: this.#names.project(place.project) },
    });
    return (all ?? []).some(({ name, devices }) => {
      const nic = devices['eth0'] ?? {};
      const same = nic['ipv4.address'] === place.address4 || nic['ipv6.address'] === place.address6;
      return same && name !== guestName(place.instance);
    });
  }

  async setLabel(instance: InstanceId, key: string, value: string): Promise<void> {
    const found = await this.locate(instance);
    if (found.instance.config[key] === value) return;
    await this.patch(found, { config: { [key]: value } });
  }

  /**
   * Declares a new guest finished: it may start, and the engine no longer lays the image's templates over the files
   * that were written for it (they would bring the engine's own name back as host name).
   */
  async settle(instance: InstanceId): Promise<void> {
    const found = await this.locate(instance);
    const wanted: IncusConfig = { [readyLabel]: 'true', 'volatile.apply_template': '' };
    if (Object.entries(wanted).every(([key, value]) => (found.instance.config[key] ?? '') === value)) return;
    await this.patch(found, { config: wanted });
  }

  isReady(found: Located): boolean {
    return isWhole(found.instance);
  }

  /** Looks first: asking for what already is so is fine. Errors: state_conflict. */
  async power(
    instance: InstanceId,
    action: PowerAction,
    options: { force: boolean; timeoutSeconds: number },
  ): Promise<void> {
    const found = await this.locate(instance);
    const state = observedState(found.instance.status);
    switch (action) {
      case 'start':
        if (state === 'running') return;
        if (state === 'paused') throw new BerthError('state_conflict', 'It is paused: resume it.');
        if (!this.isReady(found)) throw new BerthError('state_conflict', 'Its copy is not finished.');
        this.#requireHome(found);
        return this.state(found, 'start', false, options.timeoutSeconds);
      case 'stop':
        if (state === 'stopped') return;
        return this.stop(found, options);
      case 'restart':
        if (state !== 'running') throw new BerthError('state_conflict', 'It does not run.');
        await this.stop(found, options);
        return this.state(found, 'start', false, options.timeoutSeconds);
      case 'pause':
        if (state === 'paused') return;
        if (state !== 'running') throw new BerthError('state_conflict', 'Only a running guest can be paused.');
        return this.state(found, 'freeze', false, options.timeoutSeconds);
      case 'resume':
        if (state === 'running') return;
        if (state !== 'paused') throw new BerthError('state_conflict', 'It is not paused.');
        return this.state(found, 'unfreeze', false, options.timeoutSeconds);
    }
  }

  /** After a rollback that broke off, it may still have the network of a project that it has left. */
  #requireHome(found: Located): void {
    const project = found.instance.config[label.project];
    if (project !== undefined && this.#names.project(project as ProjectId) === found.project) return;
    throw new BerthError('state_conflict', 'It has the network of another project.');
  }

  async stop(found: Located, options: { force: boolean; timeoutSeconds: number }): Promise<void> {
    if (observedState(found.instance.status) === 'paused')
      await this.state(found, 'unfreeze', false, options.timeoutSeconds);
    if (!options.force) {
      try {
        return await this.state(found, 'stop', false, options.timeoutSeconds);
      } catch (error) {
        // It did not shut down in time: pull the plug.
        if (error instanceof BerthError && (error.code === 'unavailable' || error.code === 'not_found')) throw error;
      }
    }
    try {
      await this.state(found, 'stop', true, options.timeoutSeconds);
    } catch (error) {
      const now = await this.#get(found.name, found.project, false);
      if (now !== null && observedState(now.status) !== 'stopped') throw error;
    }
  }

  async state(found: Located, action: string, force: boolean, timeout: number): Promise<void> {
    await this.#client.operate('PUT', `/1.0/instances/${segment(found.name)}/state`, {
      query: { project: found.project },
      body: { action, timeout, force, stateful: false },
      waitSeconds: timeout + POWER_MARGIN_SECONDS,
    });
  }

  /** Changes limits while it runs. Errors: unsupported when the disk would become smaller than what is used. */
  async resize(instance: InstanceId, size: Size): Promise<void> {
    const found = await this.find(instance, true);
    if (found === null) throw notFound('instance on this host');
    const before = toGuest(found.instance);
    if (before?.size != null && size.diskBytes < before.size.diskBytes) {
      if (before.diskUsedBytes === null)
        throw new BerthError('unsupported', 'A disk cannot be made smaller while its use is not known.');
      if (size.diskBytes < before.diskUsedBytes * SHRINK_HEADROOM) {
        throw new BerthError('unsupported', 'The disk cannot be made smaller than what is used on it.');
      }
    }
    // Where the kernel takes memory away that is in use, it ends programs; elsewhere it refuses. Neither is a resize.
    if (before?.size != null && size.memoryBytes < before.size.memoryBytes) {
      const pid = found.instance.state?.pid ?? 0;
      const held = pid > 0 ? heldMemory(pid) : null;
      if (held !== null && held > size.memoryBytes * MEMORY_HELD_MAX) {
        throw new BerthError(
          'state_conflict',
          `It holds ${gib(held)} GiB of memory right now, too much for ${gib(size.memoryBytes)} GiB. Close programs in it or stop it, then resize.`,
        );
      }
    }
    const root = { ...found.instance.devices['root'], ...this.#root(size) };
    await this.patch(found, { config: limits(size), devices: { ...found.instance.devices, root } });
    const pid = found.instance.state?.pid ?? 0;
    if (pid <= 0) return;
    await awaitProcessors(pid, size.cpus, async () => {
      const other = size.cpus === 1 ? 2 : size.cpus - 1;
      for (const each of [other, size.cpus]) {
        const now = await this.find(instance, false);
        if (now !== null) await this.patch(now, { config: { 'limits.cpu': String(each) } });
      }
    });
  }

  async destroy(instance: InstanceId): Promise<void> {
    for (const copy of await this.copies(instance)) {
      const state = observedState(copy.instance.status);
      if (state !== 'stopped') await this.stop(copy, { force: true, timeoutSeconds: 30 });
      await this.remove(copy);
    }
    this.#where.delete(instance);
  }

  async remove(found: Located): Promise<void> {
    try {
      await this.#client.operate('DELETE', `/1.0/instances/${segment(found.name)}`, {
        query: { project: found.project },
      });
    } catch (error) {
      if (!(error instanceof BerthError) || error.code !== 'not_found') throw error;
    }
  }

  async patch(found: Located, body: { config?: IncusConfig; devices?: IncusDevices }): Promise<void> {
    const started = await this.#client.start('PATCH', `/1.0/instances/${segment(found.name)}`, {
      query: { project: found.project },
      body,
    });
    await this.#client.wait(started.operation, POWER_MARGIN_SECONDS);
  }

  async #get(name: string, project: string, full: boolean): Promise<IncusInstance | null> {
    try {
      return await this.#client.call<IncusInstance>('GET', `/1.0/instances/${segment(name)}`, {
        query: { project, recursion: full ? 1 : undefined },
      });
    } catch (error) {
      if (error instanceof BerthError && error.code === 'not_found') return null;
      throw error;
    }
  }

  /** Ours: in a project of this installation, with both labels, and a container. */
  #owned(candidate: IncusInstance, instance: InstanceId): boolean {
    return (
      candidate.project.startsWith(this.#names.prefix) &&
      candidate.type === 'container' &&
      candidate.config[label.installation] === this.#names.installation &&
      candidate.config[label.instance] === instance
    );
  }
}

/** `false` while a copy still carries its source's identity. */
export const readyLabel = 'user.berth.ready';

/** Not a copy that is still being made, nor what is left over from a move. */
function isWhole(instance: IncusInstance): boolean {
  return instance.config[readyLabel] !== 'false';
}

/** A disk may shrink to what is used plus a tenth, never to the brim. */
const SHRINK_HEADROOM = 1.1;

function limits(size: Size): IncusConfig {
  return {
    'limits.cpu': String(size.cpus),
    'limits.memory': String(size.memoryBytes),
    'limits.processes': String(PROCESSES_MAX),
  };
}

/** Configuration that Berth sets; the engine's own volatile keys are left to it. */
export function ownConfig(config: IncusConfig): IncusConfig {
  return Object.fromEntries(Object.entries(config).filter(([key]) => /^(limits\.|security\.|user\.berth\.)/.test(key)));
}
