/** Accounts, registration and mail in the mock: codes and links beginning with `wrong` are wrong, everything else works. */
import { BerthError, notFound } from '#domain/errors.ts';
import type { OutputOf } from '../api/client.ts';
import type { Handlers } from './handlers.ts';
import type { MockState } from './state.ts';
import { DOMAIN, hint, iso, newId, record } from './state.ts';

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
  | 'accountDelete'
  | 'registrationState'
  | 'registrationCreate'
  | 'registrationRead'
  | 'registrationComplete'
  | 'registrationSettingsGet'
  | 'registrationSettingsUpdate'
  | 'registrationCodesList'
  | 'registrationCodesCreate'
  | 'registrationCodesRevoke'
  | 'usersList'
  | 'usersUpdate'
  | 'usersSignOut'
  | 'usersDeletion'
  | 'usersDelete'
  | 'mailSettingsGet'
  | 'mailSettingsUpdate'
  | 'mailSettingsDelete'
  | 'mailTest'
  | 'mailMessagesList'
  | 'mailMessagesRetry'
  | 'mailMessagesDrop'
  | 'mailMessagesLink';

type Mail = OutputOf<'mailMessagesList'>['items'][number];
type PlatformUser = OutputOf<'usersList'>['items'][number];
type Code = OutputOf<'registrationCodesList'>['items'][number];

export type MockAccounts = {
  preferences: OutputOf<'whoami'>['preferences'];
  emailChange: OutputOf<'accountGet'>['emailChange'];
  registration: OutputOf<'registrationSettingsGet'>;
  codes: Code[];
  users: PlatformUser[];
  mailServer: OutputOf<'mailSettingsGet'>['server'];
  mails: Mail[];
};

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const others = [
  ['Ada Brandt', 'ada@harbour.example', 'admin', 12],
  ['Jonas Petrauskas', 'jonas@harbour.example', 'member', 9],
  ['Ines Ferreira', 'ines@harbour.example', 'viewer', 3],
] as const;

function userRow(more: Partial<PlatformUser>, days: number): PlatformUser {
  return {
    id: newId('usr', Date.now() - days * DAY),
    email: '',
    name: '',
    platformAdmin: false,
    emailVerified: true,
    secondFactor: false,
    createdAt: iso(Date.now() - days * DAY),
    disabledAt: null,
    lastSeenAt: iso(Date.now() - days * HOUR),
    organizations: [],
    can: { disable: true, enable: 'It is not disabled.', signOut: true, administrator: true, delete: true },
    ...more,
  };
}

function mailRow(more: Partial<Mail>): Mail {
  return {
    id: newId('eml'),
    kind: 'invitation',
    recipient: 'grace@harbour.example',
    subject: `Join Harbour Lab on ${DOMAIN}`,
    state: 'sent',
    attempts: 1,
    nextAt: null,
    error: null,
    createdAt: iso(Date.now() - HOUR),
    expiresAt: iso(Date.now() + 6 * DAY),
    endedAt: iso(Date.now() - HOUR),
    can: {
      retry: 'It was sent, or is too old.',
      showLink: 'It was sent, or is too old.',
      drop: 'It was sent, or is too old.',
    },
    ...more,
  };
}

