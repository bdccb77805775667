/**
 * The gateway's own host keys: the one it proves itself with, and, while it is being changed, the next one. Clients that
 * are in are told of both (`hostkeys-00@openssh.com`, OpenSSH's UpdateHostKeys): they ask for a proof of what they do not
 * know yet and remember it, so that the change surprises nobody who was in between. Files are read anew when they change.
 */
import { readFileSync, statSync } from 'node:fs';
import type { Connection, ParsedKey } from 'ssh2';
import { ssh2 } from './ssh2.ts';

const ANNOUNCE = 'hostkeys-00@openssh.com';
const PROVE = 'hostkeys-prove-00@openssh.com';
const TYPE = 'ssh-ed25519';
const GLOBAL_REQUEST = 80;
/** Questions of a client that wait while a proof before them does. */
const BLOCKED_MAX = 64;
const PROTOCOL_ERROR = 2;

export class HostKeys {
  readonly #files: readonly string[];
  readonly #nextFile: string | null;
  #stamp = '';
  #texts: string[] = [];
  #announced: ParsedKey[] = [];

  /** Errors: a file that is not there (but the next one) or holds no key. */
  constructor(files: readonly string[], nextFile: string | null) {
    this.#files = files;
    this.#nextFile = nextFile;
    this.look();
  }

  /** Texts of the private keys that it proves itself with. */
  get texts(): string[] {
    return this.#texts;
  }

  /** What clients are told of; none when there are keys of kinds that are not proven here. */
  get announced(): readonly ParsedKey[] {
    return this.#announced;
  }

  /** True when they have changed since the last look. Half-written ones are left for the next look. */
  look(): boolean {
    const stamp = [...this.#files, this.#nextFile].map((file) => (file === null ? '' : stampOf(file))).join(' ');
    if (stamp === this.#stamp) return false;
    try {
      const texts = this.#files.map((file) => readFileSync(file, 'utf8'));
      const next =
        this.#nextFile !== null && stampOf(this.#nextFile) !== '' ? [readFileSync(this.#nextFile, 'utf8')] : [];
      const keys = [...texts, ...next].map(parse);
      this.#announced = keys.every((key) => key.type === TYPE) ? keys : [];
      this.#texts = texts;
      this.#stamp = stamp;
      return true;
    } catch (error) {
      if (this.#texts.length === 0) throw error;
      return false;
    }
  }
}

function stampOf(file: string): string {
  const found = statSync(file, { throwIfNoEntry: false });
  return found === undefined ? '' : `${found.ino}:${found.mtimeMs}:${found.size}`;
}

function parse(text: string): ParsedKey {
  const key = ssh2.utils.parseKey(text);
  const first = Array.isArray(key) ? key[0] : key;
  if (first instanceof Error) throw first;
  if (first === undefined) throw new Error('a host key file holds no key');
  return first;
}

/** What of the library's own protocol object is used: it has no words for this. Its version is pinned. */
type Inner = {
  _protocol: {
    _packetRW: { write: { allocStart: number; alloc(bytes: number): Buffer; finalize(packet: Buffer): Buffer } };
    _cipher: { encrypt(packet: Buffer): void };
    _kexinit: unknown;
    _queue: Buffer[] | undefined;
    _kex: { sessionID: Buffer };
    _handlers: Record<string, unknown>;
    requestSuccess(data?: Buffer): void;
    requestFailure(): void;
    disconnect(reason: number): void;
  };
};
type OnRequest = (protocol: unknown, name: string, wantsReply: boolean, data: unknown) => void;

const field = (bytes: Buffer | string): Buffer => {
  const content = Buffer.from(bytes);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  return Buffer.concat([length, content]);
};

/** Reads `field`s; null when they do not fit. */
function fieldsOf(bytes: Buffer): Buffer[] | null {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 4 > bytes.length) return null;
    const end = at + 4 + bytes.readUInt32BE(at);
    if (end > bytes.length) return null;
    found.push(bytes.subarray(at + 4, end));
    at = end;
  }
  return found;
}

/** Tells a client that is in of the host keys, and proves those it asks about. */
export function announceHostKeys(connection: Connection, keys: readonly ParsedKey[]): void {
  if (keys.length === 0) return;
  const protocol = (connection as unknown as Inner)._protocol;
  answerProofs(protocol, keys);
  const blobs = keys.map((key) => field(key.getPublicSSH()));
  const payload = Buffer.concat([Buffer.from([GLOBAL_REQUEST]), field(ANNOUNCE), Buffer.from([0]), ...blobs]);
  const { write } = protocol._packetRW;
  const packet = write.alloc(payload.length);
  packet.set(payload, write.allocStart);
  const final = write.finalize(packet);
  // While keys are changed everything else waits, as in the library.
  if (protocol._kexinit === undefined) {
    protocol._cipher.encrypt(final);
    return;
  }
  protocol._queue ??= [];
  protocol._queue.push(final);
}

/**
 * Answers to global requests have no number: their order is all. A proof waits for answers that are still outstanding,
 * and what is asked after it waits for the proof.
 */
function answerProofs(protocol: Inner['_protocol'], keys: readonly ParsedKey[]): void {
  const others = protocol._handlers['GLOBAL_REQUEST'] as OnRequest;
  const success = protocol.requestSuccess.bind(protocol);
  const failure = protocol.requestFailure.bind(protocol);
  let outstanding = 0;
  const blocked: (() => void)[] = [];
  const answered = (): void => {
    outstanding--;
    while (outstanding === 0 && blocked.length > 0) blocked.shift()?.();
  };
  protocol.requestSuccess = (data) => {
    success(data);
    answered();
  };
  protocol.requestFailure = () => {
    failure();
    answered();
  };
  const take = (name: string, wantsReply: boolean, data: unknown): void => {
    if (name !== PROVE || !wantsReply) {
      if (wantsReply) outstanding++;
      others(protocol, name, wantsReply, data);
      return;
    }
    const proof = prove(protocol._kex.sessionID, keys, data);
    if (proof === null) failure();
    else success(proof);
  };
  protocol._handlers['GLOBAL_REQUEST'] = ((_protocol, name, wantsReply, data) => {
    const waits = blocked.length > 0 || (name === PROVE && outstanding > 0);
    if (!waits) {
      take(name, wantsReply, data);
      return;
    }
    // Nobody asks so much at once.
    if (blocked.length >= BLOCKED_MAX) {
      protocol.disconnect(PROTOCOL_ERROR);
      return;
    }
    // The bytes belong to a packet that is gone by then.
    const kept = Buffer.isBuffer(data) ? Buffer.from(data) : data;
    blocked.push(() => take(name, wantsReply, kept));
  }) satisfies OnRequest;
}

/** A signature of this connection with each key; null when one is not ours. */
function prove(sessionId: Buffer, keys: readonly ParsedKey[], data: unknown): Buffer | null {
  const wanted = Buffer.isBuffer(data) ? fieldsOf(data) : null;
  if (wanted === null || wanted.length === 0 || wanted.length > keys.length) return null;
  const signatures: Buffer[] = [];
  for (const blob of wanted) {
    const key = keys.find((each) => each.getPublicSSH().equals(blob));
    if (key === undefined) return null;
    const signed = key.sign(Buffer.concat([field(PROVE), field(sessionId), field(blob)])) as Buffer | Error;
    if (signed instanceof Error) return null;
    signatures.push(field(Buffer.concat([field(TYPE), field(signed)])));
  }
  return Buffer.concat(signatures);
}
