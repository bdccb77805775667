/** The processes of one installation: command lines, users, configuration files, and what makes each need a restart. */
import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import type { AgentConfig, EdgeConfig, ServerConfig, SshGatewayConfig } from '#contract/config.ts';
import { certificatePassword } from '#contract/wildcards.ts';
import { resolverAddresses } from '#domain/resolver.ts';
import { sshWorkers } from '#domain/ssh.ts';
import { CADDY_ENVIRONMENT, caddyConfig } from '#edge/caddy.ts';
import { groupId, processUser, type SystemGroup, type SystemUser } from './accounts.ts';
import { codeHash } from './code-hash.ts';
import { compiledFolder } from './compile-ahead.ts';
import { INCUS_SOCKET, LXCFS_DIR } from './engine.ts';
import { ownedFolder } from './files.ts';
import { type HostConfig, type Layout, originOf } from './layout.ts';
import { findProgram } from './machine.ts';
import { memoryArguments, memoryEnvironment } from './memory.ts';
import { type PostgresCommand, postgresUrl } from './postgres.ts';
import { common, hashOf, healthOf, STOP_MS, writeIfChanged } from './process-parts.ts';
import type { HealthProbe, ProcessSpec } from './process-spec.ts';
import { resolver, resolverNames } from './resolver.ts';
import { copySecretFor, readSecret, setupCodeHash } from './secrets.ts';
import { copyHostKeysFor } from './ssh-host-key.ts';
import { recordingFolder } from './ssh-recordings.ts';

type NodeProcess = 'agent' | 'server' | 'edge' | 'ssh-gateway';

export type ProcessInput = {
  layout: Layout;
  config: HostConfig;
  /** Checkout or staged copy that the unprivileged users can read. */
  app: string;
  caddy: { path: string; version: string };
  /** docker-registry; null: there can be no image cache. */
  registryProgram: string | null;
  postgres: PostgresCommand | null;
  /** A PostgreSQL of the operator's own. */
  databaseUrl: string | null;
  edgeDatabaseUrl: string | null;
  logLevel: 'debug' | 'info';
  /** Console files; null when Vite serves them. */
  consoleDir: string | null;
  hostName: string;
  /** Recipes the server builds by itself when the engine has no image of them. */
  buildImages: string[];
  /** More arguments for Node, per process (development). */
  nodeArguments?: Partial<Record<NodeProcess, string[]>>;
};

/**
 * Writes every configuration and secret file (only what changed) and returns the processes in the order of their start.
 * The engine's daemons come first and belong to the machine.
 */
export function describeProcesses(input: ProcessInput): ProcessSpec[] {
  const specs = [...engineDaemons(input.layout)];
  if (input.postgres !== null) specs.push(postgres(input, input.postgres));
  specs.push(
    agent(input),
    resolver(input.layout, input.config, input.app),
    server(input),
    edge(input),
    caddy(input),
    sshGateway(input),
  );
  return specs;
}

/** lxcfs and incusd as the distribution's unit files start them, for machines without systemd. */
export function engineDaemons(layout: Layout): ProcessSpec[] {
  const health = healthOf(layout);
  const common = {
    cwd: '/',
    user: null,
    capabilities: [],
    umask: 0o022,
    stopSignal: 'SIGTERM' as const,
    stopTimeoutMs: STOP_MS,
    fingerprint: 'machine',
    shared: true,
  };
  const path = '/usr/libexec/incus:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  const incusd = ['/usr/libexec/incus/incusd', '/usr/lib/incus/incusd', findProgram('incusd') ?? ''].find((file) =>
    existsSync(file),
  );
  return [
    {
      ...common,
      name: 'lxcfs',
      argv: [findProgram('lxcfs') ?? '/usr/bin/lxcfs', LXCFS_DIR],
      env: { PATH: path },
      prepare: { type: 'unmount', path: LXCFS_DIR },
      health: health.lxcfs as HealthProbe,
      logFile: join(layout.logs, 'lxcfs.log'),
    },
    {
      ...common,
      name: 'incusd',
      argv: [
        incusd ?? '/usr/libexec/incus/incusd',
        '--group',
        groupId('incus-admin') === null ? 'root' : 'incus-admin',
      ],
      env: { PATH: path },
      prepare: null,
      health: { type: 'socket', socket: INCUS_SOCKET },
      logFile: join(layout.logs, 'incusd.log'),
    },
  ];
}

