/**
 * The words of the mails that Berth sends, and the rules of sending. Everything that somebody else chose (names, titles)
 * goes through `said`: one line, bounded, never a link. Mails hold no pictures and nothing that is loaded from elsewhere.
 */
export const mailKinds = [
  'invitation',
  'registration',
  'registration-known',
  'password-reset',
  'password-changed',
  'email-old',
  'email-new',
  'email-changed',
  'account-deleted',
  'test',
] as const;
export type MailKind = (typeof mailKinds)[number];

export const mailStates = ['queued', 'sent', 'dead', 'expired'] as const;
export type MailState = (typeof mailStates)[number];

/** `starttls` is a must, not a wish: a server that does not offer it gets nothing. */
export const mailSecurities = ['tls', 'starttls', 'plain'] as const;
export type MailSecurity = (typeof mailSecurities)[number];

export const MAIL_ATTEMPTS_MAX = 10;
const RETRY_FIRST_SECONDS = 15;
const RETRY_SECONDS_MAX = 3600;
/** Mails without a link that ends: how long they are worth sending. */
export const MAIL_HOURS = 24;
/** Between an attempt that failed and the next: 15 s, then twice as long each time, up to an hour. */
export function retrySeconds(attempts: number): number {
  return Math.min(RETRY_FIRST_SECONDS * 2 ** Math.max(0, attempts - 1), RETRY_SECONDS_MAX);
}

export const PASSWORD_RESET_MINUTES = 60;
/** Links for one account in the time that one lives; more are not sent. */
export const PASSWORD_RESETS_MAX = 3;
export const EMAIL_CHANGE_HOURS = 24;
export const REGISTRATION_HOURS = 24;

export type MailContent = { subject: string; text: string; html: string; link: string | null };

/** What a mail says; `until` is written in words already. */
export type MailFacts =
  | { kind: 'invitation'; organization: string; invitedBy: string; role: string; link: string; until: string }
  | { kind: 'registration'; link: string; until: string }
  | { kind: 'registration-known'; link: string }
  | { kind: 'password-reset'; link: string; until: string }
  | { kind: 'password-changed' }
  | { kind: 'email-old'; email: string; link: string; until: string }
  | { kind: 'email-new'; link: string; until: string }
  | { kind: 'email-changed'; email: string }
  | { kind: 'account-deleted' }
  | { kind: 'test'; by: string };

const SAID_LENGTH_MAX = 80;

