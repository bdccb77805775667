/** `grants` and `instances move` as whole command lines: what they print, `--json`, bad input, exit codes. Real control plane. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { freePort } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestClient, type TestServer } from '#testkit/server.ts';
import { fastWork } from '#testkit/work.ts';
import { type Ran, runCli } from './testing.ts';

const ADA = 'ada@example.test';
const GUS = 'gus@example.test';
let server: TestServer;
let world: SetUp;
let url = '';
let home = '';
let ownerToken = '';

const as = (token: string, ...argv: string[]): Promise<Ran> =>
  runCli(argv, { env: { HOME: home, BERTH_URL: url, BERTH_TOKEN: token }, now: Date.now() });
const berth = (...argv: string[]): Promise<Ran> => as(ownerToken, ...argv);

async function ok(...argv: string[]): Promise<string> {
  const ran = await berth(...argv);
  expect(ran.code, `${argv.join(' ')}: ${ran.err}`).toBe(0);
  return ran.out;
}
/** Runs with `--json`, expects success and nothing but JSON on stdout. */
async function json<T>(...argv: string[]): Promise<T> {
  return JSON.parse(await ok(...argv, '--json')) as T;
}
/** Runs with `--json`, expects failure: nothing on stdout, one line of JSON on stderr. */
async function refused(token: string, ...argv: string[]): Promise<{ exitCode: number; code: string; message: string }> {
  const ran = await as(token, ...argv, '--json');
  expect(ran.code, argv.join(' ')).not.toBe(0);
  expect(ran.out).toBe('');
  const lines = ran.err.trim().split('\n');
  const { error } = JSON.parse(lines.at(-1) ?? '') as { error: { exitCode: number; code: string; message: string } };
  expect(error.exitCode).toBe(ran.code);
  return error;
}

async function tokenOf(client: TestClient): Promise<string> {
  const { token } = await client.program();
  if (token === null) throw new Error('no token');
  return token;
}

