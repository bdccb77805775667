/**
 * Who may enter a server by SSH, decided from memory: the gateway asks at every login and holds one open answer for each
 * connection. When the right ends (key, session, account, grant, membership, the instance, somebody's button), that
 * answer says so within a second. Whoever is not known learns nothing about what exists.
 */
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import { type Entered, type edgeSshBodies, enteredSchema } from '#contract/ssh-gateway.ts';
import { holdingMay } from '#domain/authz.ts';
import { scopesAllow } from '#domain/scopes.ts';
import {
  readSshUser,
  SSH_SESSIONS_MAX,
  SSH_SESSIONS_PER_INSTANCE_MAX,
  SSH_SESSIONS_PER_USER_MAX,
  type SshTarget,
} from '#domain/ssh.ts';
import type { Knowledge } from './callers.ts';
import { holdingOf, isRunning } from './doors.ts';
import { KNOWLEDGE_AGE_MS_MAX } from './snapshot.ts';
import { type Caller, type EdgeInstance, hashToken } from './state.ts';
import { type Refusal, Watch, type Watched } from './watch.ts';

export type SshRefusal = { reason: string; told: boolean };
type EnterBody = z.output<typeof edgeSshBodies.enter>;
type Proven = { userId: string; key: { fingerprint: string; label: string } | null; caller: Caller | null };
type Lease = Watched & { id: string; address: string };

export type SshSigner = {
  sshLogin(instance: string): Promise<{ publicKey: string }>;
  sshSign(instance: string, data: string): Promise<{ signature: string }>;
};

export type SshDoorsOptions = {
  knowledge: Knowledge;
  agent: SshSigner;
  mayDial(address: string): boolean;
};

/** Watched connections are closed with a reason; the number is for WebSockets, of which there are none here. */
const NO_CODE = 0;
/** A server that has just been made has its host keys read about a second after it is healthy. */
const HOST_KEYS_MS_MAX = 5_000;
const HOST_KEYS_LOOK_MS = 100;
const unknown: SshRefusal = { reason: 'not known, or may not enter', told: false };
const tell = (reason: string): SshRefusal => ({ reason, told: true });

export class SshDoors {
  readonly #o: SshDoorsOptions;
  readonly #watch: Watch<Lease>;
  readonly #leases = new Map<string, Lease>();

