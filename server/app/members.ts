/** Members of organizations and the invitations that bring them in. */
import { highestRole, mayChangeRole, type Role, roleMay } from '#domain/authz.ts';
import type { Caller, PersonCaller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InvitationId, OrganizationId, UserId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { hashPassword, verifyPassword } from '#server/runtime/passwords.ts';
import { markEmailVerified } from '#server/store/account.ts';
import { record } from '#server/store/audit.ts';
import { isUniqueViolation, transact } from '#server/store/database.ts';
import { rolesAnywhere } from '#server/store/groups.ts';
import { findAccount, insertUser } from '#server/store/identity.ts';
import { cancelMails, isLinkPrivate } from '#server/store/mail.ts';
import {
  deleteMember,
  findInvitation,
  INVITATIONS_OPEN_MAX,
  type Invitation,
  insertInvitation,
  insertMembership,
  invitationFacts,
  listInvitations,
  listMembers,
  lockMember,
  type Member,
  markInvitationAccepted,
  type OpenInvitation,
  revokeInvitation,
  updateMemberRole,
} from '#server/store/members.ts';
import { hasSecondFactor } from '#server/store/organization-sign-in.ts';
import { tooMuch } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { refusedSignIn, refuseWeak, type SignedIn, startSession } from './identity.ts';
import { momentFor, queueMail, sendSoon, sendsMail } from './mail.ts';
import { digest, makeSecret } from './tokens.ts';

export const INVITATION_DAYS = 7;
const secretPattern = /^[A-Za-z0-9_-]{43}$/;

export type PresentedMember = Omit<Member, 'secondFactor'> & {
  /** Null for those who may not reset it. */
  secondFactor: boolean | null;
  can: { update: Ability; remove: Ability; resetFactors: Ability };
};

function abilities(actor: Role | null, actorId: UserId, member: Member): PresentedMember['can'] {
  const may = (to: Role | null): Ability => {
    if (actor === null || !mayChangeRole(actor, member.role, to)) return 'Your role does not allow this.';
    return true;
  };
  const self = member.user.id === actorId;
  return {
    update: self ? 'Somebody else has to change your role.' : may(member.role),
    remove: may(null),
    resetFactors: self
      ? 'Your own are under Account, Security.'
      : actor === null || !roleMay(actor, 'member.factors')
        ? 'Your role does not allow this.'
        : member.secondFactor
          ? may(null)
          : 'There is no second factor.',
  };
}

function presented(actor: Role | null, actorId: UserId, member: Member): PresentedMember {
  const mayKnow = actor !== null && roleMay(actor, 'member.factors');
  return {
    ...member,
    secondFactor: mayKnow ? member.secondFactor : null,
    can: abilities(actor, actorId, member),
  };
}

export async function listOrganizationMembers(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  page: { cursor?: string | undefined; limit: number; search?: string | undefined },
): Promise<{ items: PresentedMember[]; nextCursor: string | null }> {
  const proof = await authorize(app, caller, 'member.read', { kind: 'organization', id: organization });
  const { items, nextCursor } = await listMembers(app.db, proof, page);
  return {
    items: items.map((member) => presented(proof.role, caller.userId, member)),
    nextCursor,
  };
}

/** Errors: not_found, conflict (last owner, own role), state_conflict (more than the caller's role may hand out). */
export async function updateMember(
  app: AppContext,
  caller: PersonCaller,
  ref: { organization: OrganizationId; user: UserId },
  role: Role,
): Promise<PresentedMember> {
  const proof = await authorize(app, caller, 'member.update', {
    kind: 'member',
    id: ref.user,
    organization: ref.organization,
  });
  return transact(app.db, async (trx) => {
    const locked = await lockMember(trx, proof);
    if (locked === null || locked.actorRole === null) throw notFound('member');
    const { member, actorRole, owners } = locked;
    if (member.role === 'owner' && role !== 'owner' && owners === 1) throw lastOwner();
    if (ref.user === caller.userId) {
      throw new BerthError('conflict', 'You cannot change your own role. Ask another owner or administrator.');
    }
    if (!mayChangeRole(actorRole, member.role, role)) throw tooMuch();
    await updateMemberRole(trx, proof, role);
    await record(trx, caller, {
      action: 'members.update',
      targetKind: 'user',
      targetId: ref.user,
      target: member.user.email,
      organizationId: proof.organization,
      before: { role: member.role },
      after: { role },
    });
    return presented(actorRole, caller.userId, { ...member, role });
  });
}

/** Errors: not_found, conflict (last owner), state_conflict (the other's role is above the caller's). */
export async function removeMember(
  app: AppContext,
  caller: PersonCaller,
  ref: { organization: OrganizationId; user: UserId },
): Promise<void> {
  const proof = await authorize(app, caller, 'member.remove', {
    kind: 'member',
    id: ref.user,
    organization: ref.organization,
  });
  await transact(app.db, async (trx) => {
    const locked = await lockMember(trx, proof);
    if (locked === null || locked.actorRole === null) throw notFound('member');
    const { member, actorRole, owners } = locked;
    if (member.role === 'owner' && owners === 1) throw lastOwner();
    // What they hold by groups and in projects ends as well.
    const held = highestRole(await rolesAnywhere(trx, ref.organization, ref.user));
    if (ref.user !== caller.userId && !mayChangeRole(actorRole, held, null)) throw tooMuch();
    await deleteMember(trx, proof);
    await record(trx, caller, {
      action: 'members.remove',
      targetKind: 'user',
      targetId: ref.user,
      target: member.user.email,
      organizationId: proof.organization,
      before: { role: member.role },
    });
  });
}

function lastOwner(): BerthError {
  return new BerthError('conflict', 'This is the last owner. Make somebody else an owner first.');
}

export async function listOrganizationInvitations(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
): Promise<Invitation[]> {
  const proof = await authorize(app, caller, 'member.invite', { kind: 'organization', id: organization });
  return listInvitations(app.db, proof, app.clock.now());
}

/**
 * The link goes to the address by mail and nowhere else; without a mail server it is answered, once. Errors: not_found,
 * state_conflict (role above the caller's), conflict (member already).
 */
export async function invite(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  input: { email: string; role: Role },
): Promise<Invitation & { link: string | null }> {
  const proof = await authorize(app, caller, 'member.invite', { kind: 'organization', id: organization });
  if (proof.role === null || !mayChangeRole(proof.role, null, input.role)) throw tooMuch();
  const secret = makeSecret(app.ids);
  const link = `${app.config.consoleOrigin}/invitations/${secret}`;
  const expiresAt = new Date(app.clock.now().getTime() + INVITATION_DAYS * 24 * 3600 * 1000);
  const until = await momentFor(app, null, expiresAt);
  const made = await transact(app.db, async (trx) => {
    const now = app.clock.now();
    const facts = await invitationFacts(trx, proof, input.email, now);
    if (facts.isMember) throw new BerthError('conflict', 'This person is a member already.');
    if (facts.open >= INVITATIONS_OPEN_MAX) {
      throw new BerthError('conflict', `There are ${INVITATIONS_OPEN_MAX} open invitations. Withdraw some first.`);
    }
    const invitation = await insertInvitation(
      trx,
      proof,
      {
        id: app.ids.make('inv'),
        email: input.email,
        role: input.role,
        tokenHash: digest(secret),
        expiresAt,
      },
      now,
    );
    const mailed = await sendsMail(trx);
    await queueMail(
      app,
      trx,
      { email: input.email, userId: null, organizationId: proof.id, about: invitation.id, shown: !mailed },
      { kind: 'invitation', organization: facts.organization, invitedBy: caller.email, role: input.role, link, until },
      expiresAt,
    );
    await record(trx, caller, {
      action: 'invitations.create',
      targetKind: 'invitation',
      targetId: invitation.id,
      target: input.email,
      organizationId: proof.id,
      after: { email: input.email, role: input.role },
    });
    return { ...invitation, link: mailed ? null : link };
  });
  sendSoon(app);
  return made;
}

/** Errors: not_found. */
export async function withdrawInvitation(
  app: AppContext,
  caller: PersonCaller,
  ref: { organization: OrganizationId; invitation: InvitationId },
): Promise<void> {
  const proof = await authorize(app, caller, 'member.invite', {
    kind: 'invitation',
    id: ref.invitation,
    organization: ref.organization,
  });
  await transact(app.db, async (trx) => {
    const revoked = await revokeInvitation(trx, proof, app.clock.now());
    if (revoked === null) throw notFound('invitation');
    await cancelMails(trx, ref.invitation, app.clock.now());
    await record(trx, caller, {
      action: 'invitations.revoke',
      targetKind: 'invitation',
      targetId: ref.invitation,
      target: revoked.email,
      organizationId: proof.organization,
      before: revoked,
    });
  });
}

function noInvitation(): BerthError {
  return new BerthError('not_found', 'This invitation was used, withdrawn or has expired. Ask for a new one.');
}

/** What an invitation link is for. Errors: not_found. */
export async function readInvitation(app: AppContext, secret: string): Promise<OpenInvitation> {
  const invitation = secretPattern.test(secret) ? await findInvitation(app.db, digest(secret), app.clock.now()) : null;
  if (invitation === null) throw noInvitation();
  return invitation;
}

/**
 * Joins the organization and signs in. The account is always the invited address: a new one is made, or the existing
 * one proves itself with its password. Errors: not_found, unauthenticated, invalid_input (name or weak password).
 */
export async function acceptInvitation(
  app: AppContext,
  caller: Caller,
  secret: string,
  input: { name?: string | undefined; password: string },
): Promise<SignedIn> {
  const invitation = await readInvitation(app, secret);
  const account = await findAccount(app.db, invitation.email);
  if (account !== null) {
    const fits = await verifyPassword(account.passwordHash, input.password);
    if (!fits || account.disabled) {
      await refusedSignIn(app, caller, 'invitation.accept', invitation.email, account.id);
      throw new BerthError('unauthenticated', 'The password of your account is not right.');
    }
    // The link and the password together are still only one factor: the other one was proven by the session.
    const signedIn = caller.kind === 'person' && caller.credential.via === 'session' && caller.userId === account.id;
    if (!signedIn && (await hasSecondFactor(app.db, account.id))) {
      throw new BerthError(
        'state_conflict',
        'Your account has a second factor: sign in first, then open this link again.',
      );
    }
  } else {
    checkNewAccount(input, invitation.email);
  }
  const passwordHash = account === null ? await hashPassword(input.password) : null;
  return transact(app.db, async (trx) => {
    const now = app.clock.now();
    // Looked up again under a lock: a link works once.
    const open = await findInvitation(trx, digest(secret), now, true);
    if (open === null) throw noInvitation();
    const user =
      account ??
      (await insertUser(trx, {
        id: app.ids.make('usr'),
        email: open.email,
        name: input.name ?? open.email,
        passwordHash: passwordHash ?? '',
        platformAdmin: false,
      }).catch((error: unknown) => {
        if (isUniqueViolation(error)) throw new BerthError('conflict', 'The account was made meanwhile. Try again.');
        throw error;
      }));
    await insertMembership(trx, { organizationId: open.organizationId, userId: user.id, role: open.role });
    await markInvitationAccepted(trx, open, now);
    if (await isLinkPrivate(trx, open.id)) await markEmailVerified(trx, user.id, now);
    // Followed already: a mail that still waits would only confuse.
    await cancelMails(trx, open.id, now);
    const signedIn = await startSession(app, trx, user, caller.origin);
    await record(trx, signedIn.person, {
      action: 'invitation.accept',
      targetKind: 'invitation',
      targetId: open.id,
      target: open.email,
      organizationId: open.organizationId,
      after: { role: open.role },
    });
    return signedIn;
  });
}

const NEW_PASSWORD_LENGTH_MIN = 10;

function checkNewAccount(input: { name?: string | undefined; password: string }, email: string): void {
  if (input.name === undefined) {
    throw new BerthError('invalid_input', 'Say what your name is.', {
      fields: [{ field: 'name', message: 'Needed.' }],
    });
  }
  if (input.password.length < NEW_PASSWORD_LENGTH_MIN) {
    const message = `At least ${NEW_PASSWORD_LENGTH_MIN} characters.`;
    throw new BerthError('invalid_input', message, { fields: [{ field: 'password', message }] });
  }
  refuseWeak(input.password, email);
}
