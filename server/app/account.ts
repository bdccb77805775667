/** The own account: profile, picture, a change of address that both addresses confirm, a forgotten password. */
import { createHash } from 'node:crypto';
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { UserId } from '#domain/ids.ts';
import { EMAIL_CHANGE_HOURS, MAIL_HOURS, PASSWORD_RESET_MINUTES, PASSWORD_RESETS_MAX } from '#domain/mails.ts';
import { isTimeZone, type PictureType, pictureProblem, readPicture, type Theme } from '#domain/profiles.ts';
import { evenly } from '#server/runtime/even-time.ts';
import { hashPassword } from '#server/runtime/passwords.ts';
import {
  beginEmailChange,
  cancelPasswordResets,
  confirmEmailChange,
  countPasswordResets,
  dropEmailChange,
  type EmailChange,
  emitPerson,
  endSessions,
  findPasswordReset,
  finishEmailChange,
  insertPasswordReset,
  isEmailTaken,
  isEmailVerified,
  markEmailVerified,
  readEmailChange,
  setPassword,
  takePasswordReset,
} from '#server/store/account.ts';
import { record, recordAlone, recordForMember } from '#server/store/audit.ts';
import { isUniqueViolation, type Trx, transact } from '#server/store/database.ts';
import { findAccount, updateOwnName } from '#server/store/identity.ts';
import { cancelMails, isLinkPrivate } from '#server/store/mail.ts';
import {
  type Preferences,
  readAvatar,
  readPreferences,
  writeAvatar,
  writePreferences,
} from '#server/store/profiles.ts';
import type { AppContext } from './context.ts';
import { refuseWeak } from './identity.ts';
import { momentFor, queueMail, queuePasswordNotice, sendSoon } from './mail.ts';
import { requireConfirmed } from './step-up.ts';
import { digest, makeSecret, sessionSecretPattern } from './tokens.ts';

const HOUR_MS = 3600_000;

export type Account = {
  person: PersonCaller;
  preferences: Preferences;
  emailVerified: boolean;
  emailChange: EmailChange | null;
};

export async function readAccount(app: AppContext, person: PersonCaller): Promise<Account> {
  const [preferences, emailVerified, emailChange] = await Promise.all([
    readPreferences(app.db, person.userId),
    isEmailVerified(app.db, person.userId),
    readEmailChange(app.db, person.userId, app.clock.now()),
  ]);
  return { person, preferences, emailVerified, emailChange };
}

/** Errors: invalid_input (no such time zone). */
export async function updateAccount(
  app: AppContext,
  person: PersonCaller,
  input: {
    name?: string | undefined;
    language?: string | undefined;
    timeZone?: string | null | undefined;
    theme?: Theme | undefined;
  },
): Promise<Account> {
  if (input.timeZone != null && !isTimeZone(input.timeZone)) {
    const message = 'There is no such time zone. Names look like Europe/Vilnius.';
    throw new BerthError('invalid_input', message, { fields: [{ field: 'timeZone', message }] });
  }
  await transact(app.db, async (trx) => {
    const { avatarHash: _, ...before } = await readPreferences(trx, person.userId);
    const after = {
      language: input.language ?? before.language,
      timeZone: input.timeZone === undefined ? before.timeZone : input.timeZone,
      theme: input.theme ?? before.theme,
    };
    await writePreferences(trx, person, after);
    const name = input.name ?? person.name;
    if (name !== person.name) {
      await updateOwnName(trx, person, name);
      await emitPerson(trx, person.userId);
    }
    await tell(trx, person, 'account.update', { name: person.name, ...before }, { name, ...after });
  });
  return readAccount(app, { ...person, name: input.name ?? person.name });
}

async function tell(trx: Trx, person: PersonCaller, action: string, before?: unknown, after?: unknown): Promise<void> {
  await recordForMember(trx, person, person.userId, {
    action,
    targetKind: 'user',
    targetId: person.userId,
    target: person.email,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  });
}

/** `image` in base64. Errors: invalid_input: what it is, is read from its bytes. */
export async function updateAvatar(app: AppContext, person: PersonCaller, image: string): Promise<Account> {
  const bytes = Buffer.from(image, 'base64');
  const message = pictureProblem(bytes);
  const picture = readPicture(bytes);
  if (message !== null || picture === null) {
    throw new BerthError('invalid_input', message ?? 'Not a picture.', {
      fields: [{ field: 'image', message: message ?? 'Not a picture.' }],
    });
  }
  const hash = createHash('sha256').update(bytes).digest('base64url').slice(0, 22);
  await transact(app.db, async (trx) => {
    await writeAvatar(trx, person, { bytes, type: picture.type, hash });
    await emitPerson(trx, person.userId);
    await tell(trx, person, 'account.avatar.update', undefined, { type: picture.type, bytes: bytes.length });
  });
  return readAccount(app, person);
}

