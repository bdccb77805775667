/**
 * Berth as an OpenID provider for apps, on the certified library `oidc-provider`: authorization code with PKCE and nothing
 * else. People sign in with Berth's own page and session; the library keeps no session of its own beyond one
 * authorization. What an app was given stands and falls with that session and with the right to enter the app. Loaded
 * with its first use (wire.ts): the library is large, and not every installation has apps that sign in with it.
 */
import { createPublicKey } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import Provider, { type Configuration, ExternalSigningKey, type Interaction, type JWKS } from 'oidc-provider';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import { oidcScopes } from '#domain/identity-providers.ts';
import { isId, type OidcClientId, type SessionId, type UserId } from '#domain/ids.ts';
import { recordForMember } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import {
  findOidcClient,
  insertOidcGrant,
  isOidcGrantAlive,
  type OidcClient,
  personForClient,
} from '#server/store/oidc-clients.ts';
import { confirmedAt } from '#server/store/sign-ins.ts';
import type { AppContext } from './context.ts';
import { oidcAdapter, recordHash } from './oidc-adapter.ts';
import { OIDC_PATH, secretHash } from './oidc-clients.ts';
import type { Jwk } from './signing-keys.ts';
import { sameDigest } from './tokens.ts';

const CODE_SECONDS = 60;
export const TOKEN_SECONDS = 600;
const INTERACTION_SECONDS = 600;
const GRANT_SECONDS = 3600;

/** What to do with the browser: to the sign-in page, to the question, or back into the protocol. */
export type InteractionStep = { next: 'sign-in' } | { next: 'ask' } | { next: 'go'; url: string };

export class OidcProvider {
  readonly #app: AppContext;
  #kept: { keys: string; provider: Promise<Provider> } | null = null;

  constructor(app: AppContext) {
    this.#app = app;
  }

  get issuer(): string {
    return `${this.#app.config.consoleOrigin}${OIDC_PATH}`;
  }

  /** The library's request handler, with the keys as they are now. */
  async current(): Promise<Provider> {
    const { signingKeys } = this.#app;
    const { kid } = await signingKeys.signer('identity');
    const keys = await signingKeys.publicKeys('identity');
    const name = [kid, ...keys.map((key) => key.kid)].join(' ');
    if (this.#kept?.keys !== name) {
      // The one that signs comes first: the library takes the first that fits.
      const ordered = [...keys].sort((a, b) => Number(b.kid === kid) - Number(a.kid === kid));
      const provider = this.#make(ordered);
      this.#kept = { keys: name, provider };
      provider.catch(() => {
        this.#kept = null;
      });
    }
    return this.#kept.provider;
  }

