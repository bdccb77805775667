import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let home: SetUp;

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase() });
  home = await server.setUp();
});
afterAll(() => server.stop());

describe('I1: accounts', () => {
  it('set-up makes an owner with an organization and a project, signed in', async () => {
    const who = await home.owner.call(api.whoami);
    expect(who.user.platformAdmin).toBe(true);
    expect(who.memberships[0]?.role).toBe('owner');
    expect(who.projects).toHaveLength(1);
  });
});
