/** Set-up, who is calling, sessions that begin and end, the own password. */
import { setupCodeDigestInput } from '#contract/config.ts';
import type { Caller, Origin, PersonCaller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import type { UserId } from '#domain/ids.ts';
import { hashPassword, passwordProblem, verifyPassword } from '#server/runtime/passwords.ts';
import { addressBlock, digest as subjectDigest } from '#server/runtime/rate-limit.ts';
import { cancelPasswordResets } from '#server/store/account.ts';
import { record, recordAlone, recordForMember } from '#server/store/audit.ts';
import { firstInWindow } from '#server/store/audit-chain.ts';
import { type Trx, transact } from '#server/store/database.ts';
import {
  claimSetup,
  type FoundCredential,
  findAccount,
  findSession,
  findToken,
  insertSession,
  insertUser,
  isSetupNeeded,
  ownPasswordHash,
  revokeOwnSession,
  touchCredential,
  type User,
  updateOwnPassword,
} from '#server/store/identity.ts';
import { rememberAddress } from '#server/store/known-addresses.ts';
import { listOwnMemberships, type Membership } from '#server/store/members.ts';
import { listOwnProjects, type ProjectWithRole } from '#server/store/organizations.ts';
import { type Preferences, readPreferences } from '#server/store/profiles.ts';
import { findClientSession, findRenewedSession } from '#server/store/sessions.ts';
import { revokeOwnToken } from '#server/store/tokens.ts';
import { checkAccessToken } from './access-tokens.ts';
import type { AppContext } from './context.ts';
import { queuePasswordNotice, sendSoon } from './mail.ts';
import { foundOrganization } from './organizations.ts';
import { askForRenewal, renewSession } from './renewals.ts';
import { requireConfirmed } from './step-up.ts';
import { apiTokenPattern, digest, makeSecret, sameDigest, sessionSecretPattern } from './tokens.ts';

/** A browser session ends after a working day, however busy it was. */
export const SESSION_HOURS = 8;

export type SignedIn = { secret: string; expiresAt: Date; person: PersonCaller };
export type { Preferences };
export type Whoami = {
  person: PersonCaller;
  preferences: Preferences;
  memberships: Membership[];
  projects: ProjectWithRole[];
};

type Presented = { via: 'session' | 'token'; secret: string; readsOnly: boolean };

/** Resolves a session cookie, access token or API token; null when it is not valid (any more). */
export async function findPerson(app: AppContext, credential: Presented, origin: Origin): Promise<PersonCaller | null> {
  const now = app.clock.now();
  const found = await recallCredential(app, credential, now);
  if (found === null) return null;
  if (found.stale) {
    touchCredential(app.db, found.credential, origin.address, now).catch((error: unknown) => {
      app.log.warn({ err: error, requestId: origin.requestId }, 'could not note when a credential was last used');
    });
  }
  const person = toPerson(found, origin);
  if (found.renew) askForRenewal(person);
  if (credential.readsOnly) app.keptRights.reads(person);
  return person;
}

/** Requests that only read may be told what an earlier one was, as long as nothing that decides it has changed. */
async function recallCredential(app: AppContext, credential: Presented, now: Date): Promise<FoundCredential | null> {
  const find = () => findCredential(app, credential, now);
  if (!credential.readsOnly) return find();
  await app.changes.look();
  const key = `credential ${credential.via} ${digest(credential.secret).toString('base64')}`;
  return app.keptRights.recall(key, find, (found) => !found.stale && !found.renew);
}

/** What kind of credential it is shows in its form; none is ever tried as another. */
async function findCredential(
  app: AppContext,
  { via, secret, readsOnly }: Presented,
  now: Date,
): Promise<FoundCredential | null> {
  if (via === 'token') {
    if (apiTokenPattern.test(secret)) return findToken(app.db, digest(secret), now);
    const claims = await checkAccessToken(app, secret);
    return claims === null ? null : findClientSession(app.db, { sessionId: claims.sid, userId: claims.sub }, now);
  }
  if (!sessionSecretPattern.test(secret)) return null;
  const hash = digest(secret);
  const found = await findSession(app.db, hash, now);
  return found === null && readsOnly ? findRenewedSession(app.db, hash, now) : found;
}

function toPerson(found: Omit<FoundCredential, 'stale' | 'renew'>, origin: Origin): PersonCaller {
  return {
    kind: 'person',
    userId: found.user.id,
    email: found.user.email,
    name: found.user.name,
    platformAdmin: found.user.platformAdmin,
    serviceOf: found.user.serviceOf,
    createdAt: found.user.createdAt,
    credential: found.credential,
    scopes: found.scopes,
    expiresAt: found.expiresAt,
    origin,
  };
}

export async function setupState(app: AppContext): Promise<{ needed: boolean; version: string; domain: string }> {
  return { needed: await isSetupNeeded(app.db), version: app.version, domain: app.config.domain };
}

/**
 * Makes the owner with the one-time code. The code works once: the claim is in the same transaction. Errors:
 * invalid_input (wrong code, weak password), gone (somebody was first).
 */
export async function completeSetup(
  app: AppContext,
  caller: Caller,
  input: {
    code: string;
    email: string;
    name: string;
    password: string;
    organization?: { name: string; title: string } | undefined;
  },
): Promise<SignedIn> {
  if (!(await isSetupNeeded(app.db))) throw setupDone();
  const expected = Buffer.from(app.config.setupCodeHash, 'hex');
  if (!sameDigest(digest(setupCodeDigestInput(input.code)), expected)) {
    await recordAlone(app.db, caller, {
      action: 'setup.complete',
      targetKind: 'installation',
      target: app.config.domain,
      result: 'refused',
    });
    throw new BerthError('invalid_input', 'That is not the set-up code. `berth status` prints it again.', {
      fields: [{ field: 'code', message: 'Not the set-up code.' }],
    });
  }
  refuseWeak(input.password, input.email);
  const passwordHash = await hashPassword(input.password);
  const organization = input.organization ?? { name: 'main', title: 'Main' };
  return transact(app.db, async (trx) => {
    const userId = app.ids.make('usr');
    const user = await insertUser(trx, {
      id: userId,
      email: input.email,
      name: input.name,
      passwordHash,
      platformAdmin: true,
    });
    if (!(await claimSetup(trx, userId, app.clock.now()))) throw setupDone();
    const signedIn = await startSession(app, trx, user, caller.origin);
    const { id: organizationId } = await foundOrganization(app, trx, signedIn.person, organization);
    await record(trx, signedIn.person, {
      action: 'setup.complete',
      targetKind: 'user',
      targetId: userId,
      target: user.email,
      organizationId,
    });
    return signedIn;
  });
}

function setupDone(): BerthError {
  return new BerthError('gone', 'This installation has its owner already. Sign in instead.');
}

/** Errors: invalid_input on the field `password`. */
export function refuseWeak(password: string, email: string): void {
  const problem = passwordProblem(password, email);
  if (problem === null) return;
  throw new BerthError('invalid_input', problem, { fields: [{ field: 'password', message: problem }] });
}

/**
 * Starts a browser session inside `trx`, for an account that was made this moment. Existing ones go through
 * app/sign-in.ts, which asks for their second factor. The cookie's secret leaves this function once and is never stored.
 */
export async function startSession(app: AppContext, trx: Trx, user: User, origin: Origin): Promise<SignedIn> {
  const secret = makeSecret(app.ids);
  const id = app.ids.make('ses');
  const now = app.clock.now();
  const expiresAt = new Date(now.getTime() + SESSION_HOURS * 3600 * 1000);
  await insertSession(trx, {
    id,
    userId: user.id,
    tokenHash: digest(secret),
    expiresAt,
    address: origin.address ?? 'unknown',
    userAgent: origin.userAgent ?? 'unknown',
    confirmedAt: now,
    now,
  });
  await rememberAddress(trx, subjectDigest(user.email), subjectDigest(addressBlock(origin.address)), now);
  const person = toPerson({ user, credential: { via: 'session', sessionId: id }, scopes: null, expiresAt }, origin);
  return { secret, expiresAt, person };
}

/** Writes the audit row of a refused attempt on an account. */
export async function refusedSignIn(
  app: AppContext,
  caller: Caller,
  action: string,
  email: string,
  userId: UserId | null,
): Promise<void> {
  const input = { action, targetKind: 'user', targetId: userId, target: email, result: 'refused' as const };
  if (userId === null) await recordAlone(app.db, caller, input);
  else await transact(app.db, (trx) => recordForMember(trx, caller, userId, input));
}

const LIMITED_MINUTES = 15;

/**
 * An attempt that the limits did not let through. One entry for each network and call in LIMITED_MINUTES, whatever
 * accounts were tried: who is refused must not be able to fill the log.
 */
export async function limitedSignIn(
  app: AppContext,
  caller: Caller,
  call: string,
  email: string | null,
): Promise<void> {
  const subject = `${addressBlock(caller.origin.address)} ${call}`;
  if (!(await firstInWindow(app.db, 'audit-limited', subject, LIMITED_MINUTES, app.clock.now()))) return;
  const account = email === null ? null : await findAccount(app.db, email);
  const userId = account?.id ?? (caller.kind === 'person' ? caller.userId : null);
  const input = {
    action: 'session.limited',
    targetKind: 'user',
    targetId: userId,
    target: email ?? (caller.kind === 'person' ? caller.email : 'sign-in'),
    result: 'refused' as const,
    after: { call },
  };
  if (userId === null) await recordAlone(app.db, caller, input);
  else await transact(app.db, (trx) => recordForMember(trx, caller, userId, input));
}

export async function whoami(app: AppContext, person: PersonCaller): Promise<Whoami> {
  const [preferences, memberships, projects] = await Promise.all([
    readPreferences(app.db, person.userId),
    listOwnMemberships(app.db, person.userId),
    listOwnProjects(app.db, person),
  ]);
  return { person, preferences, memberships, projects };
}

/** Ends what the caller signed in with: the browser session, or the API token itself. */
export async function signOut(app: AppContext, person: PersonCaller): Promise<void> {
  const now = app.clock.now();
  await transact(app.db, async (trx) => {
    const { credential } = person;
    if (credential.via === 'session') await revokeOwnSession(trx, person, credential.sessionId, now);
    else await revokeOwnToken(trx, person, credential.tokenId, now);
    await recordForMember(trx, person, person.userId, {
      action: 'session.delete',
      targetKind: 'user',
      targetId: person.userId,
      target: person.email,
    });
  });
}

/** Ends all other sessions. Errors: invalid_input (the current password is wrong, the new one is weak). */
export async function changePassword(
  app: AppContext,
  person: PersonCaller,
  input: { current: string; password: string },
): Promise<void> {
  const stored = await ownPasswordHash(app.db, person);
  // An account that an identity provider made chooses its first password: signing in lately stands for the current one.
  if (stored === null) await requireConfirmed(app, person, 'account.password');
  else if (!(await verifyPassword(stored, input.current))) {
    await refusedSignIn(app, person, 'account.password', person.email, person.userId);
    throw new BerthError('invalid_input', 'The current password is not right.', {
      fields: [{ field: 'current', message: 'Not the current password.' }],
    });
  }
  refuseWeak(input.password, person.email);
  const passwordHash = await hashPassword(input.password);
  await transact(app.db, async (trx) => {
    const now = app.clock.now();
    await updateOwnPassword(trx, person, passwordHash, now);
    await renewSession(app, trx, person);
    await cancelPasswordResets(trx, person.userId, now);
    await queuePasswordNotice(app, trx, person);
    await recordForMember(trx, person, person.userId, {
      action: 'account.password',
      targetKind: 'user',
      targetId: person.userId,
      target: person.email,
    });
  });
  sendSoon(app);
}
