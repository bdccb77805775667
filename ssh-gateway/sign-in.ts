/**
 * Password and second factor are the server's business: the gateway signs the person in through the API, as a browser
 * would, with all its limits and audit entries, and so holds a session of theirs for as long as the connection lasts.
 */
import { request } from 'node:http';
import { z } from 'zod';
import { API_PREFIX } from '#contract/common.ts';
import { SESSION_COOKIE } from '#contract/edge.ts';
import { factorKinds } from '#domain/factors.ts';

const ANSWER_MS_MAX = 20_000;
const ANSWER_BYTES_MAX = 256 * 1024;
const HANDLE_COOKIE = '__Host-berth-sign-in';

export type SignInStep =
  | { next: 'done'; secret: string }
  | { next: 'factor'; handle: string; factors: readonly string[] }
  /** `words` are for the person. */
  | { next: 'refused'; words: string | null };

export type SignInOptions = { socket: string; consoleOrigin: string };
/** Where the person is and with what. */
export type Client = { address: string; program: string };
type Answer = { status: number; body: unknown; cookies: ReadonlyMap<string, string> };

const stepSchema = z.object({ next: z.string().optional(), factors: z.array(z.enum(factorKinds)).optional() });

export class SignIn {
  readonly #o: SignInOptions;

  constructor(options: SignInOptions) {
    this.#o = options;
  }

  async password(client: Client, email: string, password: string): Promise<SignInStep> {
    return this.#step(await this.#call(client, 'POST', '/session', { email, password }), null);
  }

  /** A code of an authenticator app, or a recovery code. */
  async code(client: Client, handle: string, typed: string): Promise<SignInStep> {
    const code = typed.replace(/\s/g, '');
    const body = /^\d{6}$/.test(code) ? { type: 'totp', code } : { type: 'recovery', code };
    return this.#step(await this.#call(client, 'POST', '/session/factor', body, `${HANDLE_COOKIE}=${handle}`), handle);
  }

  /** Keeps the session from ending for want of use; answers its secret, which may be a new one. */
  async touch(client: Client, secret: string): Promise<string> {
    const answer = await this.#call(client, 'GET', '/session', null, `${SESSION_COOKIE}=${secret}`);
    return answer.cookies.get(SESSION_COOKIE) ?? secret;
  }

  async signOut(client: Client, secret: string): Promise<void> {
    await this.#call(client, 'DELETE', '/session', null, `${SESSION_COOKIE}=${secret}`);
  }

  #step({ status, body, cookies }: Answer, handle: string | null): SignInStep {
    const secret = cookies.get(SESSION_COOKIE) ?? '';
    if (status === 201) {
      const step = stepSchema.safeParse(body).data;
      if (step?.next !== 'factor' && secret !== '') return { next: 'done', secret };
      const begun = cookies.get(HANDLE_COOKIE) ?? handle;
      if (begun !== null) return { next: 'factor', handle: begun, factors: step?.factors ?? [] };
    }
    const limited = status === 429 ? z.object({ detail: z.string().max(300) }).safeParse(body).data?.detail : undefined;
    return { next: 'refused', words: limited ?? null };
  }

  #call(client: Client, method: string, path: string, body: object | null, cookie?: string): Promise<Answer> {
    const text = body === null ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const call = request(
        {
          socketPath: this.#o.socket,
          path: `${API_PREFIX}${path}`,
          method,
          agent: false,
          headers: {
            host: new URL(this.#o.consoleOrigin).host,
            origin: this.#o.consoleOrigin,
            'sec-fetch-site': 'same-origin',
            'x-forwarded-for': client.address,
            'x-forwarded-proto': 'https',
            'user-agent': `SSH (${client.program})`,
            ...(cookie === undefined ? {} : { cookie }),
            ...(body === null ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
          },
        },
        (response) => {
          let received = '';
          response.setEncoding('utf8');
          response.on('data', (chunk: string) => {
            received += chunk;
            if (received.length > ANSWER_BYTES_MAX) call.destroy(new Error('the answer is too long'));
          });
          response.on('error', reject);
          response.on('end', () => {
            const cookies = new Map<string, string>();
            for (const line of response.headers['set-cookie'] ?? []) {
              const match = /^([^=;\s]+)=([^;]*)/.exec(line);
              if (match !== null) cookies.set(match[1] ?? '', match[2] ?? '');
            }
            let parsed: unknown = null;
            try {
              parsed = received === '' ? null : JSON.parse(received);
            } catch {
              // What is no JSON is no success either.
            }
            resolve({ status: response.statusCode ?? 0, body: parsed, cookies });
          });
        },
      );
      call.setTimeout(ANSWER_MS_MAX, () => call.destroy(new Error('the server does not answer')));
      call.on('error', reject);
      call.end(text);
    });
  }
}
