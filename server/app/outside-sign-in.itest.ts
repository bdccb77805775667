/** Signing in with a real OpenID provider that runs beside the test, and everything such an answer can be wrong in. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { BodyInputOf } from '#contract/route.ts';
import { OutsideBrowser, startTestProvider, type TestProvider } from '#testkit/identity-provider.ts';
import type { Misbehaviour, TestAccount } from '#testkit/oidc-provider-main.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, TestClock, type TestServer } from '#testkit/server.ts';

const CONSOLE = 'https://berth.localhost:9443';
const clock = new TestClock();
let server: TestServer;
let home: SetUp;
let outside: TestProvider;
let counter = 0;

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork, clock });
  home = await server.setUp();
  const names = ['corp', 'second', 'domains', 'nobody', 'roles', 'elsewhere'];
  outside = await startTestProvider({ redirectUris: names.map((name) => `${CONSOLE}/sign-in/${name}`) });
  await allow(outside.issuer);
});
afterAll(async () => {
  await outside.stop();
  await server.stop();
});
beforeEach(async () => {
  await outside.control({ do: 'misbehave', how: null });
});

async function allow(...origins: string[]): Promise<void> {
  const value = JSON.stringify(origins);
  await server.app.db
    .insertInto('setting')
    .values({ key: 'outbound.allowed', value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value }))
    .execute();
}

type Made = { id: string; name: string };
const made = new Map<string, Promise<Made>>();

/** The provider of this name, set up once by the administrator. */
function provider(name: string, changes: Partial<BodyInputOf<typeof api.identityProvidersCreate>> = {}): Promise<Made> {
  let setUp = made.get(name);
  if (setUp === undefined) {
    setUp = administrator().then((owner) =>
      owner.call(api.identityProvidersCreate, {
        body: {
          name,
          kind: 'oidc',
          issuer: outside.issuer,
          clientId: outside.clientId,
          clientSecret: outside.clientSecret,
          groupsClaim: 'groups',
          ...changes,
        },
      }),
    );
    made.set(name, setUp);
  }
  return setUp;
}

/** The administrator, having confirmed just now. */
function administrator(): Promise<TestClient> {
  return home.owner.again('owner@example.test');
}

/** Somebody at the provider. */
async function person(changes: Partial<TestAccount> = {}): Promise<TestAccount & { email: string }> {
  const sub = `person-${++counter}`;
  const account = { sub, email: `${sub}@example.test`, emailVerified: true, name: `Person ${counter}`, ...changes };
  await outside.control({ do: 'account', account });
  return account;
}

/** Goes to the provider as `sub` and comes back; answers the query that the provider added. */
async function goOut(client: TestClient, name: string, sub: string, wanted?: string): Promise<string> {
  const { url } = await client.call(api.signInOutside, { body: { provider: name, return: wanted } });
  await outside.control({ do: 'signed-in', sub });
  return (await new OutsideBrowser().follow(url, CONSOLE)).search.slice(1);
}

const finish = (client: TestClient, name: string, query: string) =>
  client.try(api.signInOutsideFinish, { body: { provider: name, query } });

async function signIn(name: string, sub: string): Promise<TestClient> {
  const client = new TestClient(server);
  const query = await goOut(client, name, sub);
  await client.call(api.signInOutsideFinish, { body: { provider: name, query } });
  return client;
}

describe('I3: signing in with an OpenID provider', () => {
  it('I3: an invited person gets an account, a session and the membership; the second time it is the same account', async () => {
    await provider('corp');
    const invited = await person();
    await home.owner.call(api.invitationsCreate, {
      params: { organization: home.organization },
      body: { email: invited.email, role: 'operator' },
    });
    const client = new TestClient(server);
    const query = await goOut(client, 'corp', invited.sub, '/p/somewhere');
    const answer = await client.call(api.signInOutsideFinish, { body: { provider: 'corp', query } });
    expect(answer.return).toBe('/p/somewhere');
    if (answer.step.next !== 'done') throw new Error(answer.step.next);
    expect(answer.step.user).toMatchObject({ email: invited.email, name: invited.name });
    expect(answer.step.memberships).toMatchObject([{ role: 'operator' }]);
    expect((await client.call(api.whoami)).user.email).toBe(invited.email);
    const again = await signIn('corp', invited.sub);
    expect((await again.call(api.whoami)).user.id).toBe(answer.step.user.id);
    const { items } = await again.call(api.identitiesList);
    expect(items).toMatchObject([{ provider: { name: 'corp' }, subject: invited.sub, email: invited.email }]);
  });
});
