import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import type { UserId } from '#domain/ids.ts';
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
let home: SetUp;
const clock = new TestClock();

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork, clock });
  home = await server.setUp();
});
afterAll(() => server.stop());

function secretOf(link: string | null): string {
  if (link === null) throw new Error('the invitation went by mail');
  expect(link).toMatch(/^https:\/\/berth\.localhost:9443\/invitations\/[A-Za-z0-9_-]{43}$/);
  return link.split('/').at(-1) ?? '';
}

async function invitation(email: string, role: 'admin' | 'member' | 'viewer' = 'member'): Promise<string> {
  const { link } = await home.owner.call(api.invitationsCreate, {
    params: { organization: home.organization },
    body: { email, role },
  });
  return secretOf(link);
}

describe('I1: invitations', () => {
  it('the link makes an account with the invited address and role, signed in, and works once', async () => {
    const secret = await invitation('new@example.test');
    const guest = new TestClient(server);
    expect(await guest.call(api.invitationRead, { params: { secret } })).toMatchObject({
      email: 'new@example.test',
      role: 'member',
      accountExists: false,
      invitedBy: 'owner@example.test',
    });
    const who = await guest.call(api.invitationAccept, {
      params: { secret },
      body: { name: 'New', password: PASSWORD },
    });
    expect(who.user.email).toBe('new@example.test');
    expect(who.memberships).toMatchObject([{ role: 'member' }]);
    expect(who.user.platformAdmin).toBe(false);
    const second = new TestClient(server);
    expect((await second.try(api.invitationRead, { params: { secret } })).statusCode).toBe(404);
    const response = await second.try(api.invitationAccept, {
      params: { secret },
      body: { name: 'X', password: PASSWORD },
    });
    expect(response.statusCode).toBe(404);
  });

  it('ten at once with one link make one account and one membership', async () => {
    const secret = await invitation('race@example.test');
    const responses = await Promise.all(
      Array.from({ length: 10 }, () =>
        new TestClient(server).try(api.invitationAccept, {
          params: { secret },
          body: { name: 'R', password: PASSWORD },
        }),
      ),
    );
    expect(responses.filter((response) => response.statusCode === 201)).toHaveLength(1);
    expect(responses.every((response) => response.statusCode < 500)).toBe(true);
    const users = await server.app.db
      .selectFrom('app_user')
      .where('email', '=', 'race@example.test')
      .select('id')
      .execute();
    expect(users).toHaveLength(1);
  });

  it('an existing account joins only with its own password', async () => {
    const stranger = await home.owner.addStranger();
    const email = (await stranger.owner.call(api.whoami)).user.email;
    const secret = await invitation(email, 'viewer');
    expect((await server.anonymous.call(api.invitationRead, { params: { secret } })).accountExists).toBe(true);
    const wrong = await new TestClient(server).try(api.invitationAccept, {
      params: { secret },
      body: { name: 'Thief', password: 'a password I chose' },
    });
    expect(wrong.statusCode).toBe(401);
    const right = new TestClient(server);
    const who = await right.call(api.invitationAccept, { params: { secret }, body: { password: PASSWORD } });
    expect(who.memberships.map((membership) => membership.role).sort()).toEqual(['owner', 'viewer']);
  });

  it('a forwarded link cannot be used for another address', async () => {
    const secret = await invitation('meant-for-me@example.test');
    const response = await new TestClient(server).raw({
      method: 'POST',
      url: `/api/v1/invitations/${secret}/accept`,
      payload: { name: 'Other', password: PASSWORD, email: 'other@example.test' },
    });
    expect(response.statusCode).toBe(400);
    const other = await home.owner.addStranger();
    // Signed in as somebody else, the link still makes the invited account.
    const who = await other.owner.call(api.invitationAccept, {
      params: { secret },
      body: { name: 'Me', password: PASSWORD },
    });
    expect(who.user.email).toBe('meant-for-me@example.test');
  });

  it('expires after 7 days, can be withdrawn, and a newer one for the same address replaces it', async () => {
    const old = await invitation('replaced@example.test');
    const newer = await invitation('replaced@example.test');
    expect((await server.anonymous.try(api.invitationRead, { params: { secret: old } })).statusCode).toBe(404);
    const { items } = await home.owner.call(api.invitationsList, { params: { organization: home.organization } });
    const open = items.find((one) => one.email === 'replaced@example.test');
    await home.owner.call(api.invitationsRevoke, {
      params: { organization: home.organization, invitation: open?.id ?? '' },
    });
    expect((await server.anonymous.try(api.invitationRead, { params: { secret: newer } })).statusCode).toBe(404);
    const late = await invitation('late@example.test');
    clock.advance({ days: 7 });
    expect((await server.anonymous.try(api.invitationRead, { params: { secret: late } })).statusCode).toBe(404);
    home.owner = await home.owner.again('owner@example.test');
  });

  it('the database holds no link, and nonsense secrets are just not found', async () => {
    const secret = await invitation('stored@example.test');
    const rows = await server.app.db.selectFrom('invitation').selectAll().execute();
    expect(JSON.stringify(rows)).not.toContain(secret);
    for (const bad of ['A'.repeat(43), 'x'.repeat(25), '%2e%2e%2f'.repeat(4), "' or 1=1 --".padEnd(30, 'x')]) {
      const response = await server.anonymous.raw({
        method: 'GET',
        url: `/api/v1/invitations/${encodeURIComponent(bad)}`,
      });
      expect(response.statusCode).toBe(404);
    }
  });

  it('refuses to invite somebody who is a member', async () => {
    const response = await home.owner.try(api.invitationsCreate, {
      params: { organization: home.organization },
      body: { email: 'Owner@Example.test', role: 'viewer' },
    });
    expect(response.statusCode).toBe(409);
  });
});

