/** The socket on which the SSH gateway asks edge. Only the gateway may open it; what it says is parsed all the same. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { edgeSshBodies, SSH_BODY_BYTES_MAX } from '#contract/ssh-gateway.ts';
import type { EdgeLog } from './edge.ts';
import type { SshDoors } from './ssh-doors.ts';

/** Often enough that neither end takes a quiet line for a dead one. */
const LINE_MS = 10_000;
const HEADER_BYTES_MAX = 8 * 1024;

export function sshServer(doors: SshDoors, log: EdgeLog): Server {
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'GET' && request.url === '/healthz') return send(response, 200, { status: 'ok' });
    if (request.method !== 'POST') return send(response, 404, {});
    const body: unknown = JSON.parse(await readBody(request));
    switch (request.url) {
      case '/v1/key': {
        const { user, fingerprint } = edgeSshBodies.key.parse(body);
        return send(response, 200, { ok: doors.mayTry(user, fingerprint) });
      }
      case '/v1/sign': {
        const { lease, data } = edgeSshBodies.sign.parse(body);
        const signature = await doors.sign(lease, data);
        return signature === null ? send(response, 403, {}) : send(response, 200, { signature });
      }
      case '/v1/enter':
        return enter(response, doors, edgeSshBodies.enter.parse(body));
      default:
        return send(response, 404, {});
    }
  };
  const server = createServer({ maxHeaderSize: HEADER_BYTES_MAX, requestTimeout: 10_000 });
  server.on('request', (request, response) => {
    answer(request, response).catch((error: unknown) => {
      log.warn({ err: error, path: request.url }, 'a question of the SSH gateway failed');
      if (response.headersSent) response.destroy();
      else send(response, 400, {});
    });
  });
  server.on('clientError', (_error, socket) => socket.destroy());
  return server;
}

async function enter(response: ServerResponse, doors: SshDoors, body: Parameters<SshDoors['enter']>[0]): Promise<void> {
  const line = (value: object): void => {
    if (!response.writableEnded && !response.destroyed) response.write(`${JSON.stringify(value)}\n`);
  };
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  let leave = (): void => {};
  let gone = false;
  response.once('close', () => {
    gone = true;
    leave();
  });
  let cutEarly = false;
  const result = await doors.enter(body, (reason) => {
    cutEarly = true;
    line({ cut: { reason } });
    response.end();
  });
  if ('refused' in result || 'factor' in result) {
    line(result);
    response.end();
    return;
  }
  if (gone) return result.leave();
  if (cutEarly) return;
  line({ entered: result.entered });
  // An empty line now and then: the socket is known to live.
  const timer = setInterval(() => {
    if (!response.writableEnded) response.write('\n');
  }, LINE_MS);
  leave = () => {
    clearInterval(timer);
    result.leave();
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > SSH_BODY_BYTES_MAX) throw new Error('too long');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function send(response: ServerResponse, status: number, body: object): void {
  const text = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}
