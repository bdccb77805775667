/** Whole command lines against the real control plane in this process (real PostgreSQL, simulated driver). */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { freePort } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { PASSWORD, startTestServer, type TestServer } from '#testkit/server.ts';
import { candidates } from './completion.ts';
import { buildProgram } from './program.ts';
import { Runtime } from './runtime.ts';
import { type Ran, runCli } from './testing.ts';

const EMAIL = 'owner@example.test';
let server: TestServer;
let home = '';
let url = '';
let project = '';

async function berth(...argv: string[]): Promise<Ran> {
  return runCli(argv, { env: { HOME: home }, now: Date.now() });
}
/** Runs, expects success, parses stdout. */
async function json<T>(...argv: string[]): Promise<T> {
  const ran = await berth(...argv, '--json');
  expect(ran.code, `${argv.join(' ')}: ${ran.err}`).toBe(0);
  return JSON.parse(ran.out) as T;
}
async function ok(...argv: string[]): Promise<string> {
  const ran = await berth(...argv);
  expect(ran.code, `${argv.join(' ')}: ${ran.err}`).toBe(0);
  return ran.out;
}

type Instance = { id: string; name: string; state: string; url: string | null; size: { memoryBytes: number } };
type Accepted = { operation: { id: string; state: string; steps: { state: string }[] }; instance: Instance | null };
type List<T> = { items: T[]; nextCursor: string | null };

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'berth-cli-'));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  server = await startTestServer({
    database: await withDatabase(),
    config: { consoleOrigin: url, buildImages: ['server', 'desktop'] },
  });
  ({ project } = await server.setUp());
  await server.http.fastify.listen({ host: '127.0.0.1', port });
});
afterAll(async () => {
  await server.stop();
  rmSync(home, { recursive: true, force: true });
});

it('I2: login exchanges the password for a token that is kept for the owner alone; a wrong password is exit code 3', async () => {
  const wrong = await runCli(['login', '--url', url, '--email', EMAIL, '--password-stdin'], {
    env: { HOME: home },
    stdin: 'not the password\n',
  });
  expect(wrong.code).toBe(3);
  const right = await runCli(['login', '--url', url, '--email', EMAIL, '--password-stdin'], {
    env: { HOME: home },
    stdin: `${PASSWORD}\n`,
  });
  expect(right, right.err).toMatchObject({ code: 0 });
  const file = join(home, '.config/berth/config.json');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(file, 'utf8')).not.toContain(PASSWORD);
  expect(await ok('whoami')).toContain(EMAIL);
  expect(await json<{ items: { url: string }[] }>('contexts', 'list')).toMatchObject({
    items: [{ url, signedIn: true }],
  });
});

it('I2: login with a code: confirmed in a browser, refreshed by itself, two programs at once keep one family, logout ends it', {
  timeout: 60_000,
}, async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'berth-cli-code-'));
  const env = { HOME: elsewhere };
  const file = join(elsewhere, '.config/berth/config.json');
  const context = () =>
    (
      JSON.parse(readFileSync(file, 'utf8')) as {
        contexts: Record<string, { token: string; refreshToken: string; project?: string }>;
      }
    ).contexts['default'];
  try {
    const waiting = runCli(['login', '--url', url, '--no-browser'], { env, now: Date.now() });
    const owner = await server.anonymous.again(EMAIL);
    const code = await (async () => {
      for (;;) {
        const row = await server.app.db.selectFrom('device_login').select('user_code').executeTakeFirst();
        if (row !== undefined) return row.user_code;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    await owner.call(api.deviceLoginDecide, { params: { code }, body: { allow: true } });
    const ran = await waiting;
    expect(ran, ran.err).toMatchObject({ code: 0 });
    expect(ran.err).toContain(code);
    expect(ran.err).toContain(`${url}/device`);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect((await runCli(['whoami'], { env, now: Date.now() })).out).toContain(EMAIL);
    const first = context();

    // The access token has ended: ten programs at once, one of them refreshes.
    const later = Date.now() + 11 * 60_000;
    const many = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        runCli(index === 3 ? ['contexts', 'set-project', project] : ['whoami'], { env, now: later }),
      ),
    );
    expect(many.map((each) => [each.code, each.err])).toEqual(many.map(() => [0, '']));
    expect(context()?.refreshToken).not.toBe(first?.refreshToken);
    expect(context()?.project).toBeTruthy();
    expect(await server.app.db.selectFrom('refresh_token').selectAll().execute()).toHaveLength(2);

    // A token that the server no longer takes although it looks alive (keys were changed): the same call goes through.
    writeFileSync(file, readFileSync(file, 'utf8').replace(/("token": ")[^"]+/, '$1eyJub3QiOiJ0b2tlbiJ9.x.y'));
    expect((await runCli(['whoami'], { env, now: later })).out).toContain(EMAIL);

    // A lock that a killed program left behind.
    writeFileSync(`${file}.lock`, '999999');
    expect((await runCli(['whoami'], { env, now: later + 11 * 60_000 })).code).toBe(0);

    const sessions = await runCli(['sessions', 'list', '--json'], { env, now: later });
    expect(JSON.parse(sessions.out).items.filter((each: { current: boolean }) => each.current)).toMatchObject([
      { kind: 'client', device: expect.stringMatching(/^berth on /) },
    ]);
    const last = context();
    expect((await runCli(['logout'], { env, now: later })).out).toContain('revoked');
    expect(context()?.refreshToken).toBeUndefined();
    const late = await runCli(['whoami'], {
      env: { HOME: '/nonexistent', BERTH_URL: url, BERTH_TOKEN: last?.token ?? '' },
    });
    expect(late.code).toBe(3);
  } finally {
    rmSync(elsewhere, { recursive: true, force: true });
  }
});

