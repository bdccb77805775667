/** Endpoints of members and invitations. */
import { api } from '#contract/api.ts';
import type { Role } from '#domain/authz.ts';
import type { AppContext } from '#server/app/context.ts';
import { whoami } from '#server/app/identity.ts';
import {
  acceptInvitation,
  invite,
  listOrganizationInvitations,
  listOrganizationMembers,
  type PresentedMember,
  readInvitation,
  removeMember,
  updateMember,
  withdrawInvitation,
} from '#server/app/members.ts';
import { avatarAddress, presentWhoami } from './identity.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';

function presentMember(member: PresentedMember) {
  const { user, role, secondFactor, can } = member;
  const { avatarHash, ...shown } = user;
  return {
    user: { ...shown, avatar: avatarAddress(user.id, avatarHash) },
    role,
    joinedAt: iso(member.joinedAt),
    secondFactor,
    can,
  };
}

function presentInvitation(invitation: {
  id: string;
  email: string;
  role: Role;
  invitedBy: string;
  createdAt: Date;
  expiresAt: Date;
  acceptedAt: Date | null;
}) {
  return {
    id: invitation.id,
    email: invitation.email,
    role: invitation.role,
    invitedBy: invitation.invitedBy,
    createdAt: iso(invitation.createdAt),
    expiresAt: iso(invitation.expiresAt),
    acceptedAt: isoOrNull(invitation.acceptedAt),
  };
}

export function registerMembers(http: Http, app: AppContext): void {
  http.register(api.membersList, async ({ caller, params, query }) => {
    const page = await listOrganizationMembers(app, caller, params.organization, query);
    return { items: page.items.map(presentMember), nextCursor: page.nextCursor };
  });
  http.register(api.membersUpdate, async ({ caller, params, body }) =>
    presentMember(await updateMember(app, caller, params, body.role)),
  );
  http.register(api.membersRemove, async ({ caller, params }) => {
    await removeMember(app, caller, params);
    return undefined;
  });
  http.register(api.invitationsList, async ({ caller, params }) => ({
    items: (await listOrganizationInvitations(app, caller, params.organization)).map(presentInvitation),
  }));
  http.register(api.invitationsCreate, async ({ caller, params, body }) => {
    const invitation = await invite(app, caller, params.organization, body);
    return { ...presentInvitation(invitation), link: invitation.link };
  });
  http.register(api.invitationsRevoke, async ({ caller, params }) => {
    await withdrawInvitation(app, caller, params);
    return undefined;
  });
  http.register(api.invitationRead, async ({ params }) => {
    const invitation = await readInvitation(app, params.secret);
    return {
      email: invitation.email,
      role: invitation.role,
      organization: invitation.organization,
      invitedBy: invitation.invitedBy,
      expiresAt: iso(invitation.expiresAt),
      accountExists: invitation.accountExists,
    };
  });
  http.register(api.invitationAccept, async ({ caller, params, body, setSession }) => {
    const { secret, expiresAt, person } = await acceptInvitation(app, caller, params.secret, body);
    setSession(secret, expiresAt);
    return presentWhoami(await whoami(app, person));
  });
}
