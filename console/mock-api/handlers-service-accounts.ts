/** Service accounts of the mock, and their tokens. */
import { roleMay } from '#domain/authz.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { mayManageService, serviceHandle } from '#domain/service-accounts.ts';
import type { Handlers } from './handlers.ts';
import type { MockState } from './state.ts';
import { hint, iso, newId, record } from './state.ts';

type ServiceAccountName =
  | `serviceAccounts${'List' | 'Create' | 'Update' | 'Delete'}`
  | `serviceTokens${'List' | 'Create' | 'Revoke'}`;
type Account = MockState['serviceAccounts'][number];

function find(state: MockState, id: string): Account {
  const found = state.serviceAccounts.find((each) => each.id === id);
  if (found === undefined) throw notFound('service account');
  return found;
}

function shown(state: MockState, { living, ...account }: Account) {
  const may =
    roleMay(state.role, 'service-account.update') && mayManageService(state.role, account.role)
      ? (true as const)
      : `Your role (${state.role}) does not allow this.`;
  return {
    ...account,
    handle: serviceHandle(account.name),
    groups: state.groups
      .filter((group) => group.people.includes(account.id))
      .map(({ id, name, title }) => ({ id, name, title })),
    tokens: living.length,
    can: {
      update: may,
      delete: may,
      createToken: may === true && account.disabled ? 'It is disabled: a token would not work.' : may,
    },
  };
}

function refuseTaken(state: MockState, name: string | undefined, self?: Account): void {
  if (!state.serviceAccounts.some((each) => each.name === name && each !== self)) return;
  throw new BerthError('name_taken', 'There is already a service account with this name.', {
    fields: [{ field: 'name', message: 'This name is taken.' }],
  });
}

export const serviceAccountHandlers: Pick<Handlers, ServiceAccountName> = {
  serviceAccountsList: (state) => ({ items: state.serviceAccounts.map((each) => shown(state, each)) }),
  serviceAccountsCreate: (state, { params, body }) => {
    refuseTaken(state, body.name);
    const made: Account = {
      id: newId('usr'),
      organization: params.organization,
      ...body,
      disabled: false,
      projects: [],
      lastUsedAt: null,
      createdAt: iso(),
      createdBy: state.user.name,
      living: [],
    };
    state.serviceAccounts.push(made);
    record(state, 'service-accounts.create', 'service-account', serviceHandle(made.name), made.id);
    hint('member', made.id);
    return shown(state, made);
  },
  serviceAccountsUpdate: (state, { params, body }) => {
    const found = find(state, params.account);
    refuseTaken(state, body.name, found);
    Object.assign(found, body);
    hint('member', found.id);
    return shown(state, found);
  },
  serviceAccountsDelete: (state, { params }) => {
    const { id } = find(state, params.account);
    state.serviceAccounts = state.serviceAccounts.filter((each) => each.id !== id);
    for (const group of state.groups) group.people = group.people.filter((each) => each !== id);
    hint('member', id);
    return undefined;
  },
  serviceTokensList: (state, { params }) => ({ items: find(state, params.account).living }),
  serviceTokensCreate: (state, { params, body }) => {
    const account = find(state, params.account);
    const token = {
      id: newId('tok'),
      name: body.name,
      scopes: body.scopes,
      prefix: 'brt_h2Mw',
      createdAt: iso(),
      expiresAt: iso(Date.now() + body.expiresInDays * 86_400_000),
      lastUsedAt: null,
      lastUsedAddress: null,
    };
    account.living.unshift(token);
    hint('member', account.id);
    return { ...token, secret: 'brt_h2Mw8sKq0mW3xkP9dLs5nYhRb2cUeGaJf8tXo4iVz6k' };
  },
  serviceTokensRevoke: (state, { params }) => {
    const account = find(state, params.account);
    account.living = account.living.filter((each) => each.id !== params.token);
    hint('member', account.id);
    return undefined;
  },
};
