/**
 * Second factors and the confirmation that dangerous actions ask for. A recovery code stands in for a lost factor; it is
 * not one by itself.
 */
export const factorKinds = ['totp', 'passkey', 'recovery'] as const;
export type FactorKind = (typeof factorKinds)[number];

/** Between the password and the second factor. */
export const SIGN_IN_MINUTES = 5;
/** Wrong answers one sign-in in progress may give. */
export const SIGN_IN_ATTEMPTS_MAX = 5;
/** Seconds a code of an authenticator app lives; the one before and the one after are accepted too. */
export const TOTP_PERIOD_SECONDS = 30;
/** Between the QR code and the first code. */
export const TOTP_ENROL_MINUTES = 15;
export const RECOVERY_CODES = 10;
/** So many left or fewer: the console warns. */
export const RECOVERY_CODES_FEW = 3;
export const PASSKEYS_PER_USER_MAX = 20;
export const PASSKEY_CHALLENGE_MINUTES = 5;

/** How long a confirmation lasts. Signing in is one. */
export const CONFIRMATION_MINUTES = 10;

/**
 * What needs a fresh confirmation: what cannot be undone, and what would let somebody who found an open browser stay.
 * The words go on after "Confirm that it is you before ...".
 */
export const dangerousActions = {
  'instance.purge': 'an instance is removed for good',
  'instance.transfer': 'an instance goes to another organization',
  'factors.change': 'your second factors change',
  'factors.reset': "somebody's second factors are removed",
  'tokens.unlimited': 'a token is made that never expires',
  'tokens.service': 'a token of a service account is made',
  'ssh-keys.add': 'an SSH key is added to your account',
  'device.approve': 'a program is signed in as you',
  'organization.signIn': 'the rules for signing in change',
  'organization.delete': 'the organization is deleted',
  'organization.enter': 'you enter an organization',
  'account.password': 'your password changes',
  'account.email': 'your e-mail address changes',
  'account.delete': 'your account is deleted',
  'audit.export': 'the audit log is exported',
  'audit.retention': 'the time the audit log is kept changes',
  'identity.providers': 'identity providers change',
  'dns.providers': 'DNS providers change',
  'identities.change': 'the ways you sign in change',
  'oidc.clients': 'apps that sign people in change',
  'keys.rotate': 'keys are changed',
  'mail.server': 'the mail server changes',
  'registry.cache': 'the image cache changes',
  'mail.link': "a link that opens somebody's account is shown",
  'users.administrator': 'an administrator of the installation is made or unmade',
  'users.delete': "somebody's account is deleted",
} as const;
export type DangerousAction = keyof typeof dangerousActions;

const CODE_ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const CODE_LENGTH = 24;
/** Random bytes that one code is made of. */
export const RECOVERY_CODE_BYTES = CODE_LENGTH;

/** 120 bits in six groups of four: too many to guess, so a plain digest of one gives nothing away. */
export function makeRecoveryCode(random: Uint8Array): string {
  let text = '';
  for (const byte of random.subarray(0, CODE_LENGTH)) text += CODE_ALPHABET.charAt(byte & 31);
  return text.replace(/(.{4})(?=.)/g, '$1-');
}

/** As typed by people: case, spaces and dashes do not matter, nor do o for 0 and i or l for 1. Null: cannot be one. */
export function normaliseRecoveryCode(typed: string): string | null {
  const plain = typed.toLowerCase().replace(/[\s-]/g, '').replace(/o/g, '0').replace(/[il]/g, '1');
  return plain.length === CODE_LENGTH && [...plain].every((letter) => CODE_ALPHABET.includes(letter)) ? plain : null;
}
