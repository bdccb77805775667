/** Guest verbs: policy first, then the engine. */

import type { AgentInput } from '#contract/agent.ts';
import type { AgentGuestObservation } from '#contract/agent-results.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId, OperationId, ProjectId, SnapshotId } from '#domain/ids.ts';
import type { Engine, Guest, GuestPlace, GuestSpec, NetworkSpec } from './engine.ts';
import { inSubnet4, inSubnet6 } from './incus/acl.ts';
import type { KeyedLocks } from './locks.ts';
import type { NetworkGuard } from './network-guard.ts';
import type { AgentState } from './state.ts';

/** Seconds a guest gets to shut down before it is killed, unless the caller says otherwise. */
const STOP_SECONDS_DEFAULT = 30;

export class Guests {
  readonly #engine: Engine;
  readonly #state: AgentState;
  readonly #locks: KeyedLocks;
  readonly #guard: NetworkGuard;

  constructor(engine: Engine, state: AgentState, locks: KeyedLocks, guard: NetworkGuard) {
    this.#engine = engine;
    this.#state = state;
    this.#locks = locks;
    this.#guard = guard;
  }

  /** True when the project has exactly this network here already. */
  knowsNetwork(spec: NetworkSpec): boolean {
    const known = this.#state.network(spec.project);
    return known?.subnet4 === spec.subnet4 && known.subnet6 === spec.subnet6;
  }

  /** `asked`: the network is new or changes, so that differences are expected. */
  async ensureNetwork(spec: NetworkSpec, asked: boolean): Promise<void> {
    this.#state.putNetwork(spec);
    await this.#guard.check(spec, asked);
  }

