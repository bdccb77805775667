/** I3: setting factors up and removing them, confirming before something dangerous, an organization's rule, resets. */
import { readdirSync, readFileSync } from 'node:fs';
import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { Role } from '#domain/authz.ts';
import { CONFIRMATION_MINUTES, dangerousActions, RECOVERY_CODES } from '#domain/factors.ts';
import type { UserId } from '#domain/ids.ts';
import { enrolPasskey, enrolTotp, totpCode } from '#testkit/authenticator.ts';
import { newId } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import {
  idleWork,
  PASSWORD,
  type SetUp,
  startTestServer,
  TestClient,
  TestClock,
  type TestServer,
} from '#testkit/server.ts';

let server: TestServer;
let world: SetUp;
const clock = new TestClock();
const site = { rpId: 'berth.localhost', origin: 'https://berth.localhost:9443' };

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork, clock });
  world = await server.setUp();
});
afterAll(() => server?.stop());
beforeEach(async () => {
  clock.advance({ hours: 2 });
  // Sessions end with the hours that tests let pass; signing in is a confirmation.
  world.owner = await world.owner.again('owner@example.test');
});

let counter = 0;
async function someone(role: Role = 'member') {
  const email = `someone-${++counter}@example.test`;
  return { email, client: await world.owner.addMember(world.organization, role, email) };
}
const organization = () => ({ organization: world.organization });
const codeOf = (response: { json: () => { code: string } }) => response.json().code;
const later = () => clock.advance({ minutes: CONFIRMATION_MINUTES, seconds: 1 });
const confirm = (client: TestClient) => client.call(api.confirm, { body: { type: 'password', password: PASSWORD } });

async function auditActions(target: string): Promise<string[]> {
  const { items } = await world.owner.call(api.auditList, { params: organization(), query: { limit: 200 } });
  return items.filter((each) => each.target === target).map((each) => `${each.action} ${each.result}`);
}