type Instance = { id: string; name: string; project: string; state: string; url: string | null };
type Accepted = { operation: { id: string; state: string; title: string }; instance: Instance | null };
type Access = {
  grants: { subject: string; kind: string; email: string | null; permissions: string[]; grantedBy: string }[];
  roles: { role: string; place: string; people: number; services: number }[];
  entries: { email: string }[];
};

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'berth-cli-'));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  server = await startTestServer({
    database: await withDatabase(),
    config: { consoleOrigin: url, buildImages: ['server'] },
    work: fastWork,
  });
  world = await server.setUp();
  ownerToken = await tokenOf(world.owner);
  await server.http.fastify.listen({ host: '127.0.0.1', port });
  for (const name of ['pc1', 'pc2', 'pc3']) await ok('instances', 'create', 'server', name, '--wait');
});
afterAll(async () => {
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

describe('A7: berth grants', () => {
  let guest: TestClient;
  let guestToken: string;

  beforeAll(async () => {
    guest = await world.owner.addMember(world.organization, 'guest', GUS);
    guestToken = await tokenOf(guest);
    await world.owner.addMember(world.organization, 'member', ADA);
    await ok('groups', 'create', 'course');
    await ok('groups', 'add', 'course', ADA);
  });

  it('A7: access of an app that nobody was granted names the roles that open it, in words and as JSON', async () => {
    expect(await ok('grants', 'access', 'pc1')).toMatch(
      /owner@example\.test +open, terminal, ssh +owner of the organization/,
    );
    const access = await json<Access>('grants', 'access', 'pc1');
    expect(access).toMatchObject({ grants: [], entries: [] });
    expect(access.roles.map((each) => [each.role, each.place, each.people])).toEqual([
      ['owner', 'organization', 1],
      ['member', 'organization', 1],
    ]);
    expect(await ok('grants', 'list')).toContain('No app permissions.');
    expect(await json('grants', 'ls')).toEqual({ items: [], nextCursor: null });
  });

  it('A7: add gives a person and a group apps; list, access and apps of who has them say so', async () => {
    expect((await as(guestToken, 'apps')).out).toContain('Nothing yet.');
    expect(await ok('grants', 'add', GUS, 'pc1', 'pc2', 'pc1')).toBe('2 of 2 changed.\n');
    expect(await json('grants', 'add', 'course', 'pc1', '--may', 'open, terminal')).toEqual({ changed: 1 });
    // The same again is no change.
    expect(await ok('grant', 'add', GUS, 'pc1')).toBe('0 of 1 changed.\n');

    const listed = await ok('grants', 'list');
    expect(listed).toMatch(/\/pc1 +gus@example\.test +open +owner@example\.test/);
    expect(listed).toMatch(/\/pc1 +course \(group\) +open, terminal +owner@example\.test/);
    const of = async (...filter: string[]) =>
      (await json<{ items: unknown[] }>('grants', 'list', ...filter)).items.length;
    expect(await of()).toBe(3);
    expect(await of('--app', 'pc1')).toBe(2);
    expect(await of('--subject', GUS)).toBe(2);
    expect(await of('--subject', 'course', '--app', 'pc2')).toBe(0);

    const shown = await ok('grants', 'access', 'pc1');
    expect(shown).toMatch(/gus@example\.test +open +granted by owner@example\.test/);
    expect(shown).toMatch(/course \(group\) +open, terminal +granted by owner@example\.test/);
    const access = await json<Access>('grants', 'access', 'pc1');
    expect(access.grants.map((each) => [each.kind, each.email, each.permissions])).toEqual([
      ['group', null, ['open', 'terminal']],
      ['person', GUS, ['open']],
    ]);
    const own = JSON.parse((await as(guestToken, 'apps', '--json')).out) as {
      items: { name: string; permissions: string[] }[];
    };
    expect(own.items.map((each) => [each.name, each.permissions])).toEqual([
      ['pc1', ['open']],
      ['pc2', ['open']],
    ]);
    expect((await as(guestToken, 'apps')).out).toMatch(/pc1 +server .* open /);
  });

  it('I4: an administrator inside by an entry stands in access until they leave', async () => {
    const tenant = await world.owner.addStranger('harbour');
    const token = await tokenOf(tenant.owner);
    expect((await as(token, 'instances', 'create', 'server', 'dock', '--wait')).code).toBe(0);
    const access = async () => (await as(token, 'grants', 'access', 'dock')).out;
    expect(await access()).not.toContain('administrator');
    await ok('orgs', 'enter', 'harbour', '--reason', 'They asked for help');
    expect(await access()).toMatch(/owner@example\.test +open, terminal, ssh +administrator inside, ends/);
    await ok('orgs', 'leave', 'harbour');
    expect(await access()).not.toContain('administrator');
  });

  it('A7: who only holds a grant sees the app and neither access to it nor grants; nobody of elsewhere does', async () => {
    expect((await as(guestToken, 'instances', 'get', 'pc1')).code).toBe(0);
    for (const argv of [
      ['grants', 'access', 'pc1'],
      ['grants', 'access', 'pc3'],
      ['grants', 'list'],
      ['grants', 'add', GUS, 'pc1', '--may', 'terminal'],
      ['grants', 'remove', 'course', 'pc1'],
    ]) {
      expect([argv, await refused(guestToken, ...argv)]).toMatchObject([argv, { exitCode: 4, code: 'not_found' }]);
    }
    const { id } = await json<Instance>('instances', 'get', 'pc1');
    const stranger = await tokenOf((await world.owner.addStranger()).owner);
    expect(await refused(stranger, 'grants', 'access', id)).toMatchObject({ exitCode: 4 });
    expect(await refused('nonsense', 'grants', 'access', id)).toMatchObject({ exitCode: 3 });
  });

  it('A7: what cannot be granted is refused whole, with an exit code for each reason', async () => {
    const before = await json<unknown>('grants', 'list');
    for (const [exitCode, message, ...argv] of [
      [2, '"fly" cannot be granted', 'add', GUS, 'pc3', '--may', 'open,fly'],
      [2, '"" cannot be granted', 'add', GUS, 'pc3', '--may', ''],
      [2, 'missing required argument', 'add', GUS],
      [2, 'missing required argument', 'access'],
      [2, 'too many arguments', 'access', 'pc1', 'pc2'],
      [2, 'unknown option', 'access', 'pc1', '--who', 'x'],
      [4, 'no instance "pc9"', 'add', GUS, 'pc3', 'pc9'],
      [4, 'no instance "pc9"', 'access', 'pc9'],
      [4, 'nobody@example.test', 'add', 'nobody@example.test', 'pc3'],
      [4, '"no-such-group"', 'add', 'no-such-group', 'pc3'],
      [4, '"no-such-group"', 'list', '--subject', 'no-such-group'],
      [4, 'no instance "pc9"', 'list', '--app', 'pc9'],
      [4, '', 'access', 'ins_01jd0000000000000000000000'],
    ] as const) {
      const ran = await berth('grants', ...argv);
      expect([argv, ran.code, ran.out], ran.err).toEqual([argv, exitCode, '']);
      expect(ran.err).toContain(message);
    }
    expect(await json('grants', 'list')).toEqual(before);
    const near = await berth('grants', 'access', 'pcc1');
    expect([near.code, near.err]).toEqual([4, expect.stringContaining('Did you mean "pc1"?')]);
  });

  it('A7: remove takes it away; what is not there is no error', async () => {
    expect(await ok('grants', 'remove', GUS, 'pc1', 'pc2', 'pc3')).toBe('2 of 3 changed.\n');
    expect((await as(guestToken, 'instances', 'get', 'pc1')).code).toBe(4);
    expect(await json('grants', 'rm', 'course', 'pc1')).toEqual({ changed: 1 });
    expect(await json('grants', 'rm', 'course', 'pc1')).toEqual({ changed: 0 });
    expect((await json<Access>('grants', 'access', 'pc1')).grants).toEqual([]);
  });
});

describe('I4: berth instances move', () => {
  const place = (project: string) => ['--project', project];

  it('I4: --wait shows the steps and ends where it is now; --json is the operation and the instance', async () => {
    const side = await json<{ id: string }>('projects', 'create', 'side', '--title', 'Side');
    const main = (await world.owner.call(api.whoami)).projects.find((each) => each.id === world.project)?.name ?? '';
    await ok('routes', 'add', 'pc1', 'shop', '--port', '8080', ...place(main));
    const ran = await berth('instances', 'move', 'pc1', '--to', 'side', '--wait', '--json', ...place(main));
    expect(ran.code, ran.err).toBe(0);
    const { operation, instance } = JSON.parse(ran.out) as Accepted;
    expect(operation).toMatchObject({ state: 'succeeded', title: 'Move pc1 to side' });
    expect(instance).toMatchObject({ name: 'pc1', project: side.id, state: 'running' });
    expect(ran.err).toContain('succeeded');
    expect((await berth('instances', 'get', 'pc1', ...place(main))).code).toBe(4);
    expect(await ok('instances', 'get', 'pc1', ...place('side'))).toContain('https://pc1.berth.localhost');
    expect(await ok('routes', 'list', ...place('side'))).toContain('shop.berth.localhost');
    expect(await ok('routes', 'list', ...place(main))).not.toContain('shop.berth.localhost');

    // Without --wait it says what was accepted; by id it needs no project.
    const id = instance?.id ?? '';
    const { organization, ...accepted } = await json<Accepted & { organization?: unknown }>(
      ...['instances', 'move', id, '--to', world.project],
    );
    expect(organization).toBeUndefined();
    expect((await berth('operations', 'watch', accepted.operation.id)).code).toBe(0);
    expect(await ok('instances', 'move', 'pc1', '--to', 'side', '--wait', ...place(main))).toBe(
      'pc1 is running: https://pc1.berth.localhost\n',
    );
  });

  it('I4: to a place named ORGANIZATION/PROJECT; grants on it end there, and it says how many', async () => {
    const made = await world.owner.call(api.organizationsCreate, { body: { name: 'acme', title: 'Acme' } });
    const [target] = (await world.owner.call(api.projectsList, { params: { organization: made.id } })).items;
    await ok('grants', 'add', GUS, 'pc2', ...place(world.project));
    const ran = await berth(
      'instances',
      'move',
      'pc2',
      '--to',
      `acme/${target?.name}`,
      '--wait',
      ...place(world.project),
    );
    expect(ran.code, ran.err).toBe(0);
    expect(ran.err).toContain('1 grant on it end when it is there.');
    expect((await json<Instance>('instances', 'get', 'pc2', '--project', target?.id ?? '')).project).toBe(target?.id);
    expect(await ok('grants', 'list', '--organization', 'acme')).toContain('No app permissions.');
  });

  it('I4: what cannot be is refused with an exit code for each reason, and nothing moves', async () => {
    const main = world.project;
    await ok('instances', 'create', 'server', 'pc1', '--wait', ...place(main));
    for (const [exitCode, message, ...argv] of [
      [2, "required option '--to <project>'", 'pc3'],
      [2, 'missing required argument', '--to', 'side'],
      [2, 'It is in this project already', 'pc3', '--to', main],
      [4, 'no project "nowhere"', 'pc3', '--to', 'nowhere'],
      [4, 'no project "acme/nowhere"', 'pc3', '--to', 'acme/nowhere'],
      [4, 'no project "prj_01jd0000000000000000000000"', 'pc3', '--to', 'prj_01jd0000000000000000000000'],
      [4, 'no instance "pc9"', 'pc9', '--to', 'side'],
      [2, '"soon" is not a duration', 'pc3', '--to', 'side', '--wait', '--timeout', 'soon'],
      // There is another one of this name.
      [5, 'has an instance called "pc1" already', 'pc1', '--to', 'side'],
    ] as const) {
      const ran = await berth('instances', 'move', ...argv, ...place(main));
      expect([argv, ran.code, ran.out], ran.err).toEqual([argv, exitCode, '']);
      expect(ran.err).toContain(message);
    }
    expect(await refused(ownerToken, 'instances', 'move', 'pc1', '--to', 'side', ...place(main))).toMatchObject({
      exitCode: 5,
      code: 'name_taken',
    });
    await ok('quotas', 'set', '--instances', '1', '--project', 'side');
    expect(await refused(ownerToken, 'instances', 'move', 'pc3', '--to', 'side', ...place(main))).toMatchObject({
      exitCode: 5,
      code: 'quota_exceeded',
    });
    expect((await json<Instance>('instances', 'get', 'pc3', ...place(main))).project).toBe(main);
  });

  it('I4: whoever may not take it away here or make one there is told that there is none', async () => {
    const viewer = await tokenOf(await world.owner.addMember(world.organization, 'viewer'));
    expect(await refused(viewer, 'instances', 'move', 'pc3', '--to', 'side', ...place(world.project))).toMatchObject({
      exitCode: 4,
    });
    const member = await tokenOf(await world.owner.addMember(world.organization, 'member'));
    expect(
      await refused(member, 'instances', 'move', 'pc3', '--to', 'acme/default', ...place(world.project)),
    ).toMatchObject({ exitCode: 4 });
  });
});
