/**
 * `node bench/api.ts`: the authenticated list of 100 instances against bare Fastify that sends the same bytes, both on a
 * unix socket in a process of their own, in alternating rounds.
 */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Pool } from 'undici';
import { createDatabase } from '#testkit/databases.ts';
import { startOwnPostgres } from '#testkit/own-postgres.ts';
import { load, median, print, round } from './measure.ts';

const CONNECTIONS = 16;
const ROUND_MS = 4_000;
const ROUNDS = 5;
const GOAL = 0.5;

const { folder, socketDir, stop } = await startOwnPostgres('berth-bench-');
const children: { kill(): void }[] = [];

async function serve(
  mode: 'berth' | 'bare',
  argument: string,
): Promise<{ socketPath: string; path: string; token: string }> {
  const socketPath = join(folder, `${mode}.sock`);
  const child = spawn(process.execPath, [join(import.meta.dirname, 'api-serve.ts'), mode, socketPath, argument], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  children.push(child);
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').once('data', resolve);
    child.once('exit', () => reject(new Error(`${mode} did not start`)));
  });
  return { socketPath, ...(JSON.parse(line) as { path: string; token: string }) };
}

try {
  const database = await createDatabase(socketDir);
  const berth = await serve('berth', database.url);
  const headers = { authorization: `Bearer ${berth.token}` };
  const once = new Pool('http://berth', { socketPath: berth.socketPath, connections: 1 });
  const answer = await once.request({ method: 'GET', path: berth.path, headers });
  const bytes = await answer.body.text();
  await once.close();
  if ((JSON.parse(bytes) as { items: unknown[] }).items.length !== 100) throw new Error('not 100 instances');
  const file = join(folder, 'bytes.json');
  writeFileSync(file, bytes);
  const bare = await serve('bare', file);

  const mine: Awaited<ReturnType<typeof load>>[] = [];
  const limit: Awaited<ReturnType<typeof load>>[] = [];
  for (let index = -1; index < ROUNDS; index++) {
    const options = { connections: CONNECTIONS, ms: index < 0 ? 2_000 : ROUND_MS };
    const one = await load({ origin: 'http://berth', ...berth, headers }, options);
    const other = await load({ origin: 'http://bare', ...bare, headers: {} }, options);
    if (index < 0) continue;
    mine.push(one);
    limit.push(other);
  }
  const ratio = median(mine.map((item) => item.perSecond)) / median(limit.map((item) => item.perSecond));
  print({
    name: 'api',
    goal: `at least ${GOAL * 100} % of bare Fastify`,
    reached: ratio >= GOAL,
    figures: {
      bytes: bytes.length,
      connections: CONNECTIONS,
      berthPerSecond: median(mine.map((item) => item.perSecond)),
      berthP50Ms: median(mine.map((item) => item.p50)),
      berthP95Ms: median(mine.map((item) => item.p95)),
      barePerSecond: median(limit.map((item) => item.perSecond)),
      bareP50Ms: median(limit.map((item) => item.p50)),
      bareP95Ms: median(limit.map((item) => item.p95)),
      ratio: round(ratio, 3),
    },
  });
} finally {
  for (const child of children) child.kill();
  await stop();
}
