/** `berth up`: from whatever this machine is to a running Berth. Every step looks before it does, so it can be repeated. */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { accountsExist, ensureAccounts, ensureSubids, groupId, processUser, systemUsers, userIds } from './accounts.ts';
import { buildImage } from './agent-client.ts';
import { canAsk, confirm } from './ask.ts';
import { type Checklist, seconds } from './checklist.ts';
import { codeHash } from './code-hash.ts';
import { compileAhead } from './compile-ahead.ts';
import { buildConsole } from './console-build.ts';
import { buildDocs } from './docs-build.ts';
import { engineInfo, ensurePool, gib, INCUS_SOCKET } from './engine.ts';
import { ownedFolder, writeFileAtomic } from './files.ts';
import { waitHealthy } from './health.ts';
import { raiseLimits } from './kernel-limits.ts';
import {
  checkout,
  type HostConfig,
  type Layout,
  layoutOf,
  loadHostConfig,
  newHostConfig,
  originOf,
  saveHostConfig,
} from './layout.ts';
import { tail } from './logs.ts';
import { gatherFacts, type MachineFacts, readOs } from './machine.ts';
import { ensureSupervisor, type Manager, managerFor, writeSupervisorFile } from './manager.ts';
import { type UpOptions, UsageError } from './options.ts';
import { caddyCandidates, fetchCaddy, fetchRegistry, installPackages, registryProgram } from './packages.ts';
import { describePlan, isEmpty, type Plan, planMachine, wantedPackages } from './plan.ts';
import { describeCulprit, portCulprits } from './ports.ts';
import { ensureRoles, type PostgresCommand, preparePostgres, waitForPostgres } from './postgres.ts';
import type { ProcessSpec } from './process-spec.ts';
import { caddyStorage, describeProcesses, engineDaemons, type ProcessInput } from './processes.ts';
import { Refusal } from './refusal.ts';
import { ensureSecrets, readSetupCode } from './secrets.ts';
import { createDemoOwner, type DemoAccount, setupNeeded } from './setup-api.ts';
import { archiveSource } from './source-archive.ts';
import { ensureSshHostKey } from './ssh-host-key.ts';
import { runnableApp } from './stage.ts';
import { alone } from './up-lock.ts';

const HEALTHY_WITHIN_MS = 90_000;
/** A process that ended this often while `up` waits will not become healthy by waiting. */
const RESTARTS_MAX = 4;
const ENGINE_WITHIN_MS = 90_000;
const CERTIFICATE_WITHIN_MS = 30_000;
const SUPERVISOR_ROOMS = ['host', 'contract', 'domain'];

export type UpResult = {
  consoleUrl: string;
  apiUrl: string;
  /** null when the owner exists already. */
  setupCode: string | null;
  caCertificate: string;
  dataDir: string;
  demo?: DemoAccount;
};

/** Code hash of the supervisor: another one is replaced by the next `up`. */
export const supervisorCode = (): string => codeHash(checkout, SUPERVISOR_ROOMS).slice(0, 16);

export type UpExtras = Partial<Pick<ProcessInput, 'logLevel' | 'nodeArguments'>> & {
  skipConsole?: boolean;
};

/**
 * Brings Berth up. With `inProcess` the caller runs the built-in supervisor itself (foreground); it is called once
 * processes.json exists. Returns what people need to know; the processes run on.
 */
