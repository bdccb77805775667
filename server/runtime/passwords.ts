/** Passwords: argon2id, and the refusal of the ones everybody tries first. */
import { hash, verify } from '@node-rs/argon2';
import { commonPasswords } from './common-passwords.ts';

/** argon2id (2 in the library's numbering); 19 MiB, 2 passes, 1 lane: OWASP's first choice, about 40 ms a try. */
const PARAMETERS = { algorithm: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export async function hashPassword(password: string): Promise<string> {
  return hash(password.normalize('NFC'), PARAMETERS);
}

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
  const undecorated = letters.replace(/^[0-9]+|[0-9]+$/g, '');
  if (commonPasswords.has(letters) || commonPasswords.has(undecorated) || isRun(letters)) {
    return 'This password is on the lists that attackers try first. A few random words are better.';
  }
  const [local = ''] = email.toLowerCase().split('@');
  if (local.length >= 4 && letters.replaceAll(local.replace(/[^a-z0-9]/g, ''), '').length < 5) {
    return 'Do not use your e-mail address as the password.';
  }
  return null;
}

/** Walks along the alphabet, the digits or the keyboard. */
function isRun(text: string): boolean {
  const rows = ['abcdefghijklmnopqrstuvwxyz', '01234567890123456789', 'qwertyuiopasdfghjklzxcvbnm'];
  return text.length > 0 && rows.some((row) => row.includes(text) || [...row].reverse().join('').includes(text));
}
