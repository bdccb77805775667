/** One engine event stream, handed to every listener as NDJSON. */
import type { ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { AgentEvent } from '#contract/agent-results.ts';
import { BerthError } from '#domain/errors.ts';
import type { Agent } from '../verbs.ts';

const LISTENERS_MAX = 64;
/** A listener that lets this much pile up is cut off; it comes back and is told to look at everything. */
const BACKLOG_BYTES_MAX = 1024 * 1024;
/** An empty line this often, so that both ends notice a dead peer. */
const BEAT_SECONDS = 15;

export class EventHub {
  readonly #listeners = new Set<ServerResponse>();
  readonly #taps = new Set<(event: AgentEvent) => void>();
  readonly #abort = new AbortController();
  readonly #beat: NodeJS.Timeout;

  constructor(agent: Agent, log: Logger) {
    this.#beat = setInterval(() => this.#write('\n'), BEAT_SECONDS * 1000);
    agent
      .watch((event) => this.#emit(event), this.#abort.signal)
      .catch((error: unknown) => log.error({ err: error }, 'event stream ended'));
  }

  /** Answers a request with the stream; it begins with `resync`. */
  attach(response: ServerResponse): void {
    if (this.#listeners.size >= LISTENERS_MAX) throw new BerthError('rate_limited', 'Too many listeners.');
    response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' });
    response.write(
      `${JSON.stringify({ at: new Date().toISOString(), type: 'resync', instance: null, action: 'attached' })}\n`,
    );
    this.#listeners.add(response);
    response.on('close', () => this.#listeners.delete(response));
  }

  /** For the agent's own use. */
  tap(listener: (event: AgentEvent) => void): void {
    this.#taps.add(listener);
  }

  close(): void {
    clearInterval(this.#beat);
    this.#abort.abort();
    for (const response of this.#listeners) response.destroy();
  }

  #emit(event: AgentEvent): void {
    for (const tap of this.#taps) tap(event);
    this.#write(`${JSON.stringify(event)}\n`);
  }

  #write(line: string): void {
    for (const response of this.#listeners) {
      if (response.writableLength > BACKLOG_BYTES_MAX) response.destroy();
      else response.write(line);
    }
  }
}
