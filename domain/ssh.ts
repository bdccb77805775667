/**
 * SSH as far as it is arithmetic: which public keys may be used, how a user name at the gateway names a server, and the
 * bounds of the gateway. Nothing here reads or writes anything.
 */

/** Keys a person may have. */
export const SSH_KEYS_PER_USER_MAX = 30;
/** Longest text of one public key: RSA with 16,384 bits and a comment. */
export const SSH_KEY_LENGTH_MAX = 4_096;
export const SSH_RSA_BITS_MIN = 3_072;
export const SSH_RSA_BITS_MAX = 16_384;

/** Seconds from the first byte to being signed in. */
export const SSH_LOGIN_SECONDS_MAX = 60;
/** Attempts to sign in on one connection (offered keys included), as OpenSSH counts them. */
export const SSH_ATTEMPTS_MAX = 10;
/** Wrong passwords or codes on one connection. */
export const SSH_PASSWORDS_MAX = 3;
/** Connections that are not signed in yet: from one address (IPv6: one /64) and in all. */
export const SSH_WAITING_PER_ADDRESS_MAX = 10;
export const SSH_WAITING_MAX = 200;
/** Signed-in connections: in all, of one person, to one instance. */
export const SSH_SESSIONS_MAX = 1_000;
export const SSH_SESSIONS_PER_USER_MAX = 50;
export const SSH_SESSIONS_PER_INSTANCE_MAX = 100;
/** Channels (shells, commands, transfers, forwarded connections) of one connection. */
export const SSH_CHANNELS_MAX = 64;
/** Ports one connection may have forwarded from the server (`-R`). */
export const SSH_REMOTE_FORWARDS_MAX = 16;
/** Environment variables a client may send, and the longest value. */
export const SSH_ENVIRONMENT_MAX = 16;
export const SSH_ENVIRONMENT_BYTES_MAX = 1_024;
/** Without an answer to three of these questions the connection is dead. */
export const SSH_KEEPALIVE_SECONDS = 30;
/** Running sessions live on for so long while edge, which decides about them, is away. */
export const SSH_ALONE_SECONDS_MAX = 30;
/** A session that the gateway has not spoken of for so long is over. */
export const SSH_SESSION_SILENT_SECONDS = 60;
/** Ended sessions are listed for so long; the audit log keeps them longer. */
export const SSH_SESSION_DAYS = 30;
/** A second factor given after a key is remembered for its connection at least so long, and while it lives. */
export const SSH_FACTOR_HOURS = 24;
export const SSH_PORT_DEFAULT = 2222;
/** Processes of the gateway that carry connections. */
export const SSH_WORKERS_MAX = 16;
const CORES_PER_WORKER = 4;
const WORKERS_BY_CORES_MAX = 4;

/** How many there are when nobody says: one process does all on small machines, where memory counts more. */
export function sshWorkers(cores: number): number {
  return Math.max(1, Math.min(WORKERS_BY_CORES_MAX, Math.floor(cores / CORES_PER_WORKER)));
}

/** The account inside a server that the gateway signs in to. */
export const SSH_GUEST_USER = 'berth';

/** Variables that pass; the rest is dropped, as sshd does. */
export function passesEnvironment(name: string): boolean {
  return /^(?:LANG|LANGUAGE|LC_[A-Z_]{1,32}|TERM|COLORTERM|NO_COLOR|GIT_PROTOCOL|TZ)$/.test(name);
}

export const sshKeyTypes = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'ssh-rsa',
] as const;
export type SshKeyType = (typeof sshKeyTypes)[number];

export type SshPublicKey = { type: SshKeyType; bits: number; base64: string; blob: Uint8Array; comment: string };

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

/** What a user name at the gateway asks for: `<server>`, `<server>.<project>` or `<server>.<project>.<organization>`. */
export type SshTarget = { instance: string; project: string | null; organization: string | null };

const label = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** Null when it cannot name a server. Case does not matter. */
export function readSshUser(text: string): SshTarget | null {
  const parts = text.toLowerCase().split('.');
  const [instance = '', project = null, organization = null] = parts;
  return parts.length <= 3 && parts.every((part) => label.test(part)) ? { instance, project, organization } : null;
}

export type SshAddress = { host: string; port: number; user: string };

/** The host to dial: names below .localhost mean this machine (RFC 6761), but not every machine's resolver knows it. */
export function sshHost(host: string): string {
  return host.endsWith('.localhost') ? 'localhost' : host;
}

/** The command to copy. */
export function sshCommand({ host, port, user }: SshAddress): string {
  const to = `${user}@${sshHost(host)}`;
  return port === 22 ? `ssh ${to}` : `ssh -p ${port} ${to}`;
}

/** Options by which OpenSSH finds the gateway and knows its host key under its own name. */
export function sshOptions({ host, port }: SshAddress): string[] {
  const to = sshHost(host);
  const alias = port === 22 ? host : `[${host}]:${port}`;
  return [`HostName ${to}`, `Port ${port}`, ...(to === host ? [] : [`HostKeyAlias ${alias}`])];
}

/** An entry for ~/.ssh/config: from then on `ssh <alias>`, `scp`, `rsync` and editors know the server by one word. */
export function sshConfigEntry(alias: string, address: SshAddress): string {
  const options = [...sshOptions(address), `User ${address.user}`];
  return [`Host ${alias}`, ...options.map((option) => `  ${option}`), ''].join('\n');
}
