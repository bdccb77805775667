/** The event stream as bytes: Server-Sent Events with the outbox number as id. */
import type { ServerResponse } from 'node:http';
import { api } from '#contract/api.ts';
import type { Event } from '#contract/events.ts';
import { BerthError } from '#domain/errors.ts';
import { type EventSink, type EventsContext, streamEvents } from '#server/app/events.ts';
import type { Http } from './server.ts';

/** Bytes waiting for a slow reader before the connection is ended; it resumes with Last-Event-ID. */
export const STREAM_BUFFER_BYTES_MAX = 256 * 1024;
const RETRY_MS = 1_000;

export function registerEvents(http: Http, app: EventsContext): void {
  http.registerStream(api.events, async ({ caller, query }, { fastifyRequest, reply }) => {
    const ended = new AbortController();
    const lastEventId = parseLastEventId(fastifyRequest.headers['last-event-id']);
    await streamEvents(app, caller, { project: query.project, lastEventId, signal: ended.signal }, () => {
      reply.hijack();
      const response = reply.raw;
      response.once('close', () => ended.abort());
      response.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string | string[]>),
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store, no-transform',
        'x-accel-buffering': 'no',
      });
      response.write(`retry: ${RETRY_MS}\n\n`);
      return sinkOver(response);
    });
  });
}

function sinkOver(response: ServerResponse): EventSink {
  const write = (text: string): void => {
    if (response.writableEnded || response.destroyed) return;
    if (response.writableLength > STREAM_BUFFER_BYTES_MAX) response.destroy();
    else response.write(text);
  };
  return {
    change: (id: number, event: Event) => write(`id: ${id}\nevent: change\ndata: ${JSON.stringify(event)}\n\n`),
    resync: (id) => write(`id: ${id}\nevent: resync\ndata: {}\n\n`),
    heartbeat: (id) => write(`id: ${id}\n: alive\n\n`),
    end: () => {
      if (!response.writableEnded) response.end();
    },
  };
}

function parseLastEventId(header: string | string[] | undefined): number | null {
  if (header === undefined || header === '') return null;
  const value = typeof header === 'string' && /^\d{1,15}$/.test(header) ? Number(header) : null;
  if (value === null) throw new BerthError('invalid_input', 'The Last-Event-ID header is not a number of this stream.');
  return value;
}
