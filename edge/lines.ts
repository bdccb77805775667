/**
 * Plain answers under way: pages, downloads, uploads. Caddy brings them between client and instance without edge, and
 * cannot be asked to end one of them. But edge is asked before each, so it knows by which of a client's connections
 * somebody was let in where. When that may no longer be, the agent cuts the connection in the kernel; connections of
 * other clients, and what nobody lost the right to, are left alone.
 */
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { AGENT_CUTS_MAX, type CutClient } from '#contract/agent.ts';
import { closeCodes } from '#contract/edge.ts';
import type { Knowledge } from './callers.ts';
import type { Doors } from './doors.ts';
import { mayComeFrom } from './route-rules.ts';
import type { Caller, EdgeInstance, EdgeRoute } from './state.ts';
import { RECHECK_MS } from './watch.ts';

/** Connections of clients that are remembered; of more the oldest are forgotten, and go on to their end. */
export const LINES_MAX = 20_000;
/** What is finished within this time is not cut: small answers end by themselves, and their connection is used again. */
const GRACE_MS = 200;
const PRUNE_MS = 30_000;
const ESTABLISHED = '01';
const CLOSE_WAIT = '08';

/** The client's end of a connection, as Caddy saw it; `many`: several requests at once go through it (HTTP/2). */
export type LineEnd = { address: string; port: number; many: boolean };

/** What Caddy tells of it: address, and `HTTP/2.0 50123`; undefined when it says nothing that makes sense. */
export function lineEnd(address: string, line: string): LineEnd | undefined {
  const space = line.indexOf(' ');
  const port = Number(line.slice(space + 1));
  if (space < 1 || address === '' || !Number.isInteger(port) || port < 1 || port > 65_535) return undefined;
  return { address, port, many: !line.startsWith('HTTP/1') };
}

/** Somebody let in to one place: by which connections. */
type Use = {
  caller: Caller | undefined;
  hostname: string;
  routeId: string;
  instanceId: string;
  address: string;
  port: number;
  /** The route when who may come from where was last looked at. */
  seen: EdgeRoute;
  lines: Set<Line>;
};
type Line = LineEnd & { key: string; uses: Set<Use> };

export type LinesOptions = {
  knowledge: Knowledge;
  doors: Pick<Doors, 'refusal'>;
  /** Ends these connections. Errors: any, then it is asked again. */
  cut(clients: readonly CutClient[]): Promise<void>;
  /** The port that clients come to. */
  httpsPort: number;
  log: { warn(fields: object, message: string): void };
};

export class Lines {
  readonly #o: LinesOptions;
  /** By the client's end; the longest unused first. */
  readonly #lines = new Map<string, Line>();
  readonly #uses = new Map<string, Use>();
  /** To be cut, and from when on. */
  readonly #ending = new Map<string, { client: CutClient; at: number }>();
  readonly #timers: NodeJS.Timeout[];
  readonly #forgetState: () => void;
  #cutting = false;
  #soon: NodeJS.Timeout | null = null;

  constructor(options: LinesOptions) {
    this.#o = options;
    this.#forgetState = options.knowledge.state.onChange(() => this.#recheck());
    this.#timers = [
      setInterval(() => this.#recheck(), RECHECK_MS).unref(),
      setInterval(() => void this.prune(), PRUNE_MS).unref(),
    ];
  }

  get size(): number {
    return this.#lines.size;
  }

  /** A request of `caller` (undefined: of nobody known, to a public route) goes to the instance. */
  entered(end: LineEnd, caller: Caller | undefined, route: EdgeRoute, instance: EdgeInstance): void {
    const key = `${end.address} ${end.port}`;
    const useKey = `${caller?.id ?? ''} ${route.id} ${instance.address4} ${route.port}`;
    let use = this.#uses.get(useKey);
    let line = this.#lines.get(key);
    // Another connection with the same end: the one before is closed.
    if (line !== undefined && line.many !== end.many) {
      this.#forget(line);
      line = undefined;
    }
    if (use !== undefined && line?.uses.has(use) === true && (line.many || line.uses.size === 1)) return;
    // One request after the other: the one before has its answer.
    if (!end.many) {
      if (line !== undefined) this.#leave(line);
      this.#ending.delete(key);
    }
    if (use === undefined) {
      use = {
        caller,
        hostname: route.hostname,
        routeId: route.id,
        instanceId: instance.id,
        address: instance.address4,
        port: route.port ?? 0,
        seen: route,
        lines: new Set(),
      };
      this.#uses.set(useKey, use);
    }
    if (line === undefined) {
      if (this.#lines.size >= LINES_MAX) this.#forgetOldest();
      line = { ...end, key, uses: new Set() };
      this.#lines.set(key, line);
    }
    line.uses.add(use);
    use.lines.add(line);
  }

  /** A request was refused or goes another way: on a connection with one request at a time, nothing is under way. */
  notEntered(end: LineEnd): void {
    if (end.many) return;
    const key = `${end.address} ${end.port}`;
    this.#ending.delete(key);
    const line = this.#lines.get(key);
    if (line !== undefined) this.#forget(line);
  }

  #leave(line: Line): void {
    for (const use of line.uses) use.lines.delete(line);
    line.uses.clear();
  }

