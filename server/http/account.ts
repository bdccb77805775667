/** Endpoints of the own account. */
import { api } from '#contract/api.ts';
import {
  type Account,
  avatarOf,
  beginChangeOfEmail,
  cancelChangeOfEmail,
  confirmChangeOfEmail,
  deleteAvatar,
  forgotPassword,
  readAccount,
  resetPassword,
  updateAccount,
  updateAvatar,
} from '#server/app/account.ts';
import { deleteOwnAccount, ownDeletion } from '#server/app/account-deletion.ts';
import type { AppContext } from '#server/app/context.ts';
import { presentPerson, presentPreferences } from './identity.ts';
import { iso } from './present.ts';
import type { Http } from './server.ts';

const AVATAR_SECONDS = 24 * 3600;

function present({ person, preferences, emailVerified, emailChange }: Account) {
  return {
    user: presentPerson(person),
    preferences: presentPreferences(person.userId, preferences),
    emailVerified,
    emailChange: emailChange === null ? null : { ...emailChange, expiresAt: iso(emailChange.expiresAt) },
  };
}

export function registerAccount(http: Http, app: AppContext): void {
  http.register(api.accountGet, async ({ caller }) => present(await readAccount(app, caller)));
  http.register(api.accountUpdate, async ({ caller, body }) => present(await updateAccount(app, caller, body)));
  http.register(api.avatarUpdate, async ({ caller, body }) => present(await updateAvatar(app, caller, body.image)));
  http.register(api.avatarDelete, async ({ caller }) => {
    await deleteAvatar(app, caller);
    return undefined;
  });
  http.registerStream(api.avatarGet, async ({ caller, params }, { reply }) => {
    const picture = await avatarOf(app, caller, params.user);
    // Never a page: the type is ours, nothing in it may run, and no other site may show it.
    await reply
      .type(picture.type)
      .header('content-security-policy', "default-src 'none'; sandbox")
      .header('content-disposition', 'inline; filename="picture"')
      .header('cross-origin-resource-policy', 'same-origin')
      .header('cache-control', `private, max-age=${AVATAR_SECONDS}`)
      .header('etag', `"${picture.hash}"`)
      .send(picture.bytes);
  });
  http.register(api.emailChangeCreate, async ({ caller, body }) => {
    const change = await beginChangeOfEmail(app, caller, body.email);
    return { ...change, expiresAt: iso(change.expiresAt) };
  });
  http.register(api.emailChangeDelete, async ({ caller }) => {
    await cancelChangeOfEmail(app, caller);
    return undefined;
  });
  http.register(api.emailChangeConfirm, ({ caller, body }) => confirmChangeOfEmail(app, caller, body.token));
  http.register(api.passwordForgotten, async ({ caller, body }) => {
    await forgotPassword(app, caller, body.email);
    return undefined;
  });
  http.register(api.passwordReset, async ({ caller, body }) => {
    await resetPassword(app, caller, body);
    return undefined;
  });
  http.register(api.deletionGet, ({ caller }) => ownDeletion(app, caller));
  http.register(api.accountDelete, async ({ caller, body, clearSession }) => {
    await deleteOwnAccount(app, caller, body);
    clearSession();
    return undefined;
  });
}
