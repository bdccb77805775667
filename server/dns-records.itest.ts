/**
 * V5: records at a connected DNS provider, against a real BIND: domains prove themselves, names lead here, everything
 * goes again, and nothing of anybody else's is ever touched.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { DNS_LOOK_MINUTES } from '#domain/dns.ts';
import { add, drop } from '#integrations/dns/message.ts';
import { enough, FakeCloudflare } from '#testkit/cloudflare.ts';
import { connectNamed, digger, dnsKey, HERE, PLATFORM, rfc2136Body, startNamed } from '#testkit/dns.ts';
import { makeInstance } from '#testkit/factories.ts';
import type { Named } from '#testkit/named.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, PASSWORD, type SetUp, startTestServer, TestClock, type TestServer } from '#testkit/server.ts';
import { dnsKeeper } from './reconcilers/dns-keeper.ts';
import { domainKeeper } from './reconcilers/domain-keeper.ts';
import { dnsSecretPlace } from './store/dns-providers.ts';
import { dnsWork } from './workflows/dns-records.ts';

const ZONE = 'corp.test';
const APEX = 'apex.test';
const SHARED = 'shared.test';
const clock = new TestClock();
let named: Named;
let cloudflare: FakeCloudflare;
let server: TestServer;
let home: SetUp;
let other: SetUp;
let dig: ReturnType<typeof digger>;

beforeAll(async () => {
  named = await startNamed({
    [ZONE]: ['mail IN A 192.0.2.25', 'www IN A 192.0.2.26'],
    [APEX]: ['@ IN MX 10 mail'],
    [SHARED]: [],
  });
  dig = digger(named);
  const config = { resolvers: [named.server], domain: PLATFORM, consoleOrigin: `https://${PLATFORM}:9443` };
  cloudflare = await FakeCloudflare.start();
  cloudflare.addZone('cloud.test');
  server = await startTestServer({
    database: await withDatabase(),
    startWork: idleWork,
    config,
    clock,
    cloudflareApi: cloudflare.api,
  });
  home = await server.setUp();
  other = await home.owner.addStranger();
});
afterAll(async () => {
  await server?.stop();
  await named?.stop();
  cloudflare?.stop();
});

const keeper = () =>
  dnsKeeper(
    dnsWork(server.app.services, {
      dnsProviders: server.app.dnsProviders,
      dns: server.app.dns,
      config: server.app.config,
    }),
  );
const run = () => keeper().run(new AbortController().signal);
const claim = (name: string, by: SetUp = home) =>
  by.owner.call(api.domainsCreate, { params: { project: by.project }, body: { name } });
const domains = async (by: SetUp = home) =>
  (await by.owner.call(api.domainsList, { params: { project: by.project } })).items;
const domain = async (id: string, by: SetUp = home) => (await domains(by)).find((each) => each.id === id);
const fresh = (zone = ZONE) => `n${randomBytes(4).toString('hex')}.${zone}`;
const place = (by: SetUp = home) => ({
  organization: by.organization,
  project: by.project,
  person: by.owner.userId ?? ('' as never),
});
async function route(hostname: string, by: SetUp = home) {
  const instance = await makeInstance(server.app.db, place(by));
  return by.owner.call(api.routesCreate, {
    params: { instance },
    body: { hostname, port: 8080, visibility: 'public' },
  });
}
/** Claimed, recorded, proven. */
async function proven(name: string, by: SetUp = home) {
  const made = await claim(name, by);
  await run();
  await domainKeeper(server.app.services, server.app.dns).run(new AbortController().signal);
  return domain(made.id, by);
}
const confirm = () => home.owner.call(api.confirm, { body: { type: 'password', password: PASSWORD } });
const lookAgain = async () => {
  clock.advance({ minutes: DNS_LOOK_MINUTES + 1 });
  await run();
};

