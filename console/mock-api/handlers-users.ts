/** Accounts of the installation in the mock, as administrators see them. */
import { notFound } from '#domain/errors.ts';
import type { Handlers } from './handlers.ts';
import { deletion } from './handlers-account.ts';
import type { PlatformUser } from './seed-accounts.ts';
import { hint, iso, type MockState } from './state.ts';

type UserName = 'usersList' | 'usersUpdate' | 'usersSignOut' | 'usersDeletion' | 'usersDelete';

function userOf(state: MockState, id: string): PlatformUser {
  const found = state.accounts.users.find((each) => each.id === id);
  if (found === undefined) throw notFound('account');
  return found;
}

export const userHandlers: Pick<Handlers, UserName> = {
  usersList: (state, { query }) => {
    const wanted = (query.search ?? '').toLowerCase();
    const items = state.accounts.users.filter((each) => `${each.name} ${each.email}`.toLowerCase().includes(wanted));
    return { items, nextCursor: null };
  },
  usersUpdate: (state, { params, body }) => {
    const found = userOf(state, params.user);
    if (body.platformAdmin !== undefined) found.platformAdmin = body.platformAdmin;
    if (body.disabled !== undefined) {
      found.disabledAt = body.disabled ? iso() : null;
      Object.assign(found.can, {
        disable: body.disabled ? 'It is disabled already.' : true,
        enable: body.disabled ? true : 'It is not disabled.',
      });
    }
    hint('user', found.id);
    return found;
  },
  usersSignOut: () => undefined,
  usersDeletion: (state, { params }) => ({
    ...deletion(state),
    organizations: [],
    sessions: userOf(state, params.user) ? 1 : 0,
  }),
  usersDelete: (state, { params }) => {
    state.accounts.users = state.accounts.users.filter((each) => each.id !== params.user);
    hint('user', params.user);
    return undefined;
  },
};