  async removeNetwork(project: ProjectId): Promise<null> {
    await this.#locks.run(project, async () => {
      await this.#engine.removeNetwork(project);
      this.#state.dropNetwork(project);
      this.#guard.forget(project);
    });
    return null;
  }

  async create(spec: GuestSpec): Promise<AgentGuestObservation> {
    return this.#locks.run(spec.instance, async () => {
      this.#checkSpec(spec);
      await this.#guard.assertPrepared(spec.project);
      await this.#checkAddresses(spec);
      const guest = await this.#engine.create(spec);
      if (guest.state === 'stopped' && !guest.templated) {
        await this.#writeHostname(spec.instance, spec.hostname);
        await this.#engine.settle(spec.instance);
      }
      return observation(guest);
    });
  }

  /** A copy gets a new identity before it may ever start: machine id, SSH host keys, screen password, host name. */
  async clone({ source, spec }: AgentInput<'cloneGuest'>): Promise<AgentGuestObservation> {
    return this.#locks.run(spec.instance, async () => {
      if (source.instance === spec.instance)
        throw new BerthError('invalid_input', 'A guest cannot be a copy of itself.');
      this.#checkSpec(spec);
      await this.#guard.assertPrepared(spec.project);
      await this.#checkAddresses(spec);
      const guest = await this.#engine.clone(source, spec);
      if (guest.state === 'stopped') {
        await this.#forgetIdentity(spec.instance);
        await this.#writeHostname(spec.instance, spec.hostname);
        await this.#engine.settle(spec.instance);
      }
      return this.#observed(spec.instance);
    });
  }

  async observe(instance: InstanceId): Promise<AgentGuestObservation | null> {
    const guest = await this.#engine.observe(instance);
    return guest === null ? null : observation(guest);
  }

  async list(): Promise<AgentGuestObservation[]> {
    return (await this.#engine.list()).map(observation);
  }

  async power({ instance, action, force, timeoutSeconds }: AgentInput<'power'>): Promise<AgentGuestObservation> {
    return this.#locks.run(instance, async () => {
      const guest = await this.#guest(instance);
      if (action === 'start' || action === 'restart') await this.#guard.assertProtected(guest.project);
      const options = { force: force ?? false, timeoutSeconds: timeoutSeconds ?? STOP_SECONDS_DEFAULT };
      await this.#engine.power(instance, action, options);
      return this.#observed(instance);
    });
  }

  async resize({ instance, size }: AgentInput<'resize'>): Promise<AgentGuestObservation> {
    return this.#locks.run(instance, async () => {
      await this.#engine.resize(instance, size);
      return this.#observed(instance);
    });
  }

  async setHostname({ instance, hostname }: AgentInput<'setHostname'>): Promise<null> {
    await this.#locks.run(instance, async () => {
      const guest = await this.#guest(instance);
      await this.#writeHostname(instance, hostname);
      await this.#engine.setHostnameLabel(instance, hostname);
      if (guest.state !== 'running') return;
      const set = await this.#engine.exec(instance, ['hostname', hostname], { timeoutMs: 5_000, bytesMax: 4_096 });
      if (set.code !== 0)
        throw new BerthError('upstream_failed', 'The guest did not take its new name; it will after a restart.', {
          detail: set.stderr,
        });
    });
    return null;
  }

  /** A guest comes under the rules of the project it moves to: they must be in place before its network is. */
  async move(place: GuestPlace): Promise<AgentGuestObservation> {
    return this.#locks.run(place.instance, async () => {
      this.#checkAddress(place);
      await this.#guard.assertProtected(place.project);
      await this.#checkAddresses(place);
      await this.#engine.move(place);
      return this.#observed(place.instance);
    });
  }

  /** A guest whose disk `fill` writes: like a copy, it gets a new identity before it may ever start. */
  async recover(spec: GuestSpec, fill: () => Promise<void>): Promise<AgentGuestObservation> {
    return this.#locks.run(spec.instance, async () => {
      // No look at the allowed images: nothing comes from one.
      this.#checkAddress(spec);
      await this.#guard.assertPrepared(spec.project);
      await this.#checkAddresses(spec);
      const { whole } = await this.#engine.createHollow(spec);
      if (!whole) {
        await fill();
        await this.#forgetIdentity(spec.instance);
        await this.#writeHostname(spec.instance, spec.hostname);
        await this.#engine.settle(spec.instance);
      }
      return this.#observed(spec.instance);
    });
  }

  /** Another content for the disk of a stopped guest; its host name stays. */
  async refill(instance: InstanceId, fill: () => Promise<void>): Promise<null> {
    await this.#locks.run(instance, async () => {
      const before = await this.#guest(instance);
      if (before.state !== 'stopped') throw new BerthError('state_conflict', 'Stop it first.');
      await fill();
      await this.#writeHostname(instance, before.hostname);
    });
    return null;
  }

  async destroy(instance: InstanceId): Promise<null> {
    await this.#locks.run(instance, () => this.#engine.destroy(instance));
    return null;
  }

  async createSnapshot(instance: InstanceId, snapshot: SnapshotId, operation: OperationId): Promise<null> {
    await this.#locks.run(instance, () => this.#engine.createSnapshot(instance, snapshot, operation));
    return null;
  }

  async restoreSnapshot(instance: InstanceId, snapshot: SnapshotId): Promise<null> {
    await this.#locks.run(instance, async () => {
      const before = await this.#guest(instance);
      // Restoring starts what ran: the same wall as for starting.
      if (before.state !== 'stopped') await this.#guard.assertProtected(before.project);
      await this.#engine.restoreSnapshot(instance, snapshot);
      await this.#writeHostname(instance, before.hostname);
    });
    return null;
  }

  async deleteSnapshot(instance: InstanceId, snapshot: SnapshotId): Promise<null> {
    await this.#locks.run(instance, () => this.#engine.deleteSnapshot(instance, snapshot));
    return null;
  }

  #checkSpec(spec: GuestSpec): void {
    if (!this.#state.isAllowed(spec.imageFingerprint)) {
      throw new BerthError('invalid_input', 'This image is not on the list of allowed images.');
    }
    this.#checkAddress(spec);
  }

  #checkAddress(place: Omit<GuestPlace, 'operation'>): void {
    const network = this.#state.network(place.project);
    if (network === null) throw new BerthError('conflict', 'The project has no network on this host yet.');
    if (!inSubnet4(place.address4, network.subnet4) || !inSubnet6(place.address6, network.subnet6)) {
      throw new BerthError('invalid_input', "The address is not one of the project's network.");
    }
  }

  /** Two guests with one address would let one of them receive what is meant for the other. */
  async #checkAddresses(place: Omit<GuestPlace, 'operation'>): Promise<void> {
    if (await this.#engine.addressTaken(place)) {
      throw new BerthError('conflict', 'Another guest has this address.');
    }
  }

  async #writeHostname(instance: InstanceId, hostname: string): Promise<void> {
    await this.#engine.writeFile(instance, '/etc/hostname', `${hostname}\n`, 0o644);
    await this.#engine.writeFile(instance, '/etc/hosts', hosts(hostname), 0o644);
  }

  async #forgetIdentity(instance: InstanceId): Promise<void> {
    await this.#engine.writeFile(instance, '/etc/machine-id', '', 0o444);
    const keys = (await this.#engine.readDirectory(instance, '/etc/ssh')).filter((name) =>
      /^ssh_host_[a-z0-9_]+_key(\.pub)?$/.test(name),
    );
    const gone = [...keys.map((name) => `/etc/ssh/${name}`), ...IDENTITY_FILES];
    for (const path of gone) await this.#engine.removeFile(instance, path);
  }

  async #guest(instance: InstanceId): Promise<Guest> {
    const guest = await this.#engine.observe(instance);
    if (guest === null) throw notFound('instance on this host');
    return guest;
  }

  async #observed(instance: InstanceId): Promise<AgentGuestObservation> {
    return observation(await this.#guest(instance));
  }
}

/** Secrets and identities that a copy must not share with its source; the image makes new ones at first boot. */
const IDENTITY_FILES = [
  '/etc/berth/vnc-password',
  '/etc/berth/vnc-passwd',
  '/etc/berth/clawbot-token',
  '/var/lib/dbus/machine-id',
  '/var/lib/systemd/random-seed',
  '/var/lib/systemd/network/dhcp-duid',
] as const;

function hosts(hostname: string): string {
  return `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n::1 localhost ip6-localhost ip6-loopback\nff02::1 ip6-allnodes\nff02::2 ip6-allrouters\n`;
}

/** The answer's shape: what the engine knows beyond it stays here. */
export function observation(guest: Guest): AgentGuestObservation {
  const { kind: _kind, templated: _templated, honest4: _honest4, honest6: _honest6, ...rest } = guest;
  return rest;
}