describe('I3: confirming before something dangerous', () => {
  it('I3: the table of dangerous actions is what the code asks for, no more and no less', () => {
    const folder = new URL('.', import.meta.url);
    const asked = new Set<string>();
    for (const file of readdirSync(folder)) {
      if (!file.endsWith('.ts') || file.includes('test.ts')) continue;
      const text = readFileSync(new URL(file, folder), 'utf8');
      for (const match of text.matchAll(/requireConfirmed\([^;]*?'([a-z-]+\.[a-zA-Z]+)'/g)) asked.add(match[1] ?? '');
    }
    expect([...asked].sort()).toEqual(Object.keys(dangerousActions).sort());
  });

  it('I3: signing in is a confirmation; after some minutes it has to be renewed, for this session alone', async () => {
    const { email, client } = await someone();
    const other = await client.again(email);
    await client.call(api.totpBegin);
    later();
    const refused = await client.try(api.totpBegin);
    expect(refused.statusCode).toBe(403);
    expect(codeOf(refused)).toBe('step_up_required');
    await confirm(client);
    await client.call(api.totpBegin);
    expect(codeOf(await other.try(api.totpBegin)), 'another session confirms for itself').toBe('step_up_required');
  });

  it('I3: a token inherits the confirmation of the session that made it and confirms for itself afterwards', async () => {
    const { client } = await someone();
    const program = await client.program();
    await program.call(api.totpBegin);
    later();
    await confirm(client);
    expect(codeOf(await program.try(api.totpBegin))).toBe('step_up_required');
    await confirm(program);
    await program.call(api.totpBegin);
  });

  it('I3: wrong password, used code and unknown recovery code do not confirm; the right ones do', async () => {
    const { client } = await someone();
    const { secret, recoveryCodes } = await enrolTotp(client, clock.now());
    const used = totpCode(secret, clock.now());
    later();
    for (const body of [
      { type: 'password', password: 'not it at all' },
      { type: 'totp', code: used },
      { type: 'recovery', code: 'aaaa-aaaa-aaaa-aaaa-aaaa-aaaa' },
    ] as const) {
      const response = await client.try(api.confirm, { body });
      expect(response.statusCode, body.type).toBe(400);
      expect(codeOf(await client.try(api.recoveryCodesCreate))).toBe('step_up_required');
    }
    await client.call(api.confirm, { body: { type: 'totp', code: totpCode(secret, clock.now()) } });
    later();
    const recovery = { type: 'recovery', code: recoveryCodes[0] ?? '' } as const;
    await client.call(api.confirm, { body: recovery });
    later();
    expect((await client.try(api.confirm, { body: recovery })).statusCode, 'used up').toBe(400);
  });

  it('I3: a passkey confirms, with a challenge made for that and for this person', async () => {
    const { client } = await someone();
    const passkey = await enrolPasskey(client, site);
    const { client: stranger } = await someone();
    later();
    const theirs = await stranger.call(api.confirmPasskeyOptions);
    const wrong = await client.try(api.confirm, {
      body: { type: 'passkey', passkey: passkey.answer(theirs.options) },
    });
    expect(wrong.statusCode).toBe(400);
    const { options } = await client.call(api.confirmPasskeyOptions);
    await client.call(api.confirm, { body: { type: 'passkey', passkey: passkey.answer(options) } });
    await client.call(api.passkeyOptions);
  });

  it('I3: confirming is limited like signing in', async () => {
    const narrow = await startTestServer({
      database: await withDatabase(),
      startWork: idleWork,
      clock,
      config: { rateLimits: { signIn: 3, signInAddress: 100, provisioning: 100, api: 1000 } },
    });
    try {
      const { owner } = await narrow.setUp();
      const statuses: number[] = [];
      for (let n = 0; n < 5; n++) {
        const body = { type: 'password', password: 'not it at all' } as const;
        statuses.push((await owner.try(api.confirm, { body })).statusCode);
      }
      expect(statuses).toEqual([400, 400, 400, 429, 429]);
    } finally {
      await narrow.stop();
    }
  });

  it('I3: a session, a token and a sign-in handle cannot stand in for each other', async () => {
    const { client } = await someone();
    const program = await client.program();
    const swap = async (as: 'cookie' | 'token' | 'signInHandle', secret: string | null) => {
      const thief = new TestClient(server);
      thief[as] = secret;
      return (await thief.try(api.whoami)).statusCode;
    };
    expect(await swap('token', client.cookie)).toBe(401);
    expect(await swap('cookie', program.token)).toBe(401);
    expect(await swap('signInHandle', client.cookie)).toBe(401);
    expect(await swap('signInHandle', program.token)).toBe(401);
  });
});

describe('I3: own factors', () => {
  it('I3: the first factor ends all other sessions and gives recovery codes, once', async () => {
    const { email, client } = await someone();
    const other = await client.again(email);
    const { recoveryCodes } = await enrolTotp(client, clock.now());
    expect(recoveryCodes).toHaveLength(RECOVERY_CODES);
    expect((await other.try(api.whoami)).statusCode).toBe(401);
    expect((await client.try(api.whoami)).statusCode).toBe(200);
    const passkey = await client.call(api.passkeyOptions);
    expect(passkey.options.challenge).toMatch(/^[\w-]{43}$/);
    await enrolPasskey(client, site);
    expect((await client.call(api.securityGet)).recoveryCodesLeft, 'the second factor keeps them').toBe(RECOVERY_CODES);
  });

  it('I3: neither the key of an app nor recovery codes can be read again; the database keeps them sealed or hashed', async () => {
    const { client } = await someone();
    const { secret, recoveryCodes } = await enrolTotp(client, clock.now());
    expect(codeOf(await client.try(api.totpBegin))).toBe('conflict');
    const shown = JSON.stringify(await client.call(api.securityGet));
    const rows = JSON.stringify([
      await server.app.db.selectFrom('totp').selectAll().execute(),
      (await server.app.db.selectFrom('recovery_code').selectAll().execute()).map((row) =>
        row.code_hash.toString('latin1'),
      ),
      await server.app.db.selectFrom('audit').selectAll().execute(),
    ]);
    const logs = server.logLines.join('\n');
    for (const canary of [secret, ...recoveryCodes, ...recoveryCodes.map((code) => code.replaceAll('-', ''))]) {
      expect(shown.includes(canary)).toBe(false);
      expect(rows.includes(canary)).toBe(false);
      expect(logs.includes(canary)).toBe(false);
    }
  });

  it('I3: an app counts after its first code alone; the set-up ends after a while', async () => {
    const { email, client } = await someone();
    const { secret } = await client.call(api.totpBegin);
    expect((await client.again(email)).cookie, 'not asked for yet').not.toBeNull();
    expect((await client.try(api.totpConfirm, { body: { code: '000000' } })).statusCode).toBe(400);
    clock.advance({ minutes: 16 });
    await confirm(client);
    const late = await client.try(api.totpConfirm, { body: { code: totpCode(secret, clock.now()) } });
    expect(codeOf(late)).toBe('conflict');
  });

  it('I3: removing a factor needs a fresh confirmation; with the last one the recovery codes go', async () => {
    const { email, client } = await someone();
    await enrolTotp(client, clock.now());
    await enrolPasskey(client, site);
    const [row] = (await client.call(api.securityGet)).passkeys;
    const passkey = { passkey: row?.id ?? '' };
    later();
    expect(codeOf(await client.try(api.totpRemove))).toBe('step_up_required');
    expect(codeOf(await client.try(api.passkeysDelete, { params: passkey }))).toBe('step_up_required');
    expect(codeOf(await client.try(api.recoveryCodesCreate))).toBe('step_up_required');
    await confirm(client);
    await client.call(api.totpRemove);
    expect((await client.call(api.securityGet)).recoveryCodesLeft).toBe(RECOVERY_CODES);
    await client.call(api.passkeysDelete, { params: passkey });
    expect(await client.call(api.securityGet)).toMatchObject({ totp: null, passkeys: [], recoveryCodesLeft: 0 });
    expect((await client.again(email)).cookie).not.toBeNull();
    expect(await auditActions(email)).toEqual(
      expect.arrayContaining(['account.totp.remove ok', 'account.passkeys.delete ok', 'account.confirm ok']),
    );
  });

  it('I3: new recovery codes end the old ones', async () => {
    const { client } = await someone();
    const { recoveryCodes: old } = await enrolTotp(client, clock.now());
    const { recoveryCodes: fresh } = await client.call(api.recoveryCodesCreate);
    later();
    const wrong = await client.try(api.confirm, { body: { type: 'recovery', code: old[0] ?? '' } });
    expect(wrong.statusCode).toBe(400);
    await client.call(api.confirm, { body: { type: 'recovery', code: fresh[0] ?? '' } });
  });
});

describe('I3: an organization asks for a second factor', () => {
  it('I3: who has none is told to set one up, sees nothing of it before, and enters right after', async () => {
    const stranger = await world.owner.addStranger();
    const { owner } = stranger;
    const params = { organization: stranger.organization };
    const rule = (secondFactorRequired: boolean) => ({ params, body: { secondFactorRequired } });
    const member = await owner.addMember(stranger.organization, 'member');
    const program = await member.program();
    expect(codeOf(await owner.try(api.organizationSignInUpdate, rule(true))), 'no lock-out of oneself').toBe(
      'conflict',
    );
    expect((await member.try(api.organizationSignInUpdate, rule(true))).statusCode).toBe(404);
    await enrolTotp(owner, clock.now());
    expect(await owner.call(api.organizationSignInUpdate, rule(true))).toMatchObject({
      secondFactorRequired: true,
      membersWithout: 1,
    });
    for (const client of [member, program]) {
      const inside = await client.try(api.projectsList, { params });
      expect(inside.statusCode).toBe(403);
      expect(codeOf(inside)).toBe('second_factor_required');
      const instances = await client.try(api.instancesList, { params: { project: stranger.project } });
      expect(codeOf(instances)).toBe('second_factor_required');
    }
    expect((await member.call(api.whoami)).memberships).toMatchObject([{ needsSecondFactor: true }]);
    expect((await member.call(api.securityGet)).requiredBy).toEqual(['Another tenant']);
    await enrolPasskey(member, site);
    await member.call(api.projectsList, { params });
    await program.call(api.projectsList, { params });
    const [row] = (await member.call(api.securityGet)).passkeys;
    const last = await member.try(api.passkeysDelete, { params: { passkey: row?.id ?? '' } });
    expect(codeOf(last), 'the last factor stays').toBe('conflict');
    await owner.call(api.organizationSignInUpdate, rule(false));
    await member.call(api.passkeysDelete, { params: { passkey: row?.id ?? '' } });
  });

  it('I3: the rule needs a fresh confirmation to change', async () => {
    later();
    const response = await world.owner.try(api.organizationSignInUpdate, {
      params: organization(),
      body: { secondFactorRequired: false },
    });
    expect(codeOf(response)).toBe('step_up_required');
  });

  it('I3: edge hears of nobody who lacks the factor, neither directly nor through a group', async () => {
    const { client, email } = await someone();
    const { db } = server.app;
    const who = client.userId as UserId;
    const group = { organization_id: world.organization, group_id: newId('grp') };
    await db
      .insertInto('user_group')
      .values({ organization_id: world.organization, id: group.group_id, name: `g-${counter}`, title: 'Group' })
      .execute();
    await db
      .insertInto('user_group_member')
      .values({ ...group, user_id: who })
      .execute();
    const seen = async () => {
      const access = await sql`select 1 from edge_access where subject = ${who}`.execute(db);
      const groups = await sql`select 1 from edge_group_member where user_id = ${who}`.execute(db);
      return [access.rows.length, groups.rows.length];
    };
    expect(await seen()).toEqual([1, 1]);
    await db
      .updateTable('organization')
      .set({ second_factor_required: true })
      .where('id', '=', world.organization)
      .execute();
    expect(await seen()).toEqual([0, 0]);
    await enrolTotp(client, clock.now());
    expect(await seen(), email).toEqual([1, 1]);
    await db
      .updateTable('organization')
      .set({ second_factor_required: false })
      .where('id', '=', world.organization)
      .execute();
  });
});

describe('I3: somebody lost their factors', () => {
  it('I3: an administrator of the organization resets them: sessions end, the password alone signs in, it is audited', async () => {
    const { email, client } = await someone();
    await enrolTotp(client, clock.now());
    await enrolPasskey(client, site);
    const admin = await world.owner.addMember(world.organization, 'admin');
    const params = { ...organization(), user: client.userId ?? '' };
    const row = async () =>
      (await admin.call(api.membersList, { params: organization(), query: { limit: 200 } })).items.find(
        (each) => each.user.id === client.userId,
      );
    expect(await row()).toMatchObject({ secondFactor: true, can: { resetFactors: true } });
    later();
    expect(codeOf(await admin.try(api.memberFactorsReset, { params }))).toBe('step_up_required');
    await confirm(admin);
    await admin.call(api.memberFactorsReset, { params });
    expect((await client.try(api.whoami)).statusCode).toBe(401);
    expect((await client.again(email)).cookie).not.toBeNull();
    expect(await row()).toMatchObject({ secondFactor: false, can: { resetFactors: 'There is no second factor.' } });
    expect(await auditActions(email)).toContain('members.factors.reset ok');
  });

  it("I3: not by members, not upwards, not one's own, and not of people who belong to others as well", async () => {
    const admin = await world.owner.addMember(world.organization, 'admin');
    const { client: member } = await someone();
    const { client: target } = await someone();
    const reset = (client: TestClient, user: UserId | null) =>
      client.try(api.memberFactorsReset, { params: { ...organization(), user: user ?? '' } });
    expect((await reset(member, target.userId)).statusCode).toBe(404);
    expect(codeOf(await reset(admin, world.owner.userId))).toBe('state_conflict');
    expect(codeOf(await reset(admin, admin.userId))).toBe('state_conflict');
    const elsewhere = await world.owner.addStranger();
    const { client: shared, email } = await someone();
    const { link } = await elsewhere.owner.call(api.invitationsCreate, {
      params: { organization: elsewhere.organization },
      body: { email, role: 'viewer' },
    });
    await shared.call(api.invitationAccept, {
      params: { secret: new URL(link ?? '').pathname.split('/').at(-1) ?? '' },
      body: { password: PASSWORD },
    });
    expect(codeOf(await reset(admin, shared.userId))).toBe('state_conflict');
    // Somebody of the other organization has no say here at all.
    expect((await reset(elsewhere.owner, target.userId)).statusCode).toBe(404);
    // The platform administrator has.
    await world.owner.call(api.factorsReset, { params: { user: shared.userId ?? '' } });
    expect((await admin.try(api.factorsReset, { params: { user: target.userId ?? '' } })).statusCode).toBe(404);
  });
});
