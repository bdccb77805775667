import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asAdmin } from '#host/postgres.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { testConfig } from '#testkit/server.ts';

const main = fileURLToPath(new URL('main.ts', import.meta.url));
let dir = '';
let database: Awaited<ReturnType<typeof withDatabase>>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'berth-server-'));
  database = await withDatabase();
  // One database, one set of keys: every start here is the same installation.
  await writeFile(join(dir, 'master.key'), randomBytes(32).toString('base64'));
  await writeFile(join(dir, 'edge.key'), randomBytes(32).toString('base64'));
  await writeFile(join(dir, 'token'), 'a-token-for-nobody');
});
afterAll(() => rm(dir, { recursive: true, force: true }));

type Ended = { code: number | null; stdout: string; stderr: string };

async function start(changes: Record<string, unknown> = {}): Promise<{ child: ChildProcess; ended: Promise<Ended> }> {
  const name = randomBytes(4).toString('hex');
  const config = {
    ...testConfig(database.url),
    logLevel: 'info',
    socket: join(dir, 'server.sock'),
    agent: { socket: join(dir, 'agent.sock'), tokenFile: join(dir, 'token') },
    secrets: { masterKeyFile: join(dir, 'master.key'), edgeKeyFile: join(dir, 'edge.key') },
    ...changes,
  };
  const file = join(dir, `${name}.json`);
  await writeFile(file, JSON.stringify(config));
  const child = spawn(process.execPath, [main, '--config', file], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  const ended = new Promise<Ended>((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })));
  return { child, ended };
}

async function until<T>(what: string, probe: () => Promise<T | null>): Promise<T> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const result = await probe().catch(() => null);
    if (result !== null) return result;
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

describe('the server process', () => {
  it('R4: listens on its socket, tells health apart from readiness, ends within 5 s of SIGTERM, logs JSON only', async () => {
    const { child, ended } = await start();
    const dispatcher = new Agent({ connect: { socketPath: join(dir, 'server.sock') } });
    const get = async (path: string) => {
      const response = await request(`http://server${path}`, { dispatcher });
      return { status: response.statusCode, body: (await response.body.json()) as Record<string, unknown> };
    };
    const health = await until('health', () => get('/healthz'));
    expect(health).toMatchObject({ status: 200, body: { status: 'ok' } });
    // No agent runs here.
    expect((await get('/readyz')).body).toEqual({ status: 'degraded', database: true, agent: false });
    expect((await get('/api/v1/setup')).body).toMatchObject({ needed: true });
    const began = Date.now();
    child.kill('SIGTERM');
    const { code, stdout, stderr } = await ended;
    await dispatcher.close();
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(Date.now() - began).toBeLessThan(5_000);
    for (const line of stdout.trim().split('\n')) {
      expect(JSON.parse(line)).toMatchObject({
        process: 'server',
        level: expect.any(String),
        time: expect.any(String),
      });
    }
  });

  it('R1: the whole process survives that every database connection is cut, again and again', async () => {
    const { child, ended } = await start();
    const dispatcher = new Agent({ connect: { socketPath: join(dir, 'server.sock') } });
    const ready = async () => {
      const response = await request('http://server/readyz', { dispatcher });
      const body = (await response.body.json()) as { database: boolean };
      return body.database ? body : null;
    };
    await until('ready', ready);
    for (let i = 0; i < 5; i++) {
      await asAdmin(database.socketDir, 'postgres', async (client) => {
        await client.query('select pg_terminate_backend(pid) from pg_stat_activity where datname = $1', [
          database.name,
        ]);
      });
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect(child.exitCode).toBeNull();
    await until('ready again', ready);
    child.kill('SIGTERM');
    expect((await ended).code).toBe(0);
    await dispatcher.close();
  });

  it('prints every problem of its configuration and exits 78', async () => {
    const { ended } = await start({ installation: 'NO', domain: 'UPPER', surprise: 1 });
    const { code, stderr } = await ended;
    expect(code).toBe(78);
    expect(stderr).toContain('installation:');
    expect(stderr).toContain('domain:');
    expect(stderr).toContain('surprise');
  });

  it('D4: refuses to start without a usable master key', async () => {
    const bad = join(dir, 'bad.key');
    await writeFile(bad, 'too short');
    const { ended } = await start({ secrets: { masterKeyFile: bad, edgeKeyFile: bad } });
    const { code, stderr } = await ended;
    expect(code).toBe(78);
    expect(stderr).toContain('32 bytes');
    const gone = await start({ secrets: { masterKeyFile: join(dir, 'gone'), edgeKeyFile: bad } });
    expect((await gone.ended).code).toBe(78);
  });
});
