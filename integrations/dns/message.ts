/**
 * DNS messages of RFC 2136 (update) and RFC 8945 (TSIG). Names, data and answers are dns-packet's; what it does not know
 * (the class NONE, signatures) is here.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import packet, { type Answer } from 'dns-packet';
import type { DnsType, TsigAlgorithm } from '#domain/dns.ts';

const OPCODE_UPDATE = 5;
const CLASS = { in: 1, none: 254, any: 255 } as const;
const TYPE = { A: 1, CNAME: 5, SOA: 6, TXT: 16, AAAA: 28, TSIG: 250, ANY: 255 } as const;
const FUDGE_SECONDS = 300;

export const rcodes = {
  ok: 0,
  nxdomain: 3,
  refused: 5,
  yxdomain: 6,
  yxrrset: 7,
  nxrrset: 8,
  notauth: 9,
  notzone: 10,
} as const;
export const tsigErrors = { badSignature: 16, badKey: 17, badTime: 18 } as const;

export type TsigKey = { name: string; algorithm: TsigAlgorithm; secret: Buffer };
/** One line of an update or of its prerequisites. */
export type Line = Buffer;

/** Encoders that dns-packet has and its types do not tell of. */
const encoders = packet as unknown as {
  name: { encode(name: string): Uint8Array };
  /** Length and data. */
  record(type: string): { encode(data: string): Uint8Array };
};

function name(text: string): Buffer {
  return Buffer.from(encoders.name.encode(text));
}

function head(at: string, type: number, klass: number, ttl: number): Buffer {
  const fixed = Buffer.alloc(8);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(klass, 2);
  fixed.writeUInt32BE(ttl, 4);
  return Buffer.concat([name(at), fixed]);
}

const NO_DATA = Buffer.alloc(2);

/** Length and data of a record. */
function data(type: DnsType, value: string): Buffer {
  return Buffer.from(encoders.record(type).encode(value));
}

/** Prerequisite: there is such a set of records with exactly these values. */
export function ifSet(at: string, type: DnsType, values: readonly string[]): Line[] {
  return values.map((value) => Buffer.concat([head(at, TYPE[type], CLASS.in, 0), data(type, value)]));
}

/** Prerequisite: there is no record of this type at this name. */
export function ifNone(at: string, type: DnsType): Line {
  return Buffer.concat([head(at, TYPE[type], CLASS.none, 0), NO_DATA]);
}

/** Prerequisite: there is no record at all at this name. */
export function ifUnused(at: string): Line {
  return Buffer.concat([head(at, TYPE.ANY, CLASS.none, 0), NO_DATA]);
}

export function add(at: string, type: DnsType, ttl: number, value: string): Line {
  return Buffer.concat([head(at, TYPE[type], CLASS.in, ttl), data(type, value)]);
}

/** Update: no record of this type at this name any more. */
export function drop(at: string, type: DnsType): Line {
  return Buffer.concat([head(at, TYPE[type], CLASS.any, 0), NO_DATA]);
}

function message(id: number, flags: number, question: Buffer, sections: readonly (readonly Line[])[]): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(flags, 2);
  header.writeUInt16BE(1, 4);
  for (const [at, lines] of sections.entries()) header.writeUInt16BE(lines.length, 6 + at * 2);
  return Buffer.concat([header, question, ...sections.flat()]);
}

function question(at: string, type: number): Buffer {
  const fixed = Buffer.alloc(4);
  fixed.writeUInt16BE(type, 0);
  fixed.writeUInt16BE(CLASS.in, 2);
  return Buffer.concat([name(at), fixed]);
}

export function updateMessage(id: number, zone: string, conditions: readonly Line[], changes: readonly Line[]): Buffer {
  return message(id, OPCODE_UPDATE << 11, question(zone, TYPE.SOA), [conditions, changes]);
}

/** For a server that answers by itself: no recursion is asked for. */
export function queryMessage(id: number, at: string, type: DnsType | 'SOA'): Buffer {
  return message(id, 0, question(at, TYPE[type]), []);
}

function uint48(seconds: number): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntBE(seconds, 0, 6);
  return bytes;
}

/** What is signed beside the message itself (RFC 8945, 4.3.3). */
function variables(key: TsigKey, time: Buffer, fudge: number, error: number, other: Buffer): Buffer {
  const classAndTtl = Buffer.alloc(6);
  classAndTtl.writeUInt16BE(CLASS.any, 0);
  const tail = Buffer.alloc(6);
  tail.writeUInt16BE(fudge, 0);
  tail.writeUInt16BE(error, 2);
  tail.writeUInt16BE(other.length, 4);
  return Buffer.concat([name(key.name), classAndTtl, name(key.algorithm), time, tail, other]);
}

