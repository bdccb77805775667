/** Edge's small client of the agent: the password of a screen, and the WebSockets of terminals and log tails. */
import { request } from 'node:http';
import { isIP } from 'node:net';
import { WebSocket } from 'ws';
import { z } from 'zod';
import type { AgentVerb, CutClient, ScreenCredentials } from '#contract/agent.ts';
import { BerthError, type ErrorCode, errorCatalogue } from '#domain/errors.ts';

const ANSWER_BYTES_MAX = 64 * 1024;
const ANSWER_TIMEOUT_MS = 10_000;
const OPEN_TIMEOUT_MS = 15_000;
const FRAME_BYTES_MAX = 1024 * 1024;

const credentialsSchema = z.object({
  address: z.string().refine((value) => isIP(value) !== 0),
  port: z.number().int().min(1).max(65535),
  password: z.string().max(256),
});
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });

function errorCode(code: string): ErrorCode {
  return Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : 'upstream_failed';
}

function sshAnswer<T extends z.ZodType>(schema: T, answer: unknown): z.output<T> {
  const parsed = z.object({ result: schema }).safeParse(answer);
  if (!parsed.success) throw new BerthError('upstream_failed', 'The agent gave an answer that makes no sense.');
  return (parsed.data as { result: z.output<T> }).result;
}

export class AgentClient {
  readonly #socket: string;
  readonly #token: string;

  constructor(socket: string, token: string) {
    this.#socket = socket;
    this.#token = token;
  }

  /** Where a desktop's screen is. Errors: BerthError as the agent gave it, upstream_failed when it does not answer. */
  async screenCredentials(instance: string): Promise<ScreenCredentials> {
    const answer = await this.#call('screenCredentials', { instance });
    const parsed = z.object({ result: credentialsSchema }).safeParse(answer);
    if (!parsed.success) throw new BerthError('upstream_failed', 'The agent gave an answer that makes no sense.');
    return parsed.data.result;
  }

  /** The key that the agent signs in with at a server, as `<type> <base64>`. Errors: as above. */
  async sshLogin(instance: string): Promise<{ publicKey: string }> {
    return sshAnswer(z.object({ publicKey: z.string().max(4_096) }), await this.#call('sshLogin', { instance }));
  }

  /** Signs one login, in base64. Errors: as above; invalid_input for anything but a login. */
  async sshSign(instance: string, data: string): Promise<{ signature: string }> {
    return sshAnswer(z.object({ signature: z.string().max(4_096) }), await this.#call('sshSign', { instance, data }));
  }

  /** Ends these clients' connections to the user plane. Errors: as above. */
  async cutClients(clients: readonly CutClient[]): Promise<void> {
    await this.#call('cutClients', { clients });
  }

  #call(verb: AgentVerb, input: object): Promise<unknown> {
    const body = Buffer.from(JSON.stringify(input));
    return new Promise((resolve, reject) => {
      const fail = (cause: unknown) =>
        reject(new BerthError('upstream_failed', 'The agent of this host does not answer.', { cause }));
      const call = request(
        {
          socketPath: this.#socket,
          path: `/v1/${verb}`,
          method: 'POST',
          headers: {
            authorization: `Bearer ${this.#token}`,
            'content-type': 'application/json',
            'content-length': body.length,
          },
          timeout: ANSWER_TIMEOUT_MS,
        },
        (response) => {
          const parts: Buffer[] = [];
          let size = 0;
          response.on('data', (part: Buffer) => {
            size += part.length;
            if (size > ANSWER_BYTES_MAX) call.destroy(new Error('the answer is too long'));
            parts.push(part);
          });
          response.on('error', fail);
          response.on('end', () => {
            try {
              const answer: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
              if (response.statusCode === 200) return resolve(answer);
              const { error } = errorSchema.parse(answer);
              reject(new BerthError(errorCode(error.code), error.message));
            } catch (error) {
              fail(error);
            }
          });
        },
      );
      call.on('timeout', () => call.destroy(new Error('no answer in time')));
      call.on('error', fail);
      call.end(body);
    });
  }

  /** A WebSocket of the agent, not yet open. */
  #open(path: string, query: Record<string, string>): WebSocket {
    return new WebSocket(`ws+unix:${this.#socket}:${path}?${new URLSearchParams(query)}`, {
      headers: { authorization: `Bearer ${this.#token}` },
      perMessageDeflate: false,
      handshakeTimeout: OPEN_TIMEOUT_MS,
      maxPayload: FRAME_BYTES_MAX,
    });
  }

  terminal(instance: string, user: string, cols: number, rows: number): WebSocket {
    return this.#open('/v1/terminal', { instance, user, cols: String(cols), rows: String(rows) });
  }

  logs(instance: string, { lines, of }: { lines: number; of?: string | undefined }): WebSocket {
    return this.#open('/v1/logs/follow', { instance, lines: String(lines), ...(of === undefined ? {} : { of }) });
  }
}
