import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { MAIL_ATTEMPTS_MAX } from '#domain/mails.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, TestClock, type TestServer } from '#testkit/server.ts';
import { makeCertificate, secretIn, TestSmtp } from '#testkit/smtp.ts';
import { fastWork, until } from '#testkit/work.ts';

const MAIL_PASSWORD = 'canary-mail-password-4711';
let server: TestServer;
let home: SetUp;
const clock = new TestClock();
const smtp = new TestSmtp();

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), clock, work: fastWork });
  home = await server.setUp();
  await smtp.start();
});
afterAll(async () => {
  await server.stop();
  await smtp.stop();
});

type Settings = Parameters<typeof home.owner.call<typeof api.mailSettingsUpdate>>[1];
async function setServer(changes: object = {}, on: TestSmtp = smtp): Promise<void> {
  const body = {
    host: '127.0.0.1',
    port: on.port,
    security: 'plain',
    fromAddress: 'berth@example.test',
    fromName: 'Berth of the harbour',
    ...changes,
  };
  // A fresh confirmation, whatever the clock says by now.
  home.owner.cookie = (await home.owner.again('owner@example.test')).cookie;
  await home.owner.call(api.mailSettingsUpdate, { body } as Settings);
}

async function invite(email: string): Promise<string | null> {
  const { link } = await home.owner.call(api.invitationsCreate, {
    params: { organization: home.organization },
    body: { email, role: 'member' },
  });
  return link;
}

async function rename(title: string): Promise<void> {
  await server.app.db.updateTable('organization').set({ title }).where('id', '=', home.organization).execute();
}

async function rowOf(email: string) {
  const { items } = await home.owner.call(api.mailMessagesList, { query: { limit: 200 } });
  const found = items.find((each) => each.recipient === email);
  if (found === undefined) throw new Error(`no mail to ${email}`);
  return found;
}

beforeEach(() => setServer());

