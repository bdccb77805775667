/** Identity providers in the mock. Nobody is sent anywhere: the way out leads straight back. */
import { BerthError, notFound } from '#domain/errors.ts';
import { presets } from '#domain/identity-providers.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';
import type { MockState } from './state.ts';
import { DOMAIN, iso, newId, record } from './state.ts';

type OutsideName =
  | 'signInProviders'
  | 'signInOutside'
  | 'signInOutsideFinish'
  | 'identitiesList'
  | 'identitiesLink'
  | 'identitiesUnlink'
  | 'identityProvidersList'
  | 'identityProvidersCreate'
  | 'identityProvidersUpdate'
  | 'identityProvidersDelete'
  | 'identityProvidersTest'
  | 'identityProvidersLogout';
type Provider = OutputOf<'identityProvidersList'>['items'][number];
type Identity = OutputOf<'identitiesList'>['items'][number];
export type MockOutside = { providers: Provider[]; identities: Identity[] };

export function someProviders(organization: Provider['roleMappings'][number]['organization']): MockOutside {
  const issuer = 'https://id.example.com/realms/main';
  return {
    providers: [
      {
        ...addresses('keycloak'),
        id: newId('idp'),
        name: 'keycloak',
        kind: 'keycloak',
        title: 'Example Inc.',
        issuer,
        clientId: 'berth',
        hasSecret: true,
        scopes: [...presets.keycloak.scopes],
        enabled: true,
        provisioning: 'domains',
        domains: ['example.com'],
        groupsClaim: 'groups',
        roleMappings: [{ value: 'staff', organization, role: 'member' }],
        recheckMinutes: 10,
        createdAt: iso(),
        people: 12,
      },
    ],
    identities: [
      {
        id: newId('lid'),
        provider: { name: 'keycloak', title: 'Example Inc.' },
        subject: '5c1f0a52-7f5e-4d4e-9a40-6b9a3f3a8f10',
        email: 'ada@example.com',
        createdAt: iso(),
        lastUsedAt: iso(),
        can: { unlink: true },
      },
    ],
  };
}

function addresses(name: string) {
  const origin = `https://${DOMAIN}:9443`;
  return {
    redirectUri: `${origin}/sign-in/${name}`,
    logoutUri: `${origin}/api/v1/identity-providers/${name}/logout`,
  };
}

function find({ outside }: MockState, id: string): Provider {
  const found = outside.providers.find((each) => each.id === id);
  if (found === undefined) throw notFound('identity provider');
  return found;
}

export const outsideHandlers = (whoami: (state: MockState) => OutputOf<'whoami'>): Pick<Handlers, OutsideName> => ({
  signInProviders: ({ outside }) => ({
    items: outside.providers.filter((each) => each.enabled).map(({ name, title, kind }) => ({ name, title, kind })),
  }),
  signInOutside: (_state, { body }) => {
    if (body.provider.startsWith('fail-')) {
      throw new BerthError('upstream_failed', 'The identity provider cannot be reached or is out of order. Try again.');
    }
    return { url: `/sign-in/${body.provider}?code=demo&state=demo` };
  },
  signInOutsideFinish: (state) => {
    state.signedIn = true;
    return { return: null, step: { next: 'done' as const, ...whoami(state) } };
  },
  identitiesList: ({ outside }) => ({ items: outside.identities }),
  identitiesLink: (_state, { body }) => ({ url: `/sign-in/${body.provider}?code=demo&state=demo` }),
  identitiesUnlink: ({ outside }, { params }) => {
    outside.identities = outside.identities.filter((each) => each.id !== params.identity);
    return undefined;
  },
  identityProvidersList: ({ outside }) => ({ items: outside.providers }),
  identityProvidersCreate: (state, { body }) => {
    const preset = presets[body.kind];
    const { clientSecret, title, issuer, scopes, enabled, provisioning, domains, groupsClaim, roleMappings, ...rest } =
      body;
    const made: Provider = {
      ...rest,
      ...addresses(body.name),
      id: newId('idp'),
      title: title ?? preset.title,
      issuer: issuer ?? preset.issuer ?? '',
      hasSecret: clientSecret != null,
      scopes: scopes ?? [...preset.scopes],
      enabled: enabled ?? true,
      provisioning: provisioning ?? 'invited',
      domains: domains ?? [],
      groupsClaim: groupsClaim === undefined ? preset.groupsClaim : groupsClaim,
      roleMappings: roleMappings ?? [],
      createdAt: iso(),
      people: 0,
    };
    state.outside.providers.push(made);
    record(state, 'identity-providers.create', 'identity-provider', made.id, made.name);
    return made;
  },
  identityProvidersUpdate: (state, { params, body }) => {
    const { clientSecret: _secret, ...change } = body;
    return Object.assign(find(state, params.provider), change);
  },
  identityProvidersDelete: ({ outside }, { params }) => {
    outside.providers = outside.providers.filter((each) => each.id !== params.provider);
    return undefined;
  },
  identityProvidersTest: (state, { params }) => {
    const { issuer } = find(state, params.provider);
    return { issuer, authorizationEndpoint: `${issuer}/authorize`, logout: true };
  },
  identityProvidersLogout: () => ({}),
});
