/**
 * Access tokens of programs, checked here: signature by the keys in memory, type, issuer, audience and time; whether the
 * session behind one still lives is asked at every use. What was checked is remembered by the token's digest, so the
 * arithmetic is done once per token and not once per request.
 */
import { type CryptoKey, errors, importJWK, jwtVerify } from 'jose';
import {
  ACCESS_TOKEN_ALGORITHM,
  ACCESS_TOKEN_TYPE,
  accessTokenClaims,
  accessTokenParties,
  CLOCK_TOLERANCE_SECONDS,
} from '#contract/access-tokens.ts';
import { type EdgeState, hashToken } from './state.ts';

export class AccessTokens {
  readonly #state: EdgeState;
  readonly #parties: { issuer: string; audience: string };
  readonly #now: () => number;
  readonly #keys = new Map<string, Promise<CryptoKey | Uint8Array>>();

  constructor(state: EdgeState, consoleOrigin: string, now: () => number) {
    this.#state = state;
    this.#parties = accessTokenParties(consoleOrigin);
    this.#now = now;
  }

  /** Checks a token and tells the state what it proves. Answers the session it is for; null when it is worth nothing. */
  async learn(token: string): Promise<string | null> {
    try {
      const { payload, protectedHeader } = await jwtVerify(token, ({ kid }) => this.#key(kid), {
        ...this.#parties,
        algorithms: [ACCESS_TOKEN_ALGORITHM],
        typ: ACCESS_TOKEN_TYPE,
        currentDate: new Date(this.#now()),
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['iss', 'aud', 'sub', 'sid', 'exp', 'iat'],
      });
      const claims = accessTokenClaims.safeParse(payload);
      if (!claims.success) return null;
      const { sid, sub, exp } = claims.data;
      this.#state.putAccessToken(hashToken(token), {
        keyId: protectedHeader.kid ?? '',
        sessionId: sid,
        userId: sub,
        expiresAt: exp * 1000,
      });
      return sid;
    } catch (error) {
      if (error instanceof errors.JOSEError) return null;
      throw error;
    }
  }

  #key(kid: string | undefined): Promise<CryptoKey | Uint8Array> {
    const stored = kid === undefined ? undefined : this.#state.signingKey(kid, this.#now());
    if (stored === undefined) throw new errors.JWKSNoMatchingKey();
    let key = this.#keys.get(stored.id);
    if (key === undefined) {
      key = importJWK(stored.jwk, ACCESS_TOKEN_ALGORITHM);
      this.#keys.set(stored.id, key);
    }
    return key;
  }
}
