/**
 * Checks an export of the audit log line by line, without a database and without a network. Any edit, removal, insertion
 * or change of order is found and named by the first line that is wrong. What an export alone cannot show is that
 * something newer existed: for that a head kept elsewhere is compared.
 */
import {
  AUDIT_EXPORT_FORMAT,
  type AuditCrypto,
  type AuditHead,
  type AuditHeader,
  type AuditLine,
  type AuditPublicKey,
  type AuditStatement,
  type AuditSuccession,
  type AuditTombstone,
  EMPTY_LINK,
  linkOf,
  signedText,
  thumbprintText,
} from './audit.ts';
import { canonicalJson } from './canonical-json.ts';

/** Longest line read; entries are far smaller. */
export const AUDIT_LINE_LENGTH_MAX = 4 * 1024 * 1024;

export class AuditProblem extends Error {
  /** Number of the line in the file, from 1. */
  readonly line: number;
  constructor(line: number, message: string) {
    super(message);
    this.name = 'AuditProblem';
    this.line = line;
  }
}

export type AuditReport = {
  chain: string;
  exportedAt: string;
  entries: number;
  first: number;
  last: number;
  /** Entries removed by retention before the first, with signed words about it. */
  removed: number;
  /** The key that signed the header. */
  key: string;
  /** Newest signed head that was met. */
  head: AuditHead | null;
  headsChecked: number;
  keys: string[];
};

type Known = { keys: ReadonlyMap<string, AuditPublicKey>; crypto: AuditCrypto };

export class AuditVerifier {
  readonly #crypto: AuditCrypto;
  readonly #trusted: readonly string[] | null;
  readonly #kept: readonly AuditHead[];
  #header: AuditHeader | null = null;
  #heads = new Map<number, AuditHead[]>();
  #headsChecked = 0;
  #newest: AuditHead | null = null;
  #lines = 0;
  #position = 0;
  #link = EMPTY_LINK;
  /** Position of the last entry that is known to be right by a head. */
  #proven = 0;

  /**
   * `trusted`: thumbprints of keys known from elsewhere; one of them, or one that followed it by its own word, must have
   * signed the header, and the header vouches for all other keys. Null takes the key of the file. `kept`: heads from elsewhere.
   */
  constructor(crypto: AuditCrypto, options: { trusted?: readonly string[] | null; kept?: readonly AuditHead[] } = {}) {
    this.#crypto = crypto;
    this.#trusted = options.trusted ?? null;
    this.#kept = options.kept ?? [];
  }

