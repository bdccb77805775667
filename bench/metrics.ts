/**
 * `node bench/metrics.ts [guests]`: what looking at 100 instances every ten seconds costs the agent, in parts of one
 * processor. Two ways, both with a real agent on the real engine: with as many real guests as asked for (default 10),
 * and with 100, of which the engine's real answer is multiplied on its way, line for line, because 100 machines that
 * boot say more about the bench's machine than about the agent. What the agent costs without any guest is taken off
 * neither. The engine's own cost is measured beside it. Needs no running Berth.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SAMPLE_SECONDS } from '#domain/metrics.ts';
import { INCUS_SOCKET, startAgent, type TestAgent, testId } from '#testkit/agent.ts';
import { cpuUsed, print, round } from './measure.ts';

const INSTANCES = 100;
const REAL = Number(process.argv[2] ?? 10);
const SETTLE_MS = 15_000;
const ROUNDS = 12;
const GOAL_PERCENT = 2;

/** On-processor time of all threads in microseconds; finer than the ticks of /proc/PID/stat. */
function used(pid: number): number {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    return (
      tasks.reduce(
        (sum, task) => sum + Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]),
        0,
      ) / 1000
    );
  } catch {
    return cpuUsed(pid);
  }
}

/** The engine: its guests' monitors have the same name, and have done less. */
function engineProcess(): number | null {
  let found: { pid: number; us: number } | null = null;
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      if (readFileSync(`/proc/${name}/comm`, 'utf8').trim() !== 'incusd') continue;
      const us = used(Number(name));
      if (found === null || us > found.us) found = { pid: Number(name), us };
    } catch {
      // Ended in between.
    }
  }
  return found?.pid ?? null;
}

/** Percent of one processor that agent and engine use while everything is sampled and collected. */
async function measure(agent: TestAgent, guests: number): Promise<{ agent: number; engine: number | null }> {
  await sleep(SETTLE_MS);
  const engine = engineProcess();
  let last = new Date().toISOString();
  const before = { agent: used(agent.pid()), engine: engine === null ? 0 : used(engine), at: performance.now() };
  let samples = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await sleep(SAMPLE_SECONDS * 1000);
    for (const sample of await agent.driver.metrics(last)) {
      if (sample.guests.length !== guests) throw new Error(`${sample.guests.length} guests instead of ${guests}`);
      last = sample.at;
      samples++;
    }
  }
  if (samples < ROUNDS - 1) throw new Error(`only ${samples} samples`);
  const us = (performance.now() - before.at) * 1000;
  const percent = (now: number, was: number): number => round(((now - was) / us) * 100, 2);
  return {
    agent: percent(used(agent.pid()), before.agent),
    engine: engine === null ? null : percent(used(engine), before.engine),
  };
}

/** The engine's answer with every guest in it so often that there are `INSTANCES`. */
async function multiplied(agent: TestAgent): Promise<string> {
  const text = await agent.incus.text('/1.0/metrics', 64 * 1024 * 1024);
  const mine = new RegExp(`name="([^"]+)",project="${agent.names.prefix}`);
  const lines = text.split('\n');
  const real = [...new Set(lines.flatMap((line) => mine.exec(line)?.[1] ?? []))];
  const [model] = real;
  if (model === undefined) throw new Error('the engine says nothing of the guests');
  const others = Array.from({ length: INSTANCES - real.length }, () => testId('ins').replace('_', '-'));
  return lines
    .flatMap((line) =>
      line.includes(`name="${model}"`) ? [line, ...others.map((name) => line.replace(model, name))] : [line],
    )
    .filter((line) => !line.includes('name="') || mine.test(line))
    .join('\n');
}

/** Passes everything on to the engine but the question for metrics, which it answers with `text`. */
async function between(path: string, text: () => string): Promise<() => Promise<void>> {
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const engine = connect(INCUS_SOCKET);
    for (const socket of [client, engine]) {
      open.add(socket);
      socket.on('close', () => open.delete(socket));
      socket.on('error', () => {
        client.destroy();
        engine.destroy();
      });
    }
    client.on('data', (bytes: Buffer) => {
      if (bytes.subarray(0, 18).toString('latin1') !== 'GET /1.0/metrics H') {
        engine.write(bytes);
        return;
      }
      const body = Buffer.from(text());
      client.write(`HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: ${body.length}\r\n\r\n`);
      client.write(body);
    });
    client.on('end', () => engine.end());
    engine.pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return async () => {
    for (const socket of open) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
}

async function withGuests<T>(agent: TestAgent, count: number, work: () => Promise<T>): Promise<T> {
  const image = await agent.image();
  const network = await agent.network();
  for (let number = 0; number < count; number++) {
    const spec = agent.spec(network, 10 + number, image);
    await agent.driver.createGuest(spec);
    await agent.driver.power(spec.instance, 'start', {});
  }
  return work();
}

const figures: Record<string, number | string | null> = { realGuests: REAL };
const socket = join(tmpdir(), `berth-bench-metrics-${process.pid}.sock`);
let text = '';
const real = await startAgent();
try {
  const nothing = await measure(real, 0);
  figures['agentPercentWithoutGuests'] = nothing.agent;
  const some = await withGuests(real, REAL, () => measure(real, REAL));
  figures['agentPercentRealGuests'] = some.agent;
  figures['enginePercentRealGuests'] = some.engine;
  text = await multiplied(real);
  figures['answerKB'] = round(text.length / 1000);
} finally {
  await real.close();
}
const close = await between(socket, () => text.replaceAll(real.names.prefix, many.names.prefix));
const many: TestAgent = await startAgent({ engineSocket: socket });
try {
  const all = await measure(many, INSTANCES);
  figures['agentPercent100'] = all.agent;
  print({
    name: 'metrics',
    goal: `at most ${GOAL_PERCENT} % of a core with ${INSTANCES} instances`,
    reached: all.agent <= GOAL_PERCENT,
    figures,
  });
} finally {
  await many.close();
  await close();
}
