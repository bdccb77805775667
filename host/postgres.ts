/**
 * The embedded PostgreSQL: a real server on a unix socket, under a user of its own. This file prepares its folder,
 * adopts one that runs already, clears what a crash left behind, and creates the roles. The supervisor (or a test)
 * starts the program it describes.
 *
 * Who may connect as whom is decided by the operating-system user at the other end of the socket (peer
 * authentication), so there is no password to keep.
 */
import { spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { usablePostgres } from './postgres-binaries.ts';
import { clearStaleLock, lockState, POSTGRES_SOCKET_NAME } from './postgres-lock.ts';
import { isRunning, processInfo, waitForEnd } from './proctable.ts';
import { must } from './run.ts';

export const POSTGRES_ADMIN = 'berth_admin';
export const POSTGRES_DATABASE = 'berth';
/** sockaddr_un has 108 bytes with the closing zero; PostgreSQL adds '/.s.PGSQL.5432'. */
export const SOCKET_PATH_BYTES_MAX = 107;
const START_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 30_000;

export type PostgresOptions = {
  dataDir: string;
  /** Folder of the socket; short enough for SOCKET_PATH_BYTES_MAX. */
  socketDir: string;
  /** Where the programs are copied when the server's user cannot read the checkout. */
  copyDir: string;
  /** User of the server; null: the one that runs this. PostgreSQL refuses uid 0. */
  user: { uid: number; gid: number } | null;
  /** Group that may reach the socket; null: only the server's own user (and root). */
  socketGid: number | null;
  /** Operating-system user -> role, beside root and the server's own user, who may be anybody. */
  peers: Record<string, string>;
  /** More `name=value` settings; tests switch durability off here, nobody else does. */
  settings?: Record<string, string>;
};

export type PostgresCommand = { argv: [string, ...string[]]; env: Record<string, string> };

/**
 * Makes the data folder (once) and the access files (every time) and returns the program to run under `options.user`.
 * Idempotent and safe while the server runs.
 */
export async function preparePostgres(options: PostgresOptions): Promise<PostgresCommand> {
  const { dataDir, socketDir, user } = options;
  const socket = join(socketDir, POSTGRES_SOCKET_NAME);
  if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES_MAX)
    throw new Error(`the socket path is too long for the kernel: ${socket}`);
  const binaries = await usablePostgres(user?.uid ?? null, options.copyDir);
  ownFolder(socketDir, user, options.socketGid, options.socketGid === null ? 0o700 : 0o750);
  if (!existsSync(join(dataDir, 'PG_VERSION'))) await initialise(binaries, options);
  writeAccessFiles(options);
  const settings: Record<string, string> = {
    listen_addresses: '',
    unix_socket_directories: socketDir,
    unix_socket_permissions: '0777',
    shared_buffers: '128MB',
    max_connections: '100',
    jit: 'off',
    // Nothing is replicated, and what is read is in memory: the processes for both would only take some.
    io_method: 'sync',
    max_logical_replication_workers: '0',
    log_timezone: 'UTC',
    timezone: 'UTC',
    log_line_prefix: '%m [%p] %q%u@%d ',
    log_min_duration_statement: '2000',
    cluster_name: 'berth',
    ...options.settings,
  };
  const argv: [string, ...string[]] = [join(binaries, 'bin/postgres'), '-D', dataDir];
  for (const [name, value] of Object.entries(settings)) argv.push('-c', `${name}=${value}`);
  return { argv, env: { LC_ALL: 'C', TZ: 'UTC', PGDATA: dataDir } };
}

/** initdb works in a side folder that is renamed when complete: one that was killed half-way leaves nothing to trip over. */
async function initialise(binaries: string, options: PostgresOptions): Promise<void> {
  const side = `${options.dataDir}.new`;
  rmSync(side, { recursive: true, force: true });
  ownFolder(side, options.user, null, 0o700);
  const argv: [string, ...string[]] = [join(binaries, 'bin/initdb'), '-D', side, '-U', POSTGRES_ADMIN];
  argv.push('--auth=peer', '--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8');
  if (options.settings?.fsync === 'off') argv.push('--no-sync');
  const env = { LC_ALL: 'C', TZ: 'UTC', PATH: process.env.PATH ?? '' };
  await must(argv, { ...(options.user ?? {}), env, cwd: '/', timeoutMs: START_TIMEOUT_MS });
  // Fails when the folder holds anything: somebody's files are never removed to make room.
  if (existsSync(options.dataDir)) rmdirSync(options.dataDir);
  renameSync(side, options.dataDir);
}

