/** Passwords: argon2id, and the refusal of the ones everybody tries first. */
import { hash, verify } from '@node-rs/argon2';
import { dictionary } from '@zxcvbn-ts/language-common';

/** argon2id (2 in the library's numbering); 19 MiB, 2 passes, 1 lane: OWASP's first choice, about 40 ms a try. */
const PARAMETERS = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export async function hashPassword(password: string): Promise<string> {
  return hash(password.normalize('NFC'), PARAMETERS);
}

/**
 * The list that zxcvbn keeps (MIT licence): about 49,000, from leaks, the most used first. Short ones serve as stems:
 * `Password123!` is `password` with decoration.
 */
const commonPasswords: ReadonlySet<string> = new Set([
  ...(dictionary['passwords-common'] as readonly (string | number)[]).map((word) => String(word).toLowerCase()),
  // What people here try that the world's list lacks: "password" in our languages, and what this is about.
  ...['slaptazodis', 'heslo', 'senha', 'wachtwoord', 'haslo', 'parole', 'salasana', 'losenord', 'adgangskode'],
  ...['kubernetes', 'hosting', 'desktop', 'correcthorsebatterystaple'],
]);
/** Shorter stems, such as `abc`, would refuse what nobody guesses. */
const STEM_LENGTH_MIN = 4;
/** What is left of a password without its common stem has to carry it. */
const DECORATION_LENGTH_MAX = 8;

let decoy: Promise<string> | null = null;

/**
 * True when the password fits. With no account (`null`) the same work is done against a decoy, so that the time does not
 * tell whether the account exists.
 */
export async function verifyPassword(stored: string | null, password: string): Promise<boolean> {
  decoy ??= hashPassword('a decoy for accounts that do not exist');
  const target = stored ?? (await decoy);
  const fits = await verify(target, password.normalize('NFC'));
  return stored !== null && fits;
}

/** Computes the decoy before the first sign-in needs it. */
export async function warmPasswords(): Promise<void> {
  await verifyPassword(null, '');
}

/** Why this password is refused, for the person who chose it; null when it is fine. Length is the contract's matter. */
export function passwordProblem(password: string, email: string): string | null {
  const plain = password.normalize('NFKC').toLowerCase();
  const letters = plain.replace(/[^a-z0-9]/g, '');
  if (new Set(plain).size < 5) return 'Use more different characters.';
  if (isCommon(plain) || isCommon(letters) || isRun(letters)) {
    return 'This password is on the lists that attackers try first. A few random words are better.';
  }
  const [local = ''] = email.toLowerCase().split('@');
  if (local.length >= 4 && letters.replaceAll(local.replace(/[^a-z0-9]/g, ''), '').length < 5) {
    return 'Do not use your e-mail address as the password.';
  }
  return null;
}

/** On the list, also with digits in front or behind, with letters written as digits, twice, or backwards. */
function isCommon(text: string): boolean {
  const undecorated = text.replace(/^[^a-z]+|[^a-z]+$/g, '');
  const decoration = text.length - undecorated.length;
  const spoken = text.replace(/[013457@$]/g, (sign) => SPOKEN[sign] ?? sign).replace(/^[^a-z]+|[^a-z]+$/g, '');
  const half = text.slice(0, text.length / 2);
  const words = [
    text,
    [...text].reverse().join(''),
    ...(half + half === text && half.length >= STEM_LENGTH_MIN ? [half] : []),
    ...(undecorated.length >= STEM_LENGTH_MIN && decoration <= DECORATION_LENGTH_MAX ? [undecorated, spoken] : []),
  ];
  return words.some((word) => word.length >= STEM_LENGTH_MIN && commonPasswords.has(word));
}

const SPOKEN: Readonly<Record<string, string>> = {
  0: 'o',
  1: 'l',
  3: 'e',
  4: 'a',
  5: 's',
  7: 't',
  '@': 'a',
  $: 's',
};

/** Walks along the alphabet, the digits or the keyboard. */
function isRun(text: string): boolean {
  const rows = ['abcdefghijklmnopqrstuvwxyz', '01234567890123456789', 'qwertyuiopasdfghjklzxcvbnm'];
  return text.length > 0 && rows.some((row) => row.includes(text) || [...row].reverse().join('').includes(text));
}