export function someAccounts(
  user: OutputOf<'whoami'>['user'],
  {
    id,
    name,
    title,
  }: { id: OutputOf<'whoami'>['memberships'][number]['organization']['id']; name: string; title: string },
): MockAccounts {
  const organization = { id, name, title };
  const open = { retry: true, showLink: true, drop: true } as const;
  return {
    preferences: { language: 'en-GB', timeZone: null, theme: 'system', avatar: null },
    emailChange: null,
    registration: { open: false, ownOrganization: true },
    codes: [
      {
        id: newId('rgc'),
        prefix: 'K7QX',
        note: 'Autumn class',
        joins: { organization, role: 'member' },
        uses: 11,
        usesMax: 30,
        createdBy: user.email,
        createdAt: iso(Date.now() - 2 * DAY),
        expiresAt: iso(Date.now() + 12 * DAY),
        state: 'open',
      },
    ],
    users: [
      userRow(
        {
          ...user,
          organizations: [{ ...organization, role: 'owner' }],
          can: {
            disable: 'You would lock yourself out.',
            enable: 'It is not disabled.',
            signOut: 'Your own sessions are under Account.',
            administrator: 'Somebody else has to change this for you.',
            delete: 'Your own account is deleted under Account.',
          },
        },
        40,
      ),
      ...others.map(([person, email, role, days]) =>
        userRow({ name: person, email, secondFactor: days > 9, organizations: [{ ...organization, role }] }, days),
      ),
      userRow(
        {
          name: 'Old Contractor',
          email: 'old@elsewhere.example',
          emailVerified: false,
          disabledAt: iso(Date.now() - DAY),
          can: { disable: 'It is disabled already.', enable: true, signOut: true, administrator: true, delete: true },
        },
        60,
      ),
    ],
    mailServer: {
      host: 'mail.harbour.example',
      port: 587,
      security: 'starttls',
      username: 'berth',
      hasPassword: true,
      caCertificate: null,
      fromAddress: 'berth@harbour.example',
      fromName: 'Harbour Lab',
    },
    mails: [
      mailRow({
        recipient: 'typo@harbor.example',
        state: 'dead',
        error: 'Can’t send mail - all recipients were rejected: 550 No such user',
        can: open,
      }),
      mailRow({
        kind: 'password-reset',
        subject: `A new password for ${DOMAIN}`,
        recipient: 'ines@harbour.example',
        state: 'queued',
        attempts: 2,
        nextAt: iso(Date.now() + 30_000),
        error: '451 Greylisted, come again',
        endedAt: null,
        can: {
          retry: true,
          showLink: 'It is sent by mail. Only what could not be sent is handed over by hand.',
          drop: true,
        },
      }),
      mailRow({}),
    ],
  };
}

function account({ user, accounts }: MockState): OutputOf<'accountGet'> {
  return { user, preferences: accounts.preferences, emailVerified: true, emailChange: accounts.emailChange };
}

function deletion({ organization, members, user }: MockState): OutputOf<'deletionGet'> {
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

function userOf(state: MockState, id: string): PlatformUser {
  const found = state.accounts.users.find((each) => each.id === id);
  if (found === undefined) throw notFound('account');
  return found;
}

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

export const accountHandlers = (whoami: (state: MockState) => OutputOf<'whoami'>): Pick<Handlers, AccountName> => ({
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
  registrationState: (state) => ({ open: state.accounts.registration.open }),
  registrationCreate: (_state, { body }) => {
    if (body.code?.toLowerCase().startsWith('wrong') === true)
      throw new BerthError('invalid_input', 'This code is not known, is used up, or has ended.', {
        fields: [{ field: 'code', message: 'This code is not known, is used up, or has ended.' }],
      });
    return undefined;
  },
  registrationRead: (state, { params }) => {
    if (params.secret.startsWith('wrong'))
      throw new BerthError('not_found', 'This link was used, replaced by a newer one, or is too old. Register again.');
    return { email: 'newcomer@harbour.example', joins: state.organization.title, expiresAt: iso(Date.now() + DAY) };
  },
  registrationComplete: (state, { body }) => {
    Object.assign(state.user, { name: body.name, email: 'newcomer@harbour.example' });
    state.signedIn = true;
    return whoami(state);
  },
  registrationSettingsGet: (state) => state.accounts.registration,
  registrationSettingsUpdate: (state, { body }) => Object.assign(state.accounts.registration, body),
  registrationCodesList: (state) => ({ items: state.accounts.codes }),
  registrationCodesCreate: (state, { body }) => {
    const { id, name, title } = state.organization;
    const code: Code = {
      id: newId('rgc'),
      prefix: 'M4WT',
      note: body.note,
      joins: body.joins === null ? null : { organization: { id, name, title }, role: body.joins.role },
      uses: 0,
      usesMax: body.usesMax,
      createdBy: state.user.email,
      createdAt: iso(),
      expiresAt: iso(Date.now() + body.expiresInDays * DAY),
      state: 'open',
    };
    state.accounts.codes.unshift(code);
    hint('user', code.id);
    return { ...code, code: 'M4WT-9RKP-2XQA-7BHN', link: `https://${DOMAIN}:9443/register?code=M4WT-9RKP-2XQA-7BHN` };
  },
  registrationCodesRevoke: (state, { params }) => {
    for (const each of state.accounts.codes) if (each.id === params.code) each.state = 'revoked';
    hint('user', params.code);
    return undefined;
  },
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
});