describe('I4: roles of members', () => {
  const organization = () => ({ organization: home.organization });

  it('the last owner stays: no removal, no other role, also not by two owners at once', async () => {
    const userId = home.owner.userId ?? '';
    const remove = await home.owner.try(api.membersRemove, { params: { ...organization(), user: userId } });
    expect([remove.statusCode, remove.json().code]).toEqual([409, 'conflict']);
    const demote = await home.owner.try(api.membersUpdate, {
      params: { ...organization(), user: userId },
      body: { role: 'viewer' },
    });
    expect(demote.statusCode).toBe(409);

    const tenant = await home.owner.addStranger();
    const second = await tenant.owner.addMember(tenant.organization, 'owner');
    const [a, b] = await Promise.all([
      tenant.owner.try(api.membersRemove, { params: { organization: tenant.organization, user: second.userId ?? '' } }),
      second.try(api.membersRemove, { params: { organization: tenant.organization, user: tenant.owner.userId ?? '' } }),
    ]);
    expect([a.statusCode, b.statusCode].filter((status) => status === 204)).toHaveLength(1);
    const owners = await server.app.db
      .selectFrom('membership')
      .select('user_id')
      .where('organization_id', '=', tenant.organization)
      .where('role', '=', 'owner')
      .execute();
    expect(owners).toHaveLength(1);
  });

  it('nobody hands out or takes away more than they hold', async () => {
    const admin = await home.owner.addMember(home.organization, 'admin');
    const otherAdmin = await home.owner.addMember(home.organization, 'admin');
    const member = await home.owner.addMember(home.organization, 'member');
    const update = (user: UserId | null, role: 'owner' | 'admin' | 'operator') =>
      admin.try(api.membersUpdate, { params: { ...organization(), user: user ?? '' }, body: { role } });
    expect((await update(member.userId, 'owner')).statusCode).toBe(409);
    expect((await update(member.userId, 'admin')).statusCode).toBe(409);
    expect((await update(otherAdmin.userId, 'operator')).statusCode).toBe(409);
    expect((await update(home.owner.userId, 'operator')).statusCode).toBe(409);
    expect((await update(admin.userId, 'owner')).statusCode).toBe(409);
    expect((await update(member.userId, 'operator')).statusCode).toBe(200);
    for (const role of ['owner', 'admin'] as const) {
      const response = await admin.try(api.invitationsCreate, {
        params: organization(),
        body: { email: 'up@example.test', role },
      });
      expect(response.statusCode, role).toBe(409);
    }
    const response = await admin.try(api.membersRemove, {
      params: { ...organization(), user: home.owner.userId ?? '' },
    });
    expect(response.statusCode).toBe(409);
  });

  it('what members.list says under `can` is what happens', async () => {
    const admin = await home.owner.addMember(home.organization, 'admin');
    await home.owner.addMember(home.organization, 'viewer');
    const { items } = await admin.call(api.membersList, { params: organization(), query: { limit: 200 } });
    for (const member of items) {
      const response = await admin.try(api.membersUpdate, {
        params: { ...organization(), user: member.user.id },
        body: { role: member.role },
      });
      const allowed = member.can.update === true;
      // Keeping an administrator an administrator is still handing that role out.
      expect(response.statusCode === 200, `${member.role} ${member.user.email}`).toBe(
        allowed && member.role !== 'admin',
      );
    }
  });

  it('pages over all members without losing or doubling one', async () => {
    const all = await home.owner.call(api.membersList, { params: organization(), query: { limit: 200 } });
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await home.owner.call(api.membersList, { params: organization(), query: { limit: 2, cursor } });
      seen.push(...page.items.map((member) => member.user.id));
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(all.items.map((member) => member.user.id));
    const bad = await home.owner.try(api.membersList, { params: organization(), query: { cursor: 'garbage!' } });
    expect(bad.statusCode).toBe(400);
  });
});
