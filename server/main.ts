/**
 * The control plane: `node server/main.ts --config <file>`. API, console files, workflows, reconcilers. No engine
 * socket, no root, no shell. Listens on a unix socket that Caddy reaches.
 */
import { readFile, rm } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { CONFIG_EXIT_CODE, parseConfig, type ServerConfig, serverConfigSchema } from '#contract/config.ts';
import { agentDriver } from '#drivers/agent/driver.ts';
import packageJson from '../package.json' with { type: 'json' };
import { sshReportServer } from './http/ssh-reports.ts';
import { createLog, type Log } from './runtime/log.ts';
import { decodeKeys, KeyMissing } from './runtime/secrets.ts';
import { type RunningServer, startServer } from './wire.ts';

const STOP_MS_MAX = 4_500;
const RETRY_MS = 500;
/** PostgreSQL answers these while it starts or recovers; so does a socket that is not there yet. */
const startingUp = new Set(['ENOENT', 'ECONNREFUSED', '57P03']);

async function main(): Promise<void> {
  const { config, masterKey, edgeKey, agentToken } = await readConfiguration();
  const log = createLog({ level: config.logLevel });
  const driver = agentDriver({ socketPath: config.agent.socket, token: agentToken });
  const stopped = new AbortController();
  let server: RunningServer | null = null;

  const stop = (signal: string): void => {
    if (stopped.signal.aborted) return;
    stopped.abort();
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(1), STOP_MS_MAX).unref();
    Promise.resolve(server?.stop())
      .then(() => driver.close())
      .then(() => process.exit(0))
      .catch((error: unknown) => {
        log.error({ err: error }, 'did not stop cleanly');
        process.exit(1);
      });
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));

  server = await patiently(log, stopped.signal, () =>
    startServer({ config, masterKey, edgeKey, driver, log, version: packageJson.version }),
  );
  await rm(config.socket, { force: true });
  await server.http.fastify.listen({ path: config.socket });
  if (config.ssh !== undefined) await listenToGateway(server, config.ssh.socket);
  log.info({ socket: config.socket }, 'ready');
}

/** The socket on which the SSH gateway tells what happens. */
async function listenToGateway(server: RunningServer, socket: string): Promise<void> {
  const reports = sshReportServer(server.app);
  await rm(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    reports.once('error', reject);
    reports.listen(socket, resolve);
  });
}

/** Tries until the database lets us in: after a power cut it recovers first. */
async function patiently<T>(log: Log, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : '';
      if (signal.aborted || !startingUp.has(code)) throw error;
      log.info({ code }, 'waiting for the database');
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function readConfiguration(): Promise<{
  config: ServerConfig;
  masterKey: string;
  edgeKey: Uint8Array;
  agentToken: string;
}> {
  try {
    const { values } = parseArgs({ options: { config: { type: 'string' } } });
    if (values.config === undefined) throw new Error('--config <file> is missing');
    const config = parseConfig(serverConfigSchema, await readFile(values.config, 'utf8'));
    const masterKey = await readFile(config.secrets.masterKeyFile, 'utf8');
    decodeKeys(masterKey);
    const edgeKey = Buffer.from((await readFile(config.secrets.edgeKeyFile, 'utf8')).trim(), 'base64');
    if (edgeKey.length < 32) throw new Error('secrets.edgeKeyFile: fewer than 32 bytes');
    const agentToken = (await readFile(config.agent.tokenFile, 'utf8')).trim();
    if (agentToken === '') throw new Error('the agent token file is empty');
    return { config, masterKey, edgeKey, agentToken };
  } catch (error) {
    process.stderr.write(
      `server: the configuration is not usable:\n${error instanceof Error ? error.message : String(error)}\n`,
    );
    process.exit(CONFIG_EXIT_CODE);
  }
}

process.on('unhandledRejection', (reason) => {
  process.stderr.write(
    `${JSON.stringify({ process: 'server', level: 'error', msg: 'unhandled rejection', err: String(reason) })}\n`,
  );
});

main().catch((error: unknown) => {
  if (error instanceof KeyMissing) {
    process.stderr.write(`server: ${error.message}\n`);
    process.exit(CONFIG_EXIT_CODE);
  }
  process.stderr.write(
    `${JSON.stringify({ process: 'server', level: 'error', msg: 'could not start', err: error instanceof Error ? (error.stack ?? error.message) : String(error) })}\n`,
  );
  process.exit(1);
});