export async function deleteAvatar(app: AppContext, person: PersonCaller): Promise<void> {
  await transact(app.db, async (trx) => {
    await writeAvatar(trx, person, null);
    await emitPerson(trx, person.userId);
    await tell(trx, person, 'account.avatar.delete');
  });
}

/** Errors: not_found (none, nobody, or nobody the caller works with). */
export async function avatarOf(
  app: AppContext,
  viewer: PersonCaller,
  of: UserId,
): Promise<{ bytes: Buffer; type: PictureType; hash: string }> {
  const picture = await readAvatar(app.db, viewer, of);
  if (picture === null) throw notFound('picture');
  return picture;
}

const aboutSide = (which: 'old' | 'new', userId: UserId) => `email-${which} ${userId}`;

/** Mails of a change that is over are not sent any more. */
async function cancelLinks(trx: Trx, userId: UserId, now: Date): Promise<void> {
  await cancelMails(trx, aboutSide('old', userId), now);
  await cancelMails(trx, aboutSide('new', userId), now);
}

const side = (which: 'old' | 'new', secret: string) => digest(`email-${which} ${secret}`);

/**
 * Sends a link to both addresses. Whether the new address belongs to somebody else is not told: then only its mail is
 * missing. Errors: step_up_required, invalid_input (it is the address already).
 */
export async function beginChangeOfEmail(app: AppContext, person: PersonCaller, email: string): Promise<EmailChange> {
  await requireConfirmed(app, person, 'account.email');
  if (email === person.email) {
    const message = 'This is your address already.';
    throw new BerthError('invalid_input', message, { fields: [{ field: 'email', message }] });
  }
  const [oldSecret, newSecret] = [makeSecret(app.ids), makeSecret(app.ids)];
  const now = app.clock.now();
  const expiresAt = new Date(now.getTime() + EMAIL_CHANGE_HOURS * HOUR_MS);
  const until = await momentFor(app, person.userId, expiresAt);
  const link = (secret: string) => `${app.config.consoleOrigin}/confirm-email/${secret}`;
  await evenly(() =>
    transact(app.db, async (trx) => {
      const change = {
        email,
        oldTokenHash: side('old', oldSecret),
        newTokenHash: side('new', newSecret),
        now,
        expiresAt,
      };
      await beginEmailChange(trx, person, change);
      const to = (which: 'old' | 'new', address: string) => {
        return { email: address, userId: person.userId, about: aboutSide(which, person.userId) };
      };
      await cancelLinks(trx, person.userId, now);
      await queueMail(
        app,
        trx,
        to('old', person.email),
        { kind: 'email-old', email, link: link(oldSecret), until },
        expiresAt,
      );
      if (!(await isEmailTaken(trx, email))) {
        await queueMail(app, trx, to('new', email), { kind: 'email-new', link: link(newSecret), until }, expiresAt);
      }
      await tell(trx, person, 'account.email.begin', { email: person.email }, { email });
    }),
  );
  sendSoon(app);
  return { email, oldConfirmed: false, newConfirmed: false, expiresAt };
}

/** Nothing happens when none is under way. */
export async function cancelChangeOfEmail(app: AppContext, person: PersonCaller): Promise<void> {
  await transact(app.db, async (trx) => {
    const email = await dropEmailChange(trx, person.userId);
    if (email === null) return;
    await cancelLinks(trx, person.userId, app.clock.now());
    await tell(trx, person, 'account.email.cancel', { email });
  });
}

function linkOver(): BerthError {
  return new BerthError('gone', 'This link was used, replaced by a newer one, or is too old.');
}

/**
 * One of the two addresses confirms; with the second one the address changes, links to the old one end, and so do all
 * sessions: people sign in with the new address. Errors: gone, conflict (somebody else has the address by now).
 */
