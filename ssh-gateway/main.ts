/**
 * The SSH gateway: `node ssh-gateway/main.ts --config <file>`. Wiring only. It holds no key but its own host keys. With
 * `--worker` it is one of several that a gateway started.
 */
import { readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { CONFIG_EXIT_CODE, parseConfig, type SshGatewayConfig, sshGatewayConfigSchema } from '#contract/config.ts';
import { startGateway } from './gateway.ts';
import { work } from './worker.ts';
import { workerOf } from './workers.ts';

const STOP_MS_MAX = 4_000;

function refuseConfig(message: string): never {
  process.stderr.write(`ssh-gateway: the configuration is not usable:\n${message}\n`);
  process.exit(CONFIG_EXIT_CODE);
}

function readConfig(): { config: SshGatewayConfig; file: string; isWorker: boolean } {
  try {
    const { values } = parseArgs({
      options: { config: { type: 'string' }, worker: { type: 'boolean', default: false } },
    });
    if (values.config === undefined) return refuseConfig('give it with --config <file>');
    const config = parseConfig(sshGatewayConfigSchema, readFileSync(values.config, 'utf8'));
    for (const key of config.hostKeyFiles) readFileSync(key);
    return { config, file: values.config, isWorker: values.worker };
  } catch (error) {
    return refuseConfig(error instanceof Error ? error.message : String(error));
  }
}

const { config, file, isWorker } = readConfig();
const log = pino({
  level: config.logLevel,
  base: { process: 'ssh-gateway', ...(isWorker ? { worker: process.pid } : {}) },
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
  formatters: { level: (label) => ({ level: label }) },
});

process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled rejection'));
// A client that breaks the protocol in a way nobody thought of ends itself, not the others.
process.on('uncaughtException', (error) => log.error({ err: error }, 'uncaught exception'));

if (isWorker) work({ ...config, log });
else await listen();

async function listen(): Promise<void> {
  const { workers, ...options } = config;
  const gateway = await startGateway({
    ...options,
    log,
    workers: workers === 1 ? null : { count: workers, start: workerOf(fileURLToPath(import.meta.url), file) },
  });
  rmSync(config.socket, { force: true });
  const health = createServer((request, response) => {
    const known = request.method === 'GET' && request.url === '/healthz';
    response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' });
    response.end(JSON.stringify(known ? { status: 'ok', ...gateway.counts() } : {}));
  });
  health.listen(config.socket);

  let stopping = false;
  const stop = (signal: string): void => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    setTimeout(() => process.exit(0), STOP_MS_MAX).unref();
    health.close();
    gateway.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'stopped badly');
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}