function mac(key: TsigKey, ...parts: Buffer[]): Buffer {
  const hmac = createHmac(key.algorithm.slice('hmac-'.length), key.secret);
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

/** The message with its signature at the end; `now` is Unix ms. */
export function sign(plain: Buffer, key: TsigKey, now: number): { message: Buffer; mac: Buffer } {
  const time = uint48(Math.floor(now / 1000));
  const signature = mac(key, plain, variables(key, time, FUDGE_SECONDS, 0, Buffer.alloc(0)));
  const before = Buffer.alloc(4);
  before.writeUInt16BE(FUDGE_SECONDS, 0);
  before.writeUInt16BE(signature.length, 2);
  const after = Buffer.alloc(6);
  plain.copy(after, 0, 0, 2);
  const rdata = Buffer.concat([name(key.algorithm), time, before, signature, after]);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(rdata.length, 0);
  const message = Buffer.concat([plain, head(key.name, TYPE.TSIG, CLASS.any, 0), length, rdata]);
  message.writeUInt16BE(message.readUInt16BE(10) + 1, 10);
  return { message, mac: signature };
}

/** Past the name at `at`; compressed names end with their pointer. */
function skipName(bytes: Buffer, at: number): number {
  let place = at;
  for (;;) {
    const length = bytes.readUInt8(place);
    if (length >= 0xc0) return place + 2;
    place += 1 + length;
    if (length === 0) return place;
  }
}

export type Checked =
  /** Signed by who holds the key, or (`error`) a complaint about the signature that nobody could sign. */
  { signed: true; answer: Buffer; error: number } | { signed: false; error: number };

/** Looks at the signature of an answer to a message that was signed with `requestMac`. Errors: RangeError when it is no DNS message. */
export function verify(bytes: Buffer, key: TsigKey, requestMac: Buffer, now: number): Checked {
  const counts = [4, 6, 8, 10].map((at) => bytes.readUInt16BE(at)) as [number, number, number, number];
  let at = 12;
  for (let n = 0; n < counts[0]; n++) at = skipName(bytes, at) + 4;
  let last = -1;
  for (let n = counts[1] + counts[2] + counts[3]; n > 0; n--) {
    last = at;
    at = skipName(bytes, at);
    at += 10 + bytes.readUInt16BE(at + 8);
  }
  if (counts[3] === 0 || last === -1) return { signed: false, error: 0 };
  const fixed = skipName(bytes, last);
  if (bytes.readUInt16BE(fixed) !== TYPE.TSIG) return { signed: false, error: 0 };
  const algorithmEnd = skipName(bytes, fixed + 10);
  const time = bytes.subarray(algorithmEnd, algorithmEnd + 6);
  const fudge = bytes.readUInt16BE(algorithmEnd + 6);
  const macLength = bytes.readUInt16BE(algorithmEnd + 8);
  const macAt = algorithmEnd + 10;
  const given = bytes.subarray(macAt, macAt + macLength);
  const originalId = bytes.subarray(macAt + macLength, macAt + macLength + 2);
  const error = bytes.readUInt16BE(macAt + macLength + 2);
  const otherLength = bytes.readUInt16BE(macAt + macLength + 4);
  const other = bytes.subarray(macAt + macLength + 6, macAt + macLength + 6 + otherLength);
  if (macLength === 0) return { signed: false, error };
  const answer = Buffer.from(bytes.subarray(0, last));
  originalId.copy(answer, 0);
  answer.writeUInt16BE(counts[3] - 1, 10);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(requestMac.length, 0);
  const expected = mac(key, length, requestMac, answer, variables(key, time, fudge, error, other));
  const inTime = Math.abs(now / 1000 - time.readUIntBE(0, 6)) <= fudge;
  const isRight = expected.length === given.length && timingSafeEqual(expected, given);
  return isRight && (inTime || error === tsigErrors.badTime)
    ? { signed: true, answer, error }
    : { signed: false, error };
}

export type Told = {
  rcode: number;
  authoritative: boolean;
  values(at: string, type: DnsType): string[];
  hasSoa: boolean;
};

/** What an answer says. Errors: whatever dns-packet says about bytes that are none. */
export function read(answer: Buffer): Told {
  const told = packet.decode(answer);
  const flags = answer.readUInt16BE(2);
  const answers: Answer[] = told.answers ?? [];
  return {
    rcode: flags & 15,
    authoritative: (flags & 0x0400) !== 0,
    hasSoa: answers.some((one) => one.type === 'SOA'),
    values: (at, type) =>
      answers.flatMap((one) => {
        if (one.type !== type || one.name.toLowerCase() !== at) return [];
        if (one.type === 'TXT')
          return [
            [one.data]
              .flat()
              .map((part) => part.toString())
              .join(''),
          ];
        return 'data' in one && typeof one.data === 'string' ? [one.data] : [];
      }),
  };
}