function writeAccessFiles(options: PostgresOptions): void {
  const own = (file: string, text: string) => {
    const path = join(options.dataDir, file);
    if (existsSync(path) && readFileSync(path, 'utf8') === text) return;
    writeFileSync(path, text, { mode: 0o600 });
    if (options.user !== null) chownSync(path, options.user.uid, options.user.gid);
  };
  own('pg_hba.conf', '# Written by Berth: unix socket only, the peer decides.\nlocal all all peer map=berth\n');
  const everybody = new Set([
    'root',
    userName(options.user?.uid ?? process.getuid?.() ?? 0),
    userName(process.getuid?.() ?? 0),
  ]);
  const lines = [...everybody].map((name) => `berth ${name} all`);
  for (const [user, role] of Object.entries(options.peers)) lines.push(`berth ${user} ${role}`);
  own('pg_ident.conf', `# Written by Berth: map, user of the machine, role.\n${lines.join('\n')}\n`);
}

/** Name of a uid from /etc/passwd; the number when it has none. */
export function userName(uid: number): string {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.split(':')[2] === String(uid));
  return line?.split(':')[0] ?? String(uid);
}

/** Connection URL over the socket. */
export function postgresUrl(socketDir: string, role: string, database: string = POSTGRES_DATABASE): string {
  return `postgresql://${role}@localhost/${database}?host=${encodeURIComponent(socketDir)}`;
}

/**
 * Waits until the server on the socket answers as the one of `dataDir`, through start-up and recovery. Errors: when it
 * is another server, or when the time is over.
 */