describe('V5: connecting a DNS provider', () => {
  it('V5: only where an administrator allows the address, with the right secret, and the secret is never answered', async () => {
    const create = (body: object) =>
      home.owner.call(api.dnsProvidersCreate, { params: { organization: home.organization }, body: body as never });
    await expect(create(rfc2136Body(named, [ZONE]))).rejects.toMatchObject({
      code: 'invalid_input',
      problem: { detail: expect.stringContaining('administrator') },
    });
    await home.owner.call(api.outboundUpdate, { body: { allowed: [`dns://127.0.0.1:${named.port}`] } });
    const wrong = randomBytes(32).toString('base64');
    await expect(create(rfc2136Body(named, [ZONE], wrong))).rejects.toMatchObject({
      problem: { fields: [{ field: 'secret' }] },
    });
    await expect(create(rfc2136Body(named, ['elsewhere.test']))).rejects.toMatchObject({
      problem: { fields: [{ field: 'zones' }] },
    });
    await expect(create({ ...rfc2136Body(named, [ZONE]), host: '169.254.169.254', port: 53 })).rejects.toMatchObject({
      code: 'invalid_input',
    });
    await named.pause(() =>
      expect(create(rfc2136Body(named, [ZONE]))).rejects.toMatchObject({ code: 'upstream_failed' }),
    );
    const made = await connectNamed(named, home, home, [ZONE, APEX]);
    expect(made).toMatchObject({ kind: 'rfc2136', zones: [APEX, ZONE], problem: null, records: 0 });
    const list = await home.owner.try(api.dnsProvidersList, { params: { organization: home.organization } });
    const logs = server.logLines.join('\n');
    const audit = JSON.stringify(await server.app.db.selectFrom('audit').selectAll().execute());
    for (const text of [list.body, JSON.stringify(made), logs, audit]) {
      expect(text).not.toContain(dnsKey.secret);
      expect(text).not.toContain(wrong);
    }
    const { secret_sealed } = await server.app.db
      .selectFrom('dns_provider')
      .select('secret_sealed')
      .executeTakeFirstOrThrow();
    expect(secret_sealed).toMatch(/^v1\./);
  });

  it('V5: of one organization: others neither see nor use it; members do not manage it', async () => {
    const [provider] = (await home.owner.call(api.dnsProvidersList, { params: { organization: home.organization } }))
      .items;
    const theirs = { organization: other.organization, provider: provider?.id ?? '' };
    expect(
      (await other.owner.call(api.dnsProvidersList, { params: { organization: other.organization } })).items,
    ).toEqual([]);
    for (const attempt of [
      other.owner.try(api.dnsProvidersCheck, { params: theirs }),
      other.owner.try(api.dnsProvidersCheck, { params: { ...theirs, organization: home.organization } }),
      other.owner.try(api.dnsProvidersDelete, { params: theirs }),
      other.owner.try(api.platformDnsProvidersList, {}),
    ]) {
      expect((await attempt).statusCode).toBe(404);
    }
    const stranger = await claim(fresh(), other);
    expect(stranger.dns).toBeNull();
    await run();
    expect((await domain(stranger.id, other))?.records).toEqual([]);
    const member = await home.owner.addMember(home.organization, 'member');
    expect((await member.try(api.dnsProvidersList, { params: { organization: home.organization } })).statusCode).toBe(
      404,
    );
  });
});

