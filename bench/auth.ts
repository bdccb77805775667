/**
 * `node bench/auth.ts`: what it costs to know who somebody is and what they may do.
 * 1. Edge: one check of a session cookie, an API token and an access token, 10,000 sessions in memory, without I/O.
 * 2. The server: authorize and list 100 instances as a member with 1,000 grants, against the same list by Berth itself,
 *    which asks nobody; on a real PostgreSQL, in alternating rounds.
 * What the audit row of a change costs is measured by bench/audit.ts.
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { ACCESS_TOKEN_TYPE, accessTokenParties } from '#contract/access-tokens.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { noOrigin } from '#domain/caller.ts';
import { AccessTokens } from '#edge/access-tokens.ts';
import { identify, type Knowledge } from '#edge/callers.ts';
import { EdgeState, emptyTables, hashToken } from '#edge/state.ts';
import { authorize } from '#server/app/authorize.ts';
import { asSystem, authorizeRef } from '#server/store/authorized.ts';
import { listInstances } from '#server/store/instances.ts';
import { createDatabase } from '#testkit/databases.ts';
import { makeImage, makeInstance, newId, newName } from '#testkit/factories.ts';
import { startOwnPostgres } from '#testkit/own-postgres.ts';
import { idleWork, startTestServer } from '#testkit/server.ts';
import { median, percentile, print, round } from './measure.ts';

const SESSIONS = 10_000;
const CHECKS = 100_000;
const CHECK_GOAL_US = 50;
const GRANTS = 1_000;
const INSTANCES_PER_PROJECT = 200;
const PAGE = 100;
const CALLS = 120;
const ROUNDS = 5;
const LIST_GOAL = 0.7;
const ORIGIN = 'https://berth.localhost:9443';

/** Microseconds of one call, the median of batches: one alone is shorter than the clock is fine. */
async function microseconds(work: () => Promise<unknown>): Promise<{ p50: number; p99: number }> {
  const batch = 100;
  const samples: number[] = [];
  for (let done = -CHECKS / 10; done < CHECKS; done += batch) {
    const before = performance.now();
    for (let index = 0; index < batch; index++) await work();
    if (done >= 0) samples.push(((performance.now() - before) * 1000) / batch);
  }
  return { p50: round(median(samples), 2), p99: round(percentile(samples, 0.99), 2) };
}

async function checksAtEdge() {
  const now = Date.now();
  const pair = generateKeyPairSync('rsa', { modulusLength: 4096 });
  const { kty = '', n = '', e = '' } = pair.publicKey.export({ format: 'jwk' });
  const secrets = Array.from({ length: SESSIONS }, () => randomBytes(32).toString('base64url'));
  const apiToken = `brt_${randomBytes(32).toString('hex')}`;
  const [program, person, key] = [newId('ses'), newId('usr'), newId('key')];
  const state = new EdgeState();
  state.replace({
    ...emptyTables(),
    users: [{ id: person, email: 'ada@example.test', name: 'Ada' }],
    sessions: [
      ...secrets.map((secret) => ({
        id: newId('ses'),
        userId: person,
        hash: hashToken(secret),
        expiresAt: now + 3_600_000,
        scopes: null,
      })),
      { id: program, userId: person, hash: null, expiresAt: now + 3_600_000, scopes: null },
    ],
    tokens: [{ id: newId('tok'), userId: person, hash: hashToken(apiToken), expiresAt: null, scopes: ['*.read'] }],
    signingKeys: [{ id: key, jwk: { kty, n, e }, expiresAt: null }],
  });
  const { issuer, audience } = accessTokenParties(ORIGIN);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const seconds = Math.floor(now / 1000);
  const claims = { iss: issuer, aud: audience, sub: person, sid: program, client_id: 'berth-cli', jti: 'x' };
  const text = `${part({ alg: 'RS256', typ: ACCESS_TOKEN_TYPE, kid: key })}.${part({ ...claims, iat: seconds, exp: seconds + 600 })}`;
  const accessToken = `${text}.${sign('sha256', Buffer.from(text), pair.privateKey).toString('base64url')}`;
  const accessTokens = new AccessTokens(state, ORIGIN, () => now);
  const knowledge: Knowledge = {
    state,
    now: () => now,
    lookup: (what) => (what.by === 'accessToken' ? accessTokens.learn(what.key).then(() => {}) : null),
  };
  const check = async (headers: { cookie?: string; authorization?: string }) => {
    if ((await identify(knowledge, headers)) === undefined) throw new Error('not known');
  };
  let at = 0;
  const cookies = secrets.map((secret) => `theme=dark; __Host-berth=${secret}; other=1`);
  return {
    cookie: await microseconds(() => check({ cookie: cookies[at++ % SESSIONS] ?? '' })),
    apiToken: await microseconds(() => check({ authorization: `Bearer ${apiToken}` })),
    accessToken: await microseconds(() => check({ authorization: `Bearer ${accessToken}` })),
    /** The signature itself: once per token and ten minutes. */
    firstSight: await microseconds(() => accessTokens.learn(accessToken)),
  };
}

