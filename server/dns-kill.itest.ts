/** V5, R2: kill -9 between a change at a DNS provider and its record here: nothing is lost, doubled or left behind. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { digger, PLATFORM, rfc2136Body, startNamed } from '#testkit/dns.ts';
import { until } from '#testkit/ingress.ts';
import { KillableInstallation, type KillableServer } from '#testkit/killable.ts';
import type { Named } from '#testkit/named.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { PASSWORD } from '#testkit/server.ts';

const ZONE = 'kill.test';
let named: Named;
let installation: KillableInstallation;
let server: KillableServer;

const start = () => installation.start({ config: { domain: PLATFORM, resolvers: [named.server] } });

beforeAll(async () => {
  named = await startNamed({ [ZONE]: [] });
  installation = new KillableInstallation((await withDatabase()).url);
  server = await start();
  await installation.setUp(server);
});
afterAll(async () => {
  await server?.kill();
  installation?.remove();
  await named?.stop();
});

it('V5: kill -9 after a record was written or removed, and before that was written down', {
  timeout: 300_000,
}, async () => {
  const { organization, project } = installation;
  await server.raw('POST', api.confirm.path, { type: 'password', password: PASSWORD });
  const allowed = [`dns://127.0.0.1:${named.port}`];
  await server.raw('PUT', api.outboundUpdate.path, { allowed });
  const path = api.dnsProvidersCreate.path.replace(':organization', organization);
  expect((await server.raw('POST', path, rfc2136Body(named, [ZONE]))).status).toBe(201);
  const dig = digger(named);

  installation.stopAt({ kind: 'dns-record', step: 'write', moment: 'effect', action: 'kill' });
  const claims = api.domainsCreate.path.replace(':project', project);
  const { body } = await server.raw('POST', claims, { name: `shop.${ZONE}` });
  const domain = body as { id: string; challenge: { name: string; value: string } };
  await server.died();
  expect(await dig.txt(domain.challenge.name)).toEqual([domain.challenge.value]);
  server = await start();
  const shown = async () => {
    const answer = await server.raw('GET', claims);
    return (answer.body as { items: { id: string; state: string; records: { mine: boolean }[] }[] }).items.find(
      ({ id }) => id === domain.id,
    );
  };
  const isOurs = async () => {
    const found = await shown();
    return found?.state === 'verified' && found.records.length === 1 && found.records.every((each) => each.mine);
  };
  await until('it is known as ours, and the domain is proven', isOurs, 110_000);
  expect(await dig.txt(domain.challenge.name)).toEqual([domain.challenge.value]);

  installation.stopAt({ kind: 'dns-record', step: 'remove', moment: 'effect', action: 'kill' });
  await server.raw('DELETE', `/api/v1/domains/${domain.id}`);
  await server.died();
  expect(await dig.txt(domain.challenge.name)).toEqual([]);
  server = await start();
  const providers = async () => (await server.raw('GET', path)).body as { items: { records: number }[] };
  await until('nothing is left to do', async () => (await providers()).items[0]?.records === 0, 110_000);
});
