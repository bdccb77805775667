/**
 * SSH through the whole chain: a real agent with a real guest, the real edge and gateway processes, the control plane in
 * this process with its socket for the gateway, and OpenSSH's own clients.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { api } from '#contract/api.ts';
import type { EdgeConfig, SshGatewayConfig } from '#contract/config.ts';
import type { InstanceId } from '#domain/ids.ts';
import type { GuestSpec } from '#drivers/interface.ts';
import { sshReportServer } from '#server/http/ssh-reports.ts';
import { startAgent, type TestAgent } from './agent.ts';
import { makeInstance, newName } from './factories.ts';
import { freePort, until } from './ingress.ts';
import { withDatabase } from './postgres.ts';
import { type SetUp, startTestServer, type TestServer } from './server.ts';

const run = promisify(execFile);
const program = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const OUTPUT_BYTES_MAX = 64 * 1024 * 1024;
const START_MS_MAX = 60_000;

export type Ran = { code: number; stdout: string; stderr: string };
type Child = { process: ChildProcess; log: { text: string } };

function start(main: string, config: string): Child {
  const child = spawn(process.execPath, [program(main), '--config', config], { stdio: ['ignore', 'pipe', 'pipe'] });
  const log = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      log.text = (log.text + chunk.toString()).slice(-200_000);
    });
  }
  return { process: child, log };
}

/** Options of a client that has a key and may be asked as well. */
function withKey(options: string[], key: string | null): string[] {
  if (key === null) return options;
  return [
    ...options.filter(
      (option, at) => option !== 'PubkeyAuthentication=no' && options[at + 1] !== 'PubkeyAuthentication=no',
    ),
    '-i',
    key,
  ];
}

async function kill(child: Child | null, signal: NodeJS.Signals): Promise<void> {
  const process_ = child?.process;
  if (process_ === undefined || process_.exitCode !== null || process_.signalCode !== null) return;
  const gone = new Promise((resolve) => process_.once('exit', resolve));
  process_.kill(signal);
  await gone;
}

export class SshStack {
  readonly dir: string;
  readonly agent: TestAgent;
  readonly server: TestServer;
  readonly home: SetUp;
  readonly port: number;
  readonly #edgeUrl: string;
  #edge: Child | null = null;
  #gateway: Child | null = null;
  #http: Server | null = null;

  private constructor(parts: {
    dir: string;
    agent: TestAgent;
    server: TestServer;
    home: SetUp;
    port: number;
    edgeUrl: string;
  }) {
    this.dir = parts.dir;
    this.agent = parts.agent;
    this.server = parts.server;
    this.home = parts.home;
    this.port = parts.port;
    this.#edgeUrl = parts.edgeUrl;
  }

  static async start(): Promise<SshStack> {
    const agent = await startAgent();
    const dir = mkdtempSync(join(tmpdir(), 'berth-ssh-'));
    try {
      const database = await withDatabase();
      const port = await freePort();
      await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', join(dir, 'host_key')]);
      writeFileSync(join(dir, 'host_keys.pub'), readFileSync(join(dir, 'host_key.pub')));
      mkdirSync(join(dir, 'recordings'));
      const server = await startTestServer({
        database,
        driver: agent.driver,
        config: {
          ssh: {
            port,
            socket: join(dir, 'reports.sock'),
            hostKeysFile: join(dir, 'host_keys.pub'),
            recordings: join(dir, 'recordings'),
          },
        },
        work: { withoutReconcilers: true },
      });
      const home = await server.setUp();
      const stack = new SshStack({ dir, agent, server, home, port, edgeUrl: database.edgeUrl });
      await stack.listen();
      await stack.startEdge();
      await stack.startGateway();
      return stack;
    } catch (error) {
      await agent.close();
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
  }

  #socket(name: string): string {
    return join(this.dir, `${name}.sock`);
  }

