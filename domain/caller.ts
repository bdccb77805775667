/**
 * Who acts: a person (by browser session, program session or API token), a service account (by token), nobody known yet, or Berth itself with a reason. Rights are not
 * in here: they are looked up at the moment of use, so that a removed member loses them at once.
 */

import type { OrganizationId, SessionId, TokenId, UserId } from './ids.ts';
import type { Scopes } from './scopes.ts';

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
  /** Of a service account, which is no person but holds rights like one: its organization. Null: a person. */
  serviceOf: OrganizationId | null;
  createdAt: Date;
  credential:
    | { via: 'session'; sessionId: SessionId; client?: string }
    | { via: 'token'; tokenId: TokenId; tokenName: string };
  /** What the credential may be used for at most; null: everything the person may do. */
  scopes: Scopes;
  /** When the credential ends; null: it does not end by itself. */
  expiresAt: Date | null;
  origin: Origin;
};

export type AnonymousCaller = { kind: 'anonymous'; origin: Origin };

export type Caller = PersonCaller | AnonymousCaller;

export const noOrigin: Origin = { address: null, userAgent: null, requestId: null };