export function postgres(input: Pick<ProcessInput, 'layout'>, command: PostgresCommand): ProcessSpec {
  const { layout } = input;
  return {
    ...common(layout, 'postgres'),
    argv: command.argv,
    env: command.env,
    user: processUser('berth-db'),
    capabilities: [],
    umask: 0o077,
    // Fast shutdown: SIGTERM would wait for the last client to leave.
    stopSignal: 'SIGINT',
    stopTimeoutMs: 30_000,
    prepare: { type: 'postgres', dataDir: layout.postgres, socketDir: layout.sockets.postgres },
    fingerprint: hashOf(command.argv.join('\n')),
    health: healthOf(layout).postgres as HealthProbe,
  };
}

/** Rooms whose code a process runs: a change in one of them restarts it. */
const rooms = {
  agent: ['contract', 'domain', 'agent', 'images', 'registry'],
  server: ['contract', 'domain', 'server', 'drivers', 'db', 'integrations'],
  edge: ['contract', 'domain', 'edge'],
  'ssh-gateway': ['contract', 'domain', 'ssh-gateway'],
} as const;

function nodeProcess(
  input: ProcessInput,
  name: NodeProcess,
  configuration: AgentConfig | ServerConfig | EdgeConfig | SshGatewayConfig,
  account: { user: SystemUser; groups: SystemGroup[] } | null,
): ProcessSpec {
  const user = account === null ? null : processUser(account.user, account.groups);
  const file = join(input.layout.configs, `${name}.json`);
  const text = `${JSON.stringify(configuration, null, 2)}\n`;
  ownedFolder(input.layout.configs, 0o755);
  writeIfChanged(file, text, 0o400, user ?? undefined);
  const more = input.nodeArguments?.[name] ?? [];
  // With its code compiled already, a process starts faster and never loads the type stripper: 30 MB less, each.
  const code = codeHash(input.app, rooms[name]);
  // V8 does not take code that was compiled with other flags.
  const compiled = compiledFolder(
    input.layout.compiled,
    name,
    hashOf(code, ...memoryArguments, ...more),
    user ?? undefined,
  );
  return {
    ...common(input.layout, name),
    argv: [nodeFor(input.app), ...memoryArguments, ...more, join(input.app, name, 'main.ts'), '--config', file],
    env: {
      PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: '/nonexistent',
      TZ: 'UTC',
      NODE_ENV: 'production',
      NODE_NO_WARNINGS: '1',
      NODE_COMPILE_CACHE: compiled,
      ...memoryEnvironment,
      ...(name === 'agent' ? agentEnvironment() : {}),
    },
    user,
    capabilities: [],
    fingerprint: hashOf(
      text,
      code,
      [...memoryArguments, ...more, ...Object.entries(memoryEnvironment).flat()].join(' '),
      input.consoleDir === null ? '' : consoleHash(input.consoleDir),
    ),
    health: healthOf(input.layout)[name] as HealthProbe,
  };
}

/** Image builds download: the machine's proxy settings apply. */
function agentEnvironment(): Record<string, string> {
  const names = [
    'http_proxy',
    'https_proxy',
    'no_proxy',
    'HTTP_PROXY',
    'HTTPS_PROXY',
    'NO_PROXY',
    'SSL_CERT_FILE',
    'NODE_EXTRA_CA_CERTS',
  ];
  const found = names.flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]]]));
  return { ...Object.fromEntries(found), HOME: '/root' };
}

function agent(input: ProcessInput): ProcessSpec {
  const { layout, config } = input;
  const folder = dirname(layout.sockets.agent);
  ownedFolder(folder, 0o2750, { uid: 0, gid: groupId('berth-agent') ?? 0 });
  for (const path of [layout.images, layout.agentState, layout.backups]) ownedFolder(path, 0o700);
  ownedFolder(layout.imports, 0o755);
  const configuration: AgentConfig = {
    installation: config.installation,
    logLevel: input.logLevel,
    socket: layout.sockets.agent,
    tokens: (['server', 'edge'] as const).map((caller) => ({
      caller,
      file: copySecretFor(layout, 'agent', `agent-token-${caller}`, { uid: 0, gid: 0 }),
    })),
    engine: { kind: 'incus', socket: INCUS_SOCKET },
    pool: config.pool.name,
    network: config.network,
    httpsPort: config.ports.https,
    recipesDir: join(input.app, 'images'),
    imagesDir: layout.images,
    importDir: layout.imports,
    stateDir: layout.agentState,
    backupsDir: layout.backups,
    mirror: null,
    ...imageCache(input),
    resolver: {
      ...resolverAddresses(config.installation, config.network.prefix6),
      feed: layout.sockets.resolverFeed,
      names: resolverNames(layout),
    },
    ...(config.forwardPorts === undefined ? {} : { forwardPorts: config.forwardPorts }),
  };
  return nodeProcess(input, 'agent', configuration, null);
}

