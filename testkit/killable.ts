/**
 * Starts and restarts a control plane in a process of its own (testkit/server-process.ts), talks to it over its socket
 * as a program with a token, and looks at what the simulated engine really has.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Pool } from 'undici';
import { api } from '#contract/api.ts';
import type { ServerConfig } from '#contract/config.ts';
import type { Operation } from '#contract/operations.ts';
import type { BodyInputOf, ResponseOf, RouteDefinition } from '#contract/route.ts';
import type { OperationId, OrganizationId, ProjectId } from '#domain/ids.ts';
import type { SimulatedRepository } from '#drivers/simulated/backups.ts';
import type { SimulatedGuest, SimulatedState } from '#drivers/simulated/state.ts';
import type { StopAt } from '#server/workflows/stop-point.ts';
import { PASSWORD, SETUP_CODE, testConfig } from './server.ts';
import type { ServerProcessFile } from './server-process.ts';

const START_MS_MAX = 60_000;
const program = fileURLToPath(new URL('./server-process.ts', import.meta.url));

type Changes = Pick<ServerProcessFile, 'faults'> & { config?: Partial<ServerConfig> };

/** One installation: a folder, a database, an engine file; processes come and go. */
export class KillableInstallation {
  readonly folder = mkdtempSync(join(tmpdir(), 'berth-kill-'));
  readonly #databaseUrl: string;
  readonly masterKey = randomBytes(32).toString('base64');
  readonly #stopFile = join(this.folder, 'stop-at.json');
  #token = '';
  project = '' as ProjectId;
  organization = '' as OrganizationId;

  constructor(databaseUrl: string) {
    this.#databaseUrl = databaseUrl;
  }

  /** Starts a replica; it listens when this resolves. */
  async start({ config, ...changes }: Changes = {}, replica = 'one'): Promise<KillableServer> {
    const file: ServerProcessFile = {
      config: testConfig(this.#databaseUrl, {
        socket: join(this.folder, `${replica}.sock`),
        replica,
        logLevel: 'info',
        ...config,
      }),
      masterKey: this.masterKey,
      engineFile: join(this.folder, 'engine.json'),
      stopFile: this.#stopFile,
      ...changes,
    };
    const path = join(this.folder, `${replica}.json`);
    writeFileSync(path, JSON.stringify(file));
    const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'pipe'] });
    const server = new KillableServer(child, file.config.socket, () => this.#token);
    await server.listening();
    return server;
  }

  /** The next process that reaches this point dies there. */
  stopAt(point: StopAt): void {
    writeFileSync(this.#stopFile, JSON.stringify(point));
  }

  /** Creates the owner and the token that all later calls use. */
  async setUp(server: KillableServer): Promise<void> {
    const answer = await server.raw('POST', api.setup.path, {
      code: SETUP_CODE,
      email: 'owner@example.test',
      name: 'Olivia Owner',
      password: PASSWORD,
    });
    const who = answer.body as { projects: { id: ProjectId; organization: OrganizationId }[] };
    this.project = who.projects[0]?.id ?? this.project;
    this.organization = who.projects[0]?.organization ?? this.organization;
    const token = await server.raw('POST', api.tokensCreate.path, { name: 'killer' }, { cookie: answer.cookie });
    this.#token = (token.body as { secret: string }).secret;
  }

  /** What the engine has, read from its file. */
  engine(): SimulatedState {
    return JSON.parse(readFileSync(join(this.folder, 'engine.json'), 'utf8')) as SimulatedState;
  }

  guests(): SimulatedGuest[] {
    return Object.values(this.engine().guests);
  }

  repositories(): SimulatedRepository[] {
    return Object.values(this.engine().repositories);
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

type Answer = { status: number; body: unknown; cookie: string; text: string };

export class KillableServer {
  readonly #child: ChildProcess;
  readonly #pool: Pool;
  readonly #token: () => string;
  #output = '';
  readonly ended: Promise<void>;

  constructor(child: ChildProcess, socket: string, token: () => string) {
    this.#child = child;
    this.#token = token;
    this.#pool = new Pool('http://server', { socketPath: socket, connections: 8 });
    child.stdout?.on('data', (data: Buffer) => {
      this.#output = (this.#output + data.toString()).slice(-200_000);
    });
    child.stderr?.on('data', (data: Buffer) => {
      this.#output = (this.#output + data.toString()).slice(-200_000);
    });
    this.ended = new Promise((resolve) => child.once('exit', () => resolve()));
  }

  get output(): string {
    return this.#output;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async listening(): Promise<void> {
    const deadline = Date.now() + START_MS_MAX;
    while (!this.#output.includes('"listening"')) {
      if (!this.alive || Date.now() > deadline) throw new Error(`the server did not start:\n${this.#output}`);
      await sleep(20);
    }
  }

  /** kill -9. */
  async kill(): Promise<void> {
    if (this.alive) this.#child.kill('SIGKILL');
    await this.ended;
    await this.#pool.destroy();
  }

  /** Waits until it killed itself at its stop point. Errors: Error when it does not. */
  async died(ms = 30_000): Promise<void> {
    const dead = await Promise.race([this.ended.then(() => true), sleep(ms).then(() => false)]);
    if (!dead) throw new Error(`the process did not reach its stop point:\n${this.#output.slice(-3000)}`);
    await this.#pool.destroy();
  }

  async raw(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const token = this.#token();
    const response = await this.#pool.request({
      method: method as 'GET',
      path,
      headers: {
        ...(token === '' ? { origin: 'https://berth.localhost:9443' } : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.body.text();
    const set = [response.headers['set-cookie'] ?? []].flat()[0] ?? '';
    return {
      status: response.statusCode,
      // Lines of JSON are no JSON.
      body: text === '' || String(response.headers['content-type']).includes('ndjson') ? undefined : JSON.parse(text),
      text,
      cookie: set.split(';')[0] ?? '',
    };
  }

  /** Calls a route of the contract. Errors: Error for anything but success; the process may die meanwhile. */
  async call<R extends RouteDefinition>(
    route: R,
    params: Record<string, string> = {},
    body?: BodyInputOf<R>,
    query: Record<string, string> = {},
  ): Promise<ResponseOf<R>> {
    const path = route.path.replace(/:([a-zA-Z]+)/g, (_, name: string) => params[name] ?? `missing-${name}`);
    const answer = await this.raw(route.method, `${path}?${new URLSearchParams(query)}`, body);
    if (answer.status !== route.status) throw new Error(`${route.id}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body as ResponseOf<R>;
  }

  /** The operation once it ended. */
  async settled(operation: OperationId, ms = 40_000): Promise<Operation> {
    const deadline = Date.now() + ms;
    for (;;) {
      const now = await this.call(api.operationsGet, { operation });
      if (now.finishedAt !== null) return now;
      if (Date.now() > deadline) {
        throw new Error(`operation did not end: ${JSON.stringify(now)}\n${this.#output.slice(-4000)}`);
      }
      await sleep(25);
    }
  }
}