it('I2: tokens with scopes do that and nothing else', async () => {
  const token = (await ok('tokens', 'create', 'reader', '--scope', '*.read')).trim();
  const as = (...argv: string[]) => runCli(argv, { env: { HOME: '/nonexistent', BERTH_URL: url, BERTH_TOKEN: token } });
  expect((await as('instances', 'list')).code).toBe(0);
  const refused = await as('projects', 'create', 'more', '--title', 'More');
  expect([refused.code, refused.err]).toEqual([4, expect.stringContaining('lacks the scope project.create')]);
  expect((await as('tokens', 'create', 'wider')).code).toBe(4);
  expect(await ok('tokens', 'list')).toContain('*.read');
  expect((await berth('tokens', 'create', 'x', '--scope', 'nonsense')).code).toBe(2);
  await ok('tokens', 'revoke', 'reader');
});

it('I2: service accounts: made, given a project, their tokens changed over, disabled, deleted', async () => {
  expect(await ok('service-accounts', 'list')).toContain('No service accounts');
  await ok('service-accounts', 'create', 'deploy', '--description', 'CI of the shop');
  expect((await berth('service-accounts', 'create', 'deploy')).code).toBe(5);
  const made = await ok('service-accounts', 'tokens', 'create', 'deploy', 'one', '--scope', 'instance.*', '*.read');
  const as = (token: string, ...argv: string[]) =>
    runCli(argv, { env: { HOME: '/nonexistent', BERTH_URL: url, BERTH_TOKEN: token.trim() } });
  expect((await as(made, 'whoami')).out).toContain('service:deploy');
  expect((await as(made, 'instances', 'list')).code).not.toBe(0);
  await ok('projects', 'share', 'service:deploy', '--role', 'member');
  expect((await as(made, 'instances', 'list')).code).toBe(0);
  expect((await as(made, 'tokens', 'list')).code).toBe(4);
  expect((await berth('service-accounts', 'tokens', 'create', 'deploy', 'x', '--expires-in-days', '9999')).code).toBe(
    2,
  );
  const { secret } = await json<{ secret: string }>('service-accounts', 'tokens', 'create', 'deploy', 'two');
  expect(await ok('service-accounts', 'tokens', 'list', 'deploy')).toMatch(/one +instance\.\* \*\.read/);
  await ok('service-accounts', 'tokens', 'revoke', 'deploy', 'one');
  expect((await as(made, 'whoami')).code).toBe(3);
  await ok('groups', 'create', 'builders');
  await ok('groups', 'add', 'builders', 'service:deploy');
  expect(await ok('groups', 'members', 'builders')).toContain('service:deploy');
  expect(await ok('service-accounts', 'list')).toMatch(/deploy +guest +builders, main \(member\) +1/);
  await ok('service-accounts', 'update', 'deploy', '--disable');
  expect((await as(secret, 'whoami')).code).toBe(3);
  await ok('service-accounts', 'update', 'service:deploy', '--enable', '--name', 'ship');
  expect((await as(secret, 'whoami')).out).toContain('service:ship');
  expect((await berth('service-accounts', 'delete', 'ship')).code).toBe(2);
  await ok('service-accounts', 'delete', 'ship', '--yes');
  expect((await as(secret, 'whoami')).code).toBe(3);
  await ok('groups', 'delete', 'builders', '--yes');
});