/** The agent runs it when an administrator switches it on, as a user of its own. */
function imageCache({ layout, app, registryProgram }: ProcessInput): Pick<AgentConfig, 'registry'> {
  if (registryProgram === null) return {};
  const { uid, gid } = processUser('berth-registry');
  ownedFolder(layout.registry, 0o700, { uid, gid });
  return {
    registry: {
      program: registryProgram,
      main: join(app, 'registry/main.ts'),
      user: { uid, gid },
      dataDir: layout.registry,
    },
  };
}

function shared(input: ProcessInput) {
  const { config } = input;
  return {
    installation: config.installation,
    domain: config.domain,
    ports: { control: config.ports.control, https: config.ports.https, http: config.ports.http },
    consoleOrigin: originOf(config.domain, config.ports.control),
    logLevel: input.logLevel,
    network: config.network,
  };
}

function server(input: ProcessInput): ProcessSpec {
  const { layout } = input;
  const account = { user: 'berth-server' as const, groups: ['berth-sql', 'berth-agent'] satisfies SystemGroup[] };
  const user = processUser(account.user);
  ownedFolder(dirname(layout.sockets.server), 0o2750, { uid: user.uid, gid: groupId('berth-web') ?? user.gid });
  sshDoor(layout.sockets.serverSsh, user);
  const configuration: ServerConfig = {
    ...shared(input),
    socket: layout.sockets.server,
    database: { url: input.databaseUrl ?? postgresUrl(layout.sockets.postgres, 'berth_server') },
    ...(input.config.resolvers === undefined || input.config.resolvers.length === 0
      ? {}
      : { resolvers: input.config.resolvers }),
    agent: { socket: layout.sockets.agent, tokenFile: copySecretFor(layout, 'server', 'agent-token-server', user) },
    secrets: {
      masterKeyFile: copySecretFor(layout, 'server', 'master.key', user),
      edgeKeyFile: copySecretFor(layout, 'server', 'edge.key', user),
    },
    ssh: {
      port: input.config.ports.ssh,
      socket: layout.sockets.serverSsh,
      hostKeysFile: layout.sshHostKeys,
      recordings: recordingFolder(layout),
    },
    ...(input.config.acme === undefined
      ? {}
      : { acme: { ...input.config.acme, caFile: acmeCa(layout, input.config.acme.caFile, user.gid) } }),
    countryFile: countryFile(layout),
    consoleDir: input.consoleDir,
    setupCodeHash: setupCodeHash(layout),
    hostName: input.hostName,
    buildImages: input.buildImages,
  };
  return nodeProcess(input, 'server', configuration, account);
}

function edge(input: ProcessInput): ProcessSpec {
  const { layout } = input;
  const account = { user: 'berth-edge' as const, groups: ['berth-sql', 'berth-agent'] satisfies SystemGroup[] };
  const user = processUser(account.user);
  ownedFolder(dirname(layout.sockets.edge), 0o2750, { uid: user.uid, gid: groupId('berth-web') ?? user.gid });
  ownedFolder(layout.edge, 0o700, user);
  sshDoor(layout.sockets.edgeSsh, user);
  const configuration: EdgeConfig = {
    ...shared(input),
    socket: layout.sockets.edge,
    bridgeSocket: layout.sockets.edgeBridge,
    sshSocket: layout.sockets.edgeSsh,
    database: { url: input.edgeDatabaseUrl ?? input.databaseUrl ?? postgresUrl(layout.sockets.postgres, 'berth_edge') },
    agent: { socket: layout.sockets.agent, tokenFile: copySecretFor(layout, 'edge', 'agent-token-edge', user) },
    secrets: { edgeKeyFile: copySecretFor(layout, 'edge', 'edge.key', user) },
    snapshotDir: layout.edge,
    countryFile: countryFile(layout),
  };
  return nodeProcess(input, 'edge', configuration, account);
}

