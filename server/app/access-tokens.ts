/** Access tokens of programs: making and checking. What they may do is looked up at their session, every time. */
import { errors, jwtVerify, SignJWT } from 'jose';
import {
  ACCESS_TOKEN_ALGORITHM,
  ACCESS_TOKEN_TYPE,
  type AccessTokenClaims,
  accessTokenClaims,
  accessTokenParties,
  accessTokenPattern,
  CLOCK_TOLERANCE_SECONDS,
} from '#contract/access-tokens.ts';
import type { SessionId, UserId } from '#domain/ids.ts';
import { ACCESS_TOKEN_MINUTES } from '#domain/sessions.ts';
import type { AppContext } from './context.ts';

type Parts = Pick<AppContext, 'config' | 'clock' | 'ids' | 'signingKeys'>;

export async function makeAccessToken(
  app: Parts,
  session: { id: SessionId; userId: UserId; scopes: readonly string[] | null; clientId: string; expiresAt: Date },
): Promise<{ token: string; expiresInSeconds: number }> {
  const { kid, key } = await app.signingKeys.signer('access');
  const { issuer, audience } = accessTokenParties(app.config.consoleOrigin);
  const issuedAt = Math.floor(app.clock.now().getTime() / 1000);
  const expiresAt = Math.min(issuedAt + ACCESS_TOKEN_MINUTES * 60, Math.floor(session.expiresAt.getTime() / 1000));
  const token = await new SignJWT({
    sid: session.id,
    client_id: session.clientId,
    ...(session.scopes === null ? {} : { scope: session.scopes.join(' ') }),
  })
    .setProtectedHeader({ alg: ACCESS_TOKEN_ALGORITHM, typ: ACCESS_TOKEN_TYPE, kid })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(session.userId)
    .setJti(app.ids.random(16).toString('base64url'))
    .setIssuedAt(issuedAt)
    .setExpirationTime(expiresAt)
    .sign(key);
  return { token, expiresInSeconds: expiresAt - issuedAt };
}

/** Null for everything that is not a living access token of this installation for this API. */
export async function checkAccessToken(app: Parts, token: string): Promise<AccessTokenClaims | null> {
  if (!accessTokenPattern.test(token)) return null;
  const { issuer, audience } = accessTokenParties(app.config.consoleOrigin);
  try {
    const { payload } = await jwtVerify(
      token,
      async ({ kid }) => {
        const key = kid === undefined ? null : await app.signingKeys.checker('access', kid);
        if (key === null) throw new errors.JWKSNoMatchingKey();
        return key;
      },
      {
        algorithms: [ACCESS_TOKEN_ALGORITHM],
        typ: ACCESS_TOKEN_TYPE,
        issuer,
        audience,
        currentDate: app.clock.now(),
        clockTolerance: CLOCK_TOLERANCE_SECONDS,
        requiredClaims: ['iss', 'aud', 'sub', 'sid', 'exp', 'iat'],
      },
    );
    const claims = accessTokenClaims.safeParse(payload);
    return claims.success ? claims.data : null;
  } catch (error) {
    if (error instanceof errors.JOSEError) return null;
    throw error;
  }
}
