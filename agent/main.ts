/** The host agent: `node agent/main.ts --config <file>`. Wiring only. */
import { existsSync, mkdirSync, readFileSync, unlinkSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { parseArgs } from 'node:util';
import pino from 'pino';
import { agentConfigSchema, CONFIG_EXIT_CODE, parseConfig } from '#contract/config.ts';
import { defaultForwardPorts } from '#domain/forwards.ts';
import { buildImage, machineArch } from '#images/build.ts';
import { recipeHash } from '#images/recipe-files.ts';
import { recipes } from '#images/recipes.ts';
import { Flows } from './flows.ts';
import { Forwards } from './forwards.ts';
import { hostAddresses, outsideDeniedRanges } from './host-facts.ts';
import { HostTable } from './host-table.ts';
import { token } from './http/auth.ts';
import { door } from './http/server.ts';
import type { ImageBuilder } from './images.ts';
import { incusEngine } from './incus/engine.ts';
import { KeyedLocks } from './locks.ts';
import { MetricSampler } from './metrics.ts';
import { Names } from './names.ts';
import { NetworkGuard } from './network-guard.ts';
import { PolicyKeeper } from './policies.ts';
import { Registry } from './registry.ts';
import { RegistryMirrors } from './registry-mirrors.ts';
import { Resolver } from './resolver.ts';
import { AgentState } from './state.ts';
import { agent } from './verbs.ts';

const CLOSE_SECONDS_MAX = 4;
const NUDGE_MS = 500;
const COMPILED_MS = 10_000;

function configuration() {
  const { values } = parseArgs({ options: { config: { type: 'string' } } });
  try {
    if (values.config === undefined) throw new Error('--config <file> is needed');
    return parseConfig(agentConfigSchema, readFileSync(values.config, 'utf8'));
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(CONFIG_EXIT_CODE);
  }
}

const config = configuration();
const log = pino({
  level: config.logLevel,
  base: { process: 'agent' },
  timestamp: pino.stdTimeFunctions.isoTime,
  formatters: { level: (level) => ({ level }) },
});

const names = new Names(config.installation);
const state = new AgentState(config.stateDir);
const locks = new KeyedLocks();
/** Bridges of this installation's own networks. */
const own = (name: string): boolean => state.networks.some((spec) => names.bridge(spec.project) === name);
const engine = incusEngine({
  socketPath: config.engine.socket,
  names,
  pool: config.pool,
  hostAddresses: () => outsideDeniedRanges(hostAddresses(own)),
  openings: (project) => forwards.openings(project),
  cachePort: () => registry.port,
  passages: (project) => policies.passages(project),
});
const policies: PolicyKeeper = new PolicyKeeper({
  engine,
  state,
  locks,
  bridge: (project) => names.bridge(project),
  table: names.table('policies'),
  names: (lines) => resolver?.name(lines),
  rewrite: (spec) => guard.check(spec, true),
  log,
});
/** Bridges whose guests are led to the resolver. */
const bridges = (): string[] => state.networks.map((spec) => names.bridge(spec.project));
const resolver: Resolver | null =
  config.resolver === undefined
    ? null
    : new Resolver({
        config: config.resolver,
        bridges,
        onAnswer: (answer) => policies.answered(answer),
        table: names.table('resolver'),
        log,
      });
const flows = new Flows({
  engine,
  locks,
  answers: policies.answers,
  bridges,
  table: names.table('flows'),
  log,
});
const hostTable = new HostTable();
const guard: NetworkGuard = new NetworkGuard(
  engine,
  state,
  locks,
  {
    check: async () => [
      ...(await hostTable.check()),
      ...((await resolver?.check()) ?? []),
      ...(await policies.check()),
      ...(await flows.check()),
    ],
  },
  log,
);
const forwards: Forwards = new Forwards({
  engine,
  state,
  locks,
  guard,
  pool: config.forwardPorts ?? defaultForwardPorts,
  table: names.table('forwards'),
  log,
});

const registry: Registry = new Registry({
  config: config.registry,
  names,
  state,
  guard,
  mirrors: new RegistryMirrors({ engine, state, locks, log }),
  log,
});

const metrics = new MetricSampler(engine, log);

const arch = machineArch();
const builder: ImageBuilder = {
  recipes: () =>
    Object.values(recipes).map((recipe) => ({
      name: recipe.name,
      kind: recipe.kind,
      title: recipe.title,
      description: recipe.description,
      recipeHash: recipeHash(recipe, arch),
    })),
  build: (name, onProgress, signal) => buildImage({ name, workDir: config.imagesDir, arch, onProgress, signal }),
};

mkdirSync(config.importDir, { recursive: true, mode: 0o755 });
const { server, events, close } = door({
  agent: agent({
    engine,
    state,
    locks,
    guard,
    forwards,
    policies,
    registry,
    resolver,
    flows,
    builder,
    importDir: config.importDir,
    httpsPort: config.httpsPort,
    metrics,
    own,
    stateDir: config.stateDir,
    backupsDir: config.backupsDir,
    onError: (error) => log.error({ err: error }, 'backups that broke off could not be tidied up'),
  }),
  tokens: config.tokens.map(({ caller, file }) => token(caller, readFileSync(file, 'utf8'))),
  log,
});

// A change to a network at the engine is looked at now and not in a minute.
let nudged = false;
events.tap((event) => {
  if (event.type === 'instance') lookAtMirrors();
  if (nudged || (event.type !== 'network' && event.type !== 'resync')) return;
  nudged = true;
  setTimeout(() => {
    nudged = false;
    void guard.checkAll().then(() => forwards.check());
  }, NUDGE_MS);
});
// A server that has just started is told of the image cache before its people use Docker.
let looking = false;
function lookAtMirrors(): void {
  if (looking || registry.port === null) return;
  looking = true;
  setTimeout(() => {
    looking = false;
    void registry.check(true);
  }, NUDGE_MS);
}
resolver?.start();
guard.start();
metrics.start();
flows.start();
forwards.start();
registry.start();

if (existsSync(config.socket)) unlinkSync(config.socket);
server.listen(config.socket, () => {
  // The socket has its narrow mode now. What goes into images is read by their users: nothing of the agent's strict mask.
  process.umask(0o022);
  log.info({ socket: config.socket, engine: engine.name }, 'listening');
});
server.on('error', (error) => {
  log.fatal({ err: error }, 'cannot listen');
  process.exit(1);
});

// Where the supervisor gives a place for it, compiled code is kept for the next start, also after a kill -9.
setTimeout(() => flushCompileCache(), COMPILED_MS).unref();

let stopping = false;
function stop(): void {
  if (stopping) return;
  stopping = true;
  setTimeout(() => process.exit(0), CLOSE_SECONDS_MAX * 1000).unref();
  guard.stop();
  resolver?.stop();
  metrics.stop();
  flows.stop();
  forwards.stop();
  void Promise.all([close(), registry.stop()])
    .then(() => engine.close())
    .then(() => process.exit(0));
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled rejection'));
