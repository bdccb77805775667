/** Several processes of the gateway: bounds, lists and ends hold over all of them, and one that dies takes only its own. */

import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { enrolTotp, totpCode } from '#testkit/authenticator.ts';
import { until } from '#testkit/ingress.ts';
import { SshStack } from '#testkit/ssh.ts';

let stack: SshStack;
let guest: Awaited<ReturnType<SshStack['guest']>>;
let key: string;
beforeAll(async () => {
  stack = await SshStack.start();
  await stack.killGateway('SIGTERM');
  await stack.startGateway(2);
  guest = await stack.guest();
  const pair = await stack.keyPair();
  key = pair.file;
  await stack.home.owner.call(api.sshKeysAdd, { body: { publicKey: pair.line, label: 'laptop' } });
});
afterAll(() => stack?.close());

const params = () => ({ instance: guest.id });
const sessions = async () => (await stack.home.owner.call(api.sshSessionsList, { params: params() })).items;
const living = async () => (await sessions()).filter((session) => session.endedAt === null);
const connect = async () => {
  const client = stack.open(guest.name, key, ['echo up; sleep 600']);
  await until('it is up', () => client.log.text.includes('up'));
  return client;
};
const health = (): Promise<{ waiting: number; sessions: number; workers: number }> =>
  new Promise((resolve, reject) => {
    const asked = request({ socketPath: join(stack.dir, 'gateway.sock'), path: '/healthz' }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => {
        text += chunk.toString();
      });
      response.on('end', () => resolve(JSON.parse(text)));
    });
    asked.on('error', reject);
    asked.end();
  });
/** Pids of the workers. */
const workers = (): number[] =>
  readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const parent = /^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${name}/status`, 'utf8'))?.[1];
      const line = readFileSync(`/proc/${name}/cmdline`, 'utf8');
      return Number(parent) === stack.gatewayPid && line.includes('--worker') ? [Number(name)] : [];
    } catch {
      return [];
    }
  });

it('V4: connections are spread, listed and ended whichever process carries them', async () => {
  await until('both are ready', async () => (await health()).workers === 2);
  expect(workers()).toHaveLength(2);
  const clients = [await connect(), await connect(), await connect()];
  await until('all are listed', async () => (await living()).length === 3);
  await until('all are counted', async () => (await health()).sessions === 3);
  for (const session of await living())
    await stack.home.owner.call(api.sshSessionsEnd, { params: { ...params(), session: session.id } });
  await Promise.all(clients.map(({ ended }) => ended));
  for (const { log } of clients) expect(log.text).toContain('Somebody ended it in Berth.');
  await until('nobody is left', async () => (await living()).length === 0);
});

it('V4: 100 silent connections from one address, also the own one, keep nobody out: the bound is over all processes', async () => {
  const silent = Array.from({ length: 100 }, () => stack.silent('127.0.0.1'));
  let gone = 0;
  for (const socket of silent) {
    socket.resume();
    socket.on('error', () => {});
    socket.on('close', () => gone++);
  }
  await until('most are dropped', () => gone >= 90);
  expect((await health()).waiting).toBeLessThanOrEqual(10);
  // Whoever speaks SSH is not pushed out by who says nothing, however many come meanwhile.
  const more = setInterval(() => {
    const socket = stack.silent('127.0.0.1');
    socket.resume();
    socket.on('error', () => {});
    silent.push(socket);
  }, 20);
  try {
    expect((await stack.ssh(guest.name, key, ['echo in'])).stdout).toBe('in\n');
  } finally {
    clearInterval(more);
    for (const socket of silent) socket.destroy();
  }
});

it('R1: kill -9 of one worker cuts its own connections and no others, is told at once, and another takes its place', async () => {
  await until('both are ready', async () => (await health()).workers === 2);
  const clients = [await connect(), await connect()];
  await until('both are listed', async () => (await living()).length === 2);
  await until('both are counted', async () => (await health()).sessions === 2);
  const [first = 0] = workers();
  process.kill(first, 'SIGKILL');
  const cut = await Promise.race(clients.map(async (client) => (await client.ended, client)));
  const other = clients.find((client) => client !== cut);
  await until('its end is known', async () => (await living()).length === 1);
  expect((await sessions()).some((each) => each.endReason?.includes('process of the SSH gateway'))).toBe(true);
  await until('another is there', async () => (await health()).workers === 2);
  expect(workers()).not.toContain(first);
  expect(other?.child.exitCode).toBeNull();
  for (let round = 0; round < 3; round++) expect((await stack.ssh(guest.name, key, ['echo in'])).stdout).toBe('in\n');
  other?.child.kill();
});

it('V4: where the organization asks for a second factor, a key is half of it', async () => {
  const { owner, organization } = stack.home;
  const { secret } = await enrolTotp(owner, new Date(Date.now() - 30_000));
  await owner.call(api.organizationSignInUpdate, { params: { organization }, body: { secondFactorRequired: true } });
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  // A program that cannot answer does not get in.
  const alone = await stack.ssh(guest.name, key, ['echo in']);
  expect(alone).toMatchObject({ code: 255, stdout: '' });
  const answering = (answers: string[]) => stack.sshAsking(guest.name, answers, ['echo in'], [], key);
  const wrong = await answering(['000000', '000001', '000002', '000003']);
  expect(wrong).toMatchObject({ code: 255, stdout: '' });
  const right = await answering([totpCode(secret, new Date())]);
  expect(right.stdout, right.stderr).toBe('in\n');
  // The code alone, without the key, asks for the password first.
  const noKey = await stack.sshAsking(guest.name, [totpCode(secret, new Date()), 'x', 'x'], ['echo in']);
  expect(noKey).toMatchObject({ code: 255, stdout: '' });
  const rows = await stack.server.app.db
    .selectFrom('audit')
    .select(['result', 'actor'])
    .where('action', '=', 'instance.ssh.factor')
    .execute();
  expect(rows.filter((row) => row.result === 'refused').length).toBeGreaterThanOrEqual(1);
  expect(rows.filter((row) => row.result === 'ok')).toHaveLength(1);
  // A connection that is in survives a restart of edge: the factor is known for it.
  const later = totpCode(secret, new Date(Date.now() + 30_000));
  const client = stack.open(guest.name, key, ['echo up; sleep 600'], [], [later]);
  await until('it is up', () => client.log.text.includes('up'), 60_000);
  await stack.killEdge();
  await stack.startEdge();
  await new Promise((resolve) => setTimeout(resolve, 3_000));
  expect(client.child.exitCode, client.log.text).toBeNull();
  client.child.kill();
});