export async function confirmChangeOfEmail(
  app: AppContext,
  caller: Caller,
  secret: string,
): Promise<{ done: boolean; confirmed: 'old' | 'new' }> {
  if (!sessionSecretPattern.test(secret)) throw linkOver();
  const answer = await transact(app.db, async (trx) => {
    const now = app.clock.now();
    const change = await confirmEmailChange(trx, { old: side('old', secret), new: side('new', secret) }, now);
    if (change === null) throw linkOver();
    if (change.both) {
      const shown = !(await isLinkPrivate(trx, aboutSide('new', change.userId)));
      await finishEmailChange(trx, change, shown ? null : now);
      await cancelPasswordResets(trx, change.userId, now);
      await endSessions(trx, change.userId, now);
      const to = { email: change.oldEmail, userId: change.userId };
      await queueMail(
        app,
        trx,
        to,
        { kind: 'email-changed', email: change.email },
        new Date(now.getTime() + MAIL_HOURS * HOUR_MS),
      );
    }
    await recordForMember(trx, caller, change.userId, {
      action: change.both ? 'account.email.change' : 'account.email.confirm',
      targetKind: 'user',
      targetId: change.userId,
      target: change.oldEmail,
      ...(change.both
        ? { before: { email: change.oldEmail }, after: { email: change.email } }
        : { after: { side: change.side } }),
    });
    return { done: change.both, confirmed: change.side };
  }).catch((error: unknown) => {
    if (isUniqueViolation(error)) throw new BerthError('conflict', 'This address belongs to another account by now.');
    throw error;
  });
  sendSoon(app);
  return answer;
}

const aboutReset = (tokenHash: Buffer) => `password-reset ${tokenHash.toString('hex')}`;
const resetDigest = (secret: string) => digest(`password-reset ${secret}`);

/** Known, unknown and disabled accounts get the same answer after the same time; only known ones get a mail. */
export async function forgotPassword(app: AppContext, caller: Caller, email: string): Promise<void> {
  await evenly(async () => {
    const found = await findAccount(app.db, email);
    const account = found === null || found.disabled ? null : found;
    const secret = makeSecret(app.ids);
    const now = app.clock.now();
    const expiresAt = new Date(now.getTime() + PASSWORD_RESET_MINUTES * 60_000);
    const until = await momentFor(app, account?.id ?? null, expiresAt);
    await transact(app.db, async (trx) => {
      const since = new Date(now.getTime() - PASSWORD_RESET_MINUTES * 60_000);
      const sent = await countPasswordResets(trx, account?.id ?? null, since);
      const input = {
        action: 'account.password.forgotten',
        targetKind: 'user',
        targetId: account?.id ?? null,
        target: email,
      };
      if (account === null) {
        await insertPasswordReset(trx, { tokenHash: resetDigest(secret), userId: null, now, expiresAt });
        await record(trx, caller, { ...input, result: 'refused' });
        return;
      }
      if (sent < PASSWORD_RESETS_MAX) {
        await insertPasswordReset(trx, { tokenHash: resetDigest(secret), userId: account.id, now, expiresAt });
        const link = `${app.config.consoleOrigin}/reset-password/${secret}`;
        const to = { email, userId: account.id, about: aboutReset(resetDigest(secret)) };
        await queueMail(app, trx, to, { kind: 'password-reset', link, until }, expiresAt);
      }
      await recordForMember(trx, caller, account.id, {
        ...input,
        result: sent < PASSWORD_RESETS_MAX ? 'ok' : 'refused',
      });
    });
    sendSoon(app);
  });
}

/**
 * Signs nobody in: who has a second factor is asked for it as always. Errors: gone (no such link), invalid_input (weak).
 */
export async function resetPassword(
  app: AppContext,
  caller: Caller,
  input: { token: string; password: string },
): Promise<void> {
  const tokenHash = resetDigest(input.token);
  const known = sessionSecretPattern.test(input.token)
    ? await findPasswordReset(app.db, tokenHash, app.clock.now())
    : null;
  if (known === null) {
    await recordAlone(app.db, caller, {
      action: 'account.password.reset',
      targetKind: 'installation',
      target: app.config.domain,
      result: 'refused',
    });
    throw linkOver();
  }
  refuseWeak(input.password, known.email);
  const passwordHash = await hashPassword(input.password);
  await transact(app.db, async (trx) => {
    const now = app.clock.now();
    if (!(await takePasswordReset(trx, tokenHash, known.userId, now))) throw linkOver();
    await setPassword(trx, known.userId, passwordHash, now);
    if (await isLinkPrivate(trx, aboutReset(tokenHash))) await markEmailVerified(trx, known.userId, now);
    await cancelMails(trx, aboutReset(tokenHash), now);
    await queuePasswordNotice(app, trx, known);
    await recordForMember(trx, caller, known.userId, {
      action: 'account.password.reset',
      targetKind: 'user',
      targetId: known.userId,
      target: known.email,
    });
  });
  sendSoon(app);
}
