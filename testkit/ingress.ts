/**
 * Ingress without the rest: a real Caddy and the real edge process on a migrated database, in a temporary folder.
 * Guests are loopback addresses (127.0.0.10 and up), so any program of the test can be an instance's.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as plainRequest } from 'node:http';
import { type RequestOptions, request as tlsRequest } from 'node:https';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EdgeConfig } from '#contract/config.ts';
import { certificatePassword } from '#contract/wildcards.ts';
import { CADDY_ENVIRONMENT, caddyConfig } from '#edge/caddy.ts';
import type { CaddyInput } from '#edge/caddy-parts.ts';
import type { CaddyProgram } from './caddy.ts';
import { loopbackLookup } from './client.ts';

const edgeMain = fileURLToPath(new URL('../edge/main.ts', import.meta.url));
const START_MS_MAX = 60_000;

export type Answered = { status: number; headers: Record<string, string | string[] | undefined>; body: string };
export type Ask = {
  method?: string;
  headers?: Record<string, string>;
  body?: string;
  /** Use the plain HTTP port. */
  plain?: boolean;
  /** What the certificate is checked with; Caddy's own authority when absent. */
  ca?: string;
  /** Name in the TLS handshake when it is not the URL's. */
  servername?: string;
};

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

export async function until(
  what: string,
  check: () => Promise<boolean> | boolean,
  timeoutMs = START_MS_MAX,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    if (await check()) return;
    if (Date.now() > end) throw new Error(`not in ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function output(child: ChildProcess): { text: string } {
  const log = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      if (log.text.length < 4_000_000) log.text += chunk.toString();
    });
  }
  return log;
}

const ended = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', () => resolve()));

export type IngressOptions = {
  caddy: CaddyProgram;
  /** As role berth_edge. */
  databaseUrl: string;
  /** Socket of an agent; one that nobody listens on when absent. */
  agentSocket?: string;
  agentToken?: string;
  domain?: string;
  pool4?: string;
  acme?: CaddyInput['acme'];
  /** The server's, when it makes wildcard certificates. */
  edgeKey?: Uint8Array;
  countryFile?: string;
  /** Chosen beforehand, for whoever has to know them before it starts. */
  ports?: { control: number; https: number; http: number };
};

export class Ingress {
  readonly dir: string;
  readonly domain: string;
  readonly ports: { control: number; https: number; http: number };
  readonly edgeKey: Uint8Array;
  readonly #o: IngressOptions;
  #edge: ChildProcess | null = null;
  #caddy: ChildProcess | null = null;
  edgeLog = { text: '' };
  caddyLog = { text: '' };

  private constructor(options: IngressOptions, ports: { control: number; https: number; http: number }) {
    this.#o = options;
    this.ports = ports;
    this.edgeKey = options.edgeKey ?? randomBytes(32);
    this.domain = options.domain ?? 'berth.localhost';
    this.dir = mkdtempSync(join(tmpdir(), 'berth-in-'));
  }

  static async start(options: IngressOptions): Promise<Ingress> {
    const ports = options.ports ?? { control: await freePort(), https: await freePort(), http: await freePort() };
    const ingress = new Ingress(options, ports);
    writeFileSync(join(ingress.dir, 'edge.key'), Buffer.from(ingress.edgeKey).toString('base64'), { mode: 0o600 });
    writeFileSync(join(ingress.dir, 'agent.token'), options.agentToken ?? randomBytes(32).toString('hex'));
    try {
      await Promise.all([ingress.startEdge(), ingress.startCaddy()]);
    } catch (error) {
      await ingress.stop();
      throw error;
    }
    return ingress;
  }

  get consoleOrigin(): string {
    return `https://${this.domain}:${this.ports.control}`;
  }

  url(hostname: string, path = '/'): string {
    return `https://${hostname}:${this.ports.https}${path}`;
  }

  socket(name: 'edge' | 'bridge' | 'server' | 'admin'): string {
    return join(this.dir, `${name}.sock`);
  }

  get edgePid(): number {
    return this.#edge?.pid ?? 0;
  }

  get caddyPid(): number {
    return this.#caddy?.pid ?? 0;
  }

  async startEdge(): Promise<void> {
    const config: EdgeConfig = {
      installation: 'testin',
      domain: this.domain,
      ports: this.ports,
      consoleOrigin: this.consoleOrigin,
      logLevel: 'info',
      socket: this.socket('edge'),
      bridgeSocket: this.socket('bridge'),
      database: { url: this.#o.databaseUrl },
      agent: { socket: this.#o.agentSocket ?? join(this.dir, 'nobody.sock'), tokenFile: join(this.dir, 'agent.token') },
      secrets: { edgeKeyFile: join(this.dir, 'edge.key') },
      snapshotDir: join(this.dir, 'snapshot'),
      ...(this.#o.countryFile === undefined ? {} : { countryFile: this.#o.countryFile }),
      network: { pool4: this.#o.pool4 ?? '127.0.0.0/24', prefix6: 'fd42:1:2' },
    };
    const file = join(this.dir, 'edge.json');
    writeFileSync(file, JSON.stringify(config));
    const child = spawn(process.execPath, [edgeMain, '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#edge = child;
    this.edgeLog = output(child);
    await until(`edge is ready: ${this.edgeLog.text}`, async () => (await this.edgeHealth()) !== null);
  }

  /** Answer of edge's own /healthz; null when it does not answer. */
  edgeHealth(): Promise<{ knowledge: string; connections: number; terminals: number; bridged: number } | null> {
    return new Promise((resolve) => {
      const call = plainRequest({ socketPath: this.socket('edge'), path: '/healthz', timeout: 1000 }, (response) => {
        let text = '';
        response.on('data', (chunk: Buffer) => {
          text += chunk.toString();
        });
        response.on('end', () => resolve(JSON.parse(text)));
      });
      call.on('timeout', () => call.destroy());
      call.on('error', () => resolve(null));
      call.end();
    });
  }

  async stopEdge(signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
    const child = this.#edge;
    this.#edge = null;
    if (child === null) return;
    child.kill(signal);
    await ended(child);
  }

  async startCaddy(): Promise<void> {
    const config = caddyConfig({
      version: this.#o.caddy.version,
      domain: this.domain,
      controlPort: this.ports.control,
      httpsPort: this.ports.https,
      httpPort: this.ports.http,
      sockets: {
        server: this.socket('server'),
        edge: this.socket('edge'),
        bridge: this.socket('bridge'),
        admin: this.socket('admin'),
      },
      storageDirectory: join(this.dir, 'caddy'),
      certificatePassword: certificatePassword(this.edgeKey),
      acme: this.#o.acme,
    });
    const file = join(this.dir, 'caddy.json');
    writeFileSync(file, JSON.stringify(config));
    const env = { PATH: process.env['PATH'] ?? '', HOME: this.dir, ...CADDY_ENVIRONMENT };
    const child = spawn(this.#o.caddy.path, ['run', '--config', file], { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#caddy = child;
    this.caddyLog = output(child);
    await until('caddy is ready', () => {
      if (child.exitCode !== null) throw new Error(`caddy ended: ${this.caddyLog.text}`);
      return (
        (this.#o.acme !== undefined || existsSync(this.caFile)) &&
        this.caddyLog.text.includes('serving initial configuration')
      );
    });
  }

  get caFile(): string {
    return join(this.dir, 'caddy/pki/authorities/local/root.crt');
  }

  async stop(): Promise<void> {
    await this.stopEdge('SIGTERM');
    const caddy = this.#caddy;
    this.#caddy = null;
    if (caddy !== null) {
      caddy.kill('SIGKILL');
      await ended(caddy);
    }
    rmSync(this.dir, { recursive: true, force: true });
  }

  /** One request over real TLS (checked against Caddy's CA); header names go out exactly as written. */
  ask(url: string, options: Ask = {}): Promise<Answered> {
    const target = new URL(url);
    const settings: RequestOptions = {
      method: options.method ?? 'GET',
      headers: options.headers ?? {},
      lookup: loopbackLookup,
      agent: false,
      timeout: 30_000,
      ...(options.plain === true
        ? {}
        : { ca: options.ca ?? readFileSync(this.caFile), servername: options.servername ?? target.hostname }),
    };
    return new Promise((resolve, reject) => {
      const call = (options.plain === true ? plainRequest : tlsRequest)(target, settings, (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(parts).toString('utf8'),
          }),
        );
      });
      call.on('error', reject);
      call.on('timeout', () => call.destroy(new Error('no answer in 30 s')));
      call.end(options.body);
    });
  }
}
