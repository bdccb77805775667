/**
 * Signed in with a code: an access token for minutes, and a refresh token that is used once. Programs that run at the
 * same time take turns at the refresh token, because a second use would end the whole sign-in.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { CLI_CLIENT_ID, DEVICE_GRANT, oauthErrorSchema, oauthRoutes } from '#contract/oauth.ts';
import { type BerthClient, errorFromAnswer, type RawAnswer } from './client.ts';
import { type Context, readConfig, writeConfig } from './config.ts';
import { CliError } from './errors.ts';
import { withLock } from './lock.ts';

/** The access token is renewed this long before it ends. */
const EARLY_MS = 30_000;

const deviceAnswer = oauthRoutes.oauthDevice.response;
const tokenAnswer = oauthRoutes.oauthToken.response;

export type Tokens = { token: string; tokenExpiresAt: string; refreshToken: string };

function parsed<T extends z.ZodType>(schema: T, answer: RawAnswer, url: string): z.output<T> {
  const result = schema.safeParse(jsonOf(answer));
  if (answer.status === 200 && result.success) return result.data;
  throw refusal(answer, url);
}

function jsonOf(answer: RawAnswer): unknown {
  try {
    return JSON.parse(answer.text);
  } catch {
    return undefined;
  }
}

function oauthError(answer: RawAnswer): z.output<typeof oauthErrorSchema> | null {
  return oauthErrorSchema.safeParse(jsonOf(answer)).data ?? null;
}

function refusal(answer: RawAnswer, url: string): CliError {
  const error = oauthError(answer);
  if (error === null) return errorFromAnswer(answer, url);
  const busy = error.error === 'slow_down' || error.error === 'temporarily_unavailable';
  return new CliError(busy ? 'unavailable' : 'notSignedIn', error.error_description, {
    code: busy ? 'rate_limited' : 'unauthenticated',
    hint: busy ? 'Try again in a while.' : 'Sign in with: berth login',
  });
}

function tokensOf(answer: z.output<typeof tokenAnswer>, now: number): Tokens {
  return {
    token: answer.access_token,
    tokenExpiresAt: new Date(now + answer.expires_in * 1000).toISOString(),
    refreshToken: answer.refresh_token,
  };
}

/** Shows a code (`show`) and waits until somebody confirmed it in the console. Errors: CliError when refused or too late. */
export async function signInWithCode(
  client: BerthClient,
  options: {
    name: string;
    scope?: string;
    now: () => number;
    signal: AbortSignal;
    show: (login: { code: string; page: string; pageWithCode: string; minutes: number }) => void;
  },
): Promise<Tokens> {
  const fields = {
    client_id: CLI_CLIENT_ID,
    client_name: options.name,
    ...(options.scope === undefined ? {} : { scope: options.scope }),
  };
  const begun = parsed(deviceAnswer, await client.form(oauthRoutes.oauthDevice.path, fields), client.url);
  options.show({
    code: begun.user_code,
    page: begun.verification_uri,
    pageWithCode: begun.verification_uri_complete,
    minutes: Math.round(begun.expires_in / 60),
  });
  let intervalSeconds = begun.interval;
  for (;;) {
    await sleep(intervalSeconds * 1000, undefined, { signal: options.signal });
    const answer = await client.form(oauthRoutes.oauthToken.path, {
      grant_type: DEVICE_GRANT,
      client_id: CLI_CLIENT_ID,
      device_code: begun.device_code,
    });
    const error = answer.status === 200 ? null : oauthError(answer);
    if (error?.error === 'authorization_pending') continue;
    if (error?.error === 'slow_down') {
      intervalSeconds += 5;
      continue;
    }
    return tokensOf(parsed(tokenAnswer, answer, client.url), options.now());
  }
}

/** Signs out at the server. */
export async function revokeSignIn(client: BerthClient, refreshToken: string): Promise<void> {
  const fields = { client_id: CLI_CLIENT_ID, token: refreshToken, token_type_hint: 'refresh_token' };
  const answer = await client.form(oauthRoutes.oauthRevoke.path, fields);
  if (answer.status !== 200) throw refusal(answer, client.url);
}

function isFresh(context: Context, now: number): boolean {
  return context.tokenExpiresAt !== undefined && Date.parse(context.tokenExpiresAt) - now > EARLY_MS;
}

/** Where changes of the configuration file take turns. */
export function configLock(configPath: string): string {
  return `${configPath}.lock`;
}

/**
 * A living access token of the context: the one in the file, or a new one that is written there. `refused` is a token the
 * server did not take although it looks alive. Errors: CliError notSignedIn when the sign-in has ended.
 */
export async function freshToken(options: {
  configPath: string;
  contextName: string;
  context: Context;
  client: BerthClient;
  now: () => number;
  refused: string | undefined;
}): Promise<Context> {
  const { configPath, contextName, client, now, refused } = options;
  if (isFresh(options.context, now()) && options.context.token !== refused) return options.context;
  return withLock(configLock(configPath), async () => {
    const file = await readConfig(configPath);
    const stored = file.contexts[contextName];
    if (stored?.refreshToken === undefined) {
      throw new CliError('notSignedIn', 'You are no longer signed in.', {
        code: 'unauthenticated',
        hint: 'Sign in with: berth login',
      });
    }
    // Another program was first.
    if (isFresh(stored, now()) && stored.token !== refused) return stored;
    const answer = await client.form(oauthRoutes.oauthToken.path, {
      grant_type: 'refresh_token',
      client_id: CLI_CLIENT_ID,
      refresh_token: stored.refreshToken,
    });
    const next = { ...stored, ...tokensOf(parsed(tokenAnswer, answer, client.url), now()) };
    await writeConfig(configPath, { ...file, contexts: { ...file.contexts, [contextName]: next } });
    return next;
  });
}
