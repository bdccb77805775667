/**
 * Signing in with an identity provider, and linking one to the own account. The browser is sent away with state, nonce
 * and PKCE, all bound to a cookie of this browser and used once; who comes back goes through `passFirstStep` like
 * everybody else. An identity becomes an account only by a link that is there, or when provider and Berth have both
 * verified the same address.
 */
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import { inDomains, mappedRoles, OUTSIDE_SIGN_IN_MINUTES, safeReturnPath } from '#domain/identity-providers.ts';
import type { LinkedIdentityId, OutsideSessionId, UserId } from '#domain/ids.ts';
import type { OutsideIdentity } from '#integrations/identity/interface.ts';
import { markEmailVerified } from '#server/store/account.ts';
import { record, recordAlone, recordForMember } from '#server/store/audit.ts';
import { settleClaims } from '#server/store/claim-roles.ts';
import { isUniqueViolation, type Trx, transact } from '#server/store/database.ts';
import { insertUser } from '#server/store/identity.ts';
import { findEnabledProvider, type IdentityProvider } from '#server/store/identity-providers.ts';
import {
  findIdentity,
  findVerifiedOwner,
  insertIdentity,
  insertOutsideSession,
  touchIdentity,
} from '#server/store/linked-identities.ts';
import { insertMembership, markInvitationAccepted, openInvitationsFor } from '#server/store/members.ts';
import { insertOutsideSignIn, type OutsideSignIn, takeOutsideSignIn } from '#server/store/outside-sign-ins.ts';
import { findSignInUser } from '#server/store/sign-ins.ts';
import { outsideTokenPlace } from '#server/workflows/provider-client.ts';
import type { AppContext } from './context.ts';
import { startSession } from './identity.ts';
import { clientOf, redirectUriOf } from './identity-providers.ts';
import { bindOutside, passFirstStep, type SignInStep } from './sign-in.ts';
import { requireConfirmed } from './step-up.ts';
import { digest, makeSecret, sessionSecretPattern } from './tokens.ts';

/** `secret` goes into a cookie of this browser and nowhere else. */
export type BrowserSecret = { secret: string; expiresAt: Date };
export type OutsideStep = (SignInStep | { next: 'linked' }) & { returnTo: string | null };

type Kept = { nonce: string; codeVerifier: string };
const place = (id: OutsideSignIn['id']) => ({ table: 'outside_sign_in', row: id, column: 'secrets_sealed' });

/** Where to send the browser. Errors: not_found, upstream_failed. */
export async function beginOutsideSignIn(
  app: AppContext,
  input: { provider: string; returnTo?: string | undefined },
  browser: string | null,
): Promise<{ url: string; browser: BrowserSecret }> {
  return begin(app, input.provider, null, safeReturnPath(input.returnTo), browser);
}

/** The same for somebody who is signed in and wants to link. Errors: step_up_required, invalid_input (no browser). */
export async function beginLinking(
  app: AppContext,
  person: PersonCaller,
  provider: string,
  browser: string | null,
): Promise<{ url: string; browser: BrowserSecret }> {
  if (person.credential.via !== 'session') {
    throw new BerthError('invalid_input', 'Identities are linked in the browser, under Account, Security.');
  }
  await requireConfirmed(app, person, 'identities.change');
  return begin(app, provider, person.credential.sessionId, null, browser);
}

async function begin(
  app: AppContext,
  name: string,
  sessionId: OutsideSignIn['sessionId'],
  returnTo: string | null,
  known: string | null,
): Promise<{ url: string; browser: BrowserSecret }> {
  const provider = await findEnabledProvider(app.db, name);
  if (provider === null) throw new BerthError('not_found', 'There is no such identity provider.');
  // Two tabs of one browser may be on their way at once.
  const secret = known !== null && sessionSecretPattern.test(known) ? known : makeSecret(app.ids);
  const state = makeSecret(app.ids);
  const kept: Kept = { nonce: makeSecret(app.ids), codeVerifier: makeSecret(app.ids) };
  const url = await clientOf(app, provider).begin({ redirectUri: redirectUriOf(app, name), state, ...kept });
  const now = app.clock.now();
  const expiresAt = new Date(now.getTime() + OUTSIDE_SIGN_IN_MINUTES * 60_000);
  const id = app.ids.make('osi');
  await insertOutsideSignIn(app.db, {
    id,
    providerId: provider.id,
    secretsSealed: app.secrets.seal(place(id), JSON.stringify(kept)),
    sessionId,
    returnTo,
    stateHash: stateDigest(state),
    browserHash: browserDigest(secret),
    now,
    expiresAt,
  });
  return { url, browser: { secret, expiresAt } };
}

