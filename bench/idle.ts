/**
 * `node bench/idle.ts`: memory of Berth's own processes with 10 idle instances. Proportional set size (shared pages
 * counted once) over every process with its children, without Caddy and the engine; the plain resident size beside it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { finished, print, removeInstance, round, signedIn, status } from './measure.ts';

const INSTANCES = 10;
const SETTLE_MS = 60_000;
const GOAL_MB = 350;
const LEFT_OUT = new Set(['caddy', 'incusd', 'lxcfs']);

type Memory = { pss: number; rss: number };

function parents(): Map<number, number> {
  const map = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      map.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
    } catch {
      // Ended in between.
    }
  }
  return map;
}

/** Memory of a process and everything below it, in bytes. */
function memoryOf(pid: number, tree: Map<number, number>): Memory {
  let pss = 0;
  let rss = 0;
  try {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    pss += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
    rss += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
  } catch {
    // Ended in between.
  }
  for (const [child, parent] of tree) {
    if (parent !== pid) continue;
    const below = memoryOf(child, tree);
    pss += below.pss;
    rss += below.rss;
  }
  return { pss, rss };
}

const { client, project } = await signedIn();
const made: { id: string; name: string }[] = [];
try {
  const { items } = await client.call('instancesList', { params: { project }, query: { limit: 200 } });
  for (let index = items.length; index < INSTANCES; index++) {
    const accepted = await client.call('instancesCreate', {
      params: { project },
      body: { kind: 'server', name: `bench-idle-${index}`, size: 'small' },
    });
    if (accepted.instance !== null) made.push(accepted.instance);
    await finished(client, accepted.operation.id, 200);
  }
  await new Promise((resolve) => setTimeout(resolve, SETTLE_MS));
  const tree = parents();
  const figures: Record<string, number> = { instances: Math.max(INSTANCES, items.length) };
  const { processes } = await status();
  const own = processes.filter((one) => one.pid !== null && !LEFT_OUT.has(one.name));
  const supervisor = new Set(own.flatMap((one) => tree.get(one.pid ?? 0) ?? []).filter((pid) => pid > 1));
  let pss = 0;
  let rss = 0;
  for (const one of own) {
    const memory = memoryOf(one.pid ?? 0, tree);
    figures[`${one.name}PssMB`] = round(memory.pss / 1024 ** 2);
    pss += memory.pss;
    rss += memory.rss;
  }
  // The supervisor itself, without what it runs; under systemd there is none.
  for (const pid of supervisor) {
    const memory = memoryOf(pid, new Map());
    figures['supervisorPssMB'] = round(memory.pss / 1024 ** 2);
    pss += memory.pss;
    rss += memory.rss;
  }
  figures['totalPssMB'] = round(pss / 1024 ** 2);
  figures['totalRssMB'] = round(rss / 1024 ** 2);
  print({ name: 'idle', goal: `at most ${GOAL_MB} MB`, reached: pss / 1024 ** 2 <= GOAL_MB, figures });
} finally {
  for (const instance of made) await removeInstance(client, instance);
  await client.close();
}
