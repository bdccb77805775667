/**
 * What left guests: looks at what the kernel has counted every ten seconds, adds the names that guests asked for, and
 * keeps it until the control plane has taken it. Never looks at packets.
 */
import type { Logger } from 'pino';
import type { AgentResult } from '#contract/agent-results.ts';
import { FLOW_SECONDS, FLOWS_PENDING_MAX, FLOWS_PER_BATCH_MAX, type Flow, type FlowProtocol } from '#domain/flows.ts';
import type { InstanceId } from '#domain/ids.ts';
import type { Answers } from './answers.ts';
import type { Engine } from './engine.ts';
import { type Counted, type Counts, flowTable, readCounts } from './flow-table.ts';
import type { KeyedLocks } from './locks.ts';
import type { HostGuard } from './network-guard.ts';
import { OwnTable } from './own-table.ts';

/** Looking may take this part of the time, at most: many flows are looked at more rarely. */
const SHARE = 0.02;
const nothing: Counted = { packets: 0, bytes: 0 };
const protocols: Record<string, FlowProtocol> = { '1': 'icmp', '6': 'tcp', '17': 'udp', '58': 'icmp' };

type Owned = Flow & { instance: InstanceId };

export class Flows implements HostGuard {
  readonly #engine: Pick<Engine, 'places'>;
  readonly #locks: KeyedLocks;
  readonly #answers: Answers;
  readonly #bridges: () => readonly string[];
  readonly #table: OwnTable;
  readonly #log: Pick<Logger, 'warn'>;
  #timer: NodeJS.Timeout | null = null;
  #before: Counts = readCounts('');
  /** What was denied so far of each key, as it was told. */
  #denied = new Map<string, number>();
  #owners = new Map<string, InstanceId>();
  readonly #pending = new Map<string, Owned>();
  #offered: { batch: string; flows: Owned[] } | null = null;
  #batches = 0;

  constructor(parts: {
    engine: Pick<Engine, 'places'>;
    locks: KeyedLocks;
    answers: Answers;
    bridges: () => readonly string[];
    table: string;
    log: Pick<Logger, 'warn'>;
  }) {
    this.#engine = parts.engine;
    this.#locks = parts.locks;
    this.#answers = parts.answers;
    this.#bridges = parts.bridges;
    this.#table = new OwnTable(parts.table);
    this.#log = parts.log;
  }

