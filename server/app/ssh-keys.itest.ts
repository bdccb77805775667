import { afterAll, beforeAll, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { SSH_KEYS_PER_USER_MAX } from '#domain/ssh.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, TestClock, type TestServer } from '#testkit/server.ts';
import { fingerprintOfLine, makePublicKey } from '#testkit/ssh-rows.ts';

let server: TestServer;
let home: SetUp;
const clock = new TestClock();

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork, clock });
  home = await server.setUp();
});
afterAll(() => server.stop());

it('V4: a key is added with its comment as label and its fingerprint, audited, and removed', async () => {
  const line = makePublicKey('ada@laptop');
  const key = await home.owner.call(api.sshKeysAdd, { body: { publicKey: `  ${line}\n` } });
  expect(key).toMatchObject({
    label: 'ada@laptop',
    type: 'ssh-ed25519',
    bits: 256,
    fingerprint: fingerprintOfLine(line),
    lastUsedAt: null,
  });
  expect(line.startsWith(key.publicKey)).toBe(true);
  expect((await home.owner.call(api.sshKeysList)).items).toEqual([key]);
  const twice = await home.owner.try(api.sshKeysAdd, { body: { publicKey: line, label: 'again' } });
  expect(twice.json()).toMatchObject({ code: 'invalid_input', fields: [{ field: 'publicKey' }] });
  await home.owner.call(api.sshKeysRemove, { params: { key: key.id } });
  expect((await home.owner.call(api.sshKeysList)).items).toEqual([]);
  expect((await home.owner.try(api.sshKeysRemove, { params: { key: key.id } })).statusCode).toBe(404);
  const rows = await server.app.db
    .selectFrom('audit')
    .select(['action', 'target', 'before', 'after', 'organization_id'])
    .where('target_kind', '=', 'ssh-key')
    .orderBy('seq')
    .execute();
  expect(rows).toMatchObject([
    { action: 'account.ssh-keys.add', target: 'ada@laptop', organization_id: home.organization },
    { action: 'account.ssh-keys.remove', target: 'ada@laptop', organization_id: home.organization },
  ]);
  expect(JSON.stringify(rows[0]?.after)).toContain(fingerprintOfLine(line));
});

it('V4: a key proves one person: what another account has is refused, and nobody removes or lists it', async () => {
  const other = await home.owner.addMember(home.organization, 'member');
  const line = makePublicKey();
  const key = await other.call(api.sshKeysAdd, { body: { publicKey: line, label: 'theirs' } });
  const refused = await home.owner.try(api.sshKeysAdd, { body: { publicKey: line } });
  expect(refused.json()).toMatchObject({ code: 'conflict' });
  expect(refused.body).not.toContain(other.userId ?? 'nobody');
  expect((await home.owner.call(api.sshKeysList)).items).toEqual([]);
  expect((await home.owner.try(api.sshKeysRemove, { params: { key: key.id } })).statusCode).toBe(404);
});

it('V4: twenty keys at once at the limit: never one too many', async () => {
  const person = await home.owner.addMember(home.organization, 'viewer');
  for (let made = 0; made < SSH_KEYS_PER_USER_MAX - 5; made++) {
    await person.call(api.sshKeysAdd, { body: { publicKey: makePublicKey() } });
  }
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => person.try(api.sshKeysAdd, { body: { publicKey: makePublicKey() } })),
  );
  expect(answers.filter((answer) => answer.statusCode === 201)).toHaveLength(5);
  expect((await person.call(api.sshKeysList)).items).toHaveLength(SSH_KEYS_PER_USER_MAX);
});

it('V4: adding one asks for a fresh confirmation; a key of a deleted account is gone', async () => {
  const email = 'leaving@example.test';
  const person = await home.owner.addMember(home.organization, 'member', email);
  await person.call(api.sshKeysAdd, { body: { publicKey: makePublicKey() } });
  clock.advance({ minutes: 11 });
  const late = await person.try(api.sshKeysAdd, { body: { publicKey: makePublicKey() } });
  expect(late.json().code).toBe('step_up_required');
  await person.again(email).then((again) => again.call(api.accountDelete, { body: { email, handOver: [] } }));
  const rows = await server.app.db.selectFrom('ssh_key').select('id').where('user_id', '=', person.userId!).execute();
  expect(rows).toEqual([]);
});
