/**
 * Keeps the state equal to the database: everything is loaded once per connection, then only what the outbox names is
 * read again. The outbox is read by visibility, not by number: "committed since the snapshot of my last read" is a
 * question PostgreSQL answers exactly (pg_visible_in_snapshot), so a transaction that commits late is never skipped and
 * nothing is read twice. Notifications only make it quicker; the timer alone keeps it correct.
 */
import pg from 'pg';
import type { EdgeState } from './state.ts';
import * as rows from './tables.ts';

export const OUTBOX_CHANNEL = 'berth_outbox';
export const OUTBOX_ROWS_MAX = 5000;
export const POLL_MS = 1000;
/** A pause longer than this (a suspended process) means that rows may have been swept: load all. */
export const POLL_GAP_MS_MAX = 60_000;
/** Safety net against anything the hints did not tell. */
export const RELOAD_MS = 300_000;
const QUERY_TIMEOUT_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;
const RECONNECT_MS_MIN = 100;
const RECONNECT_MS_MAX = 2_000;
export const LOOKUP_TIMEOUT_MS = 1_000;
/** How long "there is none" is believed. */
export const LOOKUP_MISS_MS = 1_000;
export const LOOKUPS_PER_SECOND_MAX = 200;
const LOOKUP_MISSES_MAX = 10_000;

export type FeedLog = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
};

/** What one look-up asks for: a key that a request brought and memory does not have (or has in a doubtful state). */
export type Lookup = {
  by: 'hostname' | 'sessionHash' | 'sessionId' | 'tokenHash' | 'accessToken' | 'instance' | 'sshFactor';
  key: string;
};

type Hint = { kind: string; ref: string; organization_id: string | null; instance_id: string | null };

/** What a batch of hints asks to be read again. */
export type Plan = {
  all: boolean;
  instances: Set<string>;
  routes: Set<string>;
  users: Set<string>;
  organizations: Set<string>;
  projects: Set<string>;
  sshSessions: Set<string>;
};

/** Prefixes of ids whose rows edge does not keep. */
const irrelevant = new Set([
  'opr',
  'snp',
  'img',
  'hst',
  'aud',
  'inv',
  'eml',
  'rgc',
  'fwd',
  'dom',
  'dnp',
  'sgr',
  'cpy',
  'vlt',
  'srd',
]);

/** Sorts hints by what their ids are; an id of an unknown sort means "read all again". Pure. */
export function planHints(hints: Iterable<Pick<Hint, 'ref' | 'organization_id' | 'kind'>>): Plan {
  const plan: Plan = {
    all: false,
    instances: new Set(),
    routes: new Set(),
    users: new Set(),
    organizations: new Set(),
    projects: new Set(),
    sshSessions: new Set(),
  };
  for (const { kind, ref, organization_id } of hints) {
    const prefix = ref.slice(0, ref.indexOf('_'));
    if (prefix === 'ins') plan.instances.add(ref);
    else if (prefix === 'rte') plan.routes.add(ref);
    else if (prefix === 'usr') plan.users.add(ref);
    else if (prefix === 'org') plan.organizations.add(ref);
    else if (prefix === 'prj') plan.projects.add(ref);
    else if (prefix === 'shs') plan.sshSessions.add(ref);
    else if (!irrelevant.has(prefix)) plan.all = true;
    if (kind === 'member') {
      if (organization_id === null) plan.all = true;
      else plan.organizations.add(organization_id);
    }
  }
  return plan;
}

export type FeedOptions = {
  url: string;
  state: EdgeState;
  log: FeedLog;
  now: () => number;
};

export class Feed {
  readonly #options: FeedOptions;
  #client: pg.Client | null = null;
  #position: string | null = null;
  #polledAt = 0;
  #reloadedAt = 0;
  #busy = false;
  #again = false;
  #stopped = false;
  #backoff = RECONNECT_MS_MIN;
  #lostFor: string | null = null;
  #timer: NodeJS.Timeout | null = null;
  /** Reads of the database never interleave: an answer that is put into the state is never older than one before it. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #misses = new Map<string, number>();
  readonly #pending = new Map<string, Promise<void>>();
  #lookupsLeft = LOOKUPS_PER_SECOND_MAX;
  #lookupsSince = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  /** True while the database answers and the state follows it. */
  get live(): boolean {
    return this.#client !== null && this.#position !== null;
  }

  /** Starts following; resolves after the first attempt (loaded, or failed and trying again by itself). */
  async start(): Promise<void> {
    await this.#connect();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const client = this.#client;
    this.#client = null;
    this.#position = null;
    await client?.end().catch(() => {});
  }