const stateDigest = (state: string) => digest(`outside state ${state}`);
const browserDigest = (secret: string) => digest(`outside browser ${secret}`);

/**
 * The browser is back. Errors: gone (not sent by us, another browser, used, too late), unauthenticated (the provider's
 * answer is refused), upstream_failed, state_conflict (nobody here, and nobody may become somebody).
 */
export async function finishOutside(
  app: AppContext,
  caller: Caller,
  input: { provider: string; query: string },
  browser: string | null,
): Promise<OutsideStep> {
  const provider = await findEnabledProvider(app.db, input.provider);
  const state = new URLSearchParams(input.query).getAll('state');
  if (provider === null || browser === null || state.length !== 1 || state[0] === undefined) throw over();
  const key = { stateHash: stateDigest(state[0]), browserHash: browserDigest(browser), providerId: provider.id };
  const progress = await takeOutsideSignIn(app.db, key, app.clock.now());
  if (progress === null) {
    await refused(app, caller, provider, 'not sent from this browser, used or too late');
    throw over();
  }
  const kept = JSON.parse(app.secrets.open(place(progress.id), progress.secretsSealed)) as Kept;
  const identity = await clientOf(app, provider)
    .finish({ query: input.query, redirectUri: redirectUriOf(app, provider.name), state: state[0], ...kept })
    .catch(async (error: unknown) => {
      await refused(app, caller, provider, error instanceof BerthError ? (error.detail ?? error.code) : 'failed');
      throw error;
    });
  if (progress.sessionId !== null) {
    await link(app, caller, provider, identity, progress.sessionId);
    return { next: 'linked', returnTo: null };
  }
  return { ...(await signInWith(app, caller, provider, identity)), returnTo: progress.returnTo };
}

function over(): BerthError {
  return new BerthError('gone', 'This sign-in has ended, or it was begun in another browser. Start again.');
}

async function refused(app: AppContext, caller: Caller, provider: IdentityProvider, reason: string): Promise<void> {
  await recordAlone(app.db, caller, {
    action: 'session.outside',
    targetKind: 'identity-provider',
    targetId: provider.id,
    target: provider.name,
    result: 'refused',
    after: { reason },
  });
}

async function signInWith(
  app: AppContext,
  caller: Caller,
  provider: IdentityProvider,
  identity: OutsideIdentity,
): Promise<SignInStep> {
  const known = await findIdentity(app.db, provider.id, identity.subject);
  if (known !== null) return enter(app, caller, provider, identity, known);
  const email = believedAddress(provider, identity);
  if (email !== null) {
    const linked = await linkByAddress(app, caller, provider, identity, email);
    if (linked !== null) return enter(app, caller, provider, identity, linked);
    const made = await provision(app, caller, provider, identity, email);
    if (made !== null) return made;
  }
  await refused(app, caller, provider, email === null ? 'address not verified' : 'no account');
  // One answer for all: whether there is an account with the address is nobody's business.
  throw new BerthError(
    'state_conflict',
    'No account here belongs to this identity. If you have one, sign in to it and link the identity under Account, Security. If not, ask for an invitation.',
  );
}

/** The address, when the provider has verified it and may speak for its domain. */
function believedAddress(provider: IdentityProvider, identity: OutsideIdentity): string | null {
  if (identity.email === null || !identity.emailVerified) return null;
  return provider.domains.length === 0 || inDomains(identity.email, provider.domains) ? identity.email : null;
}

/** Of an account that is linked already. */
async function enter(
  app: AppContext,
  caller: Caller,
  provider: IdentityProvider,
  identity: OutsideIdentity,
  linked: { id: LinkedIdentityId; userId: UserId },
): Promise<SignInStep> {
  const user = await findSignInUser(app.db, linked.userId);
  if (user === null) {
    await refused(app, caller, provider, 'account disabled');
    throw new BerthError('unauthenticated', 'This account cannot sign in. Ask an administrator.');
  }
  const outsideId = await transact(app.db, async (trx) => {
    await touchIdentity(trx, linked.id, identity.email, app.clock.now());
    await applyGroups(trx, provider, identity, user.id, linked.id);
    return keepOutsideSession(app, trx, identity, linked.id);
  });
  return passFirstStep(app, caller, user, 'identity-provider', outsideId);
}

async function applyGroups(
  trx: Trx,
  provider: IdentityProvider,
  identity: OutsideIdentity,
  userId: UserId,
  identityId: LinkedIdentityId,
): Promise<void> {
  if (identity.groups === null) return;
  const wanted = mappedRoles(provider.roleMappings, identity.groups);
  await settleClaims(trx, provider.name, userId, identityId, wanted);
}

