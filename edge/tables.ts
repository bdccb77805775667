/** The queries on the edge_* views and how their rows become the state's. Column names are the views'. */
import type pg from 'pg';
import { parseControlAccess } from '#domain/control-access.ts';
import type { EdgeAccess, EdgeGroupMember } from './access.ts';
import type { Lookup, Plan } from './feed.ts';
import type { EdgeHostKey, EdgePlace, EdgeSshFactor, EdgeSshKey, EdgeSshRecorded } from './ssh-table.ts';
import type {
  EdgeInstance,
  EdgeRoute,
  EdgeSession,
  EdgeSigningKey,
  EdgeState,
  EdgeTables,
  EdgeToken,
  EdgeUser,
} from './state.ts';

const ROUTE = `select id, hostname, path, target, port, visibility, organization_id as "organizationId",
  instance_id as "instanceId", enabled, options as rules, case when redirect_to is not null
  then json_build_object('to', redirect_to, 'status', redirect_status) end as redirect from edge_route`;
const INSTANCE = `select id, organization_id as "organizationId", project_id as "projectId", name, kind, phase, desired, observed,
  address4, address6 from edge_instance`;
const SESSION = `select id, user_id as "userId", token_hash, expires_at, scopes from edge_session`;
const TOKEN = `select id, user_id as "userId", token_hash, expires_at, scopes from edge_api_token`;
const ACCESS = `select organization_id as "organizationId", project_id as "projectId", instance_id as "instanceId", subject, role,
  array(select p from unnest(permissions) p where p in ('open', 'terminal', 'ssh')) as permissions,
  (extract(epoch from expires_at) * 1000)::float8 as "expiresAt" from edge_access`;
const GROUP_MEMBER = `select organization_id as "organizationId", group_id as "groupId", user_id as "userId" from edge_group_member`;
const USER = `select id, email, name from edge_user`;

const SSH_KEY = `select id, user_id as "userId", fingerprint, label from edge_ssh_key`;
const HOST_KEY = `select instance_id as "instanceId", public_keys as "publicKeys" from edge_host_key`;
const PLACE = `select project_id as "projectId", project, organization from edge_place`;
const SSH_END = `select id from edge_ssh_end`;
const SSH_RECORDED = `select subject, is_full as "isFull" from edge_ssh_recorded`;
const SSH_FACTOR = `select session_id as session, user_id as "userId" from edge_ssh_factor`;
const FACTOR_ORGANIZATION = `select id from edge_factor_organization`;

const SIGNING_KEY = `select id, public_jwk as jwk, (extract(epoch from expires_at) * 1000)::float8 as "expiresAt" from edge_signing_key`;

type Credential = {
  id: string;
  userId: string;
  token_hash: Buffer | null;
  expires_at: Date | null;
  scopes: string[] | null;
};

function session(row: Credential): EdgeSession {
  return {
    id: row.id,
    userId: row.userId,
    hash: row.token_hash?.toString('base64url') ?? null,
    expiresAt: row.expires_at === null ? 0 : row.expires_at.getTime(),
    scopes: row.scopes,
  };
}

function token(row: Credential): EdgeToken {
  return {
    id: row.id,
    userId: row.userId,
    hash: row.token_hash?.toString('base64url') ?? '',
    expiresAt: row.expires_at === null ? null : row.expires_at.getTime(),
    scopes: row.scopes,
  };
}

/** Times of the database have microseconds; an entry must not end later here than there. */
function wholeMs<T extends { expiresAt: number | null }>(row: T): T {
  return row.expiresAt === null ? row : { ...row, expiresAt: Math.floor(row.expiresAt) };
}

async function all<T extends object>(client: pg.Client, text: string, values: unknown[] = []): Promise<T[]> {
  return (await client.query<T>(text, values)).rows;
}

