/**
 * Everything edge decides with, in memory: routes by host name, instances, who is signed in, who belongs where. Rows
 * come from the edge_* views (see feed.ts) or from the snapshot on disk; this file only keeps them consistent and
 * answers. Nothing here waits for anything.
 */
import { createHash } from 'node:crypto';
import { isOwnAddress } from '#contract/machine.ts';
import type { Holding } from '#domain/authz.ts';
import { type ControlAccess, type CountryOf, controlGate, openToAll } from '#domain/control-access.ts';
import type { DesiredState, InstanceKind, InstancePhase, ObservedState } from '#domain/instances.ts';
import type { RedirectStatus, RouteRules, RouteTarget } from '#domain/route-rules.ts';
import type { Scopes } from '#domain/scopes.ts';
import { AccessTable, type EdgeAccess, type EdgeGroupMember } from './access.ts';
import { type EdgeSshTables, SshTable } from './ssh-table.ts';

export type EdgeRoute = {
  id: string;
  hostname: string;
  /** Which paths: '/' is all that no other route of the host name covers. */
  path: string;
  target: RouteTarget;
  port: number | null;
  redirect: { to: string; status: RedirectStatus } | null;
  /** Null: none. */
  rules: RouteRules | null;
  visibility: 'private' | 'public';
  organizationId: string;
  instanceId: string;
  enabled: boolean;
};

export type EdgeInstance = {
  id: string;
  organizationId: string;
  projectId: string;
  name: string;
  kind: InstanceKind;
  phase: InstancePhase;
  desired: DesiredState;
  observed: ObservedState;
  address4: string;
  address6: string;
};

/**
 * `hash` is the sha256 of the cookie's secret in base64url, null for a program (which brings access tokens);
 * `expiresAt` is Unix time in milliseconds.
 */
export type EdgeSession = {
  id: string;
  userId: string;
  hash: string | null;
  expiresAt: number;
  scopes: string[] | null;
};
/** `expiresAt` null: never. */
export type EdgeToken = {
  id: string;
  userId: string;
  hash: string;
  expiresAt: number | null;
  scopes: string[] | null;
};
/** Public half of a key that signs access tokens; `expiresAt` null: no end is set. */
export type EdgeSigningKey = { id: string; jwk: { kty: string; n: string; e: string }; expiresAt: number | null };
/** An access token whose signature was checked. */
export type EdgeAccessToken = { keyId: string; sessionId: string; userId: string; expiresAt: number };
export type EdgeUser = { id: string; email: string; name: string };

export type EdgeTables = {
  routes: EdgeRoute[];
  instances: EdgeInstance[];
  sessions: EdgeSession[];
  tokens: EdgeToken[];
  access: EdgeAccess[];
  groupMembers: EdgeGroupMember[];
  users: EdgeUser[];
  signingKeys: EdgeSigningKey[];
  /** From where the control plane may be entered; null: not understood, so from the machine itself only. */
  controlAccess: ControlAccess | null;
  /** Wildcard certificates by domain, closed: see contract/wildcards.ts. */
  wildcards: { name: string; bundle: string }[];
} & EdgeSshTables;

export const emptyTables = (): EdgeTables => ({
  routes: [],
  instances: [],
  sessions: [],
  tokens: [],
  access: [],
  groupMembers: [],
  users: [],
  signingKeys: [],
  controlAccess: openToAll,
  wildcards: [],
  sshKeys: [],
  hostKeys: [],
  places: [],
  sshEnds: [],
  sshRecorded: [],
  sshFactors: [],
  factorOrganizations: [],
});

const NO_ROUTES: readonly EdgeRoute[] = [];
/** Checked access tokens that are remembered; beyond it all are checked anew. */
const ACCESS_TOKENS_MAX = 10_000;

/** The key under which a token is known: its sha256 in base64url. */
export function hashToken(token: string): string {
  return createHash('sha256').update(token, 'utf8').digest('base64url');
}

/** A person as a request proved it: by a session (of a browser or a program) or by an API token. */
export type Caller = { kind: 'session' | 'token'; id: string; userId: string; scopes: Scopes };

