/** A real guest at work: what the agent says of it is what it does. */
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { METRIC_STALE_SECONDS, ratesBetween, SAMPLE_SECONDS } from '#domain/metrics.ts';
import { GIB, MIB } from '#domain/sizes.ts';
import type { GuestSpec, MetricSample } from '#drivers/interface.ts';
import { startAgent, type TestAgent } from '#testkit/agent.ts';
import { heldMemory } from './incus/memory.ts';

const BYTES = 8 * MIB;
const ECHO_PORT = 7;

let agent: TestAgent;
let busy: GuestSpec;
let idle: GuestSpec;

beforeAll(async () => {
  agent = await startAgent();
  const image = await agent.image();
  const network = await agent.network();
  busy = agent.spec(network, 10, image, { size: { cpus: 1, memoryBytes: GIB, diskBytes: 4 * GIB } });
  idle = agent.spec(network, 11, image);
  for (const guest of [busy, idle]) {
    await agent.driver.createGuest(guest);
    await agent.driver.power(guest.instance, 'start', {});
  }
  for (const guest of [busy, idle]) await agent.waitHealthy(guest);
});
afterAll(async () => agent?.close());

/** The next `count` samples, as they come. */
async function samples(count: number): Promise<MetricSample[]> {
  let last = new Date().toISOString();
  const found: MetricSample[] = [];
  const until = Date.now() + (count + 2) * SAMPLE_SECONDS * 1000;
  while (found.length < count) {
    if (Date.now() > until) throw new Error(`only ${found.length} samples`);
    found.push(...(await agent.driver.metrics(last)));
    last = found.at(-1)?.at ?? last;
    await sleep(300);
  }
  return found;
}
const of = (sample: MetricSample | undefined, guest: GuestSpec) =>
  sample?.guests.find(({ instance }) => instance === guest.instance);
function rates(one: MetricSample | undefined, two: MetricSample | undefined, guest: GuestSpec) {
  const [before, after] = [of(one, guest), of(two, guest)];
  if (one === undefined || two === undefined || before === undefined || after === undefined)
    throw new Error('no sample');
  return ratesBetween({ ...before, at: Date.parse(one.at) }, { ...after, at: Date.parse(two.at) });
}
const inside = async (guest: GuestSpec, script: string, timeoutMs = 60_000): Promise<string> => {
  const { code, stdout, stderr } = await agent.inside(guest, ['sh', '-c', script], timeoutMs);
  if (code !== 0) throw new Error(`${script}: ${stderr}`);
  return stdout.trim();
};

/** Sends bytes to the busy guest, which sends them back. */
async function echo(bytes: number): Promise<void> {
  const serve = `import socket
s=socket.create_server(("",${ECHO_PORT}))
c,_=s.accept()
while True:
  d=c.recv(65536)
  if not d: break
  c.sendall(d)`;
  await inside(busy, `nohup python3 -c '${serve}' > /dev/null 2>&1 &`);
  await sleep(1_000);
  await new Promise<void>((resolve, reject) => {
    let back = 0;
    const socket = connect(ECHO_PORT, busy.address4, () => socket.write(Buffer.alloc(bytes)));
    socket.on('error', reject);
    socket.on('data', (part) => {
      back += part.length;
      if (back < bytes) return;
      socket.end();
      resolve();
    });
  });
}