  constructor(options: SshDoorsOptions) {
    this.#o = options;
    this.#watch = new Watch(options.knowledge, {
      whole: SSH_SESSIONS_MAX,
      perUser: SSH_SESSIONS_PER_USER_MAX,
      perInstance: SSH_SESSIONS_PER_INSTANCE_MAX,
    });
  }

  get size(): number {
    return this.#watch.size;
  }

  /** Whether a signature with this key is worth asking for. */
  mayTry(user: string, fingerprint: string): boolean {
    const proven = this.#prove({ by: 'key', fingerprint });
    if (proven === null) return false;
    const found = this.#find(user, proven);
    return 'instance' in found || found.told;
  }

  /** Waits a moment for the host keys of a server that has just been made. */
  async #hostKeysCome(instanceId: string): Promise<boolean> {
    const until = Date.now() + HOST_KEYS_MS_MAX;
    while (Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, HOST_KEYS_LOOK_MS));
      if (this.#o.knowledge.state.ssh.hostKeys(instanceId).length > 0) return true;
    }
    return false;
  }

  /** Decides, and watches until `leave`; `cut` is called once when it must end. */
  async enter(
    body: EnterBody,
    cut: (reason: string) => void,
  ): Promise<{ entered: Entered; leave(): void } | { refused: SshRefusal } | { factor: { user: string } }> {
    const { state, lookup } = this.#o.knowledge;
    let proven = this.#prove(body.proof);
    if (proven === null && body.proof.by === 'password') {
      await lookup({ by: 'sessionHash', key: hashToken(body.proof.secret) });
      proven = this.#prove(body.proof);
    }
    if (proven === null) return { refused: unknown };
    const person = proven;
    const found = this.#find(body.user, person);
    if ('reason' in found) return { refused: found };
    const { instance } = found;
    if (person.key !== null && state.ssh.asksForFactor(instance.organizationId)) {
      // Asked anew every time: it is given between one question and the next.
      if (!state.ssh.hasGivenFactor(body.session, person.userId)) {
        await lookup({ by: 'sshFactor', key: body.session }, 0);
      }
      if (!state.ssh.hasGivenFactor(body.session, person.userId)) return { factor: { user: person.userId } };
    }
    const user = state.user(person.userId);
    if (user === undefined) return { refused: unknown };
    if (!this.#o.mayDial(instance.address4)) return { refused: tell('The server has no usable address.') };
    const hostKeys = [...state.ssh.hostKeys(instance.id)];
    if (hostKeys.length === 0) {
      // Rights may have changed meanwhile: all is decided anew.
      if (await this.#hostKeysCome(instance.id)) return this.enter(body, cut);
      return {
        refused: tell('The server has just been made: its host keys are not known yet. Try again in a moment.'),
      };
    }
    let over = false;
    const lease: Lease = {
      id: randomUUID(),
      address: instance.address4,
      caller: { userId: person.userId },
      instanceId: instance.id,
      refusal: () => this.#over(body.session, person, instance.id),
      cut: ({ reason }) => {
        if (over) return;
        leave();
        cut(reason);
      },
    };
    const leave = (): void => {
      over = true;
      this.#watch.leave(lease);
      this.#leases.delete(lease.id);
      state.ssh.forgetFactor(body.session);
    };
    if (!this.#watch.enter(lease)) return { refused: tell('Too many SSH connections are open. Close some.') };
    this.#leases.set(lease.id, lease);
    try {
      const { publicKey } = await this.#o.agent.sshLogin(instance.id);
      const entered = enteredSchema.parse({
        lease: lease.id,
        user: { id: user.id, email: user.email },
        key: person.key === null ? null : { label: person.key.label },
        instance: { id: instance.id, name: instance.name },
        address: instance.address4,
        hostKeys,
        loginKey: publicKey,
        recording: state.ssh.recording(instance),
      });
      if (over) return { refused: tell('It has just ended.') };
      return { entered, leave };
    } catch {
      leave();
      return { refused: tell('The host of the server does not answer. Try again in a moment.') };
    }
  }

  /** Null when there is no such lease (any more). */
  async sign(lease: string, data: string): Promise<string | null> {
    const found = this.#leases.get(lease);
    if (found === undefined || found.refusal() !== null) return null;
    return (await this.#o.agent.sshSign(found.instanceId, data)).signature;
  }

  #prove(proof: EnterBody['proof']): Proven | null {
    const { state, now } = this.#o.knowledge;
    if (now() - state.confirmedAt > KNOWLEDGE_AGE_MS_MAX) return null;
    if (proof.by === 'key') {
      const key = state.ssh.key(proof.fingerprint);
      if (key === undefined || state.user(key.userId) === undefined) return null;
      return { userId: key.userId, key: { fingerprint: key.fingerprint, label: key.label }, caller: null };
    }
    const caller = state.sessionByHash(hashToken(proof.secret), now());
    return caller === undefined ? null : { userId: caller.userId, key: null, caller };
  }

  #mayEnter(person: Proven, instance: EdgeInstance): boolean {
    if (person.caller !== null && !scopesAllow(person.caller.scopes, 'instance.ssh')) return false;
    return holdingMay(holdingOf(this.#o.knowledge, person.userId, instance), 'instance.ssh');
  }

  #find(name: string, person: Proven): { instance: EdgeInstance } | SshRefusal {
    const target = readSshUser(name);
    if (target === null) return unknown;
    const { state } = this.#o.knowledge;
    const found = state
      .instancesNamed(target.instance)
      .filter((each) => each.phase === 'ready' && this.#isIn(each, target) && this.#mayEnter(person, each));
    const [instance, second] = found;
    if (instance === undefined) return unknown;
    if (second !== undefined) {
      const names = found.slice(0, 5).map((each) => this.#fullName(each, found));
      return tell(`There are several servers called ${target.instance}. Write one of: ${names.join(', ')}`);
    }
    return isRunning(instance) ? { instance } : tell(`${instance.name} does not run. Start it first.`);
  }

  #isIn(instance: EdgeInstance, { project, organization }: SshTarget): boolean {
    if (project === null) return true;
    const place = this.#o.knowledge.state.ssh.place(instance.projectId);
    return place?.project === project && (organization === null || place.organization === organization);
  }

  #fullName(instance: EdgeInstance, among: readonly EdgeInstance[]): string {
    const { ssh } = this.#o.knowledge.state;
    const place = ssh.place(instance.projectId);
    const twins = among.filter((each) => ssh.place(each.projectId)?.project === place?.project);
    return [instance.name, place?.project, ...(twins.length > 1 ? [place?.organization] : [])].join('.');
  }

  /** Why a running connection has to end now. */
  #over(session: string, person: Proven, instanceId: string): Refusal | null {
    const { state, now } = this.#o.knowledge;
    const because = (reason: string): Refusal => ({ code: NO_CODE, reason });
    if (state.ssh.isEnding(session)) return because('Somebody ended it in Berth.');
    if (person.caller !== null && !state.stillSignedIn(person.caller, now())) return because('The sign-in has ended.');
    if (person.key !== null && state.ssh.key(person.key.fingerprint)?.userId !== person.userId) {
      return because('The key was removed from the account.');
    }
    const instance = state.instance(instanceId);
    if (state.user(person.userId) === undefined || instance === undefined || !this.#mayEnter(person, instance)) {
      return because('You may not enter it any more.');
    }
    return isRunning(instance) ? null : because('The server was stopped.');
  }

  stop(): void {
    this.#watch.stop({ code: NO_CODE, reason: 'Berth is restarting.' });
  }
}