export class EdgeState {
  readonly #routes = new Map<string, EdgeRoute>();
  readonly #routesByHost = new Map<string, readonly EdgeRoute[]>();
  readonly #instances = new Map<string, EdgeInstance>();
  readonly #sessions = new Map<string, EdgeSession>();
  readonly #sessionsByHash = new Map<string, EdgeSession>();
  readonly #tokens = new Map<string, EdgeToken>();
  readonly #tokensByHash = new Map<string, EdgeToken>();
  /** Who holds what where. */
  readonly access = new AccessTable();
  readonly ssh = new SshTable();
  readonly #users = new Map<string, EdgeUser>();
  readonly #signingKeys = new Map<string, EdgeSigningKey>();
  readonly #accessTokens = new Map<string, EdgeAccessToken>();
  readonly #wildcards = new Map<string, string>();
  #controlAccess: ControlAccess | null = openToAll;
  /** Whether the control plane may be entered from this address. */
  mayEnterControl = controlGate(openToAll, isOwnAddress, () => null);
  /** Who knows countries; asked at every decision. */
  countryOf: CountryOf = () => null;
  readonly #listeners = new Set<() => void>();
  /** Unix time in ms at which the database last confirmed these rows; 0: never. */
  confirmedAt = 0;

  /** The routes of a host name, the longest path first; none: the name is unknown. */
  routes(hostname: string): readonly EdgeRoute[] {
    return this.#routesByHost.get(hostname) ?? NO_ROUTES;
  }

  /** The closed certificate for everything directly below `domain`. */
  wildcard(domain: string): string | undefined {
    return this.#wildcards.get(domain);
  }

  routeById(id: string): EdgeRoute | undefined {
    return this.#routes.get(id);
  }

  instance(id: string): EdgeInstance | undefined {
    return this.#instances.get(id);
  }