describe('V11: what a real guest uses', () => {
  it('V11: one that spins uses its whole processor, its neighbour next to none', { timeout: 90_000 }, async () => {
    const spinning = inside(busy, 'timeout 42 sh -c "while :; do :; done" || true');
    await sleep(1_000);
    // The first may have begun before the spinning did.
    const [, one, two] = await samples(3);
    const [work, rest] = [rates(one, two, busy), rates(one, two, idle)];
    // One CPU is its limit; other tests share the machine's.
    expect(work.cpu).toBeGreaterThan(0.3);
    expect(work.cpu).toBeLessThan(1.15);
    expect(rest.cpu).toBeLessThan((work.cpu ?? 0) / 2);
    expect(of(two, busy)).toMatchObject({ cpuLimit: 1, memoryLimitBytes: GIB });
    // The host did at least what its guest did.
    const host = ratesBetween(
      { ...(one as MetricSample).host, at: Date.parse((one as MetricSample).at) },
      { ...(two as MetricSample).host, at: Date.parse((two as MetricSample).at) },
    );
    expect(host.cpu).toBeGreaterThan((work.cpu ?? 0) * 0.8);
    await spinning;
  });

  it('V11: what memory holds counts, also in memory file systems; file cache does not', {
    timeout: 120_000,
  }, async () => {
    const [, before] = await samples(2);
    await inside(
      busy,
      'mkdir -p /mnt/held; mount -t tmpfs -o size=400m none /mnt/held; head -c 300M /dev/zero > /mnt/held/x',
    );
    await inside(busy, 'head -c 200M /dev/zero > /root/cached; cat /root/cached > /dev/null');
    // Other agents of this machine ask the engine, too, which answers from its cache for eight seconds.
    const [, after] = await samples(2);
    const more = (of(after, busy)?.memoryBytes ?? 0) - (of(before, busy)?.memoryBytes ?? 0);
    expect(more).toBeGreaterThan(250 * MIB);
    expect(more).toBeLessThan(400 * MIB);
    const { pid } = await agent.incus.call<{ pid: number }>(
      'GET',
      `/1.0/instances/${busy.instance.replace('_', '-')}/state`,
      { query: { project: agent.names.project(busy.project) } },
    );
    // The kernel's own account; what it needs itself for the guest comes on top.
    const held = heldMemory(pid) ?? 0;
    expect(held).toBeGreaterThan(290 * MIB);
    expect(Math.abs((of(after, busy)?.memoryBytes ?? 0) - held)).toBeLessThan(80 * MIB);
    await inside(busy, 'umount /mnt/held; rm /root/cached');
  });

  it('V11: network traffic is counted, byte for byte, and the neighbour has none of it', {
    timeout: 120_000,
  }, async () => {
    const [, before] = await samples(2);
    await echo(BYTES);
    const [, after] = await samples(2);
    const sent = (of(after, busy)?.sentBytes ?? 0) - (of(before, busy)?.sentBytes ?? 0);
    const received = (of(after, busy)?.receivedBytes ?? 0) - (of(before, busy)?.receivedBytes ?? 0);
    for (const bytes of [sent, received]) {
      expect(bytes).toBeGreaterThan(BYTES);
      expect(bytes).toBeLessThan(BYTES * 1.2);
    }
    expect((of(after, idle)?.receivedBytes ?? 0) - (of(before, idle)?.receivedBytes ?? 0)).toBeLessThan(100_000);
    expect(of(after, busy)?.processes).toBeGreaterThan(3);
  });

  it('V11: a guest that starts anew gives no negative figures; one that is off gives none', {
    timeout: 120_000,
  }, async () => {
    await inside(busy, 'timeout 3 sh -c "while :; do :; done" || true');
    const [before] = await samples(1);
    await agent.driver.power(busy.instance, 'restart', { force: true });
    await agent.driver.power(idle.instance, 'stop', { force: true });
    // The engine answers from its own cache for up to eight seconds: the second look is of the new guest for sure.
    const [between, after] = await samples(2);
    for (const [one, two] of [
      [before, between],
      [between, after],
    ] as const) {
      if (of(one, busy) === undefined || of(two, busy) === undefined) continue;
      for (const rate of Object.values(rates(one, two, busy))) expect(rate ?? 0).toBeGreaterThanOrEqual(0);
    }
    expect(of(after, busy)).toBeDefined();
    expect(of(after, idle)).toBeUndefined();
  });

  it('V11: an agent that is killed takes up again where the counters are; what it knew of before is gone', {
    timeout: 90_000,
  }, async () => {
    const [before] = await samples(1);
    expect((await agent.driver.metrics(null)).length).toBeGreaterThan(3);
    await agent.kill();
    await agent.start();
    const [first, second] = await samples(2);
    expect(Date.parse(first?.at ?? '')).toBeGreaterThan(Date.parse(before?.at ?? ''));
    const gap = (Date.parse(first?.at ?? '') - Date.parse(before?.at ?? '')) / 1000;
    if (gap < METRIC_STALE_SECONDS) expect(rates(before, first, busy).cpu).toBeGreaterThanOrEqual(0);
    expect(rates(first, second, busy).cpu).toBeLessThan(1.2);
    expect(await agent.driver.metrics(second?.at ?? null)).toEqual([]);
  });
});