  #forget(line: Line): void {
    this.#leave(line);
    this.#lines.delete(line.key);
  }

  #forgetOldest(): void {
    const [oldest] = this.#lines.values();
    if (oldest !== undefined) this.#forget(oldest);
  }

  /** Whether what was allowed is allowed no more. What stopped ends by itself. */
  #isOver(use: Use): boolean {
    const { state } = this.#o.knowledge;
    const route = state.routeById(use.routeId);
    const same =
      route !== undefined &&
      route.hostname === use.hostname &&
      route.enabled &&
      route.target === 'port' &&
      route.instanceId === use.instanceId &&
      route.port === use.port &&
      state.instance(use.instanceId)?.address4 === use.address;
    if (!same) return true;
    if (route.visibility === 'public') return false;
    const refusal = this.#o.doors.refusal(use.caller, 'instance.open', use.instanceId);
    return refusal !== null && refusal.code !== closeCodes.notRunning;
  }

  #recheck(): void {
    const { state, now } = this.#o.knowledge;
    for (const [key, use] of this.#uses) {
      if (use.lines.size === 0) {
        this.#uses.delete(key);
        continue;
      }
      const route = state.routeById(use.routeId);
      if (route === undefined || this.#isOver(use)) {
        for (const line of use.lines) this.#end(line, now());
        continue;
      }
      if (use.seen === route) continue;
      use.seen = route;
      for (const line of use.lines) if (!mayComeFrom(route, line.address)) this.#end(line, now());
    }
    this.#flush();
  }

  #end(line: Line, now: number): void {
    this.#forget(line);
    if (this.#ending.size >= LINES_MAX || isIP(line.address) === 0 || line.address.includes('%')) return;
    this.#ending.set(line.key, { client: { address: line.address, port: line.port }, at: now + GRACE_MS });
  }

  /** Has everything cut whose time has come; what fails is tried again. */
  #flush(): void {
    if (this.#cutting || this.#ending.size === 0) return;
    const now = this.#o.knowledge.now();
    const due = [...this.#ending].filter(([, { at }]) => at <= now).slice(0, AGENT_CUTS_MAX);
    if (due.length === 0) {
      this.#soon ??= setTimeout(() => {
        this.#soon = null;
        this.#flush();
      }, GRACE_MS).unref();
      return;
    }
    this.#cutting = true;
    this.#o.cut(due.map(([, { client }]) => client)).then(
      () => {
        for (const [key, entry] of due) if (this.#ending.get(key) === entry) this.#ending.delete(key);
        this.#cutting = false;
        this.#flush();
      },
      (error: unknown) => {
        this.#o.log.warn({ err: error, connections: due.length }, 'connections could not be cut; tried again');
        this.#cutting = false;
      },
    );
  }

  /** Forgets connections that are closed. */
  async prune(): Promise<void> {
    if (this.#lines.size === 0) return;
    const open = new Set<number>();
    try {
      for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
        for (const port of clientPorts(await readFile(file, 'latin1'), this.#o.httpsPort)) open.add(port);
      }
    } catch {
      // Without them only the bound holds.
      return;
    }
    for (const line of this.#lines.values()) if (!open.has(line.port)) this.#forget(line);
  }

  stop(): void {
    this.#forgetState();
    for (const timer of this.#timers) clearInterval(timer);
    if (this.#soon !== null) clearTimeout(this.#soon);
  }
}

/** Ports of the other ends of what is open at `port`, out of the text of /proc/net/tcp or tcp6. */
export function clientPorts(table: string, port: number): number[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return table.split('\n').flatMap((row) => {
    const [, here = '', there = '', state = ''] = row.trim().split(/\s+/);
    if (!here.endsWith(local) || (state !== ESTABLISHED && state !== CLOSE_WAIT)) return [];
    return [Number.parseInt(there.slice(there.lastIndexOf(':') + 1), 16)];
  });
}