describe('I1: mail', () => {
  it('an invitation arrives as text and HTML, from the set sender, with a link that the inviter never sees', async () => {
    expect(await invite('first@example.test')).toBeNull();
    const delivered = await smtp.awaitMail('first@example.test');
    expect(delivered.from).toBe('berth@example.test');
    expect(delivered.mail.from).toMatchObject({ name: 'Berth of the harbour', address: 'berth@example.test' });
    expect(delivered.mail.to).toMatchObject([{ address: 'first@example.test' }]);
    expect(delivered.mail.subject).toBe('Join Main on berth.localhost');
    expect(delivered.mail.text).toContain('owner@example.test invites you to join Main');
    const secret = secretIn(delivered);
    expect(delivered.mail.html).toContain(`href="https://berth.localhost:9443/invitations/${secret}"`);
    // Nothing is loaded from anywhere when the mail is opened.
    expect(delivered.mail.html).not.toMatch(/<img|<script|<link|url\(/i);
    expect(delivered.mail.headers.find((each) => each.key === 'auto-submitted')?.value).toBe('auto-generated');
    await server.anonymous.call(api.invitationRead, { params: { secret } });
    const row = await rowOf('first@example.test');
    expect(row).toMatchObject({ state: 'sent', attempts: 1, error: null });
    const { content_sealed } = await server.app.db
      .selectFrom('mail')
      .select('content_sealed')
      .where('id', '=', row.id)
      .executeTakeFirstOrThrow();
    expect(content_sealed).toBeNull();
  });

  it('whoever follows a link that only the mail held has shown that the address is theirs', async () => {
    await invite('shown@example.test');
    const secret = secretIn(await smtp.awaitMail('shown@example.test'));
    await server.anonymous.call(api.invitationAccept, {
      params: { secret },
      body: { name: 'Shown', password: 'a harbour full of boats' },
    });
    const { items } = await home.owner.call(api.usersList, { query: { search: 'shown@' } });
    expect(items[0]?.emailVerified).toBe(true);
  });

  it('header injection: names, titles and addresses with line breaks, links and tricks change no header', async () => {
    const title = 'Evil\r\nBcc: victim@example.test\r\n\r\n<b>https://evil.test</b> evil.com \u202Etxt';
    await rename(title);
    await expect(setServer({ fromName: 'Berth\nReply-To: evil@example.test' })).rejects.toThrow('fromName');
    // Past the door of the API, as somebody with a hand in the database would.
    await setServer();
    const fromName = 'Berth\nReply-To: evil@example.test';
    await server.app.db.updateTable('mail_server').set({ from_name: fromName }).execute();
    await invite('inject@example.test');
    const delivered = await smtp.awaitMail('inject@example.test');
    expect(delivered.to).toEqual(['inject@example.test']);
    const keys = delivered.mail.headers.map((each) => each.key);
    expect(keys).not.toContain('bcc');
    expect(keys).not.toContain('reply-to');
    expect(delivered.mail.bcc ?? []).toEqual([]);
    expect(delivered.mail.subject).toMatch(/^Join Evil Bcc: victim@example/);
    expect(delivered.mail.html).not.toContain('<b>');
    expect(delivered.mail.html).not.toContain('https://evil');
    expect(delivered.mail.text).not.toMatch(/evil\.com|https:\/\/evil|\u202E/);
    for (const email of [
      'a@example.test\r\nRCPT TO:<b@example.test>',
      'a@example.test, b@example.test',
      '"x\n"@example.test',
    ]) {
      const response = await home.owner.try(api.invitationsCreate, {
        params: { organization: home.organization },
        body: { email, role: 'member' },
      });
      expect(response.statusCode, email).toBe(400);
    }
    await rename('Main');
  });

  it('a mail server that is killed costs nothing: what was queued goes when it is back, once', async () => {
    await smtp.kill();
    await invite('patient@example.test');
    await until(async () => (await rowOf('patient@example.test')).error !== null);
    const waiting = await rowOf('patient@example.test');
    expect(waiting).toMatchObject({ state: 'queued', can: { retry: true } });
    expect(waiting.error).toMatch(/ECONNREFUSED/);
    expect(Date.parse(waiting.nextAt ?? '')).toBe(clock.now().getTime() + 15_000);
    await smtp.start();
    clock.advance({ seconds: 16 });
    await smtp.awaitMail('patient@example.test');
    await until(async () => (await rowOf('patient@example.test')).state === 'sent');
    clock.advance({ hours: 1 });
    expect(await smtp.taken('patient@example.test')).toHaveLength(1);
  });

  it('a server that dies with the mail in its hands gets it again, under the same Message-ID', async () => {
    await smtp.kill();
    await smtp.start({ slowMs: 60_000 });
    await invite('again@example.test');
    await until(async () => {
      const row = await server.app.db
        .selectFrom('mail')
        .select('claimed_until')
        .where('recipient', '=', 'again@example.test')
        .executeTakeFirst();
      return row?.claimed_until != null;
    });
    await smtp.kill();
    await until(async () => (await rowOf('again@example.test')).error !== null);
    await smtp.start();
    clock.advance({ minutes: 1 });
    const delivered = await smtp.awaitMail('again@example.test');
    const { id } = await rowOf('again@example.test');
    expect(delivered.mail.messageId).toBe(`<${id}@berth.localhost>`);
  });

  it('a refused recipient is a dead letter at once; the administrator sees why, hands the link over or gives up', async () => {
    await invite('refused@example.test');
    await until(async () => (await rowOf('refused@example.test')).state === 'dead');
    const dead = await rowOf('refused@example.test');
    expect(dead.error).toContain('No such user');
    expect(dead).toMatchObject({ attempts: 1, can: { retry: true, showLink: true, drop: true } });
    const { link } = await home.owner.call(api.mailMessagesLink, { params: { message: dead.id } });
    expect(link).toMatch(/^https:\/\/berth\.localhost:9443\/invitations\/[\w-]{43}$/);
    const { items } = await home.owner.call(api.auditList, {
      params: { organization: home.organization },
      query: { action: 'mail.showLink' },
    });
    expect(items[0]).toMatchObject({ target: 'refused@example.test', actor: 'owner@example.test' });
    expect(JSON.stringify(items)).not.toContain(link.split('/').at(-1));
    await home.owner.call(api.mailMessagesRetry, { params: { message: dead.id } });
    await until(async () => (await rowOf('refused@example.test')).state === 'dead');
    await home.owner.call(api.mailMessagesDrop, { params: { message: dead.id } });
    expect((await rowOf('refused@example.test')).state).toBe('expired');
    expect((await home.owner.try(api.mailMessagesLink, { params: { message: dead.id } })).statusCode).toBe(409);
  });

  it('a server that always says "later" is asked with growing pauses, so often and no more', async () => {
    await invite('later@example.test');
    for (let attempt = 1; attempt < MAIL_ATTEMPTS_MAX; attempt++) {
      await until(async () => {
        const row = await rowOf('later@example.test');
        return row.attempts === attempt && Date.parse(row.nextAt ?? '') > clock.now().getTime();
      });
      const row = await rowOf('later@example.test');
      expect(row.state).toBe('queued');
      const pause = (Date.parse(row.nextAt ?? '') - clock.now().getTime()) / 1000;
      expect(pause).toBe(Math.min(15 * 2 ** (attempt - 1), 3600));
      clock.advance({ seconds: pause + 1 });
    }
    await until(async () => (await rowOf('later@example.test')).state === 'dead');
    expect((await rowOf('later@example.test')).attempts).toBe(MAIL_ATTEMPTS_MAX);
  });

  it('a link too old to work is not sent any more, and its content is gone', async () => {
    await smtp.kill();
    await server.anonymous.call(api.passwordForgotten, { body: { email: 'owner@example.test' } });
    await until(async () => (await rowOf('owner@example.test')).attempts > 0);
    clock.advance({ minutes: 61 });
    await until(async () => (await rowOf('owner@example.test')).state === 'expired');
    await smtp.start();
    clock.advance({ hours: 2 });
    expect(await smtp.taken('owner@example.test')).toHaveLength(0);
  });
});

describe('I1: the mail server', () => {
  it('STARTTLS is a must: a server without it gets neither password nor mail, one with a foreign certificate neither', async () => {
    const { key, certificate } = makeCertificate();
    const login = { username: 'berth', password: MAIL_PASSWORD };
    const secure = new TestSmtp({ security: 'starttls', login, key, certificate });
    const bare = new TestSmtp({ security: 'bare', login: null });
    await Promise.all([secure.start(), bare.start()]);
    try {
      const settings = { security: 'starttls', username: login.username, password: login.password };
      const send = () => home.owner.try(api.mailTest, { body: { to: 'probe@example.test' } });

      await setServer({ ...settings, caCertificate: certificate }, bare);
      const refused = await send();
      expect(refused.statusCode).toBe(502);
      expect(refused.json().detail).toMatch(/No encrypted connection/);
      expect(await bare.taken()).toEqual([]);

      await setServer(settings, secure);
      const foreign = await send();
      expect(foreign.statusCode).toBe(502);
      expect(foreign.json().detail).toMatch(/certificate/i);

      await setServer({ ...settings, caCertificate: certificate, password: 'wrong' }, secure);
      expect((await send()).json().detail).toMatch(/does not accept the sign-in/);

      await setServer({ ...settings, caCertificate: certificate }, secure);
      expect((await send()).json()).toMatchObject({ answer: expect.stringContaining('250') });
      const [taken] = await secure.taken('probe@example.test');
      expect(taken).toMatchObject({ secure: true, user: 'berth' });
      expect(taken?.mail.subject).toBe('Test mail from berth.localhost');
    } finally {
      await Promise.all([secure.stop(), bare.stop()]);
    }
  });

  it('TLS from the first byte works as well', async () => {
    const { key, certificate } = makeCertificate();
    const secure = new TestSmtp({ security: 'tls', key, certificate });
    await secure.start();
    try {
      await setServer({ security: 'tls', caCertificate: certificate }, secure);
      await home.owner.call(api.mailTest, { body: { to: 'tls@example.test' } });
      expect((await secure.taken('tls@example.test'))[0]?.secure).toBe(true);
    } finally {
      await secure.stop();
    }
  });

  it('D4: its password is sealed, never answered, never logged, and goes to no other server', async () => {
    await setServer({ security: 'starttls', username: 'berth', password: MAIL_PASSWORD });
    const settings = await home.owner.try(api.mailSettingsGet);
    expect(settings.json().server).toMatchObject({ username: 'berth', hasPassword: true });
    const rows = await server.app.db.selectFrom('mail_server').selectAll().execute();
    const audit = await server.app.db.selectFrom('audit').selectAll().execute();
    for (const text of [settings.body, JSON.stringify(rows), JSON.stringify(audit), server.logLines.join('\n')]) {
      expect(text).not.toContain(MAIL_PASSWORD);
    }
    expect(rows[0]?.password_sealed).toMatch(/^v1\./);
    // Without saying it again it stays with its server, and only there.
    await setServer({ security: 'starttls', username: 'berth', fromName: 'Another name' });
    const elsewhere = await home.owner.try(api.mailSettingsUpdate, {
      body: {
        host: 'evil.example.test',
        port: smtp.port,
        security: 'starttls',
        username: 'berth',
        fromAddress: 'berth@example.test',
        fromName: 'Berth',
      },
    });
    expect(elsewhere.statusCode).toBe(400);
    expect(elsewhere.json().fields).toMatchObject([{ field: 'password' }]);
  });

  it('a password over an open connection is refused; changing the server needs a fresh confirmation', async () => {
    const body = {
      host: '127.0.0.1',
      port: smtp.port,
      security: 'plain' as const,
      username: 'berth',
      password: 'x',
      fromAddress: 'berth@example.test',
      fromName: 'Berth',
    };
    const open = await home.owner.try(api.mailSettingsUpdate, { body });
    expect(open.json().fields).toMatchObject([{ field: 'security' }]);
    clock.advance({ minutes: 11 });
    const stale = await home.owner.try(api.mailSettingsUpdate, { body });
    expect(stale.json().code).toBe('step_up_required');
  });

  it('without a mail server the link is shown to who invited, and other links to the administrator, audited', async () => {
    await home.owner.call(api.mailSettingsDelete);
    expect(await invite('by-hand@example.test')).toMatch(/\/invitations\/[\w-]{43}$/);
    const person = await home.owner.addMember(home.organization, 'member', 'forgetful@example.test');
    await server.anonymous.call(api.passwordForgotten, { body: { email: 'forgetful@example.test' } });
    const { items } = await home.owner.call(api.mailMessagesList, { query: { state: 'queued' } });
    const mail = items.find((each) => each.kind === 'password-reset' && each.recipient === 'forgetful@example.test');
    expect(mail?.can.showLink).toBe(true);
    expect((await person.try(api.mailMessagesList)).statusCode).toBe(404);
    const { link } = await home.owner.call(api.mailMessagesLink, { params: { message: mail?.id ?? '' } });
    await server.anonymous.call(api.passwordReset, {
      body: { token: link.split('/').at(-1) ?? '', password: 'another harbour altogether' },
    });
    // Somebody else saw the link: the address is not proven by it.
    const { items: users } = await home.owner.call(api.usersList, { query: { search: 'forgetful' } });
    expect(users[0]?.emailVerified).toBe(false);
    expect((await home.owner.try(api.mailTest, { body: { to: 'x@example.test' } })).json().code).toBe('state_conflict');
  });
});
