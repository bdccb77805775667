import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { afterEach, describe, expect, it } from 'vitest';
import { withDatabase } from '#testkit/postgres.ts';
import { asAdmin, ensureRoles, type PostgresOptions, preparePostgres, startPostgres } from './postgres.ts';
import { clearStaleLock, lockState } from './postgres-lock.ts';
import { isRunning, processInfo } from './proctable.ts';
import { must } from './run.ts';

const stops: (() => Promise<void>)[] = [];
const dirs: string[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

function options(): PostgresOptions & { logFile: string } {
  const dir = mkdtempSync(join(tmpdir(), 'berth-pgt-'));
  dirs.push(dir);
  chmodSync(dir, 0o755);
  return {
    dataDir: join(dir, 'data'),
    socketDir: join(dir, 's'),
    copyDir: join(dir, 'bin'),
    user: process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : null,
    socketGid: null,
    peers: {},
    logFile: join(dir, 'log'),
  };
}

async function start(o: PostgresOptions & { logFile: string }) {
  const server = await startPostgres(o);
  stops.push(server.stop);
  return server;
}

describe('the embedded PostgreSQL', () => {
  it('adopts the running server after a crash of what started it', async () => {
    const o = options();
    const first = await start(o);
    const second = await start(o);
    expect(second).toMatchObject({ adopted: true, pid: first.pid });
  });

  it('keeps every acknowledged row over kill -9 and starts again on the stale lock', async () => {
    const o = options();
    const first = await start(o);
    await ensureRoles(o.socketDir);
    await asAdmin(o.socketDir, 'berth', (client) => client.query('create table t (n int)'));
    let acknowledged = 0;
    const writer = asAdmin(o.socketDir, 'berth', async (client) => {
      for (let n = 1; n <= 5000; n++) {
        await client.query('insert into t values ($1)', [n]);
        acknowledged = n;
        if (n === 200) process.kill(first.pid, 'SIGKILL');
      }
    }).catch(() => 'cut');
    await writer;
    const before = acknowledged;
    const second = await start(o);
    expect(second.adopted).toBe(false);
    const rows = await asAdmin(o.socketDir, 'berth', (client) =>
      client.query<{ n: number }>('select count(*)::int as n from t'),
    );
    expect(rows.rows[0]?.n).toBeGreaterThanOrEqual(before);
    expect(before).toBeGreaterThanOrEqual(199);
  });

  it('calls a lock stale when its pid belongs to another program, and leaves a living one alone', async () => {
    const o = options();
    await preparePostgres(o);
    const other = spawn('sleep', ['60']);
    try {
      writeFileSync(join(o.dataDir, 'postmaster.pid'), `${other.pid}\n${o.dataDir}\n0\n5432\n`);
      expect(lockState(o.dataDir)).toEqual({ state: 'stale', pid: other.pid });
      const server = await start(o);
      expect(isRunning(other.pid ?? 0)).toBe(true);
      expect(lockState(o.dataDir)).toEqual({ state: 'running', pid: server.pid });
      expect(clearStaleLock(o.dataDir, o.socketDir)).toBe(false);
      expect(existsSync(join(o.dataDir, 'postmaster.pid'))).toBe(true);
    } finally {
      other.kill();
    }
  });

  it('starts over when the first initdb was killed half-way', async () => {
    const o = options();
    mkdirSync(join(`${o.dataDir}.new`, 'base'), { recursive: true });
    writeFileSync(join(`${o.dataDir}.new`, 'PG_VERSION'), '18\n');
    const server = await start(o);
    expect(isRunning(server.pid)).toBe(true);
  });

  it('refuses a socket path that the kernel would cut', async () => {
    const o = options();
    await expect(preparePostgres({ ...o, socketDir: `/tmp/${'x'.repeat(100)}` })).rejects.toThrow(/too long/);
  });

  it('stops fast and leaves no lock', async () => {
    const o = options();
    const server = await startPostgres(o);
    const startTime = processInfo(server.pid)?.startTime;
    await server.stop();
    expect(isRunning(server.pid, startTime)).toBe(false);
    expect(existsSync(join(o.dataDir, 'postmaster.pid'))).toBe(false);
    expect(readFileSync(o.logFile, 'utf8')).toContain('shut down');
  });

  it('listens on no TCP port', async () => {
    const o = options();
    const server = await start(o);
    const sockets = await must(['ss', '-Hltnp']);
    expect(sockets.split('\n').filter((line) => line.includes(`pid=${server.pid},`))).toEqual([]);
  });
});

describe('roles', () => {
  it('the edge role reads its views and nothing else, and writes nothing', async () => {
    const database = await withDatabase();
    const client = new pg.Client({ connectionString: database.edgeUrl });
    await client.connect();
    try {
      await expect(client.query('select * from edge_route')).resolves.toMatchObject({ rowCount: 0 });
      await expect(client.query('select * from app_user')).rejects.toThrow(/permission denied/);
      await expect(client.query('create temporary table x (n int)')).rejects.toThrow();
      await client.query('set default_transaction_read_only = off');
      await expect(client.query('create table x (n int)')).rejects.toThrow(/permission denied/);
      await expect(client.query("insert into setting values ('a', '1')")).rejects.toThrow(/permission denied/);
    } finally {
      await client.end();
    }
  });

  it('a stranger on the machine gets no role', async () => {
    const database = await withDatabase();
    if (process.getuid?.() !== 0) return;
    const script = `const pg=require('pg');const c=new pg.Client(process.argv[1]);c.connect().then(()=>console.log('in'),e=>console.log('out: '+e.message))`;
    const out = await must([process.execPath, '-e', script, database.url], { uid: 2, gid: 2, cwd: process.cwd() });
    expect(out).toMatch(/^out/);
  });
});
