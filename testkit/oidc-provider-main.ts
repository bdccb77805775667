/**
 * A real OpenID provider on loopback: `oidc-provider` in a process of its own, started by testkit/identity-provider.ts.
 * Who is signed in there, what is claimed about them and how it misbehaves is said through `POST /control`. Forged ID
 * tokens are made from the real answer of the token endpoint, signed with the real key where the forgery is elsewhere.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, importJWK, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import Provider, { type Configuration, type JWKS } from 'oidc-provider';

export type TestAccount = {
  sub: string;
  email?: string;
  emailVerified?: boolean;
  name?: string;
  groups?: string[];
};
export type Misbehaviour =
  | 'none-algorithm'
  | 'other-key'
  | 'wrong-nonce'
  | 'wrong-audience'
  | 'wrong-issuer'
  | 'expired';
export type Control =
  | { do: 'account'; account: TestAccount }
  | { do: 'signed-in'; sub: string }
  | { do: 'disable'; sub: string }
  | { do: 'misbehave'; how: Misbehaviour | null }
  | { do: 'logout'; sub: string; sid?: string }
  | { do: 'logout-token'; claims: JWTPayload; key: 'real' | 'other' | 'none' };

const [clientText = '{}'] = process.argv.slice(2);
const { redirectUris, logoutUri } = JSON.parse(clientText) as { redirectUris: string[]; logoutUri: string | null };
const accounts = new Map<string, TestAccount>();
let signedIn = '';
let misbehaviour: Misbehaviour | null = null;

const pair = await generateKeyPair('RS256', { extractable: true });
const jwk = { ...(await exportJWK(pair.privateKey)), kid: 'first', alg: 'RS256', use: 'sig' };
const other = await generateKeyPair('RS256');
const signingKey = await importJWK(jwk, 'RS256');

const server = createServer();
server.listen(0, '127.0.0.1');
await new Promise((done) => server.once('listening', done));
const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const configuration: Configuration = {
  clients: [
    {
      client_id: 'berth',
      client_secret: 'a secret of the test provider',
      redirect_uris: redirectUris,
      grant_types: ['authorization_code', 'refresh_token'],
      ...(logoutUri === null ? {} : { backchannel_logout_uri: logoutUri, backchannel_logout_session_required: true }),
    },
  ],
  jwks: { keys: [jwk] } as JWKS,
  cookies: { keys: ['a key of the test provider'] },
  claims: { openid: ['sub', 'sid'], email: ['email', 'email_verified'], profile: ['name', 'groups'] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false }, backchannelLogout: { enabled: true } },
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: async () => true,
  // Its own guard refuses loopback, where everything here is.
  fetch: (url, options) => fetch(url, { ...options, dispatcher: undefined } as RequestInit),
  findAccount: async (_context, sub) => {
    const account = accounts.get(sub);
    if (account === undefined) return undefined;
    const { email, emailVerified, name, groups } = account;
    return {
      accountId: sub,
      claims: async () => ({
        sub,
        ...(email === undefined ? {} : { email }),
        ...(emailVerified === undefined ? {} : { email_verified: emailVerified }),
        ...(name === undefined ? {} : { name }),
        ...(groups === undefined ? {} : { groups }),
      }),
    };
  },
};
const provider = new Provider(issuer, configuration);

provider.use(async (context, next) => {
  await next();
  const body = context.body as { id_token?: string } | undefined;
  if (context.path !== '/token' || misbehaviour === null || body?.id_token === undefined) return;
  body.id_token = await forge(misbehaviour, body.id_token);
});

async function forge(how: Misbehaviour, token: string): Promise<string> {
  const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')) as JWTPayload;
  if (how === 'none-algorithm') return new UnsecuredJWT(claims).encode();
  if (how === 'wrong-nonce') claims['nonce'] = 'somebody elses nonce';
  if (how === 'wrong-audience') claims.aud = 'another client';
  if (how === 'wrong-issuer') claims.iss = 'https://other.example.test';
  if (how === 'expired') claims.exp = Math.floor(Date.now() / 1000) - 3600;
  const header = { alg: 'RS256', kid: 'first' };
  return new SignJWT(claims).setProtectedHeader(header).sign(how === 'other-key' ? other.privateKey : signingKey);
}

/** Whoever is said to be signed in is signed in, and agrees to everything. */
async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { params, session } = await provider.interactionDetails(request, response);
  const accountId = signedIn === '' ? (session?.accountId ?? '') : signedIn;
  if (!accounts.has(accountId)) {
    const denied = { error: 'access_denied', error_description: 'nobody is signed in' };
    return provider.interactionFinished(request, response, denied);
  }
  const grant = new provider.Grant({ accountId, clientId: String(params['client_id']) });
  grant.addOIDCScope('openid email profile offline_access');
  const grantId = await grant.save();
  await provider.interactionFinished(request, response, { login: { accountId }, consent: { grantId } });
}

async function control(order: Control): Promise<unknown> {
  if (order.do === 'account') accounts.set(order.account.sub, order.account);
  else if (order.do === 'signed-in') signedIn = order.sub;
  else if (order.do === 'disable') accounts.delete(order.sub);
  else if (order.do === 'misbehave') misbehaviour = order.how;
  else if (order.do === 'logout') {
    const client = await provider.Client.find('berth');
    const said = client as unknown as { backchannelLogout(sub: string, sid?: string): Promise<unknown> };
    await said.backchannelLogout(order.sub, order.sid);
  } else if (order.do === 'logout-token') return { token: await logoutToken(order.claims, order.key) };
  return {};
}

async function logoutToken(claims: JWTPayload, key: 'real' | 'other' | 'none'): Promise<string> {
  if (key === 'none') return new UnsecuredJWT(claims).encode();
  const header = { alg: 'RS256', kid: 'first', typ: 'logout+jwt' };
  return new SignJWT(claims).setProtectedHeader(header).sign(key === 'real' ? signingKey : other.privateKey);
}

const callback = provider.callback();
server.on('request', (request: IncomingMessage, response: ServerResponse) => {
  const path = request.url?.split('?')[0] ?? '';
  if (path.startsWith('/interaction/')) {
    interact(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  } else if (path === '/control') {
    let text = '';
    request.on('data', (chunk) => {
      text += String(chunk);
    });
    request.on('end', () => {
      control(JSON.parse(text) as Control)
        .then((answer) => response.writeHead(200).end(JSON.stringify(answer)))
        .catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
  } else void callback(request, response);
});
process.stdout.write(`${JSON.stringify({ issuer })}\n`);
