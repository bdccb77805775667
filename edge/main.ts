/** The edge process: `node edge/main.ts --config <file>`. Wiring only. */
import { randomBytes } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { pino } from 'pino';
import { CONFIG_EXIT_CODE, type EdgeConfig, edgeConfigSchema, parseConfig } from '#contract/config.ts';
import { startEdge } from './edge.ts';

const STOP_MS_MAX = 4_000;

function refuseConfig(message: string): never {
  process.stderr.write(`edge: the configuration is not usable:\n${message}\n`);
  process.exit(CONFIG_EXIT_CODE);
}

function readConfig(): { config: EdgeConfig; edgeKey: Buffer; agentToken: string } {
  try {
    const { values } = parseArgs({ options: { config: { type: 'string' } } });
    if (values.config === undefined) return refuseConfig('give it with --config <file>');
    const config = parseConfig(edgeConfigSchema, readFileSync(values.config, 'utf8'));
    const edgeKey = Buffer.from(readFileSync(config.secrets.edgeKeyFile, 'utf8').trim(), 'base64');
    const agentToken = readFileSync(config.agent.tokenFile, 'utf8').trim();
    if (edgeKey.length < 32) return refuseConfig('secrets.edgeKeyFile: fewer than 32 bytes');
    if (agentToken === '') return refuseConfig('agent.tokenFile: empty');
    return { config, edgeKey, agentToken };
  } catch (error) {
    return refuseConfig(error instanceof Error ? error.message : String(error));
  }
}

const { config, edgeKey, agentToken } = readConfig();
const log = pino({
  level: config.logLevel,
  base: { process: 'edge' },
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
  formatters: { level: (label) => ({ level: label }) },
  redact: [
    'password',
    'token',
    'code',
    'cookie',
    'authorization',
    '*.password',
    '*.token',
    '*.cookie',
    '*.authorization',
  ],
});

for (const socket of [config.socket, config.bridgeSocket, config.sshSocket ?? []].flat())
  rmSync(socket, { force: true });
const edge = await startEdge({
  config,
  edgeKey,
  agentToken,
  log,
  now: Date.now,
  random: () => randomBytes(24).toString('base64url'),
});
log.info({ socket: config.socket }, 'ready');

let stopping = false;
const stop = (signal: string): void => {
  if (stopping) return;
  stopping = true;
  log.info({ signal }, 'stopping');
  setTimeout(() => process.exit(0), STOP_MS_MAX).unref();
  edge.stop().then(
    () => process.exit(0),
    (error: unknown) => {
      log.error({ err: error }, 'stopped badly');
      process.exit(1);
    },
  );
};
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
process.on('unhandledRejection', (error) => log.error({ err: error }, 'unhandled rejection'));
