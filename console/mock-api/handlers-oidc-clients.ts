/** Apps that sign people in with Berth, in the mock. */
import { BerthError, notFound } from '#domain/errors.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';
import type { MockState } from './state.ts';
import { DOMAIN, iso, newId, record } from './state.ts';

type ClientName =
  | 'oidcClientsList'
  | 'oidcClientsCreate'
  | 'oidcClientsUpdate'
  | 'oidcClientsSecret'
  | 'oidcClientsDelete'
  | 'oidcQuestionGet'
  | 'oidcQuestionAnswer';
export type MockClient = OutputOf<'oidcClientsList'>['items'][number];

const issuerOf = () => `https://${DOMAIN}:9443/oidc`;
const SECRET = 'vH3kqW8rT5mZ1xN7bC2yL9pS4dF6gJ0aQeUiOoPlKjM';

export function someClients(organization: MockClient['organization']): MockClient[] {
  return [
    {
      id: newId('ocl'),
      title: 'Wiki',
      issuer: issuerOf(),
      organization,
      app: null,
      authMethod: 'client_secret_basic',
      redirectUris: ['https://wiki.example.com/auth/callback'],
      firstParty: true,
      createdAt: iso(),
    },
  ];
}

function find({ clients }: MockState, id: string): MockClient {
  const found = clients.find((each) => each.id === id);
  if (found === undefined) throw notFound('app');
  return found;
}

export const oidcClientHandlers: Pick<Handlers, ClientName> = {
  oidcClientsList: ({ clients }) => ({ items: clients }),
  oidcClientsCreate: (state, { body }) => {
    const made: MockClient = { ...body, id: newId('ocl'), issuer: issuerOf(), createdAt: iso() };
    state.clients.push(made);
    record(state, 'oidc-clients.create', 'oidc-client', made.id, made.title);
    return { ...made, secret: body.authMethod === 'none' ? null : SECRET };
  },
  oidcClientsUpdate: (state, { params, body }) => Object.assign(find(state, params.client), body),
  oidcClientsSecret: (state, { params }) => ({ ...find(state, params.client), secret: SECRET }),
  oidcClientsDelete: (state, { params }) => {
    state.clients = state.clients.filter((each) => each.id !== params.client);
    return undefined;
  },
  oidcQuestionGet: (_state, { params }) => {
    if (params.interaction.startsWith('fail-')) {
      throw new BerthError('gone', 'This sign-in has ended. Go back to the app and start again.');
    }
    return { app: 'Survey', origin: 'https://survey.example.com', scopes: ['openid', 'email', 'profile'] };
  },
  oidcQuestionAnswer: () => ({ url: '/' }),
};