/** Every row edge keeps; the caller holds one transaction around it. */
export async function readAll(client: pg.Client): Promise<EdgeTables> {
  const routes = await all<EdgeRoute>(client, ROUTE);
  const instances = await all<EdgeInstance>(client, INSTANCE);
  const sessions = await all<Credential>(client, `${SESSION} where expires_at > now()`);
  const tokens = await all<Credential>(client, `${TOKEN} where expires_at is null or expires_at > now()`);
  const access = (await all<EdgeAccess>(client, ACCESS)).map(wholeMs);
  const groupMembers = await all<EdgeGroupMember>(client, GROUP_MEMBER);
  const users = await all<EdgeUser>(client, USER);
  const [control] = await all<{ value: unknown }>(client, 'select value from edge_control_access');
  const wildcards = await all<{ name: string; bundle: string }>(client, 'select name, bundle from edge_wildcard');
  const signingKeys = (await all<EdgeSigningKey>(client, SIGNING_KEY)).map(wholeMs);
  const sshKeys = await all<EdgeSshKey>(client, SSH_KEY);
  const hostKeys = await all<EdgeHostKey>(client, HOST_KEY);
  const places = await all<EdgePlace>(client, PLACE);
  const sshEnds = await all<{ id: string }>(client, SSH_END);
  const sshRecorded = await all<EdgeSshRecorded>(client, SSH_RECORDED);
  const sshFactors = await all<EdgeSshFactor>(client, SSH_FACTOR);
  const factorOrganizations = await all<{ id: string }>(client, FACTOR_ORGANIZATION);
  return {
    routes,
    instances,
    sessions: sessions.map(session),
    tokens: tokens.map(token),
    access,
    groupMembers,
    users,
    signingKeys,
    controlAccess: parseControlAccess(control?.value),
    wildcards,
    sshKeys,
    hostKeys,
    places,
    sshEnds: sshEnds.map(({ id }) => id),
    sshRecorded,
    sshFactors,
    factorOrganizations: factorOrganizations.map(({ id }) => id),
  };
}

/** Reads again what the plan names; rows that are gone are forgotten. */
export async function readPlan(client: pg.Client, plan: Plan, state: EdgeState): Promise<void> {
  if (plan.instances.size > 0 || plan.routes.size > 0) {
    const instanceIds = [...plan.instances];
    const routeIds = [...plan.routes];
    const routes = await all<EdgeRoute>(client, `${ROUTE} where id = any($1) or instance_id = any($2)`, [
      routeIds,
      instanceIds,
    ]);
    const instances = await all<EdgeInstance>(client, `${INSTANCE} where id = any($1)`, [instanceIds]);
    // A route may name an instance that was made in the same transaction but hinted separately.
    const strangers = [...new Set(routes.map((route) => route.instanceId))].filter(
      (id) => !plan.instances.has(id) && state.instance(id) === undefined,
    );
    if (strangers.length > 0)
      instances.push(...(await all<EdgeInstance>(client, `${INSTANCE} where id = any($1)`, [strangers])));
    for (const id of instanceIds) state.removeInstance(id);
    for (const instance of instances) state.putInstance(instance);
    await readHostKeys(client, [...instanceIds, ...strangers], state);
    await readRecorded(client, [...instanceIds, ...strangers], state);
    for (const id of [...routeIds, ...state.routesOf(plan.instances)]) state.removeRoute(id);
    for (const route of routes) state.putRoute(route);
  }
  if (plan.projects.size > 0 || plan.organizations.size > 0) await readPlaces(client, plan, state);
  if (plan.sshSessions.size > 0) {
    const ended = await all<{ id: string }>(client, `${SSH_END} where id = any($1)`, [[...plan.sshSessions]]);
    state.ssh.putEnds(
      plan.sshSessions,
      ended.map(({ id }) => id),
    );
  }
  if (plan.users.size > 0) await readUsers(client, plan.users, state);
  if (plan.organizations.size > 0) {
    const list = [[...plan.organizations]];
    const access = await all<EdgeAccess>(client, `${ACCESS} where organization_id = any($1)`, list);
    const groupMembers = await all<EdgeGroupMember>(client, `${GROUP_MEMBER} where organization_id = any($1)`, list);
    const strangers = access.map((row) => row.subject).filter((id) => state.user(id) === undefined);
    const users = strangers.length === 0 ? [] : await all<EdgeUser>(client, `${USER} where id = any($1)`, [strangers]);
    await readRecorded(client, list[0] ?? [], state);
    const asking = await all<{ id: string }>(client, `${FACTOR_ORGANIZATION} where id = any($1)`, list);
    state.ssh.putFactorOrganizations(
      plan.organizations,
      asking.map(({ id }) => id),
    );
    state.access.removeOrganizations(plan.organizations);
    for (const user of users) state.putUser(user);
    for (const row of access) state.access.put(wholeMs(row));
    for (const row of groupMembers) state.access.putGroupMember(row);
  }
}

