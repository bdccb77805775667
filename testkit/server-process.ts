/**
 * The control plane as a process of its own, for tests that kill it: everything of server/main.ts, with the simulated
 * engine kept in a file (so that it outlives the process) and one named point at which the process stops or dies.
 * `node testkit/server-process.ts <file>`; the file is a ServerProcessFile as JSON.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { flushCompileCache } from 'node:module';
import type { ServerConfig } from '#contract/config.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import type { Fault } from '#drivers/simulated/faults.ts';
import { createLog } from '#server/runtime/log.ts';
import { startServer } from '#server/wire.ts';
import { type StopAt, type StopPoint, stopPointAt } from '#server/workflows/stop-point.ts';
import { fastWork } from './paces.ts';

export type ServerProcessFile = {
  config: ServerConfig;
  masterKey: string;
  engineFile: string;
  /** While this file exists it names the point (a StopAt) at which the process dies. */
  stopFile: string;
  /** Verbs that fail for good, to reach the undos. */
  faults?: Fault[];
};

async function main(): Promise<void> {
  const file = process.argv[2];
  if (file === undefined) throw new Error('name the file');
  const { config, masterKey, engineFile, stopFile, faults } = JSON.parse(
    await readFile(file, 'utf8'),
  ) as ServerProcessFile;
  const driver = new SimulatedDriver({ stateFile: engineFile, shared: true });
  for (const fault of faults ?? []) driver.faults.fail(fault);
  const server = await startServer({
    config,
    masterKey,
    driver,
    log: createLog({ level: config.logLevel }),
    version: '0.0.0-test',
    work: { ...fastWork, stopPoint: stopPointFrom(stopFile) },
  });
  process.on('SIGTERM', () => void server.stop().then(() => process.exit(0)));
  await rm(config.socket, { force: true });
  await server.http.fastify.listen({ path: config.socket });
  process.stdout.write('{"msg":"listening"}\n');
  // Whoever is killed writes nothing down at its end.
  flushCompileCache();
}

/** The point may be set while the process runs; it is used once. */
function stopPointFrom(file: string): StopPoint {
  return async (kind, step, moment) => {
    if (!existsSync(file)) return;
    const wanted = JSON.parse(readFileSync(file, 'utf8')) as StopAt;
    if (wanted.kind !== kind || wanted.step !== step || wanted.moment !== moment) return;
    rmSync(file);
    await stopPointAt(wanted)(kind, step, moment);
  };
}

await main();