  /** The next line, without its newline. Errors: AuditProblem. */
  push(text: string): void {
    this.#lines++;
    if (this.#lines === 1) this.#openHeader(text);
    else this.#entry(text);
  }

  /** After the last line. `rest` is what stood behind the last newline. Errors: AuditProblem. */
  end(rest = ''): AuditReport {
    const header = this.#header;
    if (rest !== '') throw new AuditProblem(this.#lines + 1, 'The file ends in the middle of a line.');
    if (header === null) throw new AuditProblem(1, 'The file is empty.');
    if (this.#position !== header.last) {
      throw new AuditProblem(
        this.#lines + 1,
        `The end is missing: this export was made up to entry ${header.last} and stops after entry ${this.#position}.`,
      );
    }
    return {
      chain: header.chain,
      exportedAt: header.exportedAt,
      entries: this.#lines - 1,
      first: header.first,
      last: header.last,
      removed: header.tombstones.at(-1)?.to ?? 0,
      key: header.key,
      head: this.#newest,
      headsChecked: this.#headsChecked,
      keys: header.keys.map((key) => key.kid),
    };
  }

  #openHeader(text: string): void {
    const header = parseLine<AuditHeader>(text, 1);
    if (header.format !== AUDIT_EXPORT_FORMAT) throw new AuditProblem(1, 'This is not an export of the audit log.');
    if (!isHeader(header)) throw new AuditProblem(1, 'The header lacks something or has something of a wrong kind.');
    const known = { keys: this.#readKeys(header.keys), crypto: this.#crypto };
    this.#checkSigner(header, known);
    demandSignature(known, 'header', header, 'The header was changed: its signature does not fit.');
    this.#header = header;
    this.#link = header.previous;
    this.#position = header.first - 1;
    this.#checkTombstones(header, known);
    for (const head of header.heads) {
      if (head.chain !== header.chain) throw new AuditProblem(1, 'A head belongs to another chain.');
      demandSignature(known, 'head', head, `The head at entry ${head.position} has a wrong signature.`);
      this.#addHead(head);
    }
    for (const head of this.#kept) this.#compareKept(head, header, known);
    this.#meetHeads(1);
  }

  #addHead(head: AuditHead): void {
    const there = this.#heads.get(head.position);
    if (there === undefined) this.#heads.set(head.position, [head]);
    else there.push(head);
  }

  #readKeys(keys: readonly AuditPublicKey[]): Map<string, AuditPublicKey> {
    const map = new Map<string, AuditPublicKey>();
    for (const key of keys) {
      const kid = this.#crypto.thumbprint(thumbprintText(key));
      if (kid !== key.kid) throw new AuditProblem(1, 'The name of a key is not its thumbprint.');
      map.set(kid, key);
    }
    return map;
  }

  /** Whether the key that signed the header is one that was named, or followed one of them by its own word. */
  #checkSigner(header: AuditHeader, known: Known): void {
    const believed = new Set(this.#trusted ?? [header.key]);
    for (const succession of header.successions) {
      demandSignature(
        known,
        'succession',
        succession,
        `The word about the next key at ${succession.at} is not signed.`,
      );
      if (believed.has(succession.key)) believed.add(succession.next);
    }
    if (!believed.has(header.key)) {
      throw new AuditProblem(
        1,
        `The export was signed with the key ${header.key}, which is not the one you named and did not follow it.`,
      );
    }
  }

  #checkTombstones(header: AuditHeader, known: Known): void {
    let next = 1;
    let link = EMPTY_LINK;
    for (const tombstone of header.tombstones) {
      if (tombstone.chain !== header.chain) throw new AuditProblem(1, 'A tombstone belongs to another chain.');
      demandSignature(known, 'tombstone', tombstone, `The tombstone of entry ${tombstone.from} has a wrong signature.`);
      if (tombstone.from !== next || tombstone.to < tombstone.from) {
        throw new AuditProblem(1, `The tombstones have a gap before entry ${tombstone.from}.`);
      }
      next = tombstone.to + 1;
      link = tombstone.link;
    }
    if (header.first === next && header.previous !== link) {
      throw new AuditProblem(1, 'The first entry does not go on from where the removed ones ended.');
    }
    if (header.first < next) throw new AuditProblem(1, 'The export begins with entries that were removed before.');
  }

