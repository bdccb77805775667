/**
 * `node bench/create.ts [desktop|server]`: from the POST until the instance is healthy and its address answers over
 * HTTPS, against the engine alone: a guest from the same image with the same limits in the same pool and network, and
 * the same probe (systemd is up and the screen or SSH answers). In alternating rounds.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Agent, request } from 'undici';
import { localhostLookup, trustedRoots } from '#cli/transport.ts';
import { closeEngine, engine } from './engine.ts';
import { finished, followed, installation, median, print, removeInstance, round, signedIn } from './measure.ts';

const ROUNDS = 9;
const SETTLE_MS = 3_000;
const PROBE_EVERY_MS = 100;
const PROBE_MS_MAX = 120_000;
const GOAL = 1.3;

const kind = process.argv[2] === 'server' ? 'server' : 'desktop';
const { client, project } = await signedIn();
const home = installation();
const ca = await trustedRoots(`${home.dataDir}/ca.crt`);
const dispatcher = new Agent({ connect: { lookup: localhostLookup, ...(ca === undefined ? {} : { ca }) } });

/**
 * The file system still cleans up after the guest before, and a clone waits until what others wrote is on the disk (120
 * or 350 ms, as it happens): each side begins with nothing left to be written.
 */
async function settle(): Promise<void> {
  await sleep(SETTLE_MS);
  await promisify(execFile)('sync');
}
const soon = () => sleep(PROBE_EVERY_MS);

/** True when the port greets with `banner`. */
function greets(host: string, port: number, banner: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 500 });
    const end = (yes: boolean): void => {
      socket.destroy();
      resolve(yes);
    };
    socket.once('data', (data) => end(data.toString('latin1').startsWith(banner)));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

/** Berth: POST, healthy, first answer of its address that is not an error (a desktop's is the way to its screen). */
async function throughBerth(): Promise<{ healthy: number; answered: number }> {
  const name = `bench-${randomBytes(3).toString('hex')}`;
  const before = performance.now();
  const { instance } = await followed(client, () =>
    client.call('instancesCreate', { params: { project }, body: { kind, name } }),
  );
  if (instance === null) throw new Error('no instance');
  try {
    const healthy = performance.now() - before;
    const { url } = await client.call('instancesGet', { params: { instance: instance.id } });
    if (url === null) throw new Error('no address');
    if (kind === 'desktop') {
      const deadline = performance.now() + PROBE_MS_MAX;
      for (;;) {
        const answer = await request(url, {
          dispatcher,
          headers: { ...(await client.headers()), accept: 'text/html' },
        });
        await answer.body.dump();
        if (answer.statusCode < 400) break;
        if (performance.now() > deadline) throw new Error(`${url} answers ${answer.statusCode}`);
        await soon();
      }
    }
    return { healthy, answered: performance.now() - before };
  } finally {
    await removeInstance(client, instance);
  }
}

type Config = Record<string, string>;
type EngineInstance = { name: string; project: string; config: Config; devices: Record<string, Config> };

/** The engine alone, with the configuration Berth gave to an instance of this kind. */
async function throughEngine(model: EngineInstance, fingerprint: string): Promise<number> {
  const name = `bench-${randomBytes(4).toString('hex')}`;
  const config = Object.fromEntries(Object.entries(model.config).filter(([key]) => /^(limits|security)\./.test(key)));
  const devices = structuredClone(model.devices);
  for (const device of Object.values(devices)) {
    delete device['hwaddr'];
    delete device['ipv4.address'];
    delete device['ipv6.address'];
    delete device['security.ipv4_filtering'];
    delete device['security.ipv6_filtering'];
    delete device['security.mac_filtering'];
  }
  const at = `/1.0/instances/${name}`;
  const query = `project=${encodeURIComponent(model.project)}`;
  const before = performance.now();
  await engine('POST', `/1.0/instances?${query}`, {
    name,
    type: 'container',
    profiles: [],
    source: { type: 'image', fingerprint },
    config,
    devices,
  });
  try {
    await engine('PUT', `${at}/state?${query}`, { action: 'start', timeout: 60 });
    const deadline = performance.now() + PROBE_MS_MAX;
    for (;;) {
      if (performance.now() > deadline) throw new Error('the guest did not become ready');
      const state = (await engine('GET', `${at}/state?${query}`)) as {
        network?: Record<string, { addresses: { family: string; scope: string; address: string }[] }>;
      };
      const address = Object.values(state.network ?? {})
        .flatMap((item) => item.addresses)
        .find((item) => item.family === 'inet' && item.scope === 'global')?.address;
      if (
        address !== undefined &&
        (kind === 'desktop' ? await greets(address, 5900, 'RFB ') : await greets(address, 22, 'SSH-'))
      ) {
        const ran = await engine('POST', `${at}/exec?${query}`, {
          command: ['systemctl', 'is-system-running', '--wait'],
          'record-output': false,
          'wait-for-websocket': false,
          interactive: false,
        });
        if (ran !== undefined) break;
      }
      await soon();
    }
    return performance.now() - before;
  } finally {
    await engine('PUT', `${at}/state?${query}`, { action: 'stop', force: true, timeout: 30 }).catch(() => undefined);
    await engine('DELETE', `${at}?${query}`);
  }
}

const first = await client.call('instancesCreate', {
  params: { project },
  body: { kind, name: `model-${randomBytes(3).toString('hex')}` },
});
const model = first.instance;
if (model === null) throw new Error('no instance');
try {
  await finished(client, first.operation.id, 200);
  const { image } = await client.call('instancesGet', { params: { instance: model.id } });
  const guests = (await engine('GET', '/1.0/instances?recursion=1&all-projects=true')) as unknown as EngineInstance[];
  const guest = guests.find((item) => item.name === model.id.replace('_', '-'));
  if (guest === undefined || image.fingerprint === null) throw new Error('the engine does not know the model');
  const healthy: number[] = [];
  const answered: number[] = [];
  const alone: number[] = [];
  for (let index = 0; index < ROUNDS; index++) {
    await settle();
    const berth = await throughBerth();
    healthy.push(berth.healthy);
    answered.push(berth.answered);
    await settle();
    alone.push(await throughEngine(guest, image.fingerprint));
  }
  const ratio = median(answered) / median(alone);
  print({
    name: 'create',
    goal: `at most ${GOAL} times the engine alone`,
    reached: ratio <= GOAL,
    figures: {
      kind,
      rounds: ROUNDS,
      berthHealthySeconds: round(median(healthy) / 1000, 2),
      berthAnsweredSeconds: round(median(answered) / 1000, 2),
      engineSeconds: round(median(alone) / 1000, 2),
      ratio: round(ratio, 2),
    },
  });
} finally {
  await removeInstance(client, model);
  await client.close();
  await closeEngine();
  await dispatcher.close();
}
