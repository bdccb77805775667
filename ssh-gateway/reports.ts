/**
 * Tells the server what happens: beginnings, ends, how much went through. Nobody waits for it: while the server is away
 * it is kept, in order, up to a bound, and told later.
 */
import { request } from 'node:http';
import type { ServerSshBody, ServerSshCall } from '#contract/ssh-gateway.ts';

const ANSWER_MS_MAX = 10_000;
const RETRY_MS = 1_000;
const BEAT_MS = 5_000;
const KEPT_MAX = 10_000;

type Report = { [C in ServerSshCall]: { call: C; body: ServerSshBody<C> } }[ServerSshCall];
export type FactorAnswer = 'right' | 'wrong' | { words: string };
const TOO_MANY = 'Too many wrong codes. Wait a while, or sign in with a recovery code.';
const NO_CODE =
  'Your second factor is a passkey, which SSH cannot ask for. Set up an authenticator app in your account as well.';
export type Counted = { session: ServerSshBody<'end'>['session']; bytesIn: number; bytesOut: number };
type Log = { warn(fields: object, message: string): void };

export class Reports {
  readonly #socket: string;
  readonly #log: Log;
  readonly #kept: Report[] = [];
  #busy = false;
  #stopped = false;
  readonly #timer: NodeJS.Timeout;

  /** `living` is asked for before every beat. */
  constructor(socket: string, log: Log, living: () => Counted[]) {
    this.#socket = socket;
    this.#log = log;
    this.#timer = setInterval(() => {
      const sessions = living();
      // A beat is worth nothing later.
      if (sessions.length > 0 && this.#kept.length === 0)
        this.#send({ call: 'beat', body: { sessions } }).catch(() => {});
    }, BEAT_MS).unref();
  }

  tell(report: Report): void {
    if (this.#kept.length >= KEPT_MAX) {
      this.#log.warn({ kept: KEPT_MAX }, 'too many reports are waiting for the server: the oldest is dropped');
      this.#kept.shift();
    }
    this.#kept.push(report);
    void this.#work();
  }

  /** Whether this is the second factor of who has proven a key. Errors: the server is away. */
  async factor(body: ServerSshBody<'factor'>): Promise<FactorAnswer> {
    const status = await this.#send({ call: 'factor', body });
    if (status === 204) return 'right';
    if (status === 401) return 'wrong';
    if (status === 429) return { words: TOO_MANY };
    if (status === 409) return { words: NO_CODE };
    throw new Error(`answer ${status}`);
  }

  /** Gives what is kept one more try. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped = true;
    for (const report of this.#kept.splice(0)) await this.#send(report).catch(() => {});
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#kept.length > 0 && !this.#stopped) {
      const [report] = this.#kept;
      if (report === undefined) break;
      try {
        const status = await this.#send(report);
        if (status >= 500) throw new Error(`answer ${status}`);
        if (status >= 400) this.#log.warn({ call: report.call, status }, 'the server refused a report');
        if (this.#kept[0] === report) this.#kept.shift();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS).unref());
      }
    }
    this.#busy = false;
  }

  #send({ call, body }: Report): Promise<number> {
    const text = JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          socketPath: this.#socket,
          path: `/v1/${call}`,
          method: 'POST',
          agent: false,
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        },
        (response) => {
          response.resume();
          response.on('error', reject);
          response.on('end', () => resolve(response.statusCode ?? 0));
        },
      );
      sent.setTimeout(ANSWER_MS_MAX, () => sent.destroy(new Error('no answer in time')));
      sent.on('error', reject);
      sent.end(text);
    });
  }
}