it('I2: keys are listed and changed', async () => {
  expect(await ok('keys', 'list')).toContain('current');
  expect((await berth('keys', 'rotate')).code).toBe(2);
  expect(await ok('keys', 'rotate', '--yes')).toContain('waiting');
});

it('D3: create with --wait shows every step and ends with the running instance', async () => {
  const ran = await berth('instances', 'create', 'server', 'web', '--size', 'small', '--wait', '--json');
  expect(ran.code, ran.err).toBe(0);
  const { operation, instance } = JSON.parse(ran.out) as Accepted;
  expect(operation.state).toBe('succeeded');
  expect(operation.steps.every((step) => step.state === 'succeeded' || step.state === 'skipped')).toBe(true);
  expect(instance).toMatchObject({ name: 'web', state: 'running', url: 'https://web.berth.localhost' });
  expect(ran.err).toContain('succeeded: ');
  expect((await ok('instances', 'open', 'web')).trim()).toBe('https://web.berth.localhost');
  expect(await ok('instances', 'list')).toMatch(/web +server +running/);
  expect(await ok('instances', 'get', 'web')).toContain('https://web.berth.localhost');
});

it('V3: stop, start, resize, rename, snapshot, roll back, clone, delete, restore, purge', async () => {
  expect(await ok('instances', 'stop', 'web', '--wait')).toContain('web is stopped');
  expect((await berth('instances', 'stop', 'web')).code).toBe(5);
  expect(await ok('instances', 'start', 'web', '--wait')).toContain('web is running');
  const resized = await json<Accepted>('instances', 'resize', 'web', '--memory', '2GiB', '--wait');
  expect(resized.instance?.size.memoryBytes).toBe(2 * 1024 ** 3);
  await ok('snapshots', 'create', 'web', 'before', '--wait');
  expect(await ok('snapshots', 'list', 'web')).toContain('before');
  expect((await berth('snapshots', 'rollback', 'web', 'before')).code).toBe(2);
  await ok('snapshots', 'rollback', 'web', 'before', '--yes', '--wait');
  await ok('instances', 'clone', 'web', 'copy', '--snapshot', 'before', '--wait');
  await ok('snapshots', 'delete', 'web', 'before', '--yes', '--wait');
  await ok('instances', 'rename', 'copy', 'second', '--wait');
  await ok('instances', 'update', 'second', '--protect');
  expect((await berth('instances', 'delete', 'second')).code).toBe(5);
  await ok('instances', 'update', 'second', '--no-protect');
  await ok('instances', 'delete', 'second', '--wait');
  expect(await ok('instances', 'list', '--deleted')).toContain('second');
  await ok('instances', 'restore', 'second', '--wait');
  await ok('instances', 'delete', 'second', '--wait');
  expect((await berth('instances', 'purge', 'second')).code).toBe(2);
  await ok('instances', 'purge', 'second', '--confirm', 'second', '--wait');
  expect((await berth('instances', 'get', 'second')).code).toBe(4);
});

it('V5: routes by short name, public and back, deleted by host name', async () => {
  const route = await json<{ hostname: string; visibility: string }>(
    'routes',
    'add',
    'web',
    'shop',
    '--port',
    '8080',
    '--public',
  );
  expect(route).toMatchObject({ hostname: 'shop.berth.localhost', visibility: 'public' });
  expect(await ok('routes', 'update', 'shop.berth.localhost', '--private', '--port', '81')).toContain('port 81');
  expect(await ok('routes', 'list')).toContain('shop.berth.localhost');
  expect((await berth('routes', 'add', 'web', 'shop', '--port', '1')).code).toBe(5);
  await ok('routes', 'delete', 'shop.berth.localhost');
  expect((await berth('routes', 'delete', 'shop.berth.localhost')).code).toBe(4);
});