  async #connect(): Promise<void> {
    if (this.#stopped) return;
    const client = new pg.Client({
      connectionString: this.#options.url,
      application_name: 'berth-edge',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      query_timeout: QUERY_TIMEOUT_MS,
      statement_timeout: QUERY_TIMEOUT_MS,
      keepAlive: true,
    });
    const lost = (error?: Error) => this.#lost(client, error);
    client.on('error', lost);
    client.on('end', () => lost());
    client.on('notification', () => void this.#poll());
    this.#client = client;
    try {
      await client.connect();
      await client.query(`listen ${OUTBOX_CHANNEL}`);
      await this.#inTurn(() => this.#reload(client));
      this.#backoff = RECONNECT_MS_MIN;
      this.#lostFor = null;
      this.#options.log.info(this.#options.state.counts(), 'following the database');
      this.#schedule();
    } catch (error) {
      lost(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #lost(client: pg.Client, error?: Error): void {
    if (this.#client !== client) return;
    this.#client = null;
    this.#position = null;
    this.#busy = false;
    client.end().catch(() => {});
    if (this.#stopped) return;
    const reason = error?.message ?? 'the connection ended';
    // Said once, not at every try.
    if (reason !== this.#lostFor)
      this.#options.log.warn({ error: reason }, 'the database is away; serving from memory');
    this.#lostFor = reason;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(), this.#backoff);
    this.#backoff = Math.min(this.#backoff * 2, RECONNECT_MS_MAX);
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }

  #schedule(): void {
    if (this.#stopped || this.#client === null) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#poll(), POLL_MS);
  }

  async #reload(client: pg.Client): Promise<void> {
    await client.query('begin isolation level repeatable read read only');
    try {
      const { rows: position } = await client.query<{ at: string }>('select pg_current_snapshot()::text as at');
      const tables = await rows.readAll(client);
      await client.query('commit');
      this.#options.state.replace(tables);
      this.#position = position[0]!.at;
      this.#polledAt = this.#reloadedAt = this.#options.now();
      this.#options.state.confirmedAt = this.#polledAt;
    } catch (error) {
      await client.query('rollback').catch(() => {});
      throw error;
    }
  }

  /** Reads what was committed since the last read; one at a time, and once more when asked meanwhile. */
  async #poll(): Promise<void> {
    const client = this.#client;
    if (client === null || this.#position === null) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    try {
      do {
        this.#again = false;
        await this.#inTurn(() => this.#pollOnce(client));
      } while (this.#again && this.#client === client);
    } catch (error) {
      this.#lost(client, error instanceof Error ? error : new Error(String(error)));
      return;
    } finally {
      if (this.#client === client) this.#busy = false;
    }
    this.#schedule();
  }

  async #pollOnce(client: pg.Client): Promise<void> {
    const { now, state } = this.#options;
    if (now() - this.#polledAt > POLL_GAP_MS_MAX || now() - this.#reloadedAt > RELOAD_MS) {
      await this.#reload(client);
      return;
    }
    const startedAt = now();
    const { rows: found } = await client.query<Hint & { at: string; seq: string | null }>({
      name: 'berth_edge_poll',
      text: `select pos.at::text as at, o.*
               from (select pg_current_snapshot() as at) pos
               left join lateral (
                 select seq, kind, ref, organization_id, instance_id from edge_outbox
                  where txid >= pg_snapshot_xmin($1::pg_snapshot) and not pg_visible_in_snapshot(txid, $1::pg_snapshot)
                  order by txid, seq limit ${OUTBOX_ROWS_MAX + 1}
               ) o on true`,
      values: [this.#position],
    });
    const hints = found.filter((row) => row.seq !== null);
    if (hints.length > OUTBOX_ROWS_MAX) {
      await this.#reload(client);
      return;
    }
    if (hints.length > 0) {
      const plan = planHints(hints);
      if (plan.all) {
        await this.#reload(client);
        return;
      }
      await rows.readPlan(client, plan, state);
    }
    this.#position = found[0]!.at;
    this.#polledAt = startedAt;
    state.confirmedAt = startedAt;
    if (hints.length > 0) state.changed();
  }

  /**
   * Asks the database for one thing at once; afterwards the state has it, or there is none. Returns a promise only when
   * something was asked: null means "believe memory" (asked a moment ago, database away, or too many questions).
   * `missMs` is how long the answer is believed.
   */
  lookup(what: Lookup, missMs: number = LOOKUP_MISS_MS): Promise<void> | null {
    const client = this.#client;
    if (client === null || this.#position === null) return null;
    const key = `${what.by} ${what.key}`;
    const pending = this.#pending.get(key);
    if (pending !== undefined) return pending;
    const now = this.#options.now();
    const missedAt = this.#misses.get(key);
    if (missedAt !== undefined && now - missedAt < missMs) return null;
    if (now - this.#lookupsSince >= 1000) {
      this.#lookupsSince = now;
      this.#lookupsLeft = LOOKUPS_PER_SECOND_MAX;
    }
    if (this.#lookupsLeft <= 0) return null;
    this.#lookupsLeft--;
    if (this.#misses.size >= LOOKUP_MISSES_MAX) this.#misses.clear();
    this.#misses.set(key, now);
    const asked = this.#inTurn(() => rows.readOne(client, what, this.#options.state))
      .then((found) => {
        if (found) this.#options.state.changed();
      })
      .catch(() => {});
    const bounded = Promise.race([
      asked,
      new Promise<void>((resolve) => setTimeout(resolve, LOOKUP_TIMEOUT_MS).unref()),
    ]).finally(() => this.#pending.delete(key));
    this.#pending.set(key, bounded);
    return bounded;
  }
}