  /** The control plane's sockets. */
  async listen(): Promise<void> {
    const http = sshReportServer(this.server.app);
    this.#http = http;
    rmSync(this.#socket('reports'), { force: true });
    await new Promise<void>((resolve) => http.listen(this.#socket('reports'), resolve));
    rmSync(this.#socket('server'), { force: true });
    await this.server.http.fastify.listen({ path: this.#socket('server') });
  }

  /** As if the control plane were gone. */
  async silence(): Promise<void> {
    this.#http?.closeAllConnections();
    await new Promise((resolve) => this.#http?.close(resolve));
  }

  async unsilence(): Promise<void> {
    const http = sshReportServer(this.server.app);
    this.#http = http;
    rmSync(this.#socket('reports'), { force: true });
    await new Promise<void>((resolve) => http.listen(this.#socket('reports'), resolve));
  }

  async startEdge(): Promise<void> {
    const secret = (name: string, text: string) => {
      const file = join(this.dir, name);
      writeFileSync(file, text, { mode: 0o600 });
      return file;
    };
    const config: EdgeConfig = {
      installation: 'testss',
      domain: 'berth.localhost',
      ports: { control: 9443, https: 443, http: 80 },
      consoleOrigin: this.server.app.config.consoleOrigin,
      logLevel: 'info',
      socket: this.#socket('edge'),
      bridgeSocket: this.#socket('bridge'),
      sshSocket: this.#socket('edge-ssh'),
      database: { url: this.#edgeUrl },
      agent: { socket: this.agent.socket, tokenFile: secret('agent.token', this.agent.tokens.edge) },
      secrets: { edgeKeyFile: secret('edge.key', randomBytes(32).toString('base64')) },
      snapshotDir: join(this.dir, 'snapshot'),
      network: { pool4: '10.128.0.0/9', prefix6: 'fd42:1:2' },
    };
    const file = join(this.dir, 'edge.json');
    writeFileSync(file, JSON.stringify(config));
    const child = start('edge/main.ts', file);
    this.#edge = child;
    await until(
      'edge is ready',
      () => {
        if (child.process.exitCode !== null) throw new Error(`edge ended: ${child.log.text}`);
        return child.log.text.includes('"ready"');
      },
      START_MS_MAX,
    );
  }

  killEdge(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    return kill(this.#edge, signal);
  }

  /** `workers`: how many processes carry connections. */
  async startGateway(workers = 1): Promise<void> {
    const config: SshGatewayConfig = {
      logLevel: 'info',
      socket: this.#socket('gateway'),
      listen: { host: '0.0.0.0', port: this.port },
      hostKeyFiles: [join(this.dir, 'host_key')],
      nextHostKeyFile: join(this.dir, 'host_key.next'),
      workers,
      edgeSocket: this.#socket('edge-ssh'),
      serverSocket: this.#socket('server'),
      reportSocket: this.#socket('reports'),
      consoleOrigin: this.server.app.config.consoleOrigin,
      recordings: join(this.dir, 'recordings'),
    };
    const file = join(this.dir, 'gateway.json');
    writeFileSync(file, JSON.stringify(config));
    const child = start('ssh-gateway/main.ts', file);
    this.#gateway = child;
    await until(
      'the gateway listens',
      () => {
        if (child.process.exitCode !== null) throw new Error(`the gateway ended: ${child.log.text}`);
        return child.log.text.includes('"listening"');
      },
      START_MS_MAX,
    );
  }

  killGateway(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    return kill(this.#gateway, signal);
  }

  get gatewayPid(): number {
    return this.#gateway?.process.pid ?? 0;
  }

  logs(): string {
    return `edge: ${this.#edge?.log.text ?? ''}\ngateway: ${this.#gateway?.log.text ?? ''}\nagent: ${this.agent.log().slice(-3000)}`;
  }

  /** A guest that runs, with the account for people in it and its row; its host keys are pinned. */
  async guest(name = newName('web')): Promise<{ spec: GuestSpec; id: InstanceId; name: string }> {
    const { agent, server, home } = this;
    const network = await agent.network();
    const spec = agent.spec(network, 10, await agent.image(), { hostname: name });
    await agent.driver.createGuest(spec);
    await agent.driver.power(spec.instance, 'start', {});
    await agent.waitHealthy(spec);
    const { db } = server.app;
    const place = { organization: home.organization, project: home.project, person: home.owner.userId! };
    const made = await makeInstance(db, place, { phase: 'ready', observed: 'running', name });
    // The row of the guest that is there: same id and address.
    await db
      .updateTable('instance')
      .set({ id: spec.instance, address4: spec.address4, address6: spec.address6, health: 'healthy' } as never)
      .where('id', '=', made)
      .execute();
    await home.owner.call(api.sshHostKeysAccept, { params: { instance: spec.instance }, body: {} });
    return { spec, id: spec.instance, name };
  }

  /** As the watcher would write it. */
  async observed(id: InstanceId, state: 'running' | 'stopped'): Promise<void> {
    const { db } = this.server.app;
    await db.updateTable('instance').set({ observed: state, desired: state }).where('id', '=', id).execute();
    await this.hint('instance', id);
  }

  async hint(kind: string, ref: string): Promise<void> {
    const { db } = this.server.app;
    await db
      .insertInto('outbox')
      .values({ kind, ref, organization_id: this.home.organization } as never)
      .execute();
  }

  async inside(spec: GuestSpec, ...argv: string[]): Promise<string> {
    const ran = await this.agent.inside(spec, argv);
    if (ran.code !== 0) throw new Error(`${argv.join(' ')}: ${ran.code} ${ran.stderr}`);
    return ran.stdout;
  }

  /** A new key pair; the path of the private one, and the line to add. */
  async keyPair(): Promise<{ file: string; line: string }> {
    const file = join(this.dir, `key-${randomBytes(4).toString('hex')}`);
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', file]);
    return { file, line: readFileSync(`${file}.pub`, 'utf8').trim() };
  }

  /** What every client gets: no configuration of this machine, the gateway's host key and nothing else known. */
  options(key: string | null, ...more: string[]): string[] {
    const known = join(this.dir, 'known_hosts');
    writeFileSync(known, `[127.0.0.1]:${this.port} ${readFileSync(join(this.dir, 'host_key.pub'), 'utf8')}`);
    return [
      ...['-F', '/dev/null', '-o', `UserKnownHostsFile=${known}`, '-o', 'GlobalKnownHostsFile=/dev/null'],
      ...['-o', 'StrictHostKeyChecking=yes', '-o', 'IdentitiesOnly=yes', '-o', 'IdentityAgent=none'],
      ...['-o', 'ConnectTimeout=20', '-o', 'LogLevel=ERROR'],
      ...(key === null ? ['-o', 'PubkeyAuthentication=no'] : ['-i', key, '-o', 'BatchMode=yes']),
      ...more,
    ];
  }

  /** Runs a program; `input` goes to its stdin. */
  async run(argv: string[], input: string | Buffer = '', environment: Record<string, string> = {}): Promise<Ran> {
    const [file = '', ...rest] = argv;
    return new Promise((resolve) => {
      const child = execFile(
        file,
        rest,
        { maxBuffer: OUTPUT_BYTES_MAX, timeout: 120_000, encoding: 'utf8', env: { ...process.env, ...environment } },
        (error, stdout, stderr) => {
          const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
          resolve({ code, stdout, stderr });
        },
      );
      child.stdin?.on('error', () => {});
      child.stdin?.end(input);
    });
  }

  ssh(
    user: string,
    key: string | null,
    command: string[],
    more: string[] = [],
    input: string | Buffer = '',
  ): Promise<Ran> {
    return this.run(
      ['ssh', ...this.options(key, '-p', String(this.port), ...more), `${user}@127.0.0.1`, ...command],
      input,
    );
  }

  /** A program that answers ssh's questions, in this order. */
  #askpass(answers: string[]): Record<string, string> {
    const box = mkdtempSync(join(this.dir, 'ask-'));
    answers.forEach((answer, index) => {
      writeFileSync(join(box, String(index)), answer);
    });
    const script = join(box, 'ask');
    // Each question takes the next answer.
    writeFileSync(
      script,
      `#!/bin/sh\nn=$(cat ${box}/next 2>/dev/null || echo 0)\necho $((n+1)) > ${box}/next\nprintf '%s\\n' "$1" >> ${box}/asked\ncat ${box}/$n\n`,
    );
    chmodSync(script, 0o700);
    return { SSH_ASKPASS: script, SSH_ASKPASS_REQUIRE: 'force', DISPLAY: 'none' };
  }

  /** ssh that asks for passwords: they are answered in this order. `key`: tried first. */
  sshAsking(
    user: string,
    answers: string[],
    command: string[],
    more: string[] = [],
    key: string | null = null,
  ): Promise<Ran> {
    const options = [...this.options(null, '-p', String(this.port), ...more)];
    return this.run(['ssh', ...withKey(options, key), `${user}@127.0.0.1`, ...command], '', this.#askpass(answers));
  }

  /** A long-running client; with `answers` it may be asked questions after its key. */
  open(
    user: string,
    key: string,
    command: string[],
    more: string[] = [],
    answers: string[] | null = null,
  ): { child: ChildProcess; log: { text: string }; ended: Promise<number> } {
    const options = [...this.options(answers === null ? key : null, '-p', String(this.port), ...more)];
    const child = spawn('ssh', [...withKey(options, answers === null ? null : key), `${user}@127.0.0.1`, ...command], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...(answers === null ? {} : this.#askpass(answers)) },
    });
    const log = { text: '' };
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        log.text += chunk.toString();
      });
    child.stdin.on('error', () => {});
    const ended = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
    return { child, log, ended };
  }

  /** A bare TCP connection to the gateway that says nothing. */
  silent(localAddress: string) {
    return createConnection({ host: '127.0.0.1', port: this.port, localAddress });
  }

  async close(): Promise<void> {
    await kill(this.#gateway, 'SIGTERM');
    await kill(this.#edge, 'SIGTERM');
    await this.silence().catch(() => {});
    await this.server.stop();
    await this.agent.close();
    rmSync(this.dir, { recursive: true, force: true });
  }
}