export async function up(
  options: UpOptions,
  list: Checklist,
  inProcess: ((layout: Layout) => Promise<void>) | null,
  extras: UpExtras = {},
): Promise<{ result: UpResult; layout: Layout; config: HostConfig; manager: Manager }> {
  const before = loadHostConfigIfAllowed(options.dataDir);
  const binDir = layoutOf(options.dataDir).bin;
  const facts = await gatherFacts(wantedPackages(readOs()), caddyCandidates(binDir), [registryProgram(binDir)]);
  const plan = planMachine(facts);
  await agree(options, plan, facts, before === null, list);
  const config = settle(before ?? newHostConfig(options.dataDir), options);
  mkdirSync(options.dataDir, { recursive: true, mode: 0o755 });
  checkReachable(options.dataDir);
  chmodSync(options.dataDir, 0o755);
  return alone(options.dataDir, async () => {
    const layout = layoutOf(options.dataDir, config.runDir);
    const manager = managerFor(config, layout);
    saveHostConfig(options.dataDir, config);
    list.line(`Berth ${config.installation} in ${layout.data}`);

    const { caddy, registry } = await list.step('packages', async (step) => {
      if (ensureSubids()) step.detail('id ranges for root added');
      await installPackages(plan, step.detail);
      const found = plan.caddy === null ? facts.caddy : await fetchCaddy(plan.caddy, layout.bin, step.detail);
      if (found === null) throw new Error('there is no Caddy');
      if ('warning' in found && typeof found.warning === 'string') step.warn(found.warning);
      const registry = plan.registry ? await fetchRegistry(layout.bin, step.detail) : facts.registry;
      if (registry === null) step.warn('docker-registry could not be fetched: there is no image cache');
      step.note(isEmpty(plan) ? 'nothing to do' : `${plan.packages.length} installed, Caddy ${found.version}`);
      return { caddy: { path: found.path, version: found.version }, registry };
    });

    await list.step('users, folders, secrets', async () => {
      await ensureAccounts();
      makeFolders(layout);
      ensureSecrets(layout);
      await ensureSshHostKey(layout);
    });

    const running = await manager.status();
    await list.step('ports', async (step) => {
      const ours = new Set((running ?? []).flatMap((status) => (status.pid === null ? [] : [status.pid])));
      const wanted = Object.values(config.ports);
      const culprits = await portCulprits(wanted, portHolders(layout, ours));
      if (culprits.length > 0) {
        const said = culprits.map(describeCulprit).join(', ');
        throw new Refusal(
          `${said}. Stop it, or choose other ports with --control-port, --https-port, --http-port, --ssh-port.`,
        );
      }
      step.note(wanted.join(', '));
    });

    if (options.console) {
      await list.step('console', async (step) => {
        step.note((await buildConsole(checkout, step.detail)) ? 'built' : 'up to date');
        // Berth works without its documentation; the console does not.
        try {
          await buildDocs(checkout, step.detail);
          await archiveSource(checkout, join(checkout, 'docs/dist'));
        } catch (error) {
          step.warn(`the documentation could not be built: ${error instanceof Error ? error.message : String(error)}`);
        }
      });
    }
    const app = await list.step('program', async (step) => {
      const found = await runnableApp(checkout, layout.app, processUser('berth-server'));
      step.note(found === checkout ? 'runs from the checkout' : 'staged beside the data');
      return found;
    });

    if (manager.kind === 'supervisor') {
      await list.step('supervisor', async (step) => {
        if (!existsSync(layout.processes)) writeSupervisorFile(layout, engineDaemons(layout));
        if (inProcess !== null) await inProcess(layout);
        else step.note(await ensureSupervisor(layout, supervisorCode()));
      });
    }

    await list.step('engine', async (step) => {
      const { raised, refused } = raiseLimits();
      if (raised.length > 0) step.detail(`kernel limits raised: ${raised.join(', ')}`);
      if (refused.length > 0)
        step.warn(`this kernel does not let ${refused.join(', ')} be raised: room for few guests`);
      await manager.apply(engineDaemons(layout), ['lxcfs', 'incusd']);
      const alive = await waitHealthy({ type: 'http', socket: INCUS_SOCKET, path: '/1.0' }, ENGINE_WITHIN_MS);
      const info = alive ? await engineInfo() : null;
      if (info === null)
        throw new Error(`Incus does not answer on ${INCUS_SOCKET}; its log: ${join(layout.logs, 'incusd.log')}`);
      const pool = await ensurePool({ ...config.pool, installation: config.installation });
      if (pool.warning !== null) step.warn(pool.warning);
      step.note(`Incus ${info.version}, pool ${config.pool.name} (${pool.driver}${pool.made ? ', new' : ''})`);
    });

    const databaseUrl = process.env.DATABASE_URL ?? null;
    const postgres = databaseUrl === null ? await prepareDatabase(layout) : null;
    const input: ProcessInput = {
      layout,
      config,
      app,
      caddy,
      registryProgram: registry,
      postgres,
      databaseUrl,
      edgeDatabaseUrl: process.env.BERTH_EDGE_DATABASE_URL ?? null,
      logLevel: extras.logLevel ?? 'info',
      consoleDir: options.console ? join(app, 'console/dist') : null,
      hostName: hostname(),
      buildImages: options.images ? ['server', 'desktop'] : [],
      ...(extras.nodeArguments === undefined ? {} : { nodeArguments: extras.nodeArguments }),
    };
    const specs = describeProcesses(input);
    // The database takes its time meanwhile.
    const compiled = Promise.all(specs.map((spec) => compileAhead(spec, app)));

    await list.step('database', async (step) => {
      if (postgres === null) {
        step.note('DATABASE_URL');
        return;
      }
      await manager.apply(specs, ['postgres']);
      await waitForPostgres(layout.sockets.postgres, layout.postgres);
      await ensureRoles(layout.sockets.postgres);
    });

    await list.step('agent, server, edge, Caddy, SSH gateway', async (step) => {
      await compiled;
      await manager.apply(specs);
      await Promise.all(specs.filter((spec) => !spec.shared).map((spec) => waitForProcess(spec, manager, step.detail)));
    });

    await list.step('certificate', () => copyCertificate(layout));

    if (options.images) {
      await list.step('image of servers', async (step) => {
        await buildImage(layout, 'server', ({ percent, line }) => step.detail(`${percent} %  ${line}`));
        step.note('ready; the desktop image follows in the background');
      });
    }

    const origin = originOf(config.domain, config.ports.control);
    const needed = await setupNeeded(layout, config);
    const demo =
      options.demo && needed ? await list.step('demo account', () => createDemoOwner(layout, config)) : undefined;
    const result: UpResult = {
      consoleUrl: `${origin}/`,
      apiUrl: `${origin}/api/v1`,
      setupCode: needed && demo === undefined ? readSetupCode(layout) : null,
      caCertificate: layout.caCertificate,
      dataDir: layout.data,
      ...(demo === undefined ? {} : { demo }),
    };
    return { result, layout, config, manager };
  });
}

