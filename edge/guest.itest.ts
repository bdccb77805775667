/** Terminals, followed logs and a web program of a real guest: real agent, real Incus, real Caddy, real edge. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { edgePath, SESSION_COOKIE, TERMINAL_SCROLLBACK_BYTES_MAX } from '#contract/edge.ts';
import type { GuestSpec } from '#drivers/interface.ts';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { testCaddy } from '#testkit/caddy.ts';
import { loopbackLookup } from '#testkit/client.ts';
import { Ingress, until } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type Guest, type Person, type SignedIn, type Tenant, Tenants } from '#testkit/tenants.ts';

let agent: TestAgent;
let spec: GuestSpec;
let ingress: Ingress;
let tenants: Tenants;
let tenant: Tenant;
let member: Person;
let session: SignedIn;
let guest: Guest;

type Message = { type: string; session?: string; resumed?: boolean; code?: number; message?: string };

/** A browser's end of a terminal or log. */
class Client {
  readonly socket: WebSocket;
  readonly closed: Promise<number>;
  readonly messages: Message[] = [];
  readonly lines: { message: string; unit: string }[] = [];
  text = '';
  bytes = 0;

  constructor(path: string, secret: string) {
    this.socket = new WebSocket(`wss://${ingress.domain}:${ingress.ports.control}${path}`, {
      ca: readFileSync(ingress.caFile),
      lookup: loopbackLookup,
      headers: { cookie: `${SESSION_COOKIE}=${secret}`, origin: ingress.consoleOrigin },
    });
    this.socket.on('message', (data, isBinary) => {
      if (isBinary) {
        this.bytes += (data as Buffer).length;
        this.text = (this.text + data.toString()).slice(-600_000);
      } else {
        const value = JSON.parse(data.toString()) as Message & { ts?: string; message: string; unit: string };
        if (value.ts === undefined) this.messages.push(value);
        else this.lines.push(value);
      }
    });
    this.socket.on('error', () => {});
    this.closed = new Promise((resolve) => this.socket.on('close', (code) => resolve(code)));
  }

  type(text: string): void {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(Buffer.from(text));
    else this.socket.once('open', () => this.socket.send(Buffer.from(text)));
  }

  saw(text: string | RegExp, timeoutMs = 60_000): Promise<void> {
    return until(`${text}`, () => this.text.match(text) !== null, timeoutMs).catch((error: Error) => {
      throw new Error(`${error.message}; seen: ${this.text.slice(-400)} ${JSON.stringify(this.messages)}`);
    });
  }
}

const terminal = (name: string, options: { user?: string; secret?: string; cols?: number } = {}) =>
  new Client(
    `${edgePath('terminal', guest.id)}?${new URLSearchParams({ session: name, user: options.user ?? 'root', cols: String(options.cols ?? 80), rows: '24' })}`,
    options.secret ?? session.secret,
  );

beforeAll(async () => {
  agent = await startAgent();
  const network = await agent.network();
  spec = agent.spec(network, 10, await agent.image());
  await agent.driver.createGuest(spec);
  await agent.driver.power(spec.instance, 'start', {});
  await agent.waitHealthy(spec);
  const database = await withDatabase();
  tenants = await Tenants.connect(database.url);
  tenant = await tenants.tenant();
  member = await tenants.person(tenant);
  session = await tenants.session(member);
  guest = await tenants.guest(tenant, member, { id: spec.instance, address: spec.address4 });
  ingress = await Ingress.start({
    caddy: await testCaddy(),
    databaseUrl: database.edgeUrl,
    agentSocket: agent.socket,
    agentToken: agent.tokens.edge,
    pool4: spec.address4.replace(/\.\d+\.\d+$/, '.0.0/16'),
  });
});
afterAll(async () => {
  await ingress?.stop();
  await tenants?.end();
  await agent?.close();
});

it('V3: a terminal runs commands, knows its size and says with which code the shell ended', async () => {
  const shell = terminal('session-one');
  await until('ready', () => shell.messages[0]?.type === 'ready');
  expect(shell.messages[0]).toMatchObject({ session: 'session-one', resumed: false });
  shell.type('echo $((6*7))-$(hostname); stty size\r');
  await shell.saw(/42-guest-10/);
  await shell.saw(/24 80/);
  shell.socket.send(JSON.stringify({ type: 'resize', cols: 101, rows: 33 }));
  await new Promise((resolve) => setTimeout(resolve, 300));
  shell.type('stty size\r');
  await shell.saw(/33 101/);
  shell.type('exit 7\r');
  expect(await shell.closed).toBe(1000);
  expect(shell.messages.at(-1)).toEqual({ type: 'exit', code: 7 });
});

it('V3: a reload keeps the shell and shows what was on it', async () => {
  const first = terminal('session-two');
  first.type('MARK=kept-4711; echo before-reload\r');
  await first.saw(/before-reload\r?\n/);
  first.socket.terminate();
  const second = terminal('session-two');
  await until('ready', () => second.messages[0]?.type === 'ready');
  expect(second.messages[0]).toMatchObject({ resumed: true });
  await second.saw(/before-reload/);
  second.type('echo still-$MARK\r');
  await second.saw(/still-kept-4711/);
  // Another window of the same person takes it over, the first one is told.
  const third = terminal('session-two');
  expect(await second.closed).toBe(4408);
  await third.saw(/still-kept-4711/);
  third.type('exit\r');
  await third.closed;
});

