/**
 * What the audit log must not keep. `redacted` is the one rule: values under a name that speaks of a secret, and text
 * that looks like one wherever it stands, become `***`. It also makes the value plain JSON of bounded size, so that what
 * is hashed is what is stored.
 */

/** Parts of names whose values are never kept. */
export const SECRET_NAMES =
  /password|passphrase|secret|token|hash|cookie|authorization|credential|private_?key|api_?key|sealed|otp|recovery_?codes?|^code$|_code$|[a-z]Code$/i;
/** Names the rule above would catch though they hold no secret. */
const HARMLESS_NAMES = /^(error|status|exit|country|language|zip|postal)_?code$/i;
/** Berth's own tokens, JSON web tokens, private keys, credentials inside an address. */
export const SECRET_TEXTS =
  /\bb[a-z]{2}_[A-Za-z0-9_-]{20,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|-----BEGIN [A-Z ]*PRIVATE KEY-----|\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:[^\s/@]+@/;
export const MASK = '***';

export const REDACTED_DEPTH_MAX = 6;
export const REDACTED_ITEMS_MAX = 200;
export const REDACTED_TEXT_LENGTH_MAX = 4_000;

/** A copy fit for the audit log. `undefined` at the top stays undefined. */
export function redacted(value: unknown, depth = 0): unknown {
  if (value === null || value === undefined || typeof value === 'boolean') return value;
  if (typeof value === 'string') return redactedText(value, REDACTED_TEXT_LENGTH_MAX);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (typeof value !== 'object') return String(value);
  if (depth > REDACTED_DEPTH_MAX) return '...';
  if (ArrayBuffer.isView(value)) return MASK;
  if (Array.isArray(value)) {
    const kept = value.slice(0, REDACTED_ITEMS_MAX).map((item) => redacted(item, depth + 1) ?? null);
    return value.length > REDACTED_ITEMS_MAX ? [...kept, `... ${value.length - REDACTED_ITEMS_MAX} more`] : kept;
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, item]) => item !== undefined)
      .slice(0, REDACTED_ITEMS_MAX)
      .map(([name, item]) => [
        wellFormed(name),
        isSecretName(name) && !isPlainFact(item) ? MASK : redacted(item, depth + 1),
      ]),
  );
}

/** Text without secrets, without what a database cannot keep, of bounded length. */
export function redactedText(text: string, lengthMax: number): string {
  const clean = wellFormed(text);
  if (SECRET_TEXTS.test(clean)) return MASK;
  return clean.length > lengthMax ? wellFormed(clean.slice(0, lengthMax)) : clean;
}

function isSecretName(name: string): boolean {
  return SECRET_NAMES.test(name) && !HARMLESS_NAMES.test(name);
}

/** Whether there is a secret, or how many, is no secret. */
function isPlainFact(value: unknown): boolean {
  return value === null || typeof value === 'boolean';
}

function wellFormed(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\ufffd');
}
