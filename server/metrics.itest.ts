/** Metrics from the driver to the answer: collecting, restarts, staleness, who may see what, and what Prometheus reads. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { type InstanceId, makeId } from '#domain/ids.ts';
import { METRIC_STALE_SECONDS, metricRangeNames } from '#domain/metrics.ts';
import { GIB } from '#domain/sizes.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { simulatedFingerprint } from '#drivers/simulated/images.ts';
import { makeInstance, newId, type Place } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { checkMetrics } from '#testkit/promtool.ts';
import { idleWork, type SetUp, startTestServer, TestClock, type TestServer } from '#testkit/server.ts';
import { metricCollector } from './reconcilers/metric-collector.ts';
import { metricKeeper } from './reconcilers/metric-keeper.ts';
import type { Reconciler } from './reconcilers/reconciler.ts';
import { ensureHost, findHostByName, recordHost } from './store/hosts.ts';

const GUESTS = 100;
const START = new Date('2026-04-01T10:00:00.000Z');

let server: TestServer;
let home: SetUp;
let tenant: SetUp;
let collector: Reconciler;
const instances: InstanceId[] = [];
const clock = new TestClock(START);
const driver = new SimulatedDriver({ now: () => clock.now().getTime() });
const never = new AbortController().signal;

/** So many rounds of ten seconds, as the collector lives them. */
async function live(rounds: number, collect: Reconciler = collector): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    clock.advance({ seconds: 10 });
    await collect.run(never);
  }
}
const seen = (instance: InstanceId, range: (typeof metricRangeNames)[number] = '1h') =>
  tenant.owner.call(api.instanceMetrics, { params: { instance }, query: { range } });

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), driver, clock, startWork: idleWork });
  home = await server.setUp();
  tenant = await home.owner.addStranger('tenant');
  const { db } = server.app;
  const { services } = server.app;
  await ensureHost(db, makeId('hst', Date.now(), services.random), services.hostName);
  await recordHost(
    db,
    services.hostName,
    { facts: { poolBytes: 1000 * GIB, poolUsedBytes: 300 * GIB } as never, error: null },
    clock.now().getTime(),
  );
  const place: Place = { ...tenant, person: tenant.owner.userId as NonNullable<typeof tenant.owner.userId> };
  await driver.ensureNetwork({ project: tenant.project, subnet4: '10.99.0.0/24', subnet6: 'fd42:9:9::/64' });
  for (let number = 0; number < GUESTS; number++) {
    const instance = await makeInstance(db, place, { name: `guest-${number}` });
    instances.push(instance);
    await driver.createGuest({
      instance,
      project: tenant.project,
      operation: newId('opr'),
      kind: 'server',
      hostname: `guest-${number}`,
      imageFingerprint: simulatedFingerprint('server'),
      size: { cpus: 2, memoryBytes: 4 * GIB, diskBytes: 10 * GIB },
      address4: `10.99.0.${number + 10}`,
      address6: `fd42:9:9::${(number + 10).toString(16)}`,
    });
    await driver.power(instance, 'start', {});
  }
  collector = metricCollector(services);
});
afterAll(() => server?.stop());

