/** What the gateway tells, who sees it, and who may end it; host keys as the keeper reads them. */
import { mkdtempSync, rmSync } from 'node:fs';
import { request, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { InstanceId, UserId } from '#domain/ids.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { hostKeyKeeper } from '#server/reconcilers/host-key-keeper.ts';
import { makeInstance, newId } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { guest } from '#testkit/row-makers.ts';
import { type SetUp, startTestServer, type TestClient, TestClock, type TestServer } from '#testkit/server.ts';
import { sshReportServer } from '../http/ssh-reports.ts';

const clock = new TestClock();
let server: TestServer;
let home: SetUp;
let instance: InstanceId;
let member: TestClient;
let operator: TestClient;
let door: Server;
let dir = '';

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'berth-reports-'));
  server = await startTestServer({
    database: await withDatabase(),
    clock,
    driver: new SimulatedDriver(),
    work: { withoutReconcilers: true },
  });
  home = await server.setUp();
  member = await home.owner.addMember(home.organization, 'member');
  operator = await home.owner.addMember(home.organization, 'operator');
  instance = await makeInstance(server.app.db, place());
  door = sshReportServer(server.app);
  await new Promise<void>((resolve) => door.listen(join(dir, 'reports.sock'), resolve));
});
afterAll(async () => {
  door?.close();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const place = () => ({ organization: home.organization, project: home.project, person: home.owner.userId as UserId });

function tell(call: string, body: unknown): Promise<number> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath: join(dir, 'reports.sock'), path: `/v1/${call}`, method: 'POST' }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', reject);
    sent.end(text);
  });
}

const begin = (user: UserId, more: object = {}) => ({
  session: newId('shs'),
  user,
  instance,
  method: 'password',
  fingerprint: null,
  address: '192.0.2.9',
  client: 'OpenSSH_9.2',
  startedAt: clock.now().toISOString(),
  ...more,
});
const list = async (of: TestClient) => (await of.call(api.sshSessionsList, { params: { instance } })).items;

it('V4: what the gateway tells is listed; told twice is told once; counters move, and the end closes it', async () => {
  const told = begin(member.userId as UserId);
  expect(await tell('begin', told)).toBe(204);
  expect(await tell('begin', told)).toBe(204);
  expect(await tell('beat', { sessions: [{ session: told.session, bytesIn: 5, bytesOut: 9 }] })).toBe(204);
  expect(await list(home.owner)).toMatchObject([{ id: told.session, bytesIn: 5, bytesOut: 9, address: '192.0.2.9' }]);
  clock.advance({ seconds: 90 });
  const end = { session: told.session, reason: 'The client left.', bytesIn: 6, bytesOut: 10 };
  expect(await tell('end', { ...end, endedAt: clock.now().toISOString() })).toBe(204);
  expect(await tell('end', { ...end, endedAt: clock.now().toISOString() })).toBe(204);
  expect(await list(home.owner)).toMatchObject([{ endReason: 'The client left.', bytesOut: 10 }]);
  const rows = await server.app.db
    .selectFrom('audit')
    .select(['action', 'actor_id', 'after'])
    .where('target_id', '=', instance)
    .orderBy('seq')
    .execute();
  expect(rows).toMatchObject([
    { action: 'instance.ssh.begin', actor_id: member.userId },
    { action: 'instance.ssh.end', actor_id: member.userId, after: { seconds: 90, bytesIn: 6 } },
  ]);
});

it('V4: nonsense at that door changes nothing', async () => {
  const before = await list(home.owner);
  const told = begin(member.userId as UserId);
  for (const [call, body, status] of [
    ['begin', { ...told, admin: true }, 400],
    ['begin', { ...told, user: 'root' }, 400],
    ['begin', { ...told, instance: newId('ins') }, 404],
    ['begin', { ...told, user: newId('usr') }, 404],
    ['begin', '{', 400],
    [
      'beat',
      { sessions: Array.from({ length: 1_001 }, () => ({ session: told.session, bytesIn: 1, bytesOut: 1 })) },
      400,
    ],
    ['end', { session: told.session, reason: '', bytesIn: -1, bytesOut: 0, endedAt: 'now' }, 400],
    ['grant', {}, 404],
    ['begin', 'x'.repeat(200_000), 413],
  ] as const) {
    expect(await tell(call, body), call).toBe(status);
  }
  expect(await list(home.owner)).toEqual(before);
});