/** Where an administrator puts a database of countries; server and edge read it. */
function countryFile(layout: Layout): string {
  ownedFolder(layout.countries, 0o755);
  return join(layout.countries, 'country.mmdb');
}

/** A folder whose socket the SSH gateway alone may open. */
function sshDoor(socket: string, owner: { uid: number }): void {
  ownedFolder(dirname(socket), 0o2750, { uid: owner.uid, gid: groupId('berth-ssh') ?? 0 });
}

/** It opens the doors made for it, and the server's own to sign people in; no database, no agent, no engine. */
function sshGateway(input: ProcessInput): ProcessSpec {
  const { layout, config } = input;
  const account = { user: 'berth-ssh' as const, groups: ['berth-web'] satisfies SystemGroup[] };
  const user = processUser(account.user);
  ownedFolder(dirname(layout.sockets.sshGateway), 0o700, user);
  const configuration: SshGatewayConfig = {
    logLevel: input.logLevel,
    socket: layout.sockets.sshGateway,
    listen: { port: config.ports.ssh },
    ...copyHostKeysFor(layout, user),
    workers: config.sshWorkers ?? sshWorkers(availableParallelism()),
    edgeSocket: layout.sockets.edgeSsh,
    serverSocket: layout.sockets.server,
    reportSocket: layout.sockets.serverSsh,
    consoleOrigin: originOf(config.domain, config.ports.control),
    recordings: recordingFolder(layout),
  };
  const spec = nodeProcess(input, 'ssh-gateway', configuration, account);
  return config.ports.ssh < 1024 ? { ...spec, capabilities: ['net_bind_service'] } : spec;
}

export function caddyStorage(layout: Layout): string {
  return join(layout.caddy, 'storage');
}

/** A copy that Caddy and the server may read; null when the authority is a public one. */
function acmeCa(layout: Layout, file: string | null, gid: number): string | null {
  if (file === null) return null;
  const copy = join(layout.caddy, 'acme-ca.crt');
  writeIfChanged(copy, readFileSync(file, 'utf8'), 0o444, { uid: 0, gid });
  return copy;
}

function caddy(input: ProcessInput): ProcessSpec {
  const { layout, config } = input;
  const user = processUser('berth-caddy', ['berth-web']);
  ownedFolder(dirname(layout.sockets.caddyAdmin), 0o700, user);
  ownedFolder(layout.caddy, 0o755);
  ownedFolder(caddyStorage(layout), 0o700, user);
  const file = join(layout.caddy, 'config.json');
  const configuration = caddyConfig({
    version: input.caddy.version,
    domain: config.domain,
    controlPort: config.ports.control,
    httpsPort: config.ports.https,
    httpPort: config.ports.http,
    sockets: {
      server: layout.sockets.server,
      edge: layout.sockets.edge,
      bridge: layout.sockets.edgeBridge,
      admin: layout.sockets.caddyAdmin,
    },
    storageDirectory: caddyStorage(layout),
    certificatePassword: certificatePassword(Buffer.from(readSecret(layout, 'edge.key'), 'base64')),
    acme:
      config.acme === undefined ? undefined : { ...config.acme, caFile: acmeCa(layout, config.acme.caFile, user.gid) },
  });
  const text = `${JSON.stringify(configuration, null, 2)}\n`;
  writeIfChanged(file, text, 0o440, { uid: 0, gid: user.gid });
  return {
    ...common(input.layout, 'caddy'),
    argv: [input.caddy.path, 'run', '--config', file],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      HOME: caddyStorage(layout),
      XDG_DATA_HOME: caddyStorage(layout),
      XDG_CONFIG_HOME: caddyStorage(layout),
      ...CADDY_ENVIRONMENT,
    },
    user,
    capabilities: ['net_bind_service'],
    fingerprint: hashOf(text, input.caddy.path, input.caddy.version, JSON.stringify(CADDY_ENVIRONMENT)),
    health: healthOf(layout).caddy as HealthProbe,
  };
}

/** The Node that runs this, seen from the folder the processes run from. */
function nodeFor(app: string): string {
  const staged = join(app, 'node_modules/node/bin/node');
  return existsSync(staged) ? staged : process.execPath;
}

function consoleHash(dir: string): string {
  const file = join(dir, 'index.html');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