describe('V11: metrics', () => {
  it(`V11: ${GUESTS} instances and their host are known after two looks, with one call a look`, async () => {
    const before = driver.faults.countOf('metrics');
    await live(2);
    expect(driver.faults.countOf('metrics') - before).toBe(2);
    const { items } = await tenant.owner.call(api.projectMetrics, { params: { project: tenant.project } });
    expect(items.map(({ instance }) => instance).sort()).toEqual([...instances].sort());
    for (const item of items) {
      expect(item).toMatchObject({
        stale: false,
        cpuCores: 1,
        cpuLimitCores: 2,
        memoryBytes: 2 * GIB,
        memoryLimitBytes: 4 * GIB,
        diskReadBytesPerSecond: 1000,
        diskWrittenBytesPerSecond: 2000,
        receivedBytesPerSecond: 3000,
        sentBytesPerSecond: 4000,
        diskLimitBytes: 10 * GIB,
        processes: 10,
      });
    }
    const host = await findHostByName(server.app.db, server.app.services.hostName);
    const answer = await home.owner.call(api.hostMetrics, { params: { host: host?.id ?? '' } });
    expect(answer.current).toMatchObject({ cpuCores: 8, cpuLimitCores: 16, diskBytes: 300 * GIB, stale: false });
  });

  it('V11: every range answers a whole grid that ends now; what was seen is in it, the rest is unknown', async () => {
    await live(12);
    const keeper = metricKeeper(server.app.services);
    await keeper.run(never);
    const [instance] = instances as [InstanceId];
    for (const range of metricRangeNames) {
      const series = await seen(instance, range);
      const { points, stepSeconds, from } = series;
      for (const values of [series.cpuCores.average, series.memoryBytes.highest, series.diskLimitBytes]) {
        expect(values).toHaveLength(points);
      }
      const end = Date.parse(from) + points * stepSeconds * 1000;
      expect(end).toBeGreaterThan(clock.now().getTime());
      expect(end - clock.now().getTime()).toBeLessThanOrEqual(stepSeconds * 1000);
      const known = series.cpuCores.average.filter((value) => value !== null);
      expect(known.length, range).toBeGreaterThan(0);
      expect(known.length, range).toBeLessThan(points);
      for (const value of known) expect(value).toBeCloseTo(1, 6);
    }
  });

  it('V11: while the host is away nothing is made up: a gap, and old figures that say that they are', async () => {
    const [instance] = instances as [InstanceId];
    driver.faults.fail({ verb: 'metrics', times: 30 });
    for (let round = 0; round < 30; round++) {
      clock.advance({ seconds: 10 });
      await expect(collector.run(never)).rejects.toThrow();
    }
    const away = await seen(instance);
    expect(away.current).toMatchObject({ stale: true, cpuCores: 1 });
    expect(away.cpuCores.average.slice(-29).every((value) => value === null)).toBe(true);
    driver.faults.clear();
    await live(1);
    // The first look after the gap: what happened in between is not told as if it were of the last ten seconds.
    expect((await seen(instance)).current).toMatchObject({ stale: false, cpuCores: null, memoryBytes: 2 * GIB });
    await live(1);
    expect((await seen(instance)).current).toMatchObject({ cpuCores: 1 });
  });

  it('V11: a server that starts anew goes on where the last one was', async () => {
    const [instance] = instances as [InstanceId];
    await live(1);
    await live(1, metricCollector(server.app.services));
    const series = await seen(instance);
    // The driver's own sample may be of this very moment; none of the last three is missing.
    expect(series.cpuCores.average.slice(-3)).toEqual([1, 1, 1]);
  });

  it('V11: a guest that starts anew is counted from zero and never negative', async () => {
    const instance = instances[1] as InstanceId;
    await driver.power(instance, 'restart', {});
    clock.advance({ seconds: 4 });
    await live(1);
    const { current, cpuCores } = await seen(instance);
    expect(current?.cpuCores).toBeGreaterThanOrEqual(0);
    expect(current?.cpuCores).toBeLessThanOrEqual(1);
    expect(cpuCores.average.every((value) => value === null || value >= 0)).toBe(true);
    clock.advance({ seconds: 6 });
  });

  it('V11: what stands still has no new figures, and with the instance goes its history', async () => {
    const instance = instances[2] as InstanceId;
    await driver.power(instance, 'stop', {});
    await live(5);
    const { current } = await seen(instance);
    expect(current?.stale).toBe(true);
    const { deleteMetrics } = await import('./store/metric-history.ts');
    await server.app.db.transaction().execute((tx) => deleteMetrics(tx, instance));
    expect((await seen(instance)).current).toBeNull();
  });

  it('V11: guests that Berth does not know are not kept', async () => {
    const stranger = newId('ins');
    const known = driver.metrics.bind(driver);
    driver.metrics = async (after) =>
      (await known(after)).map((sample) => ({
        ...sample,
        guests: sample.guests.map((guest, index) => (index === 0 ? { ...guest, instance: stranger } : guest)),
      }));
    await live(1);
    driver.metrics = known;
    const kept = await server.app.db
      .selectFrom('metric_latest')
      .select('subject')
      .where('subject', '=', stranger)
      .execute();
    expect(kept).toEqual([]);
  });
});