async function listing(url: string) {
  const server = await startTestServer({ database: { url }, startWork: idleWork });
  const { db } = server.app;
  const { owner, organization } = await server.setUp();
  const member = await owner.addMember(organization, 'member');
  const person = member.userId;
  if (person === null || owner.userId === null) throw new Error('nobody');
  const image = await makeImage(db, { name: newName('image') });
  const projects = Array.from({ length: GRANTS / INSTANCES_PER_PROJECT }, () => newId('prj'));
  for (const [index, project] of projects.entries()) {
    const name = newName('project');
    const nets = { network_index: 900 + index, subnet4: `10.79.${index}.0/24`, subnet6: `fd42:1:2:90${index}::/64` };
    await db
      .insertInto('project')
      .values({ id: project, organization_id: organization, name, title: name, ...nets })
      .execute();
    for (let made = 0; made < INSTANCES_PER_PROJECT; made++) {
      const id = await makeInstance(db, { organization, project, person: owner.userId }, { image });
      await db
        .insertInto('app_grant')
        .values({
          id: newId('grt'),
          organization_id: organization,
          app: id,
          user_id: person,
          permissions: made % 2 === 0 ? ['open'] : ['open', 'terminal'],
          granted_by: owner.userId,
        })
        .execute();
    }
  }
  const project = projects[0];
  if (project === undefined) throw new Error('no project');
  const caller: PersonCaller = {
    kind: 'person',
    serviceOf: null,
    userId: person,
    email: 'member@example.test',
    name: 'Member',
    platformAdmin: false,
    createdAt: new Date(),
    credential: { via: 'session', sessionId: newId('ses') },
    scopes: null,
    expiresAt: null,
    origin: noOrigin,
  };
  const ref = { kind: 'project', id: project } as const;
  const filter = { archived: false, limit: PAGE, kind: undefined, search: undefined, before: undefined };
  const nobody = await authorizeRef(db, asSystem('bench'), 'instance.list', ref);
  const asMember = async () => listInstances(db, await authorize(server.app, caller, 'instance.list', ref), filter);
  const without = () => listInstances(db, nobody, filter);
  const run = async (work: () => Promise<readonly unknown[]>) => {
    const before = performance.now();
    for (let call = 0; call < CALLS; call++) if ((await work()).length !== PAGE) throw new Error('not a full page');
    return (CALLS * 1000) / (performance.now() - before);
  };
  const mine: number[] = [];
  const limit: number[] = [];
  for (let index = -1; index < ROUNDS; index++) {
    const one = await run(asMember);
    const other = await run(without);
    if (index < 0) continue;
    mine.push(one);
    limit.push(other);
  }
  await server.stop();
  return { perSecond: median(mine), withoutPerSecond: median(limit), ratio: median(mine) / median(limit) };
}

const { socketDir, stop } = await startOwnPostgres('berth-bench-');
try {
  const edge = await checksAtEdge();
  const list = await listing((await createDatabase(socketDir)).url);
  print({
    name: 'auth',
    goal: `a check in edge in at most ${CHECK_GOAL_US} µs; authorize and list at least ${LIST_GOAL * 100} % of the list alone`,
    reached: edge.cookie.p50 <= CHECK_GOAL_US && edge.accessToken.p50 <= CHECK_GOAL_US && list.ratio >= LIST_GOAL,
    figures: {
      sessions: SESSIONS,
      cookieUs: edge.cookie.p50,
      cookieP99Us: edge.cookie.p99,
      apiTokenUs: edge.apiToken.p50,
      accessTokenUs: edge.accessToken.p50,
      accessTokenFirstUs: edge.firstSight.p50,
      grants: GRANTS,
      listPerSecond: round(list.perSecond),
      listAlonePerSecond: round(list.withoutPerSecond),
      listRatio: round(list.ratio, 3),
    },
  });
} finally {
  await stop();
}
