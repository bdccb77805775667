/**
 * Who acts: a person (by browser session or API token), nobody known yet, or Berth itself with a reason. Rights are not
 * in here: they are looked up at the moment of use, so that a removed member loses them at once.
 */
import type { SessionId, TokenId, UserId } from './ids.ts';

/** Where a request came from; all null for work that no request started. */
export type Origin = {
  /** IP address as text. */
  address: string | null;
  userAgent: string | null;
  requestId: string | null;
};

export type PersonCaller = {
  kind: 'person';
  userId: UserId;
  email: string;
  name: string;
  platformAdmin: boolean;
  createdAt: Date;
  credential: { via: 'session'; sessionId: SessionId } | { via: 'token'; tokenId: TokenId; tokenName: string };
  /** When the credential ends; null: it does not end by itself. */
  expiresAt: Date | null;
  origin: Origin;
};

export type AnonymousCaller = { kind: 'anonymous'; origin: Origin };

export type Caller = PersonCaller | AnonymousCaller;

export const noOrigin: Origin = { address: null, userAgent: null, requestId: null };
