/** One's own account in the mock: links beginning with `wrong` are wrong, everything else works. */
import { BerthError, notFound } from '#domain/errors.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';
import { DAY } from './make.ts';
import type { MockState } from './state.ts';
import { iso, record } from './state.ts';

type AccountName =
  | 'accountGet'
  | 'accountUpdate'
  | 'avatarUpdate'
  | 'avatarDelete'
  | 'avatarGet'
  | 'emailChangeCreate'
  | 'emailChangeDelete'
  | 'emailChangeConfirm'
  | 'passwordForgotten'
  | 'passwordReset'
  | 'deletionGet'
  | 'accountDelete';

function account({ user, accounts }: MockState): OutputOf<'accountGet'> {
  return { user, preferences: accounts.preferences, emailVerified: true, emailChange: accounts.emailChange };
}

export function deletion({ organization, members, user }: MockState): OutputOf<'deletionGet'> {
  const successors = members.filter((each) => each.user.id !== user.id).map((each) => each.user);
  return {
    can: true,
    organizations: [
      {
        id: organization.id,
        name: organization.name,
        title: organization.title,
        role: 'owner',
        needsOwner: true,
        successors,
        instances: 4,
      },
    ],
    sessions: 3,
    tokens: 2,
  };
}

const wrongLink = () => new BerthError('gone', 'This link was used, replaced by a newer one, or is too old.');

export const accountHandlers: Pick<Handlers, AccountName> = {
  accountGet: account,
  accountUpdate: (state, { body: { name, ...preferences } }) => {
    if (name !== undefined) state.user.name = name;
    Object.assign(state.accounts.preferences, preferences);
    record(state, 'account.update', 'user', state.user.id, state.user.email);
    return account(state);
  },
  avatarUpdate: (state, { body }) => {
    const type = body.image.startsWith('/9j/') ? 'jpeg' : body.image.startsWith('UklGR') ? 'webp' : 'png';
    state.accounts.preferences.avatar = `data:image/${type};base64,${body.image}`;
    return account(state);
  },
  avatarDelete: (state) => {
    state.accounts.preferences.avatar = null;
    return undefined;
  },
  avatarGet: () => {
    throw notFound('picture');
  },
  emailChangeCreate: (state, { body }) => {
    const change = { email: body.email, oldConfirmed: false, newConfirmed: false, expiresAt: iso(Date.now() + DAY) };
    state.accounts.emailChange = change;
    return change;
  },
  emailChangeDelete: (state) => {
    state.accounts.emailChange = null;
    return undefined;
  },
  emailChangeConfirm: (_state, { body }) => {
    if (body.token.startsWith('wrong')) throw wrongLink();
    return { done: false, confirmed: 'new' };
  },
  passwordForgotten: () => undefined,
  passwordReset: (_state, { body }) => {
    if (body.token.startsWith('wrong')) throw wrongLink();
    return undefined;
  },
  deletionGet: deletion,
  accountDelete: (state, { body }) => {
    if (body.email !== state.user.email)
      throw new BerthError('invalid_input', 'Type the address of your account.', {
        fields: [{ field: 'email', message: 'Type the address of your account.' }],
      });
    state.signedIn = false;
    return undefined;
  },
};
