/** Endpoints of all accounts, for administrators of the installation. */
import { api } from '#contract/api.ts';
import { deleteUser, userDeletion } from '#server/app/account-deletion.ts';
import type { AppContext } from '#server/app/context.ts';
import { listPlatformUsers, type PresentedUser, signOutUser, updatePlatformUser } from '#server/app/users.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';

function presentUser(user: PresentedUser) {
  return {
    id: user.id,
    email: user.email,
    name: user.name,
    platformAdmin: user.platformAdmin,
    emailVerified: user.emailVerified,
    secondFactor: user.secondFactor,
    createdAt: iso(user.createdAt),
    disabledAt: isoOrNull(user.disabledAt),
    lastSeenAt: isoOrNull(user.lastSeenAt),
    organizations: user.organizations,
    can: user.can,
  };
}

export function registerUsers(http: Http, app: AppContext): void {
  http.register(api.usersList, async ({ caller, query }) => {
    const { items, nextCursor } = await listPlatformUsers(app, caller, query);
    return { items: items.map(presentUser), nextCursor };
  });
  http.register(api.usersUpdate, async ({ caller, params, body }) =>
    presentUser(await updatePlatformUser(app, caller, params.user, body)),
  );
  http.register(api.usersSignOut, async ({ caller, params }) => {
    await signOutUser(app, caller, params.user);
    return undefined;
  });
  http.register(api.usersDeletion, ({ caller, params }) => userDeletion(app, caller, params.user));
  http.register(api.usersDelete, async ({ caller, params, body }) => {
    await deleteUser(app, caller, params.user, body);
    return undefined;
  });
}
