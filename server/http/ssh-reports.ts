/**
 * The socket on which the SSH gateway tells what happens. Only the gateway may open it; it is no part of the API, and
 * nothing said here gives anybody a right.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { SSH_BODY_BYTES_MAX, serverSshBodies } from '#contract/ssh-gateway.ts';
import { BerthError, toBerthError } from '#domain/errors.ts';
import type { AppContext } from '#server/app/context.ts';
import { proveSshFactor } from '#server/app/ssh-factor.ts';
import { beginSshRecording, finishSshRecording } from '#server/app/ssh-recordings.ts';
import { beatSshSessions, beginSshSession, finishSshSession, reportHostKey } from '#server/app/ssh-sessions.ts';

const HEADER_BYTES_MAX = 8 * 1024;
const REQUEST_MS_MAX = 10_000;

export function sshReportServer(app: AppContext): Server {
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: REQUEST_MS_MAX });
  server.on('request', (request, response) => {
    take(app, request).then(
      () => send(response, 204),
      (error: unknown) => {
        const known = toBerthError(error);
        if (known.status >= 500) app.log.warn({ err: error, path: request.url }, 'a report of the SSH gateway failed');
        send(response, known.status);
      },
    );
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  return server;
}

async function take(app: AppContext, request: IncomingMessage): Promise<void> {
  if (request.method !== 'POST') throw new BerthError('not_found', 'There is nothing here.');
  const text = await readBody(request);
  switch (request.url) {
    case '/v1/begin':
      return beginSshSession(app, parse(serverSshBodies.begin, text));
    case '/v1/beat':
      return beatSshSessions(app, parse(serverSshBodies.beat, text));
    case '/v1/end':
      return finishSshSession(app, parse(serverSshBodies.end, text));
    case '/v1/factor':
      return proveSshFactor(app, parse(serverSshBodies.factor, text));
    case '/v1/record':
      return beginSshRecording(app, parse(serverSshBodies.record, text));
    case '/v1/recorded':
      return finishSshRecording(app, parse(serverSshBodies.recorded, text));
    case '/v1/hostKey':
      return reportHostKey(app, parse(serverSshBodies.hostKey, text));
    default:
      throw new BerthError('not_found', 'There is nothing here.');
  }
}

function parse<T>(schema: { safeParse(value: unknown): { success: boolean; data?: T } }, text: string): T {
  let value: unknown = null;
  try {
    value = JSON.parse(text);
  } catch {
    // The schema refuses it.
  }
  const { success, data } = schema.safeParse(value);
  if (!success || data === undefined) throw new BerthError('invalid_input', 'This is no report.');
  return data;
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > SSH_BODY_BYTES_MAX * 2) throw new BerthError('too_large', 'The body is too large.');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function send(response: ServerResponse, status: number): void {
  response.writeHead(status, { 'content-length': '0' });
  response.end();
}