it('V4: people see and end their own; operators everybody’s; nobody through another instance', async () => {
  const mine = begin(member.userId as UserId);
  const theirs = begin(home.owner.userId as UserId);
  await tell('begin', mine);
  await tell('begin', theirs);
  const seen = await list(member);
  expect(seen.every((session) => session.user.id === member.userId)).toBe(true);
  expect((await list(operator)).map((session) => session.id)).toContain(theirs.session);
  const viewer = await home.owner.addMember(home.organization, 'viewer');
  expect((await viewer.try(api.sshSessionsList, { params: { instance } })).statusCode).toBe(404);
  const end = (by: TestClient, session: string, at: InstanceId = instance) =>
    by.try(api.sshSessionsEnd, { params: { instance: at, session } }).then((answer) => answer.statusCode);
  const other = await makeInstance(server.app.db, place());
  expect(await end(member, theirs.session)).toBe(404);
  expect(await end(operator, theirs.session, other)).toBe(404);
  expect(await end(member, mine.session)).toBe(204);
  expect(await end(operator, theirs.session)).toBe(204);
  const { rows } = await server.app.db
    .selectFrom('outbox')
    .select(['ref'])
    .where('kind', '=', 'ssh')
    .where('ref', '=', mine.session)
    .execute()
    .then((found) => ({ rows: found }));
  expect(rows).toHaveLength(2);
});

it('V4: host keys are pinned once, by the keeper; another one is refused, shown, and accepted by who may', async () => {
  const driver = server.driver as SimulatedDriver;
  const { params: at } = await guest({ db: server.app.db, driver, place: place(), caller: null });
  const running = at?.instance as InstanceId;
  const keeper = hostKeyKeeper(server.app.services);
  await keeper.run(new AbortController().signal);
  const params = { instance: running };
  const pinned = await home.owner.call(api.sshAccess, { params });
  expect(pinned.hostKeys.fingerprints).toHaveLength(1);
  expect(pinned.hostKeys.pinnedAt).not.toBeNull();
  const calls = driver.faults.countOf('sshHostKeys');
  await keeper.run(new AbortController().signal);
  expect(driver.faults.countOf('sshHostKeys')).toBeLessThanOrEqual(calls + 1);
  expect(await tell('hostKey', { instance: running, key: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA' })).toBe(204);
  expect((await home.owner.call(api.sshAccess, { params })).hostKeys.refused?.fingerprint).toMatch(/^SHA256:/);
  const viewer = await home.owner.addMember(home.organization, 'viewer');
  expect((await viewer.try(api.sshHostKeysAccept, { params, body: {} })).statusCode).toBe(404);
  expect((await member.call(api.sshHostKeysAccept, { params, body: {} })).hostKeys.refused).toBeNull();
});

it('V4: who could not be asked for host keys while it booted is asked again soon, not only after a quarter of a minute', async () => {
  const driver = server.driver as SimulatedDriver;
  const { params: at } = await guest({ db: server.app.db, driver, place: place(), caller: null });
  const params = { instance: at?.instance as InstanceId };
  const pinnedAt = async () => (await home.owner.call(api.sshAccess, { params })).hostKeys.pinnedAt;
  const keeper = hostKeyKeeper(server.app.services);
  driver.faults.fail({ verb: 'sshHostKeys', times: Infinity });
  await keeper.run(new AbortController().signal);
  driver.faults.clear();
  expect(await pinnedAt()).toBeNull();
  clock.advance({ seconds: 1 });
  await keeper.run(new AbortController().signal);
  expect(await pinnedAt()).not.toBeNull();
});