export async function waitForPostgres(socketDir: string, dataDir: string, timeoutMs = START_TIMEOUT_MS): Promise<void> {
  const end = Date.now() + timeoutMs;
  let last = 'no answer';
  for (;;) {
    const answer = await askDataDirectory(socketDir);
    if ('dataDirectory' in answer) {
      if (answer.dataDirectory === dataDir) return;
      throw new Error(`another PostgreSQL (${answer.dataDirectory}) answers on ${socketDir}`);
    }
    last = answer.problem;
    if (Date.now() > end) throw new Error(`PostgreSQL did not become ready within ${timeoutMs / 1000} s: ${last}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function askDataDirectory(socketDir: string): Promise<{ dataDirectory: string } | { problem: string }> {
  const client = new pg.Client({
    host: socketDir,
    user: POSTGRES_ADMIN,
    database: 'postgres',
    connectionTimeoutMillis: 5000,
  });
  client.on('error', () => {});
  try {
    await client.connect();
    const result = await client.query<{ data_directory: string }>('show data_directory');
    return { dataDirectory: result.rows[0]?.data_directory ?? '' };
  } catch (error) {
    // 57P03 (starting up, in recovery, shutting down) is "not yet"; a refused socket too.
    return { problem: error instanceof Error ? error.message : String(error) };
  } finally {
    await client.end().catch(() => {});
  }
}

/** Runs `work` as the database administrator. */
export async function asAdmin<T>(
  socketDir: string,
  database: string,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ host: socketDir, user: POSTGRES_ADMIN, database, connectionTimeoutMillis: 10_000 });
  client.on('error', () => {});
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

/**
 * Roles and database of Berth: `berth_server` owns the database, `berth_edge` may connect and read what the migrations
 * grant it (the edge_* views), nobody else may connect. `berth_audit` owns the audit log and nobody can become it: the
 * migration that makes the tables gives them away through `berth_hand_over_audit`, once. The schema belongs to the
 * administrator, because the owner of a schema may drop what is in it. `berth_data` is what the server becomes to show
 * the data page: it may read some columns and nothing else.
 */
export async function ensureRoles(socketDir: string, database: string = POSTGRES_DATABASE): Promise<void> {
  await asAdmin(socketDir, 'postgres', async (client) => {
    for (const [role, login] of [
      ['berth_server', 'login'],
      ['berth_edge', 'login'],
      ['berth_audit', 'nologin'],
      ['berth_data', 'nologin'],
    ] as const) {
      const found = await client.query('select from pg_roles where rolname = $1', [role]);
      if (found.rowCount === 0) await client.query(`create role ${role} ${login} nosuperuser nocreatedb nocreaterole`);
    }
    // The server takes it for the data page, and only where it says so: nothing is inherited.
    await client.query('grant berth_data to berth_server with inherit false, set true, admin false');
    await client.query(`alter role berth_edge set default_transaction_read_only = on`);
    const found = await client.query('select from pg_database where datname = $1', [database]);
    if (found.rowCount === 0)
      await client.query(`create database ${client.escapeIdentifier(database)} owner berth_server`);
    await client.query(`revoke connect, temporary on database ${client.escapeIdentifier(database)} from public`);
    await client.query(`grant connect on database ${client.escapeIdentifier(database)} to berth_edge`);
  });
  await asAdmin(socketDir, database, (client) => client.query(HAND_OVER_AUDIT).then(() => {}));
}

const HAND_OVER_AUDIT = `
  alter schema public owner to ${POSTGRES_ADMIN};
  grant usage, create on schema public to berth_server with grant option;
  create or replace function public.berth_hand_over_audit() returns void
  language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
  declare
    name text;
  begin
    if (select relowner from pg_class where oid = 'public.audit'::regclass) = 'berth_audit'::regrole then
      raise exception 'the audit log was handed over before';
    end if;
    foreach name in array array['audit', 'audit_chain', 'audit_link', 'audit_head', 'audit_tombstone'] loop
      execute format('alter table public.%I owner to berth_audit', name);
      execute format('revoke all on public.%I from public, berth_server, berth_edge', name);
      execute format('grant select on public.%I to berth_server', name);
    end loop;
    grant insert on public.audit, public.audit_head to berth_server;
    alter function public.audit_link_of(text, bigint, bytea, bytea) owner to berth_audit;
    alter function public.audit_append() owner to berth_audit;
    alter function public.audit_refuse() owner to berth_audit;
    alter function public.audit_remove(text, bigint, jsonb) owner to berth_audit;
    revoke execute on function public.audit_remove(text, bigint, jsonb) from public;
    grant execute on function public.audit_remove(text, bigint, jsonb) to berth_server;
  end
  $$;
  revoke execute on function public.berth_hand_over_audit() from public;
  grant execute on function public.berth_hand_over_audit() to berth_server`;

export type RunningPostgres = {
  pid: number;
  /** True when it ran already and was taken over. */
  adopted: boolean;
  url: (role: string, database?: string) => string;
  /** Fast shutdown (SIGINT), then SIGQUIT; resolves when the process is gone. */
  stop: () => Promise<void>;
};

/**
 * Starts the server without a supervisor (tests, tools), or adopts the one that runs on this folder. Log lines go to
 * `logFile`.
 */
export async function startPostgres(options: PostgresOptions & { logFile: string }): Promise<RunningPostgres> {
  const command = await preparePostgres(options);
  const { dataDir, socketDir } = options;
  const lock = lockState(dataDir);
  let pid = lock.state === 'running' ? lock.pid : null;
  const adopted = pid !== null;
  const end = Date.now() + START_TIMEOUT_MS;
  while (pid === null) {
    clearStaleLock(dataDir, socketDir);
    const log = openSync(options.logFile, 'a');
    const child = spawn(command.argv[0], command.argv.slice(1), {
      ...(options.user ?? {}),
      env: command.env,
      cwd: '/',
      detached: true,
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.unref();
    pid = child.pid ?? null;
    if (pid === null) throw new Error(`PostgreSQL cannot be started: ${command.argv[0]}`);
    // Shared memory of a killed predecessor is in use until its last backend noticed: try again.
    const early = await Promise.race([
      new Promise<true>((resolve) => child.once('exit', () => resolve(true))),
      waitForPostgres(socketDir, dataDir).then(() => false as const),
    ]);
    if (!early) break;
    if (Date.now() > end) throw new Error(`PostgreSQL ends at once; its log: ${options.logFile}`);
    pid = null;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  await waitForPostgres(socketDir, dataDir);
  const running = pid;
  const startTime = processInfo(running)?.startTime ?? 0;
  return {
    pid: running,
    adopted,
    url: (role, database = POSTGRES_DATABASE) => postgresUrl(socketDir, role, database),
    stop: async () => {
      for (const signal of ['SIGINT', 'SIGQUIT'] as const) {
        if (!isRunning(running, startTime)) return;
        process.kill(running, signal);
        if (await waitForEnd(running, startTime, STOP_TIMEOUT_MS)) return;
      }
    },
  };
}

function ownFolder(path: string, user: { uid: number; gid: number } | null, gid: number | null, mode: number): void {
  mkdirSync(path, { recursive: true });
  if (user !== null) chownSync(path, user.uid, gid ?? user.gid);
  chmodSync(path, mode);
}