  start(): void {
    const again = (seconds: number): void => {
      this.#timer = setTimeout(() => {
        const began = performance.now();
        void this.look()
          .catch((error: unknown) => this.#log.warn({ err: error }, 'what left guests could not be read'))
          .then(() => {
            if (this.#timer !== null) again(Math.max(FLOW_SECONDS, (performance.now() - began) / 1000 / SHARE));
          });
      }, seconds * 1000);
    };
    again(FLOW_SECONDS);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** The table as it must be; what the one before has counted is read first. Errors: unavailable. */
  async check(): Promise<string[]> {
    const changed = await this.#locks.run('flows', async () => {
      await this.#look();
      const anew = await this.#table.keep(flowTable(this.#bridges()));
      if (anew) this.#startOver();
      return anew;
    });
    return changed ? ['the count of what leaves was not as wanted'] : [];
  }

  /** One look now. */
  look(): Promise<void> {
    return this.#locks.run('flows', () => this.#look());
  }

  /** Addresses change hands: what was counted belongs to who had them until now. */
  async handOver(): Promise<void> {
    await this.look();
    this.#owners = new Map();
  }

  /** What is still to be kept; the same piece again until `done` names it. */
  take(done: string | null): AgentResult<'flows'> {
    if (this.#offered !== null && this.#offered.batch === done) this.#offered = null;
    if (this.#offered === null && this.#pending.size > 0) {
      const flows: Owned[] = [];
      for (const [key, flow] of this.#pending) {
        if (flows.length === FLOWS_PER_BATCH_MAX) break;
        flows.push(flow);
        this.#pending.delete(key);
      }
      // Two agents in a row must not give the same name to different things.
      this.#offered = { batch: `${Date.now().toString(36)}-${process.pid}-${this.#batches++}`, flows };
    }
    return { batch: this.#offered?.batch ?? null, flows: this.#offered?.flows ?? [] };
  }

  async #look(): Promise<void> {
    const listing = await this.#table.readNumeric();
    if (listing === null) return;
    const counts = readCounts(listing);
    const now = new Date();
    const keys = new Set([...counts.tried.keys(), ...counts.sent.keys(), ...counts.got.keys()]);
    const denied = new Map<string, number>();
    const found: { key: string; connections: number; refused: number; sentBytes: number; receivedBytes: number }[] = [];
    for (const key of keys) {
      const connections = this.#since(counts, 'let', key).packets;
      const sum = Math.max(0, (counts.tried.get(key) ?? nothing).packets - (counts.let.get(key) ?? nothing).packets);
      const told = this.#denied.get(key) ?? 0;
      const refused = sum >= told ? sum - told : sum;
      denied.set(key, sum);
      const sentBytes = this.#since(counts, 'sent', key).bytes;
      const receivedBytes = this.#since(counts, 'got', key).bytes;
      if (connections + refused + sentBytes + receivedBytes > 0)
        found.push({ key, connections, refused, sentBytes, receivedBytes });
    }
    const more = [...counts.more.keys()].flatMap((guest) => {
      const packets = this.#since(counts, 'more', guest).packets;
      return packets > 0 ? [{ guest, packets }] : [];
    });
    if (found.length + more.length > 0) await this.#own(found, more);
    for (const { key, connections, refused, sentBytes, receivedBytes } of found) {
      const [guest = '', address = '', protocol = '', port = '0'] = key.split(' ');
      const instance = this.#owners.get(guest);
      if (instance === undefined) continue;
      const name = this.#answers.nameOf(guest, address, now.getTime());
      const of = { instance, address, protocol: protocols[protocol] ?? 'other', port: Number(port), name } as const;
      if (connections + sentBytes + receivedBytes > 0)
        this.#add({ ...of, verdict: 'allowed', connections, sentBytes, receivedBytes }, now);
      if (refused > 0)
        this.#add({ ...of, verdict: 'denied', connections: refused, sentBytes: 0, receivedBytes: 0 }, now);
    }
    for (const { guest, packets } of more) {
      const instance = this.#owners.get(guest);
      if (instance !== undefined) this.#addRest(instance, packets, now);
    }
    this.#before = counts;
    this.#denied = denied;
  }

  /** Who has the addresses; asked anew when one is unknown. */
  async #own(found: readonly { key: string }[], more: readonly { guest: string }[]): Promise<void> {
    const guests = new Set([...found.map(({ key }) => key.split(' ')[0] ?? ''), ...more.map(({ guest }) => guest)]);
    if ([...guests].every((guest) => this.#owners.has(guest))) return;
    const owners = new Map<string, InstanceId>();
    for (const { instance, address4, address6 } of await this.#engine.places()) {
      if (address4 !== null) owners.set(address4, instance);
      if (address6 !== null) owners.set(address6, instance);
    }
    this.#owners = owners;
  }

  /** Counted since the look before; an element that came anew begins at nothing. */
  #since(counts: Counts, what: keyof Counts, key: string): Counted {
    const is = counts[what].get(key) ?? nothing;
    const was = this.#before[what].get(key) ?? nothing;
    return is.packets < was.packets ? is : { packets: is.packets - was.packets, bytes: is.bytes - was.bytes };
  }

  #add(flow: Omit<Owned, 'firstAt' | 'lastAt'>, now: Date): void {
    const key = [flow.instance, flow.address, flow.protocol, flow.port, flow.verdict].join(' ');
    const known = this.#pending.get(key);
    if (known === undefined) {
      if (this.#pending.size >= FLOWS_PENDING_MAX && flow.address !== '') {
        this.#addRest(flow.instance, flow.connections, now);
        return;
      }
      this.#pending.set(key, { ...flow, firstAt: now.toISOString(), lastAt: now.toISOString() });
      return;
    }
    known.connections += flow.connections;
    known.sentBytes += flow.sentBytes;
    known.receivedBytes += flow.receivedBytes;
    known.name = flow.name ?? known.name;
    known.lastAt = now.toISOString();
  }

  /** Destinations beyond the bounds: nobody knows which. */
  #addRest(instance: InstanceId, connections: number, now: Date): void {
    const rest = { address: '', protocol: 'any', port: 0, verdict: 'allowed', name: null } as const;
    this.#add({ instance, ...rest, connections, sentBytes: 0, receivedBytes: 0 }, now);
  }

  #startOver(): void {
    this.#before = readCounts('');
    this.#denied = new Map();
  }
}