describe('V11: who may see metrics', () => {
  it('V11: members of the project; nobody of another, and platform administration opens no tenant', async () => {
    const [instance] = instances as [InstanceId];
    const viewer = await tenant.owner.addMember(tenant.organization, 'viewer');
    expect((await viewer.try(api.instanceMetrics, { params: { instance } })).statusCode).toBe(200);
    for (const stranger of [home.owner, (await home.owner.addStranger()).owner]) {
      expect((await stranger.try(api.instanceMetrics, { params: { instance } })).statusCode).toBe(404);
      const params = { project: tenant.project };
      expect((await stranger.try(api.projectMetrics, { params })).statusCode).toBe(404);
      expect((await stranger.try(api.projectPrometheus, { params })).statusCode).toBe(404);
    }
    expect((await viewer.try(api.prometheus, {})).statusCode).toBe(404);
  });

  it('V11: the scope platform.metric.read is enough for Prometheus, and for nothing else', async () => {
    const { secret } = await home.owner.call(api.tokensCreate, {
      body: { name: 'prometheus', scopes: ['platform.metric.read'] },
    });
    const { TestClient } = await import('#testkit/server.ts');
    const scraper = new TestClient(server);
    scraper.token = secret;
    expect((await scraper.try(api.prometheus, {})).statusCode).toBe(200);
    expect((await scraper.try(api.hostsList, {})).statusCode).toBe(403);
    scraper.token = `${secret.slice(0, -2)}xx`;
    expect((await scraper.try(api.prometheus, {})).statusCode).toBe(401);
  });
});

describe('V11: Prometheus', () => {
  const scrape = (accept?: string) =>
    home.owner.try(api.prometheus, accept === undefined ? {} : { headers: { accept } });

  it('V11: reads the same numbers, in a text that its own checker has nothing against', async () => {
    await live(2);
    const response = await scrape();
    expect(response.headers['content-type']).toContain('text/plain; version=0.0.4');
    const text = response.body;
    expect(await checkMetrics(text)).toBe('');
    const { items } = await tenant.owner.call(api.projectMetrics, { params: { project: tenant.project } });
    const one = items.find(({ instance }) => instance === instances[0]);
    const labels = `{name="guest-0",id="${instances[0]}",kind="server",project="main",organization="tenant"}`;
    expect(text.includes(`berth_instance_memory_used_bytes${labels} ${one?.memoryBytes}\n`)).toBe(true);
    expect(text.includes(`berth_instance_cpu_limit_cores${labels} 2\n`)).toBe(true);
    expect(text).toMatch(/berth_host_up\{host="test-host"\} 1\n/);
    const total = (body: string) =>
      Number(/berth_instance_cpu_seconds_total\{name="guest-0",[^}]*\} (\S+)/.exec(body)?.[1]);
    await live(1);
    // The rate that Prometheus would count is the rate that the console shows.
    expect((total((await scrape()).body) - total(text)) / 10).toBeCloseTo(one?.cpuCores ?? -1, 6);
    const names = text.split('\n').filter((line) => line.startsWith('berth_instance_cpu_seconds_total'));
    expect(names).toHaveLength(GUESTS - 1);
  });

  it('V11: OpenMetrics where it is asked for: counters without suffix in their heads, units, and an end', async () => {
    const response = await scrape('application/openmetrics-text;version=1.0.0,text/plain;q=0.5');
    expect(response.headers['content-type']).toContain('application/openmetrics-text; version=1.0.0');
    expect(response.body).toMatch(
      /^# TYPE berth_instance_cpu_seconds counter\n# UNIT berth_instance_cpu_seconds seconds$/m,
    );
    expect(response.body).toMatch(/\n# EOF\n$/);
    for (const line of response.body.trimEnd().split('\n')) {
      expect(line).toMatch(
        /^(# (HELP|TYPE|UNIT) berth_[a-z_]+ .+|# EOF|berth_[a-z_]+\{([a-z]+="[^"\\\n]*",?)+\} [0-9.e+]+)$/,
      );
    }
  });

  it('V11: of a project only what is in it; a host that is away is said to be, without old figures', async () => {
    const own = await tenant.owner.try(api.projectPrometheus, { params: { project: tenant.project } });
    expect(own.body).not.toContain('berth_host_');
    expect(own.body.match(/^berth_instance_processes\{/gm)).toHaveLength(GUESTS - 1);
    const viewer = await home.owner.try(api.projectPrometheus, { params: { project: home.project } });
    expect(viewer.body).not.toContain('guest-');
    clock.advance({ seconds: METRIC_STALE_SECONDS + 1 });
    const away = (await scrape()).body;
    expect(away).toContain('berth_host_up{host="test-host"} 0\n');
    expect(away).not.toContain('berth_instance_');
    expect(await checkMetrics(away)).toBe('');
  });
});
