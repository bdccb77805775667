/** Accounts of the installation, registration codes and mails as the mock begins with them. */
import type { OutputOf } from '../api/client.ts';
import { DAY, HOUR } from './make.ts';
import { DOMAIN, iso, newId } from './state.ts';

export type Mail = OutputOf<'mailMessagesList'>['items'][number];
export type PlatformUser = OutputOf<'usersList'>['items'][number];
export type Code = OutputOf<'registrationCodesList'>['items'][number];

export type MockAccounts = {
  preferences: OutputOf<'whoami'>['preferences'];
  emailChange: OutputOf<'accountGet'>['emailChange'];
  registration: OutputOf<'registrationSettingsGet'>;
  codes: Code[];
  users: PlatformUser[];
  mailServer: OutputOf<'mailSettingsGet'>['server'];
  mails: Mail[];
};

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
