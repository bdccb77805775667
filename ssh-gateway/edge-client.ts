/** Questions to edge: may this key try, may this person enter (an answer that stays open), sign this login. */
import { type ClientRequest, request } from 'node:http';
import { z } from 'zod';
import { type Entered, type edgeSshBodies, edgeSshLine } from '#contract/ssh-gateway.ts';
import type { UserId } from '#domain/ids.ts';

const ANSWER_MS_MAX = 15_000;
const ANSWER_BYTES_MAX = 64 * 1024;
/** Edge says something at least every ten seconds. */
const SILENCE_MS_MAX = 25_000;

type Bodies = { [K in keyof typeof edgeSshBodies]: z.input<(typeof edgeSshBodies)[K]> };
export type EnterBody = Bodies['enter'];

/** Edge could not be asked: nobody gets in. */
export class EdgeAway extends Error {}

export type Admission =
  | { entered: Entered; leave(): void; readonly lost: Promise<string | null> }
  | { refused: { reason: string; told: boolean } }
  /** The key is right; the person has to give their second factor, which the server checks. */
  | { factor: { user: UserId } };

export class EdgeClient {
  readonly #socket: string;

  constructor(socket: string) {
    this.#socket = socket;
  }

  /** Errors: EdgeAway. */
  async mayTry(body: Bodies['key']): Promise<boolean> {
    const answer = await this.#ask('key', body);
    return z.object({ ok: z.boolean() }).parse(answer).ok;
  }

  /** Errors: EdgeAway, also when edge does not sign. */
  async sign(body: Bodies['sign']): Promise<Buffer> {
    const answer = await this.#ask('sign', body);
    return Buffer.from(z.object({ signature: z.base64() }).parse(answer).signature, 'base64');
  }

  /**
   * `lost` resolves once: with the reason when edge ends the connection, with null when edge went away without one.
   * Errors: EdgeAway.
   */
  enter(body: EnterBody): Promise<Admission> {
    return new Promise((resolve, reject) => {
      let text = '';
      let answered = false;
      let end: (reason: string | null) => void = () => {};
      const lost = new Promise<string | null>((done) => {
        end = done;
      });
      const call = this.#post('enter', body, (response) => {
        if (response.statusCode !== 200) return void call.destroy(new Error(`answer ${response.statusCode}`));
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > ANSWER_BYTES_MAX) return void call.destroy(new Error('the answer is too long'));
          for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n')) {
            const line = text.slice(0, at);
            text = text.slice(at + 1);
            if (line !== '') take(line);
          }
        });
        response.on('error', () => {});
        response.on('close', () => gone(new Error('edge ended the answer')));
      });
      const take = (line: string): void => {
        const said = edgeSshLine.safeParse(JSON.parse(line));
        if (!said.success) return void call.destroy(new Error('edge gave an answer that makes no sense'));
        if ('cut' in said.data) {
          const { reason } = said.data.cut;
          end(reason);
          if (!answered) resolve({ refused: { reason, told: true } });
        } else if ('refused' in said.data || 'factor' in said.data) {
          resolve(said.data);
        } else {
          resolve({ entered: said.data.entered, leave: () => call.destroy(), lost });
        }
        answered = true;
      };
      const gone = (error: Error): void => {
        end(null);
        if (!answered) reject(new EdgeAway(error.message));
        answered = true;
      };
      call.setTimeout(SILENCE_MS_MAX, () => call.destroy(new Error('edge fell silent')));
      call.on('error', gone);
    });
  }

  #post(
    path: keyof Bodies,
    body: object,
    onResponse: (response: import('node:http').IncomingMessage) => void,
  ): ClientRequest {
    const text = JSON.stringify(body);
    const call = request(
      {
        socketPath: this.#socket,
        path: `/v1/${path}`,
        method: 'POST',
        agent: false,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
      },
      onResponse,
    );
    call.end(text);
    return call;
  }

  #ask(path: 'key' | 'sign', body: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => reject(new EdgeAway(error.message));
      const call = this.#post(path, body, (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => {
          text += chunk;
          if (text.length > ANSWER_BYTES_MAX) call.destroy(new Error('the answer is too long'));
        });
        response.on('error', fail);
        response.on('end', () => {
          if (response.statusCode !== 200) return fail(new Error(`answer ${response.statusCode}`));
          try {
            resolve(JSON.parse(text));
          } catch {
            fail(new Error('not JSON'));
          }
        });
      });
      call.setTimeout(ANSWER_MS_MAX, () => call.destroy(new Error('no answer in time')));
      call.on('error', fail);
    });
  }
}
