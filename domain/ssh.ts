/**
 * SSH as far as it is arithmetic: which public keys may be used. Nothing here reads or writes anything.
 */

/** Keys a person may have. */
export const SSH_KEYS_PER_USER_MAX = 30;
/** Longest text of one public key: RSA with 16,384 bits and a comment. */
export const SSH_KEY_LENGTH_MAX = 4_096;
const SSH_RSA_BITS_MIN = 3_072;
const SSH_RSA_BITS_MAX = 16_384;

export const sshKeyTypes = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
] as const;
export type SshKeyType = (typeof sshKeyTypes)[number];

type SshPublicKey = { type: SshKeyType; bits: number; base64: string; blob: Uint8Array; comment: string };

const curves: Record<string, { name: string; bits: number; point: number }> = {
  'ecdsa-sha2-nistp256': { name: 'nistp256', bits: 256, point: 65 },
  'ecdsa-sha2-nistp384': { name: 'nistp384', bits: 384, point: 97 },
  'ecdsa-sha2-nistp521': { name: 'nistp521', bits: 521, point: 133 },
};

class Unreadable extends Error {}

/** The fields of a key in SSH's own encoding: a length of four bytes, then so many bytes. */
function fields(blob: Uint8Array): Uint8Array[] {
  const found: Uint8Array[] = [];
  const view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  for (let at = 0; at < blob.length; ) {
    if (at + 4 > blob.length) throw new Unreadable();
    const length = view.getUint32(at);
    at += 4;
    if (length > blob.length - at) throw new Unreadable();
    found.push(blob.subarray(at, at + length));
    at += length;
  }
  return found;
}

const ascii = (bytes: Uint8Array | undefined): string => String.fromCharCode(...(bytes ?? []));

/** Bits of a positive number in SSH's encoding; null when it is not written the one right way. */
function numberBits(bytes: Uint8Array | undefined): number | null {
  const [first = 0, second = 0] = bytes ?? [];
  if (bytes === undefined || bytes.length === 0 || first > 127) return null;
  if (first === 0 && second < 128) return null;
  const lead = first === 0 ? second : first;
  const length = first === 0 ? bytes.length - 1 : bytes.length;
  return (length - 1) * 8 + (32 - Math.clz32(lead));
}

const NOT_A_KEY = 'Not a public key. Paste the whole line of a file such as ~/.ssh/id_ed25519.pub.';

/** Reads one line as in a `.pub` file; a text for people says what is wrong. */
export function readPublicKey(text: string): SshPublicKey | { problem: string } {
  const line = text.trim();
  if (/PRIVATE KEY-----/.test(line)) {
    return { problem: 'This is a private key: never give it away. Paste the file that ends in .pub.' };
  }
  if (/BEGIN SSH2 PUBLIC KEY/.test(line)) {
    return { problem: 'Convert it first: ssh-keygen -i -f <file> prints the line that is wanted here.' };
  }
  if (line.length > SSH_KEY_LENGTH_MAX) return { problem: 'This is too long for a public key.' };
  const match = /^([a-z0-9@.-]{1,64})[ \t]+([A-Za-z0-9+/]+={0,2})(?:[ \t]+([^\r\n]*))?$/.exec(line);
  if (match === null) return { problem: NOT_A_KEY };
  const [, type = '', base64 = '', comment = ''] = match;
  if (type.startsWith('sk-')) {
    return { problem: 'Keys in security tokens (sk-...) are not supported yet. Use an ed25519 key.' };
  }
  if (type.includes('-cert-')) return { problem: 'This is a certificate. Paste the public key it was made for.' };
  if (type === 'ssh-dss') return { problem: 'DSA keys are not safe any more. Make one: ssh-keygen -t ed25519' };
  const known = sshKeyTypes.find((candidate) => candidate === type);
  if (known === undefined) return { problem: NOT_A_KEY };
  try {
    const blob = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
    const bits = keyBits(known, fields(blob));
    if (bits === null) return { problem: NOT_A_KEY };
    if (known === 'ssh-rsa' && (bits < SSH_RSA_BITS_MIN || bits > SSH_RSA_BITS_MAX)) {
      return {
        problem: `This RSA key has ${bits} bits; at least ${SSH_RSA_BITS_MIN} are needed. Better: ssh-keygen -t ed25519`,
      };
    }
    return { type: known, bits, base64: btoa(ascii(blob)), blob, comment: comment.trim() };
  } catch {
    return { problem: NOT_A_KEY };
  }
}

function keyBits(type: SshKeyType, parts: readonly Uint8Array[]): number | null {
  if (ascii(parts[0]) !== type) return null;
  if (type === 'ssh-ed25519') return parts.length === 2 && parts[1]?.length === 32 ? 256 : null;
  if (type === 'ssh-rsa') {
    const exponent = numberBits(parts[1]);
    if (parts.length !== 3 || exponent === null || exponent < 2 || exponent > 64) return null;
    return numberBits(parts[2]);
  }
  const curve = curves[type];
  if (curve === undefined || parts.length !== 3 || ascii(parts[1]) !== curve.name) return null;
  return parts[2]?.length === curve.point && parts[2][0] === 4 ? curve.bits : null;
}
