/**
 * Registration. Who asks names an address and, unless sign-up is open, a code; the account is made by the link in the
 * mail, where name and password are chosen. So nobody has an account before the address is theirs, and nobody can prepare
 * one for somebody else.
 */
import { mayChangeRole, type WorkingRole } from '#domain/authz.ts';
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { OrganizationId, RegistrationCodeId } from '#domain/ids.ts';
import { MAIL_HOURS, REGISTRATION_HOURS } from '#domain/mails.ts';
import { slug } from '#domain/names.ts';
import { evenly } from '#server/runtime/even-time.ts';
import { hashPassword } from '#server/runtime/passwords.ts';
import { markEmailVerified } from '#server/store/account.ts';
import { record, recordAlone } from '#server/store/audit.ts';
import { isUniqueViolation, type Trx, transact } from '#server/store/database.ts';
import { findAccount, insertUser } from '#server/store/identity.ts';
import { cancelMails, isLinkPrivate } from '#server/store/mail.ts';
import { insertMembership } from '#server/store/members.ts';
import {
  findRegistration,
  insertCode,
  insertRegistration,
  listCodes,
  type OpenRegistration,
  type RegistrationCode,
  type RegistrationSettings,
  readRegistrationSettings,
  revokeCode,
  takeCodeUse,
  takeRegistration,
  writeRegistrationSettings,
} from '#server/store/registration.ts';
import { authorize, authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { refuseWeak, type SignedIn, startSession } from './identity.ts';
import { momentFor, queueMail, sendSoon } from './mail.ts';
import { foundOrganization } from './organizations.ts';
import { digest, makeSecret, sessionSecretPattern } from './tokens.ts';

const HOUR_MS = 3600_000;
const DAY_MS = 24 * HOUR_MS;
const CODE_ALPHABET = '23456789ABCDEFGHJKLMNPQRSTUVWXYZ';
const CODE_LENGTH = 16;
const PREFIX_SHOWN = 4;

/** 80 bits as `XXXX-XXXX-XXXX-XXXX`; no letters that look like digits. */
function makeCode(app: AppContext): string {
  const text = [...app.ids.random(CODE_LENGTH)].map((byte) => CODE_ALPHABET.charAt(byte & 31)).join('');
  return text.replace(/(.{4})(?=.)/g, '$1-');
}

/** Case, spaces and dashes do not matter. */
const codeDigest = (typed: string) => digest(`registration-code ${typed.toUpperCase().replace(/[\s-]/g, '')}`);
const linkDigest = (secret: string) => digest(`registration ${secret}`);

export async function registrationState(app: AppContext): Promise<{ open: boolean }> {
  const { open } = await readRegistrationSettings(app.db);
  return { open };
}

/** The same answer after the same time whoever has the address. Errors: invalid_input (the code is needed, or no good). */
export async function askForAccount(
  app: AppContext,
  caller: Caller,
  input: { email: string; code?: string | undefined },
): Promise<void> {
  await evenly(async () => {
    const { open } = await readRegistrationSettings(app.db);
    if (input.code === undefined && !open) throw badCode('Registering needs a code here. Ask who told you about it.');
    const known = (await findAccount(app.db, input.email)) !== null;
    const secret = makeSecret(app.ids);
    const now = app.clock.now();
    const expiresAt = new Date(now.getTime() + REGISTRATION_HOURS * HOUR_MS);
    const until = await momentFor(app, null, expiresAt);
    const asked = await transact(app.db, async (trx) => {
      const codeId = input.code === undefined ? null : await takeCodeUse(trx, codeDigest(input.code), now);
      if (input.code !== undefined && codeId === null) return false;
      const id = app.ids.make('reg');
      await insertRegistration(trx, {
        id,
        email: known ? null : input.email,
        tokenHash: linkDigest(secret),
        codeId,
        now,
        expiresAt,
      });
      const to = { email: input.email, userId: null };
      const origin = app.config.consoleOrigin;
      if (known) {
        const mailEnds = new Date(now.getTime() + MAIL_HOURS * HOUR_MS);
        await queueMail(app, trx, to, { kind: 'registration-known', link: `${origin}/sign-in` }, mailEnds);
      } else {
        await queueMail(
          app,
          trx,
          { ...to, about: id },
          { kind: 'registration', link: `${origin}/register/${secret}`, until },
          expiresAt,
        );
      }
      await record(trx, caller, {
        action: 'registration.create',
        targetKind: 'user',
        target: input.email,
        ...(codeId === null ? {} : { after: { with: codeId } }),
      });
      return true;
    });
    if (!asked) {
      await recordAlone(app.db, caller, {
        action: 'registration.create',
        targetKind: 'user',
        target: input.email,
        result: 'refused',
      });
      throw badCode('This code is not known, is used up, or has ended.');
    }
    sendSoon(app);
  });
}

function badCode(message: string): BerthError {
  return new BerthError('invalid_input', message, { fields: [{ field: 'code', message }] });
}

/** Errors: not_found. */
export async function readRegistration(app: AppContext, secret: string): Promise<OpenRegistration> {
  const found = sessionSecretPattern.test(secret)
    ? await findRegistration(app.db, linkDigest(secret), app.clock.now())
    : null;
  if (found !== null) return found;
  throw new BerthError('not_found', 'This link was used, replaced by a newer one, or is too old. Register again.');
}

/** Makes the account and signs in. Errors: not_found, invalid_input (weak password), conflict (there is one by now). */
export async function completeRegistration(
  app: AppContext,
  caller: Caller,
  secret: string,
  input: { name: string; password: string },
): Promise<SignedIn> {
  const { email } = await readRegistration(app, secret);
  refuseWeak(input.password, email);
  const passwordHash = await hashPassword(input.password);
  return transact(app.db, async (trx) => {
    const now = app.clock.now();
    const open = await findRegistration(trx, linkDigest(secret), now);
    if (open === null || !(await takeRegistration(trx, open.id))) {
      throw new BerthError('not_found', 'This link was used, replaced by a newer one, or is too old. Register again.');
    }
    const user = await insertUser(trx, {
      id: app.ids.make('usr'),
      email: open.email,
      name: input.name,
      passwordHash,
      platformAdmin: false,
    }).catch((error: unknown) => {
      if (isUniqueViolation(error)) throw new BerthError('conflict', 'There is an account with this address. Sign in.');
      throw error;
    });
    if (await isLinkPrivate(trx, open.id)) await markEmailVerified(trx, user.id, now);
    await cancelMails(trx, open.id, now);
    const signedIn = await startSession(app, trx, user, caller.origin);
    const organizationId = await settle(app, trx, signedIn.person, open);
    await record(trx, signedIn.person, {
      action: 'registration.complete',
      targetKind: 'user',
      targetId: user.id,
      target: user.email,
      organizationId,
      ...(open.joins === null ? {} : { after: { role: open.joins.role } }),
    });
    return signedIn;
  });
}

/** Into the organization of the code, into one of their own, or into none; answers which. */
async function settle(
  app: AppContext,
  trx: Trx,
  person: PersonCaller,
  { joins }: OpenRegistration,
): Promise<OrganizationId | null> {
  if (joins !== null) {
    await insertMembership(trx, { organizationId: joins.organizationId, userId: person.userId, role: joins.role });
    return joins.organizationId;
  }
  if (!(await readRegistrationSettings(trx)).ownOrganization) return null;
  // The end makes it one of its own, whatever others are called.
  const stem = slug(person.name).slice(0, 24).replace(/-+$/, '');
  const name = `${stem === '' ? 'home' : stem}-${person.userId.slice(-8)}`;
  return (await foundOrganization(app, trx, person, { name, title: person.name })).id;
}

export async function readSettings(app: AppContext, caller: PersonCaller): Promise<RegistrationSettings> {
  await authorizePlatform(app, caller, 'platform.registration.read');
  return readRegistrationSettings(app.db);
}

export async function updateSettings(
  app: AppContext,
  caller: PersonCaller,
  input: { open?: boolean | undefined; ownOrganization?: boolean | undefined },
): Promise<RegistrationSettings> {
  const proof = await authorizePlatform(app, caller, 'platform.registration.update');
  return transact(app.db, async (trx) => {
    const before = await readRegistrationSettings(trx);
    const after = {
      open: input.open ?? before.open,
      ownOrganization: input.ownOrganization ?? before.ownOrganization,
    };
    await writeRegistrationSettings(trx, proof, after);
    await record(trx, caller, {
      action: 'registration.update',
      targetKind: 'installation',
      target: app.config.domain,
      before,
      after,
    });
    return after;
  });
}

export type CodeState = 'open' | 'used' | 'expired' | 'revoked';
export type PresentedCode = RegistrationCode & { state: CodeState };

function present(code: RegistrationCode, now: Date): PresentedCode {
  const over = code.expiresAt <= now ? 'expired' : code.uses >= code.usesMax ? 'used' : 'open';
  return { ...code, state: code.revoked ? 'revoked' : over };
}

export async function listRegistrationCodes(app: AppContext, caller: PersonCaller): Promise<PresentedCode[]> {
  const proof = await authorizePlatform(app, caller, 'platform.registration.read');
  const now = app.clock.now();
  return (await listCodes(app.db, proof)).map((code) => present(code, now));
}

/** The code is answered once. Errors: not_found (an organization where the caller may not invite), state_conflict. */
export async function createRegistrationCode(
  app: AppContext,
  caller: PersonCaller,
  input: {
    note: string;
    usesMax: number;
    expiresInDays: number;
    joins: { organization: OrganizationId; role: WorkingRole } | null;
  },
): Promise<PresentedCode & { code: string; link: string }> {
  const proof = await authorizePlatform(app, caller, 'platform.registration.update');
  const joins =
    input.joins === null
      ? null
      : {
          proof: await authorize(app, caller, 'member.invite', { kind: 'organization', id: input.joins.organization }),
          role: input.joins.role,
        };
  if (joins !== null && (joins.proof.role === null || !mayChangeRole(joins.proof.role, null, joins.role))) {
    throw new BerthError('state_conflict', 'Your role does not allow handing out this role.');
  }
  const code = makeCode(app);
  return transact(app.db, async (trx) => {
    const now = app.clock.now();
    const made = await insertCode(trx, proof, {
      id: app.ids.make('rgc'),
      codeHash: codeDigest(code),
      prefix: code.slice(0, PREFIX_SHOWN),
      note: input.note,
      joins,
      usesMax: input.usesMax,
      now,
      expiresAt: new Date(now.getTime() + input.expiresInDays * DAY_MS),
    });
    await record(trx, caller, {
      action: 'registration.codes.create',
      targetKind: 'registration-code',
      targetId: made.id,
      target: made.note,
      organizationId: joins?.proof.id ?? null,
      after: { usesMax: made.usesMax, expiresAt: made.expiresAt.toISOString(), role: joins?.role ?? null },
    });
    return { ...present(made, now), code, link: `${app.config.consoleOrigin}/register?code=${code}` };
  });
}

/** Errors: not_found. */
export async function revokeRegistrationCode(
  app: AppContext,
  caller: PersonCaller,
  id: RegistrationCodeId,
): Promise<void> {
  const proof = await authorizePlatform(app, caller, 'platform.registration.update');
  await transact(app.db, async (trx) => {
    const revoked = await revokeCode(trx, proof, id, app.clock.now());
    if (revoked === null) throw notFound('registration code');
    await record(trx, caller, {
      action: 'registration.codes.revoke',
      targetKind: 'registration-code',
      targetId: id,
      target: revoked.note,
      organizationId: revoked.organizationId,
    });
  });
}
