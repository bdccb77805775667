/** The mail server and mails in the mock: an address that begins with `wrong` is refused. */
import { BerthError, notFound } from '#domain/errors.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';
import type { Mail } from './seed-accounts.ts';
import type { MockState } from './state.ts';
import { DOMAIN, hint, iso } from './state.ts';

type MailName =
  | 'mailSettingsGet'
  | 'mailSettingsUpdate'
  | 'mailSettingsDelete'
  | 'mailTest'
  | 'mailMessagesList'
  | 'mailMessagesRetry'
  | 'mailMessagesDrop'
  | 'mailMessagesLink';

function mailOf(state: MockState, id: string): Mail {
  const found = state.accounts.mails.find((each) => each.id === id);
  if (found === undefined) throw notFound('mail');
  return found;
}

function settings({ accounts }: MockState): OutputOf<'mailSettingsGet'> {
  const count = (state: Mail['state']) => accounts.mails.filter((each) => each.state === state).length;
  return { server: accounts.mailServer, counts: { queued: count('queued'), dead: count('dead') } };
}

const over = 'It was sent, or is too old.';

export const mailHandlers: Pick<Handlers, MailName> = {
  mailSettingsGet: settings,
  mailSettingsUpdate: (state, { body: { password, ...server } }) => {
    state.accounts.mailServer = {
      ...server,
      hasPassword: password != null || state.accounts.mailServer?.hasPassword === true,
    };
    hint('mail', 'eml_server');
    return settings(state);
  },
  mailSettingsDelete: (state) => {
    state.accounts.mailServer = null;
    hint('mail', 'eml_server');
    return undefined;
  },
  mailTest: (_state, { body }) => {
    if (body.to.startsWith('wrong')) throw new BerthError('upstream_failed', '550 No such user');
    return { answer: '250 2.0.0 Ok: queued as 4BqWz1' };
  },
  mailMessagesList: (state, { query }) => ({
    items: state.accounts.mails.filter((each) => query.state === undefined || each.state === query.state),
    nextCursor: null,
  }),
  mailMessagesRetry: (state, { params }) => {
    Object.assign(mailOf(state, params.message), {
      state: 'sent',
      error: null,
      endedAt: iso(),
      can: { retry: over, showLink: over, drop: over },
    });
    hint('mail', params.message);
    return undefined;
  },
  mailMessagesDrop: (state, { params }) => {
    Object.assign(mailOf(state, params.message), {
      state: 'expired',
      can: { retry: over, showLink: over, drop: over },
    });
    hint('mail', params.message);
    return undefined;
  },
  mailMessagesLink: () => ({
    link: `https://${DOMAIN}:9443/invitations/VGhpcyBpcyBhbiBleGFtcGxlIG9mIGEgc2VjcmV0IGxpbms`,
  }),
};