describe('V5: records of domains and routes', () => {
  it('V5: a claim in a connected zone proves itself; routes get their records; all goes with them, and nothing else', async () => {
    const name = fresh();
    const made = await proven(name);
    expect(made).toMatchObject({ state: 'verified', proof: 'txt', dns: { zone: ZONE, provider: 'Our name server' } });
    expect(made?.records).toMatchObject([{ type: 'TXT', state: 'present', mine: true }]);
    expect(await dig.txt(`_berth-challenge.${name}`)).toEqual([made?.challenge.value]);
    const [first, second] = [await route(name), await route(`api.${name}`)];
    await run();
    expect(await dig.cname(name)).toEqual([PLATFORM]);
    expect(await dig.cname(`api.${name}`)).toEqual([PLATFORM]);
    expect((await domain(made?.id ?? ''))?.records.map((record) => record.state)).toEqual([
      'present',
      'present',
      'present',
    ]);
    expect(await run()).toBeNull();

    await home.owner.call(api.routesDelete, { params: { route: second.id } });
    await run();
    expect([await dig.cname(`api.${name}`), await dig.cname(name)]).toEqual([[], [PLATFORM]]);
    await home.owner.call(api.routesDelete, { params: { route: first.id } });
    await home.owner.call(api.domainsDelete, { params: { domain: made?.id ?? '' } });
    await run();
    expect([await dig.cname(name), await dig.txt(`_berth-challenge.${name}`)]).toEqual([[], []]);
    for (const mark of [`_berth-cname.${name}`, `_berth-txt._berth-challenge.${name}`])
      expect(await dig.txt(mark)).toEqual([]);
    expect(await dig.a(`mail.${ZONE}`)).toEqual(['192.0.2.25']);
    const rows = await server.app.db.selectFrom('dns_record').select('id').where('name', 'like', `%${name}`).execute();
    expect(rows).toEqual([]);
    const actions = (await server.app.db.selectFrom('audit').select('action').execute()).map((row) => row.action);
    expect(actions).toEqual(expect.arrayContaining(['dns-providers.create', 'dns-record.write', 'dns-record.remove']));
  });

  it('V5: at the top of a zone addresses stand, beside what is there, and they follow the installation', async () => {
    await proven(APEX);
    await route(APEX);
    await run();
    expect(await dig.a(APEX)).toEqual([HERE]);
    await named.update('platform.test', dnsKey, [drop(PLATFORM, 'A'), add(PLATFORM, 'A', 1, '192.0.2.81')]);
    await run();
    expect(await dig.a(APEX)).toEqual(['192.0.2.81']);
    // Nobody answers: that is no reason to take anything away.
    await named.update('platform.test', dnsKey, [drop(PLATFORM, 'A'), add(PLATFORM, 'A', 1, HERE)]);
    await run();
    const { app } = server;
    const away = { texts: async () => null, alias: async () => null, addresses: async () => null };
    const blind = dnsWork(app.services, { dnsProviders: app.dnsProviders, dns: away, config: app.config });
    await dnsKeeper(blind).run(new AbortController().signal);
    expect(await dig.a(APEX)).toEqual([HERE]);
  });

  it('V5: what somebody else made at a name stays, is told, and gives way when it is gone', async () => {
    const made = await proven(`www.${ZONE}`);
    const added = await route(`www.${ZONE}`);
    await run();
    const taken = (await domain(made?.id ?? ''))?.records.find((record) => record.type === 'CNAME');
    expect(taken).toMatchObject({ state: 'taken', mine: false, problem: expect.stringContaining('did not make') });
    await home.owner.call(api.routesDelete, { params: { route: added.id } });
    await run();
    expect(await dig.a(`www.${ZONE}`)).toEqual(['192.0.2.26']);
    await route(`www.${ZONE}`);
    await run();
    await named.update(ZONE, dnsKey, [drop(`www.${ZONE}`, 'A')]);
    await lookAgain();
    expect(await dig.cname(`www.${ZONE}`)).toEqual([PLATFORM]);
  });

  it('V5: drift is shown and repaired when asked; what lost its mark is left alone', async () => {
    const name = fresh();
    const made = await proven(name);
    await route(name);
    await run();
    const state = async () => (await domain(made?.id ?? ''))?.records.find((record) => record.type === 'CNAME');
    const repair = async () => {
      await home.owner.call(api.domainsRepair, { params: { domain: made?.id ?? '' } });
      await run();
    };
    expect((await domain(made?.id ?? ''))?.can.repair).not.toBe(true);
    await named.update(ZONE, dnsKey, [drop(name, 'CNAME'), add(name, 'CNAME', 1, 'elsewhere.test')]);
    await lookAgain();
    expect(await state()).toMatchObject({
      state: 'drifted',
      seen: ['elsewhere.test'],
      problem: expect.stringContaining('changed'),
    });
    expect((await domain(made?.id ?? ''))?.can.repair).toBe(true);
    expect(await dig.cname(name)).toEqual(['elsewhere.test']);
    await repair();
    expect([await dig.cname(name), (await state())?.state]).toEqual([[PLATFORM], 'present']);

    await named.update(ZONE, dnsKey, [drop(name, 'CNAME')]);
    await lookAgain();
    expect(await state()).toMatchObject({ state: 'drifted', seen: [], problem: expect.stringContaining('removed') });
    await repair();
    expect(await dig.cname(name)).toEqual([PLATFORM]);

    await named.update(ZONE, dnsKey, [
      drop(`_berth-cname.${name}`, 'TXT'),
      drop(name, 'CNAME'),
      add(name, 'CNAME', 1, 'theirs.test'),
    ]);
    await lookAgain();
    expect(await state()).toMatchObject({ state: 'drifted', seen: ['theirs.test'] });
    await repair();
    expect([await dig.cname(name), (await state())?.state]).toEqual([['theirs.test'], 'taken']);
  });

  it('V5: a provider that is down or refuses is asked again, later and later, and told; nothing is lost', async () => {
    const [name, gone] = [fresh(), fresh()];
    const old = await proven(gone);
    const { id: provider } = await server.app.db.selectFrom('dns_provider').select('id').executeTakeFirstOrThrow();
    const made = await claim(name);
    await home.owner.call(api.domainsDelete, { params: { domain: old?.id ?? '' } });
    await named.pause(async () => {
      await run();
      expect((await domain(made.id))?.records).toMatchObject([
        { state: 'failed', problem: expect.stringContaining('127.0.0.1') },
      ]);
    });
    const shown = async () =>
      (await home.owner.call(api.dnsProvidersList, { params: { organization: home.organization } })).items.find(
        (each) => each.id === provider,
      );
    expect(await shown()).toMatchObject({ problem: expect.any(String), troubled: expect.any(Number) });
    expect(await run()).toBeNull();
    clock.advance({ seconds: 6 });
    await run();
    expect((await domain(made.id))?.records).toMatchObject([{ state: 'present' }]);
    expect(await dig.txt(`_berth-challenge.${gone}`)).toEqual([]);
    expect(await shown()).toMatchObject({ problem: null });

    // The secret is changed at the server's side.
    const { secret_sealed: good } = await server.app.db
      .selectFrom('dns_provider')
      .select('secret_sealed')
      .where('id', '=', provider)
      .executeTakeFirstOrThrow();
    const bad = server.app.secrets.seal(dnsSecretPlace(provider), randomBytes(32).toString('base64'));
    const setSecret = (sealed: string) =>
      server.app.db.updateTable('dns_provider').set({ secret_sealed: sealed }).where('id', '=', provider).execute();
    await setSecret(bad);
    const late = await claim(fresh());
    await run();
    expect((await domain(late.id))?.records).toMatchObject([
      { state: 'failed', problem: expect.stringContaining('not right') },
    ]);
    const params = { organization: home.organization, provider };
    expect(await home.owner.call(api.dnsProvidersCheck, { params })).toMatchObject({
      problem: expect.stringContaining('not right'),
    });
    await setSecret(good);
    expect(await home.owner.call(api.dnsProvidersCheck, { params })).toMatchObject({ problem: null });
    await run();
    expect((await domain(late.id))?.records).toMatchObject([{ state: 'present' }]);

    // The zone is gone there: nothing is left to remove, and what is wanted says why it is not there.
    const setZones = (zones: string[]) =>
      server.app.db.updateTable('dns_provider').set({ zones }).where('id', '=', provider).execute();
    await setZones([APEX, ZONE, 'gone.test']);
    const lost = await claim('shop.gone.test');
    await run();
    expect((await domain(lost.id))?.records).toMatchObject([
      { state: 'failed', problem: expect.stringContaining('gone.test') },
    ]);
    await home.owner.call(api.domainsDelete, { params: { domain: lost.id } });
    await run();
    expect(await server.app.db.selectFrom('dns_record').select('id').where('zone', '=', 'gone.test').execute()).toEqual(
      [],
    );
    await setZones([APEX, ZONE]);
  });

  it('V5: the same at Cloudflare: warned of, recorded with a mark, taken when in the way, removed', async () => {
    await confirm();
    await home.owner.call(api.outboundUpdate, {
      body: { allowed: [`dns://127.0.0.1:${named.port}`, cloudflare.origin] },
    });
    const secret = cloudflare.addToken({ zones: { 'cloud.test': [...enough, '#ssl:edit'] } });
    const params = { organization: home.organization };
    const body = { kind: 'cloudflare' as const, title: 'Cloudflare', secret, zones: ['cloud.test'] };
    await expect(
      home.owner.call(api.dnsProvidersCreate, { params, body: { ...body, secret: 'not-a-token' } }),
    ).rejects.toMatchObject({ problem: { fields: [{ field: 'secret' }] } });
    const provider = await home.owner.call(api.dnsProvidersCreate, { params, body });
    expect(provider).toMatchObject({ available: ['cloud.test'], warnings: [expect.stringContaining('ssl:edit')] });
    const foreign = cloudflare.addRecord('cloud.test', { name: 'old.cloud.test', type: 'CNAME', content: 'x.example' });
    const made = await claim('shop.cloud.test');
    await run();
    expect((await domain(made.id))?.records).toMatchObject([{ type: 'TXT', state: 'present', mine: true }]);
    expect(cloudflare.records('cloud.test').at(-1)).toMatchObject({
      name: '_berth-challenge.shop.cloud.test',
      comment: 'heritage=berth,owner=tst001',
    });
    cloudflare.failWith = 503;
    await home.owner.call(api.domainsDelete, { params: { domain: made.id } });
    await run();
    cloudflare.failWith = null;
    clock.advance({ seconds: 6 });
    await run();
    expect(cloudflare.records('cloud.test')).toEqual([foreign]);
    const ref = { ...params, provider: provider.id };
    await home.owner.call(api.dnsProvidersDelete, { params: ref });
  });

  it('V5: several keepers at once write each record once, and none that is not wanted', async () => {
    const made = await Promise.all(Array.from({ length: 8 }, () => claim(fresh())));
    await Promise.all([
      run(),
      run(),
      run(),
      home.owner.call(api.domainsDelete, { params: { domain: made[0]?.id ?? '' } }),
      run(),
    ]);
    await run();
    for (const [at, each] of made.entries()) {
      expect(await dig.txt(each.challenge.name), each.name).toEqual(at === 0 ? [] : [each.challenge.value]);
    }
  });

  it('V5: shared zones of the installation serve every organization, but never give away their own name', async () => {
    await confirm();
    const made = await home.owner.call(api.platformDnsProvidersCreate, {
      body: { ...rfc2136Body(named, [SHARED]), shared: true },
    });
    const theirs = await proven(fresh(SHARED), other);
    expect(theirs).toMatchObject({ state: 'verified', dns: { zone: SHARED } });
    expect(await claim(SHARED, other)).toMatchObject({ dns: null });
    // Two claim one name: the first has the record, the second waits.
    const name = fresh(SHARED);
    const [first, second] = [await proven(name), await claim(name, other)];
    await run();
    expect([first?.state, (await domain(second.id, other))?.records]).toEqual(['verified', []]);
    // No longer shared: the records go.
    await home.owner.call(api.platformDnsProvidersUpdate, { params: { provider: made.id }, body: { shared: false } });
    await run();
    expect(await dig.txt(`_berth-challenge.${theirs?.name}`)).toEqual([]);
    await home.owner.call(api.platformDnsProvidersDelete, { params: { provider: made.id } });
  });

  it('V5: a provider is not removed while it holds records; taking its zones away removes them, or they are left', async () => {
    const [provider] = (await home.owner.call(api.dnsProvidersList, { params: { organization: home.organization } }))
      .items;
    const params = { organization: home.organization, provider: provider?.id ?? '' };
    await confirm();
    await expect(home.owner.call(api.dnsProvidersDelete, { params })).rejects.toMatchObject({ code: 'state_conflict' });
    await home.owner.call(api.dnsProvidersUpdate, { params, body: { zones: [ZONE] } });
    await run();
    expect([await dig.a(APEX), await dig.txt(`_berth-challenge.${APEX}`)]).toEqual([[], []]);
    await home.owner.call(api.dnsProvidersDelete, { params, query: { leaveRecords: 'true' } });
    expect(await dig.cname(`www.${ZONE}`)).toEqual([PLATFORM]);
    expect(await run()).toBeNull();
    // The same installation comes back and finds its own.
    await connectNamed(named, home, home, [ZONE]);
    await run();
    const again = (await domains()).flatMap((each) => each.records);
    expect(again.find((record) => record.name === `www.${ZONE}`)).toMatchObject({ state: 'present', mine: true });
  });
});