  async #make(keys: readonly Jwk[]): Promise<Provider> {
    const app = this.#app;
    const jwks = { keys: keys.map((key) => new StoredKey(app, key)) } as unknown as JWKS;
    const provider = new Provider(this.issuer, configuration(app, jwks));
    provider.proxy = true;
    const client = provider.Client.prototype as unknown as {
      clientSecret?: string;
      redirectUris: string[];
      compareClientSecret(actual: string): boolean;
      redirectUriAllowed(uri: string): boolean;
    };
    client.compareClientSecret = function compareClientSecret(actual) {
      return this.clientSecret !== undefined && sameDigest(secretHash(actual), Buffer.from(this.clientSecret, 'hex'));
    };
    // Exactly, ports of loopback included.
    client.redirectUriAllowed = function redirectUriAllowed(uri) {
      return this.redirectUris.includes(uri);
    };
    provider.on('server_error', (_context, error) => {
      app.log.error({ err: error }, 'the OpenID provider failed');
    });
    return provider;
  }

  /**
   * An app wants to know who is here: the browser came to the interaction's page. `person` null: nobody is signed in.
   * Errors: gone (too old, another browser).
   */
  async interact(
    request: IncomingMessage,
    response: ServerResponse,
    person: PersonCaller | null,
  ): Promise<InteractionStep> {
    const provider = await this.current();
    const interaction = await provider.interactionDetails(request, response).catch((cause: unknown) => {
      throw over(cause);
    });
    if (person === null || person.credential.via !== 'session') return { next: 'sign-in' };
    const since = await confirmedAt(this.#app.db, person.credential);
    if (since === null || !isFresh(interaction, since, this.#app.clock.now())) return { next: 'sign-in' };
    const client = await this.#clientOf(interaction);
    if ((await personForClient(this.#app.db, client, person.userId)) === null) {
      await this.#noteEntry(person, client, 'refused');
      return this.#finish(interaction, {
        error: 'access_denied',
        error_description: 'You may not open this app. Ask somebody who manages it.',
      });
    }
    if (!client.firstParty) {
      // Claimed: only this session may answer the question.
      interaction.result = { claimedBy: person.credential.sessionId };
      await this.#save(interaction);
      return { next: 'ask' };
    }
    return this.#let(provider, interaction, client, person, since);
  }

  /** What the person is asked. Errors: gone (no such question for this session). */
  async question(person: PersonCaller, uid: string): Promise<{ app: string; scopes: string[]; origin: string }> {
    const { interaction, client } = await this.#claimed(person, uid);
    return {
      app: client.title,
      scopes: scopesOf(interaction),
      origin: new URL(String(interaction.params['redirect_uri'])).origin,
    };
  }

  /** Where to send the browser. Errors: gone. */
  async answer(person: PersonCaller, uid: string, allow: boolean): Promise<{ url: string }> {
    const { provider, interaction, client } = await this.#claimed(person, uid);
    const since = await confirmedAt(this.#app.db, person.credential);
    const step = allow
      ? await this.#let(provider, interaction, client, person, since ?? this.#app.clock.now())
      : await this.#finish(interaction, { error: 'access_denied', error_description: 'The person said no.' });
    return { url: step.url };
  }

  async #claimed(person: PersonCaller, uid: string) {
    const provider = await this.current();
    const interaction = await provider.Interaction.find(uid);
    const session = person.credential.via === 'session' ? person.credential.sessionId : null;
    if (interaction === undefined || session === null || interaction.result?.['claimedBy'] !== session) {
      throw over();
    }
    const client = await this.#clientOf(interaction);
    if ((await personForClient(this.#app.db, client, person.userId)) === null) throw over();
    return { provider, interaction, client };
  }

  async #clientOf(interaction: Interaction): Promise<OidcClient> {
    const id = String(interaction.params['client_id']);
    const client = isId('ocl', id) ? await findOidcClient(this.#app.db, id as OidcClientId) : null;
    if (client === null) throw new BerthError('gone', 'This app is not registered any more.');
    return client;
  }

  async #let(
    provider: Provider,
    interaction: Interaction,
    client: OidcClient,
    person: PersonCaller,
    since: Date,
  ): Promise<Extract<InteractionStep, { next: 'go' }>> {
    const grant = new provider.Grant({ accountId: person.userId, clientId: client.id });
    grant.addOIDCScope(scopesOf(interaction).join(' '));
    const grantId = await grant.save();
    await insertOidcGrant(this.#app.db, {
      hash: recordHash('Grant', grantId),
      clientId: client.id,
      sessionId: (person.credential as { sessionId: SessionId }).sessionId,
      expiresAt: new Date(this.#app.clock.now().getTime() + GRANT_SECONDS * 1000),
    });
    await this.#noteEntry(person, client, 'ok');
    const login = { accountId: person.userId, ts: Math.floor(since.getTime() / 1000) };
    return this.#finish(interaction, { login, consent: { grantId } });
  }

  async #finish(
    interaction: Interaction,
    result: NonNullable<Interaction['result']>,
  ): Promise<Extract<InteractionStep, { next: 'go' }>> {
    interaction.result = result;
    await this.#save(interaction);
    return { next: 'go', url: interaction.returnTo };
  }

  async #save(interaction: Interaction): Promise<void> {
    await interaction.save(Math.max(1, interaction.exp - Math.floor(Date.now() / 1000)));
  }

  async #noteEntry(person: PersonCaller, client: OidcClient, result: 'ok' | 'refused'): Promise<void> {
    await transact(this.#app.db, (trx) =>
      recordForMember(trx, person, person.userId, {
        action: 'oidc.enter',
        targetKind: 'oidc-client',
        targetId: client.id,
        target: client.title,
        result,
      }),
    );
  }
}

function over(cause?: unknown): BerthError {
  return new BerthError('gone', 'This sign-in has ended. Go back to the app and start again.', { cause });
}

/** An app may ask for a sign-in that is new, or not older than so many seconds. */
function isFresh(interaction: Interaction, since: Date, now: Date): boolean {
  const asked = String(interaction.params['prompt'] ?? '').split(' ');
  if (asked.includes('login') && since.getTime() < interaction.iat * 1000) return false;
  const maxAge = interaction.params['max_age'];
  return maxAge === undefined || now.getTime() - since.getTime() <= Number(maxAge) * 1000;
}

function scopesOf(interaction: Interaction): string[] {
  const asked = String(interaction.params['scope'] ?? '').split(' ');
  return oidcScopes.filter((scope) => asked.includes(scope));
}

/** A key of Berth's own store: the library sees the public half and asks for signatures. */
class StoredKey extends ExternalSigningKey {
  readonly #app: AppContext;
  readonly #jwk: Jwk;

  constructor(app: AppContext, jwk: Jwk) {
    super();
    this.#app = app;
    this.#jwk = jwk;
    Object.assign(this, { kid: jwk.kid, alg: jwk.alg });
  }

  override keyObject() {
    return createPublicKey({ key: { ...this.#jwk }, format: 'jwk' });
  }

  override async sign(data: Uint8Array): Promise<Uint8Array> {
    const { kid, key } = await this.#app.signingKeys.signer('identity');
    if (kid !== this.#jwk.kid) throw new Error('this key does not sign any more');
    return new Uint8Array(await crypto.subtle.sign('RSASSA-PKCS1-v1_5', key, new Uint8Array(data)));
  }
}

function configuration(app: AppContext, jwks: JWKS): Configuration {
  const seconds = (value: number) => () => value;
  return {
    adapter: (model: string) => oidcAdapter(app, model),
    jwks,
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none'],
    responseTypes: ['code'],
    scopes: ['openid'],
    claims: {
      openid: ['sub'],
      email: ['email', 'email_verified'],
      profile: ['name'],
      groups: ['groups'],
    },
    // Many apps read the ID token only.
    conformIdTokenClaims: false,
    pkce: { required: () => true },
    enabledJWA: { idTokenSigningAlgValues: ['RS256'], userinfoSigningAlgValues: ['RS256'] },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      resourceIndicators: { enabled: false },
      revocation: { enabled: true },
      externalSigningSupport: { enabled: true, ack: 'experimental-01' },
    } as Configuration['features'],
    cookies: {
      names: {
        session: '__Host-berth-oidc',
        interaction: '__Secure-berth-oidc-interaction',
        resume: '__Secure-berth-oidc-resume',
      },
      long: { httpOnly: true, sameSite: 'lax', secure: true },
      short: { httpOnly: true, sameSite: 'lax', secure: true },
    },
    ttl: {
      AccessToken: seconds(TOKEN_SECONDS),
      AuthorizationCode: seconds(CODE_SECONDS),
      IdToken: seconds(TOKEN_SECONDS),
      Interaction: seconds(INTERACTION_SECONDS),
      Session: seconds(INTERACTION_SECONDS),
      Grant: seconds(GRANT_SECONDS),
    },
    interactions: { url: (_context, interaction) => `${OIDC_PATH}/interaction/${interaction.uid}` },
    clientBasedCORS: () => false,
    async findAccount(context, sub, token) {
      const clientId = context.oidc.client?.clientId ?? '';
      const client = isId('ocl', clientId) ? await findOidcClient(app.db, clientId as OidcClientId) : null;
      if (client === null || !isId('usr', sub)) return undefined;
      const grantId = token === undefined || !('grantId' in token) ? undefined : token.grantId;
      if (typeof grantId === 'string') {
        const alive = await isOidcGrantAlive(app.db, recordHash('Grant', grantId), app.clock.now());
        if (!alive) return undefined;
      }
      const person = await personForClient(app.db, client, sub as UserId);
      if (person === null) return undefined;
      const { email, emailVerified, name, groups } = person;
      return { accountId: sub, claims: async () => ({ sub, email, email_verified: emailVerified, name, groups }) };
    },
    async renderError(context, out) {
      context.type = 'text/plain; charset=utf-8';
      context.body = `This sign-in does not work.\n\n${out.error}: ${out.error_description ?? ''}\n`;
    },
  };
}