function loadHostConfigIfAllowed(dataDir: string): HostConfig | null {
  try {
    return loadHostConfig(dataDir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return null;
    throw error;
  }
}

/** Shows what will be changed and asks, unless --yes. */
async function agree(
  options: UpOptions,
  plan: Plan,
  facts: MachineFacts,
  first: boolean,
  list: Checklist,
): Promise<void> {
  if (plan.refusals.length > 0) throw new Refusal(plan.refusals.join('\n'));
  const more = first
    ? [
        ...(accountsExist() ? [] : [`add the system users ${systemUsers.join(', ')}`]),
        'give root a range of ids for guests in /etc/subuid and /etc/subgid where it has none',
        options.poolDevice === null
          ? `make a storage pool in a file (${options.poolSizeBytes === null ? 'up to 60 % of what is free, at most 100 GiB' : gib(options.poolSizeBytes)})`
          : `make a storage pool on ${options.poolDevice}`,
        `keep everything else in ${options.dataDir} and run under ${facts.systemd ? 'systemd' : 'its own supervisor'}`,
      ]
    : [];
  if (isEmpty(plan) && more.length === 0) return;
  list.line(`Berth will, on this machine (${facts.os.name}):`);
  for (const line of describePlan(plan, more)) list.line(`  - ${line}`);
  if (options.yes) return;
  if (!canAsk()) throw new Refusal('Nothing was changed: there is no terminal to ask on. Run again with --yes.');
  if (!(await confirm('Go on?'))) throw new Refusal('Nothing was changed.');
}

function settle(config: HostConfig, options: UpOptions): HostConfig {
  const changed: HostConfig = {
    ...config,
    domain: options.domain ?? config.domain,
    ports: {
      control: options.controlPort ?? config.ports.control,
      https: options.httpsPort ?? config.ports.https,
      http: options.httpPort ?? config.ports.http,
      ssh: options.sshPort ?? config.ports.ssh,
    },
    ...(options.sshWorkers === null || options.sshWorkers === 'auto' ? {} : { sshWorkers: options.sshWorkers }),
    ...(options.forwardPorts === null ? {} : { forwardPorts: options.forwardPorts }),
    ...(options.resolvers === null ? {} : { resolvers: options.resolvers }),
    ...(options.acme === null || options.acme === 'internal' ? {} : { acme: options.acme }),
    pool: {
      ...config.pool,
      device: options.poolDevice ?? config.pool.device,
      sizeBytes: options.poolSizeBytes ?? config.pool.sizeBytes,
    },
  };
  if (options.acme === 'internal') delete changed.acme;
  if (options.sshWorkers === 'auto') delete changed.sshWorkers;
  if (changed.acme !== undefined && /(?:^|\.)localhost$/.test(changed.domain))
    throw new UsageError(`no ACME authority gives certificates for ${changed.domain}: choose a --domain of your own`);
  if (changed.acme?.caFile != null && !existsSync(changed.acme.caFile))
    throw new UsageError(`--acme-ca-file: there is no ${changed.acme.caFile}`);
  const wanted = Object.values(changed.ports);
  if (new Set(wanted).size !== wanted.length) throw new UsageError('the ports must differ');
  return changed;
}

/** The unprivileged processes must be able to reach their files. */
function checkReachable(dataDir: string): void {
  for (let dir = dirname(dataDir); ; dir = dirname(dir)) {
    if ((statSync(dir).mode & 0o001) === 0) {
      throw new Refusal(
        `${dir} is closed to other users, so Berth's own users cannot reach ${dataDir}: choose another --data-dir.`,
      );
    }
    if (dir === '/') return;
  }
}

function makeFolders(layout: Layout): void {
  ownedFolder(layout.run, 0o755);
  ownedFolder(layout.logs, 0o750);
  ownedFolder(layout.bin, 0o755);
  ownedFolder(layout.pids, 0o700);
  ownedFolder(dirname(layout.sockets.supervisor), 0o700);
}

/** Pids of ours that listen on ports: from the manager, or from the pid files of a supervisor that was killed. */
function portHolders(layout: Layout, known: Set<number>): Set<number> {
  for (const name of ['caddy', 'ssh-gateway']) {
    const file = join(layout.pids, `${name}.json`);
    if (!existsSync(file)) continue;
    try {
      known.add((JSON.parse(readFileSync(file, 'utf8')) as { pid: number }).pid);
    } catch {
      // Cut off in writing: the port check will tell.
    }
  }
  return known;
}

async function prepareDatabase(layout: Layout): Promise<PostgresCommand> {
  const user = userIds('berth-db');
  return preparePostgres({
    dataDir: layout.postgres,
    socketDir: layout.sockets.postgres,
    copyDir: layout.postgresPrograms,
    user,
    socketGid: groupId('berth-sql'),
    peers: { 'berth-server': 'berth_server', 'berth-edge': 'berth_edge' },
  });
}

/** Waits for one process; gives up early on one that keeps ending. */
async function waitForProcess(spec: ProcessSpec, manager: Manager, say: (line: string) => void): Promise<void> {
  const started = Date.now();
  const state = async () => (await manager.status())?.find((one) => one.name === spec.name);
  const restartsBefore = (await state())?.restarts ?? 0;
  let last = await state();
  while (Date.now() - started < HEALTHY_WITHIN_MS) {
    if (await waitHealthy(spec.health, 1500)) return;
    last = await state();
    if ((last?.restarts ?? 0) - restartsBefore >= RESTARTS_MAX) break;
    say(`waiting for ${spec.name}`);
  }
  const lines = tail(spec.logFile, 6).map((line) => `    ${line.slice(0, 500)}`);
  throw new Error(
    `${spec.name} is not healthy after ${seconds(Date.now() - started)} (${last?.lastExit ?? 'it runs, and does not answer'}); the end of ${spec.logFile}:\n${lines.join('\n')}`,
  );
}

async function copyCertificate(layout: Layout): Promise<void> {
  const root = join(caddyStorage(layout), 'pki/authorities/local/root.crt');
  const found = await waitHealthy({ type: 'path', path: root }, CERTIFICATE_WITHIN_MS);
  if (!found) throw new Error(`Caddy made no certificate authority in ${root}`);
  const text = readFileSync(root, 'utf8');
  if (existsSync(layout.caCertificate) && readFileSync(layout.caCertificate, 'utf8') === text) return;
  writeFileAtomic(layout.caCertificate, text, 0o644);
}