  /** A head from elsewhere: what it speaks of must be in here, the same. */
  #compareKept(head: AuditHead, header: AuditHeader, known: Known): void {
    if (head.chain !== header.chain) throw new AuditProblem(1, 'The head you gave belongs to another chain.');
    demandSignature(known, 'head', head, 'The head you gave was not signed with a key of this export.');
    if (head.position > header.last) {
      throw new AuditProblem(
        header.last - header.first + 3,
        `The end is missing: the head you gave proves ${head.position} entries, this export stops at entry ${header.last}.`,
      );
    }
    const buried = header.tombstones.find((tombstone) => tombstone.to === head.position);
    if (buried !== undefined && buried.link !== head.link) {
      throw new AuditProblem(1, `The entries removed up to ${head.position} are not those of the head you gave.`);
    }
    if (head.position >= header.first - 1) this.#addHead(head);
  }

  #entry(text: string): void {
    const at = this.#lines;
    const header = this.#header as AuditHeader;
    const line = parseLine<AuditLine>(text, at);
    const expected = this.#position + 1;
    if (expected > header.last) throw new AuditProblem(at, `There is more than the ${header.last} entries exported.`);
    if (Object.keys(line).join() !== 'entry,link,position' || typeof line.entry !== 'object' || line.entry === null) {
      throw new AuditProblem(at, 'This is not an entry.');
    }
    if (line.position !== expected) {
      throw new AuditProblem(at, `Entry ${expected} is missing or out of order: here stands ${String(line.position)}.`);
    }
    const link = linkOf(this.#crypto, header.chain, expected, this.#link, line.entry);
    if (link !== line.link) {
      throw new AuditProblem(at, `Entry ${expected} was changed, or the one before it: its link does not fit.`);
    }
    if ((line.entry.organization ?? 'platform') !== header.chain) {
      throw new AuditProblem(at, `Entry ${expected} belongs to another log.`);
    }
    this.#link = link;
    this.#position = expected;
    this.#meetHeads(at);
  }

  #meetHeads(at: number): void {
    for (const head of this.#heads.get(this.#position) ?? []) {
      if (head.link !== this.#link) {
        throw new AuditProblem(
          at,
          `Something between entry ${this.#proven + 1} and entry ${head.position} was changed and the chain made anew: the head signed at ${head.at} does not fit.`,
        );
      }
      this.#headsChecked++;
      this.#newest = head;
      this.#proven = head.position;
    }
  }
}

function demandSignature(
  { keys, crypto }: Known,
  kind: AuditStatement,
  statement: { key: string; signature: string },
  message: string,
): void {
  const key = keys.get(statement.key);
  if (key === undefined || !crypto.verify(key, signedText(kind, statement), statement.signature)) {
    throw new AuditProblem(1, message);
  }
}

/** One value in its canonical spelling. Errors: AuditProblem. */
function parseLine<T>(text: string, line: number): T {
  if (text.length > AUDIT_LINE_LENGTH_MAX) throw new AuditProblem(line, 'The line is too long for an entry.');
  let value: unknown;
  try {
    value = JSON.parse(text);
    if (typeof value === 'object' && value !== null && canonicalJson(value) === text) return value as T;
  } catch {
    // Said below.
  }
  throw new AuditProblem(line, 'The line is not JSON in its canonical spelling.');
}

const headKeys = 'at,chain,key,link,position,signature';
const tombstoneKeys = 'chain,count,firstAt,from,key,lastAt,link,removedAt,retentionDays,signature,to';
const successionKeys = 'at,key,next,signature';
const headerKeys = 'chain,exportedAt,first,format,heads,key,keys,last,previous,signature,successions,tombstones';

/** The text is canonical: keys come sorted. */
const hasKeys = (value: unknown, keys: string): boolean =>
  typeof value === 'object' && value !== null && Object.keys(value).join() === keys;
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isLink = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);

function isHeader(header: AuditHeader): boolean {
  return (
    hasKeys(header, headerKeys) &&
    typeof header.chain === 'string' &&
    isCount(header.first) &&
    isCount(header.last) &&
    header.first >= 1 &&
    header.last >= header.first - 1 &&
    isLink(header.previous) &&
    Array.isArray(header.keys) &&
    header.keys.every((key) => hasKeys(key, 'crv,kid,kty,x') && typeof key.x === 'string') &&
    Array.isArray(header.heads) &&
    header.heads.every(isHead) &&
    Array.isArray(header.tombstones) &&
    header.tombstones.every(isTombstone) &&
    Array.isArray(header.successions) &&
    header.successions.every(isSuccession)
  );
}

/** The shape of a head, wherever it comes from. */
export function isHead(head: unknown): head is AuditHead {
  const value = head as AuditHead;
  return hasKeys(sorted(head), headKeys) && isCount(value.position) && isLink(value.link);
}

function isSuccession(succession: AuditSuccession): boolean {
  return hasKeys(succession, successionKeys) && Object.values(succession).every((value) => typeof value === 'string');
}

function isTombstone(tombstone: AuditTombstone): boolean {
  return (
    hasKeys(tombstone, tombstoneKeys) && isCount(tombstone.from) && isCount(tombstone.to) && isLink(tombstone.link)
  );
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
