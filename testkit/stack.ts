/**
 * A whole Berth in one call: `./berth up` with a data folder, ports and (so) an installation of its own, the way a person
 * would start it. Nothing is simulated: real engine, real Caddy, real PostgreSQL.
 */
import { spawn } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { api } from '#contract/api.ts';
import { Client, type Stack } from './client.ts';

const launcher = fileURLToPath(new URL('../berth', import.meta.url));

export const owner = { email: 'owner@example.test', name: 'Olivia Owner', password: 'correct horse battery' };

export type CommandResult = { code: number | null; stdout: string; stderr: string };

/** Runs `./berth ...` to its end. `timeoutMs` ends it with SIGTERM. */
export function berth(
  args: string[],
  options: { timeoutMs?: number; env?: Record<string, string>; input?: string } = {},
): Promise<CommandResult> {
  return run(launcher, args, options);
}

export function run(
  file: string,
  args: string[],
  options: { timeoutMs?: number; env?: Record<string, string>; input?: string } = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...options.env } });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const timer = setTimeout(() => child.kill('SIGTERM'), options.timeoutMs ?? 15 * 60_000);
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
    // A program may end without reading what it is given.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

export async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      );
    });
  });
}

export type StackOptions = { args?: string[]; dataDir?: string };

export class RunningStack {
  readonly info: Stack;
  readonly args: string[];
  readonly ports: { control: number; https: number; http: number; ssh: number };

  constructor(info: Stack, args: string[], ports: { control: number; https: number; http: number; ssh: number }) {
    this.info = info;
    this.args = args;
    this.ports = ports;
  }

  /** `up` again, as a person would after something died. */
  async up(): Promise<Stack> {
    return parseUp(await berth(['up', ...this.args]));
  }

  client(): Client {
    return new Client(this.info);
  }

  /** Creates the owner with the set-up code and answers a signed-in client and the first project's id. */
  async setUp(): Promise<{ client: Client; project: string; organization: string }> {
    const client = this.client();
    await client.call(api.setup, { body: { code: this.info.setupCode, ...owner } });
    return { client, ...(await home(client)) };
  }

  async signIn(email = owner.email, password = owner.password): Promise<Client> {
    const client = this.client();
    await client.call(api.signIn, { body: { email, password } });
    return client;
  }

  /** Address of an instance's name on the user plane. */
  url(hostname: string, path = '/'): string {
    return `https://${hostname}:${this.ports.https}${path}`;
  }

  async status(): Promise<{ processes: { name: string; pid: number | null; state: string }[] }> {
    const result = await berth(['status', '--json', '--data-dir', this.info.dataDir]);
    return JSON.parse(result.stdout) as { processes: { name: string; pid: number | null; state: string }[] };
  }

  /** Stops everything and removes what this installation made in the engine and on disk. */
  async destroy(): Promise<void> {
    const result = await berth(['uninstall', '--yes', '--data-dir', this.info.dataDir], { timeoutMs: 180_000 });
    if (result.code !== 0) throw new Error(`berth uninstall failed: ${result.stderr.slice(-2000)}`);
  }
}

/** The caller's first organization and project. */
export async function home(client: Client): Promise<{ project: string; organization: string }> {
  const who = await client.call(api.whoami);
  const project = who.projects[0];
  if (project === undefined) throw new Error('no project');
  return { project: project.id, organization: project.organization };
}

function parseUp(result: CommandResult): Stack {
  if (result.code !== 0) throw new Error(`berth up ended with ${result.code}:\n${result.stderr.slice(-6000)}`);
  return JSON.parse(result.stdout) as Stack;
}

/** A stack that is there already (a folder kept by BERTH_KEEP=1), brought up again. */
export async function existingStack(dataDir: string): Promise<RunningStack> {
  const args = ['--yes', '--detach', '--json', '--data-dir', dataDir];
  const info = parseUp(await berth(['up', ...args]));
  const status = await berth(['status', '--json', '--data-dir', dataDir]);
  const { ports } = JSON.parse(status.stdout) as {
    ports: { control: number; https: number; http: number; ssh: number };
  };
  return new RunningStack(info, args, ports);
}

/** Starts a fresh installation. The caller ends it with `destroy()`. */
export async function startStack(options: StackOptions = {}): Promise<RunningStack> {
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'berth-')));
  const ports = { control: await freePort(), https: await freePort(), http: await freePort(), ssh: await freePort() };
  const args = [
    '--yes',
    '--detach',
    '--json',
    '--data-dir',
    dataDir,
    '--control-port',
    String(ports.control),
    '--https-port',
    String(ports.https),
    '--http-port',
    String(ports.http),
    '--ssh-port',
    String(ports.ssh),
    ...(options.args ?? []),
  ];
  return new RunningStack(parseUp(await berth(['up', ...args])), args, ports);
}
