/** A program that signs in with a code, over the endpoints it would use. */
import { api } from '#contract/api.ts';
import { DEVICE_GRANT } from '#contract/oauth.ts';
import type { RunningServer } from '#server/wire.ts';
import { TestClient } from './server.ts';

export type TokenAnswer = {
  status: number;
  error?: string;
  access_token: string;
  refresh_token: string;
  expires_in: number;
  scope?: string;
};

/** Sends a form, as OAuth endpoints want it. */
export async function postForm(
  client: TestClient,
  url: string,
  fields: Record<string, string>,
): Promise<Record<string, unknown> & { status: number }> {
  const response = await client.raw({
    method: 'POST',
    url,
    payload: new URLSearchParams(fields).toString(),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  return { status: response.statusCode, ...(response.json() as object) };
}

export async function beginDevice(
  client: TestClient,
  fields: Record<string, string> = {},
): Promise<{ device_code: string; user_code: string; verification_uri_complete: string }> {
  const answer = await postForm(client, api.oauthDevice.path, { client_id: 'berth-cli', ...fields });
  if (answer.status !== 200) throw new Error(`device: ${JSON.stringify(answer)}`);
  return answer as never;
}

export async function tokenFor(client: TestClient, fields: Record<string, string>): Promise<TokenAnswer> {
  return (await postForm(client, api.oauthToken.path, { client_id: 'berth-cli', ...fields })) as never;
}

export function pollDevice(client: TestClient, deviceCode: string): Promise<TokenAnswer> {
  return tokenFor(client, { grant_type: DEVICE_GRANT, device_code: deviceCode });
}

export function refresh(client: TestClient, refreshToken: string): Promise<TokenAnswer> {
  return tokenFor(client, { grant_type: 'refresh_token', refresh_token: refreshToken });
}

/** Everything from the code to the tokens, confirmed by `person`; the client holds the access token. */
export async function signInProgram(
  server: RunningServer,
  person: TestClient,
  fields: Record<string, string> = {},
): Promise<{ client: TestClient; tokens: TokenAnswer }> {
  const client = new TestClient(server);
  const begun = await beginDevice(client, fields);
  await person.call(api.deviceLoginDecide, { params: { code: begun.user_code }, body: { allow: true } });
  const tokens = await pollDevice(client, begun.device_code);
  if (tokens.status !== 200) throw new Error(`token: ${JSON.stringify(tokens)}`);
  client.token = tokens.access_token;
  client.userId = person.userId;
  return { client, tokens };
}
