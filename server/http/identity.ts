/** Endpoints of set-up, sign-in and the own account. */
import { api } from '#contract/api.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { describeUserAgent } from '#domain/sessions.ts';
import { createToken, listTokens, revokeToken } from '#server/app/api-tokens.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  changePassword,
  completeSetup,
  type Preferences,
  setupState,
  signOut,
  type Whoami,
  whoami,
} from '#server/app/identity.ts';
import { listSessions, revokeOtherSessions, revokeSession } from '#server/app/sessions.ts';
import { type SignInStep, signIn } from '#server/app/sign-in.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';

type PresentableUser = { id: string; email: string; name: string; platformAdmin: boolean; createdAt: Date };

function presentUser(user: PresentableUser) {
  return {
    id: user.id,
    email: user.email,
    name: user.name,
    platformAdmin: user.platformAdmin,
    createdAt: iso(user.createdAt),
  };
}

export function presentPerson(person: PersonCaller) {
  return presentUser({ ...person, id: person.userId });
}

/** Where somebody's picture is; another address with every other picture, so that browsers may keep it. */
export function avatarAddress(userId: string, avatarHash: string | null): string | null {
  return avatarHash === null ? null : `${api.avatarGet.path.replace(':user', userId)}?v=${avatarHash}`;
}

export function presentPreferences(userId: string, { language, timeZone, theme, avatarHash }: Preferences) {
  return { language, timeZone, theme, avatar: avatarAddress(userId, avatarHash) };
}

export function presentWhoami({ person, preferences, memberships, projects }: Whoami) {
  return {
    user: presentPerson(person),
    preferences: presentPreferences(person.userId, preferences),
    via: person.credential.via,
    scopes: person.scopes === null ? null : [...person.scopes],
    expiresAt: isoOrNull(person.expiresAt),
    memberships: memberships.map(({ entry, ...rest }) => ({
      ...rest,
      entry: entry === null ? null : { ...entry, expiresAt: iso(entry.expiresAt) },
    })),
    projects: projects.map(({ id, name, title, organization, role }) => ({
      id,
      name,
      title,
      organization,
      role: role ?? 'guest',
    })),
  };
}

export function presentToken(token: {
  id: string;
  name: string;
  scopes: string[] | null;
  prefix: string;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  lastUsedAddress: string | null;
}) {
  return {
    id: token.id,
    name: token.name,
    scopes: token.scopes,
    prefix: token.prefix,
    createdAt: iso(token.createdAt),
    expiresAt: isoOrNull(token.expiresAt),
    lastUsedAt: isoOrNull(token.lastUsedAt),
    lastUsedAddress: token.lastUsedAddress,
  };
}

/** What the first step of a sign-in led to, with its cookies. */
export async function presentStep(
  app: AppContext,
  step: SignInStep,
  cookies: { setSession(secret: string, expiresAt: Date): void; setSignIn(handle: string, expiresAt: Date): void },
) {
  if (step.next === 'factor') {
    cookies.setSignIn(step.handle, step.expiresAt);
    return { next: 'factor' as const, factors: step.factors, expiresAt: iso(step.expiresAt) };
  }
  const { secret, expiresAt, person } = step.signedIn;
  cookies.setSession(secret, expiresAt);
  return { next: 'done' as const, ...presentWhoami(await whoami(app, person)) };
}

export function registerIdentity(http: Http, app: AppContext): void {
  http.register(api.setupState, () => setupState(app));
  http.register(api.setup, async ({ caller, body, setSession }) => {
    const { secret, expiresAt, person } = await completeSetup(app, caller, body);
    setSession(secret, expiresAt);
    return presentWhoami(await whoami(app, person));
  });
  http.register(api.signIn, async ({ caller, body, setSession, setSignIn }) => {
    return presentStep(app, await signIn(app, caller, body), { setSession, setSignIn });
  });
  http.register(api.whoami, async ({ caller }) => presentWhoami(await whoami(app, caller)));
  http.register(api.signOut, async ({ caller, clearSession }) => {
    await signOut(app, caller);
    clearSession();
    return undefined;
  });
  http.register(api.accountPassword, async ({ caller, body }) => {
    await changePassword(app, caller, body);
    return undefined;
  });
  http.register(api.sessionsList, async ({ caller }) => ({
    items: (await listSessions(app, caller)).map(({ client, ...session }) => ({
      ...session,
      device: client ?? describeUserAgent(session.userAgent),
      createdAt: iso(session.createdAt),
      lastSeenAt: iso(session.lastSeenAt),
      expiresAt: iso(session.expiresAt),
    })),
  }));
  http.register(api.sessionsRevoke, async ({ caller, params }) => {
    await revokeSession(app, caller, params.session);
    return undefined;
  });
  http.register(api.sessionsRevokeOthers, async ({ caller }) => {
    await revokeOtherSessions(app, caller);
    return undefined;
  });
  http.register(api.tokensList, async ({ caller }) => ({ items: (await listTokens(app, caller)).map(presentToken) }));
  http.register(api.tokensCreate, async ({ caller, body }) => {
    const token = await createToken(app, caller, body);
    return { ...presentToken(token), secret: token.secret };
  });
  http.register(api.tokensRevoke, async ({ caller, params }) => {
    await revokeToken(app, caller, params.token);
    return undefined;
  });
}
