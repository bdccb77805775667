/** Naming rules: everything a person names and that may become a DNS label follows RFC 1123 labels. */
export const NAME_LENGTH_MAX = 40;
export const TITLE_LENGTH_MAX = 80;
export const namePattern = /^[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?$/;

/** First labels that Berth keeps for itself on its own domain. */
export const reservedNames: readonly string[] = [
  'www',
  'api',
  'console',
  'admin',
  'berth',
  'edge',
  'auth',
  'login',
  'mail',
  'smtp',
  'imap',
  'ns',
  'ns1',
  'ns2',
  'dns',
  'localhost',
  'static',
  'assets',
  'status',
  'docs',
  'ssh',
  'registry',
  'autoconfig',
  'autodiscover',
  'wpad',
  'isatap',
];

/** Why `name` cannot be used, in words for the person who typed it; null when it can. */
export function nameProblem(name: string): string | null {
  if (name.length === 0) return 'Give it a name.';
  if (name.length > NAME_LENGTH_MAX) return `At most ${NAME_LENGTH_MAX} characters.`;
  if (/[A-Z]/.test(name)) return 'Lower-case letters only: it becomes part of an address.';
  if (!/^[a-z]/.test(name)) return 'Start with a letter.';
  if (name.endsWith('-')) return 'It cannot end with a hyphen.';
  if (!namePattern.test(name)) return 'Only lower-case letters, digits and hyphens.';
  if (name.startsWith('xn--') || name.includes('--')) return 'No double hyphens.';
  if (reservedNames.includes(name)) return 'This name is kept for Berth itself.';
  return null;
}

/** Turns free text into a valid name, or '' when nothing usable is left. */
export function slug(text: string): string {
  return text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, NAME_LENGTH_MAX)
    .replace(/-+$/, '');
}

/** A fully qualified host name a route may have: 2+ labels, at most 253 characters, no IP address, no wildcard. */
export function hostnameProblem(hostname: string): string | null {
  if (hostname.length === 0) return 'Give a host name.';
  if (hostname.length > 253) return 'At most 253 characters.';
  if (hostname !== hostname.toLowerCase()) return 'Lower-case letters only.';
  const labels = hostname.split('.');
  if (labels.length < 2) return 'A full name with at least one dot, such as shop.example.com.';
  if (labels.every((label) => /^[0-9]+$/.test(label))) return 'An IP address is not a host name.';
  for (const label of labels) {
    if (label.length === 0) return 'Empty part between two dots.';
    if (label.length > 63) return 'A part between dots has at most 63 characters.';
    if (!/^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?$/.test(label)) return `"${label}" is not a valid part of a host name.`;
  }
  return null;
}