/** New names of projects are seen when they are named; those of projects that are gone lead nowhere. */
async function readPlaces(client: pg.Client, plan: Plan, state: EdgeState): Promise<void> {
  const some =
    plan.organizations.size > 0
      ? await all<EdgePlace>(client, PLACE)
      : await all<EdgePlace>(client, `${PLACE} where project_id = any($1)`, [[...plan.projects]]);
  for (const place of some) state.ssh.putPlace(place);
}

async function readHostKeys(client: pg.Client, instances: string[], state: EdgeState): Promise<void> {
  const rows = await all<EdgeHostKey>(client, `${HOST_KEY} where instance_id = any($1)`, [instances]);
  for (const id of instances) state.ssh.removeHostKey(id);
  for (const row of rows) state.ssh.putHostKey(row);
}

async function readRecorded(client: pg.Client, subjects: string[], state: EdgeState): Promise<void> {
  state.ssh.putRecorded(
    subjects,
    await all<EdgeSshRecorded>(client, `${SSH_RECORDED} where subject = any($1)`, [subjects]),
  );
}

/** One person with everything that proves who they are and where they belong. */
async function readUsers(client: pg.Client, ids: ReadonlySet<string>, state: EdgeState): Promise<void> {
  const list = [[...ids]];
  const users = await all<EdgeUser>(client, `${USER} where id = any($1)`, list);
  const sessions = await all<Credential>(client, `${SESSION} where user_id = any($1) and expires_at > now()`, list);
  const tokens = await all<Credential>(client, `${TOKEN} where user_id = any($1)`, list);
  const sshKeys = await all<EdgeSshKey>(client, `${SSH_KEY} where user_id = any($1)`, list);
  const groupMembers = await all<EdgeGroupMember>(client, `${GROUP_MEMBER} where user_id = any($1)`, list);
  const subjects = new Set([...ids, ...groupMembers.map((row) => row.groupId)]);
  const access = await all<EdgeAccess>(client, `${ACCESS} where subject = any($1)`, [[...subjects]]);
  const old = state.credentialsOf(ids);
  for (const id of old.sessions) state.removeSession(id);
  for (const id of old.tokens) state.removeToken(id);
  for (const id of ids) state.removeUser(id);
  state.ssh.removeKeysOf(ids);
  for (const key of sshKeys) state.ssh.putKey(key);
  state.access.removeSubjects(subjects);
  for (const user of users) state.putUser(user);
  for (const row of sessions) state.putSession(session(row));
  for (const row of tokens) state.putToken(token(row));
  for (const row of access) state.access.put(wholeMs(row));
  for (const row of groupMembers) state.access.putGroupMember(row);
}

/** One direct question; true when something was found (and put into the state). */
export async function readOne(client: pg.Client, what: Lookup, state: EdgeState): Promise<boolean> {
  switch (what.by) {
    case 'hostname': {
      const routes = await all<EdgeRoute>(client, `${ROUTE} where hostname = $1`, [what.key]);
      const [route] = routes;
      if (route === undefined) return false;
      const [instance] = await all<EdgeInstance>(client, `${INSTANCE} where id = $1`, [route.instanceId]);
      if (instance !== undefined) state.putInstance(instance);
      for (const one of routes) state.putRoute(one);
      return true;
    }
    case 'instance': {
      const [instance] = await all<EdgeInstance>(client, `${INSTANCE} where id = $1`, [what.key]);
      if (instance !== undefined) {
        state.putInstance(instance);
        await readHostKeys(client, [instance.id], state);
        await readRecorded(client, [instance.id, instance.organizationId], state);
      }
      return instance !== undefined;
    }
    case 'sshFactor': {
      const [factor] = await all<EdgeSshFactor>(client, `${SSH_FACTOR} where session_id = $1`, [what.key]);
      if (factor !== undefined) state.ssh.putFactor(factor);
      return factor !== undefined;
    }
    case 'accessToken':
      // The database knows no access tokens: access-tokens.ts answers these.
      return false;
    case 'sessionHash':
    case 'sessionId':
    case 'tokenHash': {
      const text =
        what.by === 'sessionId'
          ? `${SESSION} where id = $1`
          : `${what.by === 'sessionHash' ? SESSION : TOKEN} where token_hash = $1`;
      const key = what.by === 'sessionId' ? what.key : Buffer.from(what.key, 'base64url');
      const [row] = await all<Credential>(client, text, [key]);
      if (row === undefined) return false;
      await readUsers(client, new Set([row.userId]), state);
      return true;
    }
  }
}