  instancesNamed(name: string): EdgeInstance[] {
    return [...this.#instances.values()].filter((instance) => instance.name === name);
  }

  user(id: string): EdgeUser | undefined {
    return this.#users.get(id);
  }

  /** What the person holds on an instance of this organization at `now` (Unix ms); of an unknown one only what is wider. */
  holding(userId: string, of: { organizationId: string; instanceId: string }, now: number): Holding {
    const projectId = this.#instances.get(of.instanceId)?.projectId;
    return this.access.holding(userId, { ...of, projectId }, now);
  }

  /** The signed-in person behind a session's token hash; expired ones are nobody. */
  sessionByHash(hash: string, now: number): Caller | undefined {
    return this.#alive('session', this.#sessionsByHash.get(hash), now);
  }

  /** The person behind an access token that was checked before; its session must still live. */
  accessTokenByHash(hash: string, now: number): Caller | undefined {
    const token = this.#accessTokens.get(hash);
    if (token === undefined) return undefined;
    if (token.expiresAt <= now || this.signingKey(token.keyId, now) === undefined) {
      this.#accessTokens.delete(hash);
      return undefined;
    }
    const session = this.#sessions.get(token.sessionId);
    if (session === undefined || session.hash !== null || session.userId !== token.userId) return undefined;
    return this.#alive('session', session, now);
  }

  putAccessToken(hash: string, token: EdgeAccessToken): void {
    if (this.#accessTokens.size >= ACCESS_TOKENS_MAX) this.#accessTokens.clear();
    this.#accessTokens.set(hash, token);
  }

  signingKey(id: string, now: number): EdgeSigningKey | undefined {
    const key = this.#signingKeys.get(id);
    return key === undefined || (key.expiresAt !== null && key.expiresAt <= now) ? undefined : key;
  }

  /** Whether this session is known at all. */
  hasSession(id: string): boolean {
    return this.#sessions.has(id);
  }

  sessionById(id: string, now: number): Caller | undefined {
    return this.#alive('session', this.#sessions.get(id), now);
  }

  tokenByHash(hash: string, now: number): Caller | undefined {
    return this.#alive('token', this.#tokensByHash.get(hash), now);
  }

  /** Unix time in ms until which a session holds; undefined when there is none. */
  sessionExpiry(id: string): number | undefined {
    return this.#sessions.get(id)?.expiresAt;
  }

  /** Whether somebody who came in earlier still may be here at all (not signed out, revoked, expired or disabled). */
  stillSignedIn(caller: Caller, now: number): boolean {
    const row = caller.kind === 'session' ? this.#sessions.get(caller.id) : this.#tokens.get(caller.id);
    return this.#alive(caller.kind, row, now) !== undefined;
  }

  #alive(kind: Caller['kind'], row: EdgeSession | EdgeToken | undefined, now: number): Caller | undefined {
    if (row === undefined || (row.expiresAt !== null && row.expiresAt <= now)) return undefined;
    if (!this.#users.has(row.userId)) return undefined;
    return { kind, id: row.id, userId: row.userId, scopes: row.scopes };
  }

  /** Calls `listener` after every change; returns how to stop that. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Tells the listeners; whoever puts or removes rows calls it once at the end of a batch. */
  changed(): void {
    for (const listener of this.#listeners) listener();
  }

  putRoute(route: EdgeRoute): void {
    this.removeRoute(route.id);
    const others = this.routes(route.hostname).filter((other) => {
      if (other.path === route.path) this.#routes.delete(other.id);
      return other.path !== route.path;
    });
    this.#routes.set(route.id, route);
    this.#routesByHost.set(
      route.hostname,
      [...others, route].toSorted((one, other) => other.path.length - one.path.length),
    );
  }

  removeRoute(id: string): void {
    const old = this.#routes.get(id);
    if (old === undefined) return;
    this.#routes.delete(id);
    const rest = this.routes(old.hostname).filter((route) => route.id !== id);
    if (rest.length === 0) this.#routesByHost.delete(old.hostname);
    else this.#routesByHost.set(old.hostname, rest);
  }

  routesOf(instanceIds: ReadonlySet<string>): string[] {
    return [...this.#routes.values()].filter((route) => instanceIds.has(route.instanceId)).map((route) => route.id);
  }

  putInstance(instance: EdgeInstance): void {
    this.#instances.set(instance.id, instance);
  }

  removeInstance(id: string): void {
    this.#instances.delete(id);
  }

  putSession(session: EdgeSession): void {
    this.removeSession(session.id);
    this.#sessions.set(session.id, session);
    if (session.hash !== null) this.#sessionsByHash.set(session.hash, session);
  }

  removeSession(id: string): void {
    const old = this.#sessions.get(id);
    if (old === undefined) return;
    this.#sessions.delete(id);
    if (old.hash !== null) this.#sessionsByHash.delete(old.hash);
  }

  putToken(token: EdgeToken): void {
    this.removeToken(token.id);
    this.#tokens.set(token.id, token);
    this.#tokensByHash.set(token.hash, token);
  }

  removeToken(id: string): void {
    const old = this.#tokens.get(id);
    if (old === undefined) return;
    this.#tokens.delete(id);
    this.#tokensByHash.delete(old.hash);
  }

  /** Ids of the sessions and tokens of these people. */
  credentialsOf(userIds: ReadonlySet<string>): { sessions: string[]; tokens: string[] } {
    const of = (rows: Iterable<EdgeSession | EdgeToken>) =>
      [...rows].filter((row) => userIds.has(row.userId)).map((row) => row.id);
    return { sessions: of(this.#sessions.values()), tokens: of(this.#tokens.values()) };
  }

  putUser(user: EdgeUser): void {
    this.#users.set(user.id, user);
  }

  removeUser(id: string): void {
    this.#users.delete(id);
  }

  /** Replaces everything at once; nobody ever sees a half-loaded state, because nothing here waits. */
  replace(tables: EdgeTables): void {
    for (const map of [
      this.#routes,
      this.#routesByHost,
      this.#instances,
      this.#sessions,
      this.#sessionsByHash,
      this.#tokens,
      this.#tokensByHash,
      this.#users,
      this.#signingKeys,
      this.#wildcards,
    ])
      map.clear();
    this.access.clear();
    this.#controlAccess = tables.controlAccess;
    this.mayEnterControl = controlGate(tables.controlAccess, isOwnAddress, (address) => this.countryOf(address));
    for (const { name, bundle } of tables.wildcards) this.#wildcards.set(name, bundle);
    this.ssh.replace(tables);
    for (const user of tables.users) this.putUser(user);
    for (const key of tables.signingKeys) this.#signingKeys.set(key.id, key);
    for (const row of tables.access) this.access.put(row);
    for (const row of tables.groupMembers) this.access.putGroupMember(row);
    for (const session of tables.sessions) this.putSession(session);
    for (const token of tables.tokens) this.putToken(token);
    for (const instance of tables.instances) this.putInstance(instance);
    for (const route of tables.routes) this.putRoute(route);
    this.changed();
  }

  /** A copy of the rows, for the snapshot on disk. Expired sessions and tokens stay out. */
  dump(now: number): EdgeTables {
    return {
      routes: [...this.#routes.values()],
      instances: [...this.#instances.values()],
      sessions: [...this.#sessions.values()].filter((session) => session.expiresAt > now),
      tokens: [...this.#tokens.values()].filter((token) => token.expiresAt === null || token.expiresAt > now),
      ...this.access.dump(),
      ...this.ssh.dump(),
      users: [...this.#users.values()],
      signingKeys: [...this.#signingKeys.values()],
      controlAccess: this.#controlAccess,
      wildcards: [...this.#wildcards].map(([name, bundle]) => ({ name, bundle })),
    };
  }

  counts(): { routes: number; instances: number; sessions: number } {
    return { routes: this.#routes.size, instances: this.#instances.size, sessions: this.#sessions.size };
  }
}
