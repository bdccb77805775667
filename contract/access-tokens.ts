/** Access tokens: JSON Web Tokens that the server signs and that server and edge check (RFC 9068). */
import { z } from 'zod';
import { idSchema } from './common.ts';

/** The `typ` of the header: nothing else that is signed with the same algorithm passes for an access token. */
export const ACCESS_TOKEN_TYPE = 'at+jwt';
/** The only algorithm; never taken from the token. */
export const ACCESS_TOKEN_ALGORITHM = 'RS256';
/** Seconds by which clocks may differ. */
export const CLOCK_TOLERANCE_SECONDS = 5;
export const accessTokenPattern = /^[A-Za-z0-9_-]{10,1000}\.[A-Za-z0-9_-]{10,2000}\.[A-Za-z0-9_-]{600,800}$/;

/** Who signs and for whom; both hang on the address of the console. */
export function accessTokenParties(consoleOrigin: string): { issuer: string; audience: string } {
  return { issuer: consoleOrigin, audience: `${consoleOrigin}/api/v1` };
}

export const accessTokenClaims = z.object({
  iss: z.string(),
  aud: z.string(),
  sub: idSchema('usr'),
  sid: idSchema('ses'),
  client_id: z.string(),
  jti: z.string(),
  iat: z.number().int(),
  exp: z.number().int(),
  scope: z.string().optional(),
});
export type AccessTokenClaims = z.output<typeof accessTokenClaims>;