it('I6: a session name of somebody else opens another shell, never theirs', async () => {
  const mine = terminal('session-three');
  mine.type('SECRET=of-mine; echo set-$((1+1))\r');
  await mine.saw(/set-2/);
  const other = await tenants.person(tenant, 'operator');
  const theirs = terminal('session-three', { secret: (await tenants.session(other)).secret });
  await until('ready', () => theirs.messages[0]?.type === 'ready');
  expect(theirs.messages[0]).toMatchObject({ resumed: false });
  theirs.type('echo "[$SECRET]"\r');
  await theirs.saw(/\[\]/);
  for (const shell of [mine, theirs]) {
    shell.type('exit\r');
    await shell.closed;
  }
  const stranger = await tenants.session(await tenants.person(await tenants.tenant(), 'owner'));
  expect(await terminal('session-x1', { secret: stranger.secret }).closed).toBe(4403);
});

it('V3: a flood of output reaches a reader whole, and edge keeps only the end of it', async () => {
  const shell = terminal('session-flood');
  shell.type('head -c 20000000 /dev/zero | tr "\\0" x; echo; echo flood-done\r');
  await shell.saw(/x\r\nflood-done/, 60_000);
  expect(shell.bytes).toBeGreaterThan(20_000_000);
  shell.socket.terminate();
  const again = terminal('session-flood');
  await again.saw(/flood-done/);
  expect(again.bytes).toBeLessThanOrEqual(TERMINAL_SCROLLBACK_BYTES_MAX + 4096);
  again.type('exit\r');
  await again.closed;
});

it('V3: the log follows what happens inside', async () => {
  const log = new Client(`${edgePath('logs', guest.id)}?lines=5`, session.secret);
  await until('old lines', () => log.lines.length > 0);
  await agent.inside(spec, ['logger', '-t', 'berth-test', 'a-line-of-this-test']);
  await until('the new line', () => log.lines.some((line) => line.message.includes('a-line-of-this-test')), 60_000);
  log.socket.terminate();
});

it('V5: a program started in the guest is reachable over HTTPS, signed in and (public) not signed in', async () => {
  // The test image has Python without its library of servers.
  const program = [
    'import socket',
    's = socket.create_server(("0.0.0.0", 8000))',
    'while True:',
    '    c, _ = s.accept()',
    '    c.recv(65536)',
    '    c.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 15\\r\\nConnection: close\\r\\n\\r\\nreal-guest-page")',
    '    c.close()',
  ].join('\n');
  await agent.inside(spec, ['systemd-run', 'python3', '-c', program]);
  await tenants.route(guest, 'web.berth.localhost', 8000, 'public');
  await until('the page', async () =>
    (await ingress.ask(ingress.url('web.berth.localhost'))).body.includes('real-guest-page'),
  );
  await tenants.route(guest, 'closed.berth.localhost', 8000, 'private');
  expect((await ingress.ask(ingress.url('closed.berth.localhost'))).status).toBe(401);
  const { secret } = await tenants.token(member);
  const answer = await ingress.ask(ingress.url('closed.berth.localhost'), {
    headers: { authorization: `Bearer ${secret}` },
  });
  expect(answer.body).toContain('real-guest-page');
});

it('I4: whoever loses the right loses the open terminal and log within a second', async () => {
  const person = await tenants.person(tenant, 'member');
  const { secret } = await tenants.session(person);
  const shell = terminal('session-four', { secret });
  const log = new Client(`${edgePath('logs', guest.id)}?lines=1`, secret);
  await until('ready', () => shell.messages[0]?.type === 'ready');
  await until('log', () => log.lines.length > 0);
  const started = performance.now();
  await tenants.query(`update membership set role = 'viewer' where user_id = $1`, [person.id]);
  await tenants.hint('member', person.id, tenant.organizationId);
  expect(await Promise.all([shell.closed, log.closed])).toEqual([4403, 4403]);
  expect(performance.now() - started).toBeLessThan(1_000);
  await until('the shell is gone too', async () => (await ingress.edgeHealth())?.terminals === 0, 10_000);
});

it('V10: stopping the guest ends terminals with a reason; a killed agent too', async () => {
  const shell = terminal('session-five');
  await until('ready', () => shell.messages[0]?.type === 'ready');
  shell.type('echo up\r');
  await shell.saw(/up/);
  await agent.kill();
  expect(await shell.closed).toBe(4502);
  await agent.start();
  const again = terminal('session-six');
  again.type('echo back\r');
  await again.saw(/back/);
  await agent.driver.power(spec.instance, 'stop', { force: true });
  await tenants.observed(guest, 'stopped');
  expect([4409, 4502, 1000]).toContain(await again.closed);
  expect(await terminal('session-seven').closed).toBe(4409);
});