async function keepOutsideSession(
  app: AppContext,
  trx: Trx,
  identity: OutsideIdentity,
  identityId: LinkedIdentityId,
): Promise<OutsideSessionId> {
  const id = app.ids.make('oss');
  const sealed = (value: string) => app.secrets.seal(outsideTokenPlace(id), value);
  const { token } = identity;
  await insertOutsideSession(trx, {
    id,
    identityId,
    sid: identity.sid,
    token: token === null ? null : { kind: token.kind, sealed: sealed(token.value), expiresAt: token.expiresAt },
    now: app.clock.now(),
  });
  return id;
}

/** Both sides have verified the address: they are the same person. Null when there is no such account. */
async function linkByAddress(
  app: AppContext,
  caller: Caller,
  provider: IdentityProvider,
  identity: OutsideIdentity,
  email: string,
): Promise<{ id: LinkedIdentityId; userId: UserId } | null> {
  return transact(app.db, async (trx) => {
    const owner = await findVerifiedOwner(trx, email);
    if (owner === null || owner.disabled) return null;
    return { id: await addLink(app, trx, caller, provider, identity, owner.id), userId: owner.id };
  });
}

/** Errors: conflict when the identity or the account is taken. */
async function addLink(
  app: AppContext,
  trx: Trx,
  caller: Caller,
  provider: IdentityProvider,
  identity: OutsideIdentity,
  userId: UserId,
): Promise<LinkedIdentityId> {
  const id = app.ids.make('lid');
  const { subject, email } = identity;
  await insertIdentity(trx, { id, providerId: provider.id, userId, subject, email, now: app.clock.now() }).catch(
    (error: unknown) => {
      if (!isUniqueViolation(error)) throw error;
      throw new BerthError('conflict', `This account, or this identity, is linked with ${provider.title} already.`);
    },
  );
  await recordForMember(trx, caller, userId, {
    action: 'account.identities.link',
    targetKind: 'identity',
    targetId: id,
    target: email ?? subject,
    after: { provider: provider.name, subject, email },
  });
  return id;
}

/** A new account, where the provider's rule allows one; null otherwise. */
async function provision(
  app: AppContext,
  caller: Caller,
  provider: IdentityProvider,
  identity: OutsideIdentity,
  email: string,
): Promise<SignInStep | null> {
  if (provider.provisioning === 'nobody') return null;
  return transact(app.db, async (trx): Promise<SignInStep | null> => {
    const now = app.clock.now();
    const invitations = await openInvitationsFor(trx, email, now);
    const listed = provider.provisioning === 'domains' && inDomains(email, provider.domains);
    if (invitations.length === 0 && !listed) return null;
    const user = await insertUser(trx, {
      id: app.ids.make('usr'),
      email,
      name: identity.name ?? email,
      passwordHash: null,
      platformAdmin: false,
    });
    await markEmailVerified(trx, user.id, now);
    const signedIn = await startSession(app, trx, user, caller.origin);
    for (const invitation of invitations) {
      const { organizationId, role } = invitation;
      await insertMembership(trx, { organizationId, userId: user.id, role });
      await markInvitationAccepted(trx, invitation, now);
      await record(trx, signedIn.person, {
        action: 'invitation.accept',
        targetKind: 'invitation',
        targetId: invitation.id,
        target: email,
        organizationId,
        after: { role },
      });
    }
    const identityId = await addLink(app, trx, signedIn.person, provider, identity, user.id);
    await applyGroups(trx, provider, identity, user.id, identityId);
    await bindOutside(trx, signedIn, await keepOutsideSession(app, trx, identity, identityId));
    await recordForMember(trx, signedIn.person, user.id, {
      action: 'account.create',
      targetKind: 'user',
      targetId: user.id,
      target: email,
      after: { by: provider.name },
    });
    return { next: 'done', signedIn };
  }).catch((error: unknown) => {
    // Somebody has the address, unverified: the same answer as for nobody.
    if (isUniqueViolation(error, 'app_user_email_key')) return null;
    throw error;
  });
}

async function link(
  app: AppContext,
  caller: Caller,
  provider: IdentityProvider,
  identity: OutsideIdentity,
  sessionId: NonNullable<OutsideSignIn['sessionId']>,
): Promise<void> {
  if (caller.kind !== 'person' || caller.credential.via !== 'session' || caller.credential.sessionId !== sessionId) {
    throw over();
  }
  await transact(app.db, async (trx) => {
    const id = await addLink(app, trx, caller, provider, identity, caller.userId);
    const vouched = believedAddress(provider, identity) === caller.email;
    if (vouched) await markEmailVerified(trx, caller.userId, app.clock.now());
    await applyGroups(trx, provider, identity, caller.userId, id);
  });
}
