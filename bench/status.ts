/**
 * `node bench/status.ts`: an event of the engine until the hint about it reaches a browser's event stream, through
 * agent, server, database, outbox, relay and Caddy. A guest is frozen and thawed behind Berth's back; both moments are
 * taken in this process.
 */
import { closeEngine, engine, type Lifecycle, onLifecycle } from './engine.ts';
import { finished, median, percentile, print, removeInstance, round, signedIn } from './measure.ts';

const SAMPLES = 40;
/** More than samples: Berth thaws a guest that was frozen without it, and sometimes does so first. */
const ATTEMPTS_MAX = 2 * SAMPLES;
const PAUSE_MS = 700;
const HINT_MS_MAX = 5_000;
const GOAL_MS = 100;

const { client, project } = await signedIn();
const accepted = await client.call('instancesCreate', {
  params: { project },
  body: { kind: 'server', name: 'bench-status', size: 'small' },
});
const instance = accepted.instance;
if (instance === null) throw new Error('no instance');
const stop = new AbortController();
try {
  await finished(client, accepted.operation.id, 200);
  const guest = instance.id.replace('_', '-');
  const all = (await engine('GET', '/1.0/instances?recursion=1&all-projects=true')) as unknown as {
    name: string;
    project: string;
  }[];
  const place = all.find((item) => item.name === guest);
  if (place === undefined) throw new Error(`the engine has no guest ${guest}`);

  let engineEvent: Lifecycle | null = null;
  const unlisten = await onLifecycle((event) => {
    if (engineEvent === null && event.source.includes(guest) && /^instance-(paused|resumed)$/.test(event.action))
      engineEvent = event;
  });
  let hintAt: number | null = null;
  const listening = (async () => {
    for await (const event of client.events({ signal: stop.signal })) {
      if (event?.kind === 'instance' && event.id === instance.id) hintAt ??= performance.now();
    }
  })();
  await new Promise((resolve) => setTimeout(resolve, 2_000));

  const delays: number[] = [];
  let missed = 0;
  let mendedFirst = 0;
  for (let attempt = 0; delays.length + missed < SAMPLES && attempt < ATTEMPTS_MAX; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const path = `/1.0/instances/${guest}/state?project=${place.project}`;
    const action = (await engine('GET', path)).status === 'Frozen' ? 'unfreeze' : 'freeze';
    engineEvent = null;
    hintAt = null;
    try {
      await engine('PUT', path, { action, timeout: 30 });
    } catch {
      mendedFirst += 1;
      continue;
    }
    const deadline = performance.now() + HINT_MS_MAX;
    while ((hintAt === null || engineEvent === null) && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    const event = engineEvent as Lifecycle | null;
    if (event === null || hintAt === null) missed += 1;
    else delays.push(Math.max(0, hintAt - event.at));
  }
  stop.abort();
  await listening;
  unlisten();
  const p95 = percentile(delays, 0.95);
  print({
    name: 'status',
    goal: `p95 at most ${GOAL_MS} ms`,
    reached: p95 <= GOAL_MS && missed === 0 && delays.length >= SAMPLES / 2,
    figures: {
      samples: delays.length,
      missed,
      mendedFirst,
      p50Ms: round(median(delays)),
      p95Ms: round(p95),
      maxMs: round(Math.max(...delays)),
    },
  });
} finally {
  stop.abort();
  await removeInstance(client, instance);
  await client.close();
  await closeEngine();
}
