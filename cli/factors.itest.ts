/** I3 in the terminal: signing in with a second factor, confirming, listing and removing. Real control plane. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { enrolPasskey, enrolTotp, totpCode } from '#testkit/authenticator.ts';
import { freePort } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, PASSWORD, type SetUp, startTestServer, TestClock, type TestServer } from '#testkit/server.ts';
import { type Ran, runCli } from './testing.ts';

const EMAIL = 'owner@example.test';
const clock = new TestClock();
let server: TestServer;
let world: SetUp;
let home = '';
let url = '';
let factors: { secret: string; recoveryCodes: string[] };

const berth = (argv: string[], stdin = ''): Promise<Ran> =>
  runCli(argv, { env: { HOME: home }, now: clock.now().getTime(), stdin });
const login = (...more: string[]) =>
  berth(['login', '--url', url, '--email', EMAIL, '--password-stdin', ...more], `${PASSWORD}\n`);
async function ok(...argv: string[]): Promise<string> {
  const ran = await berth(argv);
  expect(ran.code, `${argv.join(' ')}: ${ran.err}`).toBe(0);
  return ran.out;
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'berth-cli-'));
  const port = await freePort();
  url = `http://127.0.0.1:${port}`;
  server = await startTestServer({
    database: await withDatabase(),
    startWork: idleWork,
    clock,
    config: { consoleOrigin: url, domain: '127.0.0.1' },
  });
  world = await server.setUp();
  factors = await enrolTotp(world.owner, clock.now());
  clock.advance({ seconds: 31 });
  await server.http.fastify.listen({ host: '127.0.0.1', port });
});
afterAll(async () => {
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

it('I3: login asks for the second factor; without it, or with a wrong one, nothing is kept', async () => {
  const without = await login();
  expect(without.code).toBe(3);
  expect(without.err).toContain('--code');
  const wrong = await login('--code', '000000');
  expect(wrong.code).toBe(3);
  expect(wrong.err).toContain('Check e-mail, password and code');
  expect((await berth(['whoami'])).code).toBe(3);
  const right = await login('--code', totpCode(factors.secret, clock.now()));
  expect(right.code, right.err).toBe(0);
  expect(await ok('whoami')).toContain(EMAIL);
  const replay = await login('--code', totpCode(factors.secret, clock.now()));
  expect(replay.code, 'the same code again').toBe(3);
  const recovery = await login('--code', factors.recoveryCodes[0] ?? '');
  expect(recovery.code, recovery.err).toBe(0);
  expect(readFileSync(join(home, '.config/berth/config.json'), 'utf8')).not.toContain(factors.recoveryCodes[0]);
});

it('I3: what is dangerous asks for a fresh confirmation, by password or code', async () => {
  clock.advance({ minutes: 11 });
  const refused = await berth(['factors', 'recovery-codes', '--yes']);
  expect(refused.code).toBe(3);
  expect(refused.err).toContain('berth confirm');
  expect((await berth(['confirm', '--password-stdin'], 'not it at all\n')).code).not.toBe(0);
  const confirmed = await berth(['confirm', '--password-stdin'], `${PASSWORD}\n`);
  expect(confirmed.code, confirmed.err).toBe(0);
  const codes = (await ok('factors', 'recovery-codes', '--yes')).trim().split('\n');
  expect(codes).toHaveLength(10);
  clock.advance({ minutes: 11 });
  await ok('confirm', '--code', codes[0] ?? '');
  await ok('factors', 'recovery-codes', '--yes');
});

it('I3: factors are listed and removed; a member who lost theirs is helped; the rule is shown and changed', async () => {
  await enrolPasskey(world.owner, { rpId: '127.0.0.1', origin: url }, 'Blue key').catch(async () => {
    await world.owner.call(api.confirm, { body: { type: 'password', password: PASSWORD } });
    await enrolPasskey(world.owner, { rpId: '127.0.0.1', origin: url }, 'Blue key');
  });
  const listed = await ok('factors', 'list');
  expect(listed).toMatch(/authenticator app +totp/);
  expect(listed).toMatch(/passkey +Blue key/);
  expect(listed).toContain('Recovery codes left: 10');
  expect(await ok('factors', 'rule')).toContain('optional');
  expect(await ok('factors', 'rule', '--required')).toContain('asks every member');
  expect(await ok('factors', 'rule', '--optional')).toContain('optional');
  const member = await world.owner.addMember(world.organization, 'member', 'lost@example.test');
  await enrolTotp(member, clock.now());
  expect((await berth(['factors', 'reset-member', 'lost@example.test'])).code, 'asks first').toBe(2);
  await ok('factors', 'reset-member', 'lost@example.test', '--yes');
  expect((await member.try(api.whoami)).statusCode).toBe(401);
  const again = await member.again('lost@example.test');
  await enrolTotp(again, clock.now());
  await ok('factors', 'reset-user', member.userId ?? '', '--yes');
  await ok('factors', 'remove', 'totp', '--yes');
  await ok('factors', 'remove', 'Blue key', '--yes');
  expect(await ok('factors', 'list')).toContain('No second factor');
  expect((await berth(['factors', 'remove', 'totp', '--yes'])).code).toBe(2);
});

it('I3: where a passkey is all there is, login says what to do instead', async () => {
  const member = await world.owner.addMember(world.organization, 'member', 'key@example.test');
  await enrolPasskey(member, { rpId: '127.0.0.1', origin: url });
  await server.app.db.deleteFrom('recovery_code').execute();
  const ran = await berth(['login', '--url', url, '--email', 'key@example.test', '--password-stdin'], `${PASSWORD}\n`);
  expect(ran.code).toBe(3);
  expect(ran.err).toContain('--token-stdin');
});
