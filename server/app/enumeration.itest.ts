/**
 * Nobody learns which accounts exist: the same answer and the same work for known and unknown ones. The work is counted
 * (hashes of the password library and what they cost), not timed.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { api } from '#contract/api.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClient, type TestServer } from '#testkit/server.ts';

/** What each hash cost: the head of its encoding, such as '$argon2id$v=19$m=19456,t=2,p=1'. */
const work = vi.hoisted(() => ({ done: [] as string[] }));
vi.mock('@node-rs/argon2', async (original) => {
  const real = await original<typeof import('@node-rs/argon2')>();
  const cost = (encoded: string) => encoded.split('$').slice(0, 4).join('$');
  return {
    ...real,
    verify: async (encoded: string, password: string) => {
      work.done.push(`verify ${cost(String(encoded))}`);
      return real.verify(encoded, password);
    },
    hash: async (password: string, options: Parameters<typeof real.hash>[1]) => {
      const encoded = await real.hash(password, options);
      work.done.push(`hash ${cost(encoded)}`);
      return encoded;
    },
  };
});

let server: TestServer;
let home: SetUp;
const ADA = 'ada@example.test';
const GONE = 'gone@example.test';

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork });
  home = await server.setUp();
  await home.owner.addMember(home.organization, 'member', ADA);
  await home.owner.addMember(home.organization, 'member', GONE);
  await server.app.db.updateTable('app_user').set({ disabled_at: new Date() }).where('email', '=', GONE).execute();
});
afterAll(() => server.stop());
beforeEach(() => {
  work.done.length = 0;
});

async function answerTo(email: string, password: string) {
  work.done.length = 0;
  const response = await new TestClient(server).try(api.signIn, { body: { email, password } });
  const { requestId, ...body } = response.json();
  const { date, 'x-request-id': id, ...headers } = response.headers;
  expect([requestId, date, id].every((value) => value !== undefined)).toBe(true);
  return { status: response.statusCode, body, headers: Object.keys(headers).sort(), work: [...work.done] };
}

describe('I1: no user enumeration', () => {
  it('signing in: a wrong password, an unknown and a disabled account cost and say the same', async () => {
    const known = await answerTo(ADA, 'wrong wrong wrong');
    expect(known.status).toBe(401);
    expect(known.work).toEqual(['verify $argon2id$v=19$m=19456,t=2,p=1']);
    expect(await answerTo('nobody@example.test', 'wrong wrong wrong')).toEqual(known);
    expect(await answerTo(GONE, 'wrong wrong wrong')).toEqual(known);
    // Also with the right password: that the account is disabled is nobody else's business.
    expect(await answerTo(GONE, 'correct horse battery')).toEqual({ ...known, work: known.work });
  });

  it('accepting an invitation that does not exist costs no hash: nobody can burn the processor with guesses', async () => {
    work.done.length = 0;
    const secret = 'A'.repeat(43);
    const response = await new TestClient(server).try(api.invitationAccept, {
      params: { secret },
      body: { name: 'Nobody', password: 'correct horse battery' },
    });
    expect(response.statusCode).toBe(404);
    expect(work.done.length).toBeLessThanOrEqual(1);
  });
});
