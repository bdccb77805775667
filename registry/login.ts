/** Proving to upstream who we are: what it asks for (a password, or a token of its token server), kept while it counts. */
import { BerthError } from '#domain/errors.ts';
import type { Answer, WayOut } from './guarded.ts';

const TOKEN_SECONDS_DEFAULT = 60;
/** A token that ends within this is not used any more. */
const TOKEN_SLACK_MS = 10_000;
const TOKEN_BYTES_MAX = 64 * 1024;
const TOKENS_KEPT_MAX = 1_000;

export type Login = { username: string; password: string } | null;

export class UpstreamLogin {
  readonly #out: WayOut;
  readonly #login: Login;
  readonly #tokens = new Map<string, { value: string; until: number }>();
  /** What upstream asked for last. */
  #asksBasic = false;

  constructor(out: WayOut, login: Login) {
    this.#out = out;
    this.#login = login;
  }

  /** The header for pulling from this repository, as far as one is known. */
  header(name: string): Record<string, string> {
    if (this.#asksBasic) return this.#basic();
    const token = this.#tokens.get(name);
    if (token === undefined || token.until - TOKEN_SLACK_MS < Date.now()) return {};
    return { authorization: `Bearer ${token.value}` };
  }

  /**
   * Does what a 401 asks for. False when there is nothing more to show. Errors: upstream_failed when the token server
   * does not answer.
   */
  async answer(name: string, refusal: Answer, signal: AbortSignal): Promise<boolean> {
    const challenge = refusal.headers['www-authenticate'] ?? '';
    if (/^basic\b/i.test(challenge)) {
      const news = !this.#asksBasic && this.#login !== null;
      this.#asksBasic = this.#login !== null;
      return news;
    }
    if (!/^bearer\b/i.test(challenge)) return false;
    const fields = new Map([...challenge.matchAll(/(\w+)="([^"]*)"/g)].map((match) => [match[1], match[2] ?? '']));
    const realm = URL.parse(fields.get('realm') ?? '');
    if (realm === null) return false;
    const service = fields.get('service');
    if (service !== undefined) realm.searchParams.set('service', service);
    realm.searchParams.set('scope', `repository:${name}:pull`);
    const {
      status,
      headers: _headers,
      body,
    } = await this.#out.call(realm, {
      method: 'GET',
      headers: { accept: 'application/json', ...this.#basic() },
      signal,
    });
    if (status !== 200) {
      await body.dump();
      if (status === 401 || status === 403) return false;
      throw new BerthError('upstream_failed', `The token server of upstream answers ${status}.`);
    }
    this.#keep(name, await text(body));
    return true;
  }

  #keep(name: string, json: string): void {
    const { token, access_token, expires_in } = (JSON.parse(json) ?? {}) as Record<string, unknown>;
    const value = typeof token === 'string' ? token : access_token;
    if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value))
      throw new BerthError('upstream_failed', 'The token server of upstream answers without a token.');
    const seconds = typeof expires_in === 'number' && expires_in > 0 ? expires_in : TOKEN_SECONDS_DEFAULT;
    this.#tokens.delete(name);
    this.#tokens.set(name, { value, until: Date.now() + seconds * 1000 });
    for (const oldest of this.#tokens.keys()) {
      if (this.#tokens.size <= TOKENS_KEPT_MAX) break;
      this.#tokens.delete(oldest);
    }
  }

  #basic(): Record<string, string> {
    if (this.#login === null) return {};
    const { username, password } = this.#login;
    return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
  }
}

async function text(body: Answer['body']): Promise<string> {
  let all = '';
  for await (const chunk of body) {
    all += String(chunk);
    if (all.length > TOKEN_BYTES_MAX)
      throw new BerthError('upstream_failed', 'The token server of upstream says too much.');
  }
  return all;
}