it('I4: people, projects, quota, audit, tokens, images, hosts, operations', async () => {
  const invited = await json<{ link: string }>('invitations', 'send', 'grace@example.test', '--role', 'viewer');
  expect(invited.link).toContain('/invitations/');
  expect(await ok('invitations', 'list')).toContain('grace@example.test');
  await ok('invitations', 'revoke', 'grace@example.test');
  expect(await ok('members', 'list')).toContain(EMAIL);
  await ok('quotas', 'set', '--instances', '7', '--memory', '64GiB', '--desktops', '5');
  expect(await json<{ limit: { instances: number } }>('quotas', 'show')).toMatchObject({ limit: { instances: 7 } });
  await ok('quotas', 'set', 'organization', '--desktops', '500');
  expect(await ok('quotas', 'show', 'organization')).toMatch(/Desktops +\d+ +500[\s\S]*main +\d+ of 7/);
  expect(await ok('quota', 'get')).toMatch(/Instances +\d+ +7/);
  expect(await ok('audit', 'list', '--limit', '100')).toContain('instance.create');
  expect(await ok('images', 'list')).toMatch(/server +server +ready/);
  expect(await ok('images', 'build', 'server', '--force')).toContain('is ready');
  expect((await json<List<unknown>>('hosts', 'list')).items.length).toBe(1);
  const { items } = await json<List<{ id: string }>>('operations', 'list', '--instance', 'web');
  expect(await ok('operations', 'get', items.at(-1)?.id ?? '')).toContain('✓');
  expect((await berth('operations', 'watch', items.at(-1)?.id ?? '')).code).toBe(0);
  const token = (await ok('tokens', 'create', 'ci', '--expires-in-days', '1')).trim();
  const other = await runCli(['instances', 'list', '--json'], {
    env: { HOME: '/nonexistent', BERTH_URL: url, BERTH_TOKEN: token },
  });
  expect(other.code).toBe(0);
  await ok('tokens', 'revoke', 'ci');
  const revoked = await runCli(['whoami'], { env: { HOME: '/nonexistent', BERTH_URL: url, BERTH_TOKEN: token } });
  expect(revoked.code).toBe(3);
});

it('I6: the audit log is exported, verified offline, compared with a head, and kept as long as wanted', async () => {
  const file = join(home, 'audit.jsonl');
  const older = join(home, 'older.jsonl');
  expect(await ok('audit', 'export', '-o', older)).toContain('Nothing was changed');
  await ok('tokens', 'create', 'later');
  expect(await ok('audit', 'export', '--output', file)).toMatch(/Nothing was changed: \d+ entries \(1 to \d+\)/);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  const key = (await json<{ keys: { kid: string }[] }>('audit', 'status')).keys[0]?.kid ?? '';
  const head = join(home, 'head.json');
  writeFileSync(head, await ok('audit', 'head'));
  const offline = (...argv: string[]) => runCli(['audit', 'verify', ...argv], { env: { HOME: '/nonexistent' } });
  expect((await offline(file, '--key', key, '--head', head)).code).toBe(0);
  const cut = await offline(older, '--head', head);
  expect([cut.code, cut.err]).toEqual([1, expect.stringContaining('The end is missing')]);
  writeFileSync(older, readFileSync(file, 'utf8').replace('"result":"ok"', '"result":"failed"'));
  expect((await offline(older)).err).toMatch(/older\.jsonl, line \d+: Entry \d+ was changed/);
  const out = await ok('audit', 'export', '--platform', '--output', '-');
  expect(out).toContain('"chain":"platform"');
  expect((await berth('audit', 'export', '-o', '/nonexistent/x')).code).toBe(2);
  expect(await ok('audit', 'status')).toMatch(/Entries +1 to \d+\nSigned +up to \d+/);
  expect(await ok('audit', 'retention')).toContain('90 days');
  expect((await berth('audit', 'retention', '40')).code).toBe(2);
  expect(await ok('audit', 'retention', '40', '--yes')).toContain('40 days');
  expect(await ok('audit', 'retention', 'forever')).toContain('for ever');
  expect((await berth('audit', 'retention', '7', '--yes')).code).toBe(2);
  expect(await ok('audit', 'list', '--search', 'retention', '--result', 'ok')).toContain('audit.retention');
  expect(await ok('audit', 'list', '--platform')).toContain('audit.export');
});

