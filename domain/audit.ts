/**
 * How the audit log is proven. Every entry has a digest (SHA-256 of its canonical JSON) and a place in the chain of its
 * organization (or of the platform); the link of an entry hashes the link before it, so a link stands for everything up
 * to it. Heads are links signed with Ed25519. This file says what exactly is hashed and signed; audit-verify.ts checks an
 * export. No cryptography in here: whoever needs it brings it.
 */
import { canonicalJson } from './canonical-json.ts';

/** Name of a chain: the id of an organization, or this one for what belongs to none. */
export const PLATFORM_CHAIN = 'platform';
export const EMPTY_LINK = '0'.repeat(64);

export const AUDIT_RETENTION_DAYS_DEFAULT = 90;
/** Nothing younger is ever removed, whoever asks: the database refuses it. */
export const AUDIT_RETENTION_DAYS_MIN = 30;
export const AUDIT_RETENTION_DAYS_MAX = 3650;
/** Entries after which a head is signed, whatever the time. */
export const AUDIT_HEAD_ENTRIES = 1_000;
/** Minutes after which a head is signed when there is anything new. */
export const AUDIT_HEAD_MINUTES = 60;
/** Newest heads that an export carries. */
export const AUDIT_EXPORT_HEADS_MAX = 100;

export const auditActorKinds = ['user', 'token', 'workflow', 'system', 'anonymous'] as const;
export type AuditActorKind = (typeof auditActorKinds)[number];
export const auditResults = ['ok', 'refused', 'failed'] as const;
export type AuditResult = (typeof auditResults)[number];

/** What is hashed of an entry. Every member is always there. */
export type AuditContent = {
  id: string;
  /** RFC 3339, milliseconds, UTC. */
  at: string;
  actorKind: AuditActorKind;
  actorId: string | null;
  actor: string;
  action: string;
  targetKind: string;
  targetId: string | null;
  target: string;
  result: AuditResult;
  organization: string | null;
  project: string | null;
  address: string | null;
  userAgent: string | null;
  requestId: string | null;
  before: unknown;
  after: unknown;
};

/** Ed25519 as a JSON web key; `kid` is its thumbprint (RFC 7638). */
export type AuditPublicKey = { crv: 'Ed25519'; kid: string; kty: 'OKP'; x: string };

/** "At `at`, entry `position` of `chain` had this link": it stands for every entry up to it. */
export type AuditHead = { at: string; chain: string; key: string; link: string; position: number; signature: string };

/** "Entries `from` to `to` were removed because they were too old": what comes after goes on from `link`. */
export type AuditTombstone = {
  chain: string;
  count: number;
  firstAt: string;
  from: number;
  key: string;
  lastAt: string;
  /** Of the last removed entry. */
  link: string;
  removedAt: string;
  retentionDays: number;
  signature: string;
  to: number;
};

/**
 * "From `at` on the key `next` signs in the place of `key`": said by the key that goes, so that whoever trusts it may
 * trust the next. A key that may be known to somebody names nobody.
 */
export type AuditSuccession = { at: string; key: string; next: string; signature: string };

export const auditStatements = ['head', 'tombstone', 'header', 'succession'] as const;
export type AuditStatement = (typeof auditStatements)[number];

export const AUDIT_EXPORT_FORMAT = 'berth-audit-1';

/** First line of an export. */
export type AuditHeader = {
  chain: string;
  exportedAt: string;
  /** Position of the first entry below; `last + 1` when there is none. */
  first: number;
  format: typeof AUDIT_EXPORT_FORMAT;
  heads: AuditHead[];
  key: string;
  /** Every key that ever signed here: the header vouches for them. */
  keys: AuditPublicKey[];
  last: number;
  /** Link of the entry before the first. */
  previous: string;
  signature: string;
  /** Oldest first. */
  successions: AuditSuccession[];
  tombstones: AuditTombstone[];
};

export type AuditLine = { entry: AuditContent; link: string; position: number };

/** Whoever computes: node:crypto in the server and the command line. */
export type AuditCrypto = {
  /** Lower-case hexadecimal. */
  sha256(text: string): string;
  /** SHA-256 in base64url. */
  thumbprint(text: string): string;
  /** `signature` is base64url. */
  verify(key: AuditPublicKey, text: string, signature: string): boolean;
};

/** Text whose SHA-256 is the digest of an entry. */
export function digestText(entry: AuditContent): string {
  return canonicalJson(entry);
}

/** Text whose SHA-256 is the link of an entry; db/migrations/0007-audit.sql builds the same. */
export function linkText(chain: string, position: number, previous: string, digest: string): string {
  return `berth-audit-link-1\n${chain}\n${position}\n${previous}\n${digest}`;
}

export function linkOf(
  crypto: Pick<AuditCrypto, 'sha256'>,
  chain: string,
  position: number,
  previous: string,
  entry: AuditContent,
): string {
  return crypto.sha256(linkText(chain, position, previous, crypto.sha256(digestText(entry))));
}

/** What a signature is made over. The first line keeps one kind of statement from being taken for another. */
export function signedText(kind: AuditStatement, statement: object): string {
  const { signature: _, ...rest } = statement as Record<string, unknown>;
  return `berth-audit-${kind}-1\n${canonicalJson(rest)}`;
}

/** Text whose SHA-256 in base64url is the `kid` of a key. */
export function thumbprintText(key: { crv: string; kty: string; x: string }): string {
  return canonicalJson({ crv: key.crv, kty: key.kty, x: key.x });
}