/** Somebody else's words inside ours: one line, no control or direction characters, nothing that a reader makes a link of. */
export function said(words: string): string {
  return words
    .replace(/[\p{C}\p{Z}\s]+/gu, ' ')
    .replace(/:\/\//g, ' ')
    .replace(/(?<=\p{L})\.(?=\p{L})/gu, '․')
    .trim()
    .slice(0, SAID_LENGTH_MAX);
}

type Words = { subject: string; lines: string[]; action?: { label: string; link: string }; after?: string[] };

/** `name`: of the installation, such as its domain; `console`: where the console is. */
export function writeMail(facts: MailFacts, installation: { domain: string }): MailContent {
  const { subject, lines, action, after = [] } = words(facts, installation.domain);
  const footer = `Sent by Berth at ${installation.domain}.`;
  const text = [
    ...lines,
    ...(action === undefined ? [] : [`${action.label}:\n${action.link}`]),
    ...after,
    `-- \n${footer}`,
  ].join('\n\n');
  const paragraph = (line: string) => `<p style="margin:0 0 16px">${escapeHtml(line)}</p>`;
  const button =
    action === undefined
      ? ''
      : `<p style="margin:0 0 16px"><a href="${escapeHtml(action.link)}" style="display:inline-block;padding:10px 18px;border-radius:6px;background:#0b6e75;color:#ffffff;text-decoration:none;font-weight:600">${escapeHtml(action.label)}</a></p><p style="margin:0 0 16px;font-size:13px;color:#5a6b75;word-break:break-all">${escapeHtml(action.link)}</p>`;
  const html = `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head><body style="margin:0;padding:24px;background:#f6f8f9;color:#16212a;font:15px/1.5 system-ui,sans-serif"><div style="max-width:520px;margin:0 auto;padding:24px;background:#ffffff;border-radius:8px">${lines.map(paragraph).join('')}${button}${after.map(paragraph).join('')}<p style="margin:24px 0 0;font-size:12px;color:#5a6b75">${escapeHtml(footer)}</p></div></body></html>`;
  return { subject, text, html, link: action?.link ?? null };
}

const notYou = 'If this was not you, ignore this mail: nothing happens without the link.';

function words(facts: MailFacts, domain: string): Words {
  switch (facts.kind) {
    case 'invitation':
      return {
        subject: `Join ${said(facts.organization)} on ${domain}`,
        lines: [
          `${facts.invitedBy} invites you to join ${said(facts.organization)} on ${domain} as ${facts.role}.`,
          `The link works once, for this address, until ${facts.until}.`,
        ],
        action: { label: 'Accept the invitation', link: facts.link },
        after: ['If you do not know what this is, ignore this mail.'],
      };
    case 'registration':
      return {
        subject: `Your account on ${domain}`,
        lines: [
          `Somebody wants an account on ${domain} with this address.`,
          `The link works once, until ${facts.until}.`,
        ],
        action: { label: 'Create the account', link: facts.link },
        after: [notYou],
      };
    case 'registration-known':
      return {
        subject: `You have an account on ${domain}`,
        lines: [
          `Somebody asked for an account on ${domain} with this address. It has one already: sign in with it.`,
          'Forgotten the password? The sign-in page sends a link.',
        ],
        action: { label: 'Sign in', link: facts.link },
        after: ['If this was not you, ignore this mail.'],
      };
    case 'password-reset':
      return {
        subject: `A new password for ${domain}`,
        lines: [
          `Somebody asked for a new password for the account with this address on ${domain}.`,
          `The link works once, until ${facts.until}. It ends all sessions of the account.`,
        ],
        action: { label: 'Choose a new password', link: facts.link },
        after: [notYou],
      };
    case 'password-changed':
      return {
        subject: `Your password on ${domain} was changed`,
        lines: [
          `The password of your account on ${domain} was changed just now.`,
          'If this was not you, use "Forgotten the password?" on the sign-in page at once, and tell an administrator.',
        ],
      };
    case 'email-old':
      return {
        subject: `Your e-mail address on ${domain} is about to change`,
        lines: [
          `Your account on ${domain} is to move from this address to ${facts.email}.`,
          `Both addresses have to confirm, until ${facts.until}.`,
        ],
        action: { label: 'Confirm from this address', link: facts.link },
        after: ['If this was not you, do not confirm. Sign in, change your password and end your other sessions.'],
      };
    case 'email-new':
      return {
        subject: `Confirm your new address for ${domain}`,
        lines: [
          `An account on ${domain} is to move to this address.`,
          `Both addresses have to confirm, until ${facts.until}.`,
        ],
        action: { label: 'Confirm this address', link: facts.link },
        after: [notYou],
      };
    case 'email-changed':
      return {
        subject: `Your e-mail address on ${domain} was changed`,
        lines: [`Your account on ${domain} has the address ${facts.email} now. Sign in with it.`],
      };
    case 'account-deleted':
      return {
        subject: `Your account on ${domain} is deleted`,
        lines: [`Your account on ${domain} is deleted. Your name, address, picture and ways to sign in are gone.`],
      };
    case 'test':
      return {
        subject: `Test mail from ${domain}`,
        lines: [`${facts.by} asked for this mail to see whether ${domain} can send any. It can.`],
      };
  }
}

function escapeHtml(textOf: string): string {
  return textOf.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