it('I6: the key of the audit log is changed; who kept the old keys still verifies; the log of a deleted organization is found by name', async () => {
  const keys = join(home, 'audit-keys.json');
  const file = join(home, 'after-rotation.jsonl');
  writeFileSync(keys, await ok('audit', 'keys'));
  const [before] = (JSON.parse(readFileSync(keys, 'utf8')) as { keys: { kid: string }[] }).keys;
  expect((await berth('keys', 'rotate-audit')).code).toBe(2);
  expect(await ok('keys', 'rotate-audit', '--yes')).toMatch(/audit log +retired[\s\S]*audit log +signing/);
  await ok('audit', 'export', '-o', file);
  const offline = (...argv: string[]) => runCli(['audit', 'verify', ...argv], { env: { HOME: '/nonexistent' } });
  for (const key of [keys, before?.kid ?? '']) {
    const ran = await offline(file, '--key', key);
    expect([ran.code, ran.out]).toEqual([0, expect.stringContaining(`Other keys it vouches for: ${before?.kid}`)]);
  }
  expect(await ok('audit', 'status')).toContain(`Earlier    ${before?.kid}, until`);

  const owner = await server.anonymous.again(EMAIL);
  const made = await owner.call(api.organizationsCreate, { body: { name: 'gone-harbour', title: 'Gone' } });
  const params = { organization: made.id };
  const { items } = await owner.call(api.projectsList, { params });
  for (const each of items) await owner.call(api.projectsDelete, { params: { project: each.id } });
  await owner.call(api.organizationsDelete, { params });
  expect(await ok('audit', 'deleted')).toMatch(/gone-harbour .* 1 to \d+ +90 days +org_/);
  expect(await ok('audit', 'list', '--deleted', 'gone-harbour')).toContain('organizations.delete');
  expect(await ok('audit', 'status', '--deleted', made.id)).toMatch(/Entries +1 to \d+/);
  const gone = join(home, 'gone.jsonl');
  expect(await ok('audit', 'export', '--deleted', 'gone-harbour', '-o', gone)).toContain(`of ${made.id}`);
  expect((await offline(gone, '--key', keys)).code).toBe(0);
  expect((await berth('audit', 'list', '--deleted', 'never-there')).err).toContain('berth audit deleted');
});

it('I7: limits on calls and private addresses that are called', async () => {
  expect(await ok('rate-limits', 'set', 'mail=77')).toMatch(/mail .*77 +3600 +1000000/);
  expect(await ok('rate-limits', 'set', 'mail=initial')).not.toMatch(/77 +3600/);
  expect((await berth('rate-limits', 'set', 'mails=7')).code).toBe(2);
  expect((await berth('rate-limits', 'set', 'mail=0')).code).toBe(2);
  expect(await ok('outbound', 'show')).toContain('None');
  expect(await ok('outbound', 'allow', 'https://idp.corp.example:8443/')).toBe('https://idp.corp.example:8443\n');
  expect((await berth('outbound', 'allow', 'idp.corp.example')).code).toBe(2);
  expect(await ok('outbound', 'refuse', 'https://idp.corp.example:8443')).toContain('None');
});

it('I5: a quota that is used up is exit code 5 with the way out', async () => {
  await ok('quota', 'set', '--instances', '1');
  const full = await berth('instances', 'create', 'server', 'more');
  expect(full.code).toBe(5);
  expect(full.err).toContain('berth quotas show');
  expect(full.err).toContain('request id:');
  await ok('quota', 'set', '--instances', '20');
});

it('U3: several projects need a choice; the choice can be remembered', async () => {
  await ok('projects', 'create', 'class-7', '--title', 'Class 7');
  const unclear = await berth('instances', 'list');
  expect(unclear).toMatchObject({ code: 2 });
  expect(unclear.err).toContain('class-7');
  expect((await json<List<unknown>>('instances', 'list', '--project', 'class-7')).items).toEqual([]);
  await ok('contexts', 'set-project', 'class-7');
  expect((await json<List<unknown>>('instances', 'list')).items).toEqual([]);
  const near = await berth('instances', 'get', 'wbe', '--project', 'default');
  expect(near.code).toBe(4);
});

it('U3: completion offers names of the installation', async () => {
  const io = {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: { HOME: home },
    now: Date.now,
    signal: new AbortController().signal,
  };
  const runtime = new Runtime(io, {});
  const who = await runtime.whoami();
  const first = who.projects.find((project) => project.name !== 'class-7')?.name ?? '';
  expect(await candidates(runtime, buildProgram(io), ['--project', first, 'instances', 'stop', 'w'])).toEqual(['web']);
  expect(await candidates(runtime, buildProgram(io), ['images', 'build', ''])).toEqual(['server', 'desktop']);
  await runtime.close();
});

it('I2: logout revokes the token', async () => {
  const before = JSON.parse(readFileSync(join(home, '.config/berth/config.json'), 'utf8')) as {
    contexts: Record<string, { token: string }>;
  };
  const token = before.contexts['default']?.token ?? '';
  expect(await ok('logout')).toContain('revoked');
  expect((await berth('whoami')).code).toBe(3);
  const late = await runCli(['whoami'], { env: { HOME: '/nonexistent', BERTH_URL: url, BERTH_TOKEN: token } });
  expect(late.code).toBe(3);
});
