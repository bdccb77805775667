/** Clients that are slow on purpose, or send too much: cut off, without an answer worth waiting for. */
import { type AddressInfo, connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, startTestServer, type TestServer } from '#testkit/server.ts';
import { BODY_BYTES_MAX } from './server.ts';

let server: TestServer;
let port = 0;

beforeAll(async () => {
  server = await startTestServer({
    database: await withDatabase(),
    startWork: idleWork,
    slow: { headersMs: 300, requestMs: 600, checkMs: 50 },
  });
  await server.http.fastify.listen({ host: '127.0.0.1', port: 0 });
  port = (server.http.fastify.server.address() as AddressInfo).port;
});
afterAll(() => server.stop());

/** Opens a connection, writes `first` and answers what came until the other side closed it. */
async function until(first: string, drip?: (socket: Socket) => void): Promise<{ text: string; ms: number }> {
  const socket = connect(port, '127.0.0.1');
  const started = performance.now();
  let text = '';
  socket.on('data', (data) => {
    text += data.toString();
  });
  socket.write(first);
  const timer = drip === undefined ? undefined : setInterval(() => drip(socket), 100);
  await new Promise((done) => socket.once('close', done).once('error', done));
  clearInterval(timer);
  return { text, ms: performance.now() - started };
}

describe('I7: slow and large requests', () => {
  it('headers that never end are cut off, also when something comes all the time', async () => {
    const { text, ms } = await until('GET /healthz HTTP/1.1\r\nHost: x\r\n', (socket) => socket.write('X-A: b\r\n'));
    expect(text).toMatch(/^(?:HTTP\/1.1 408|$)/);
    expect(ms).toBeLessThan(5_000);
  });

  it('a body that never ends is cut off', async () => {
    const head = `POST ${api.signIn.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n`;
    const { text, ms } = await until(`${head}{`, (socket) => socket.write(' '));
    expect(text).toMatch(/^(?:HTTP\/1.1 408|$)/);
    expect(ms).toBeLessThan(5_000);
  });

  it('headers that are too large are refused', async () => {
    const { text } = await until(`GET /healthz HTTP/1.1\r\nHost: x\r\nX-Large: ${'a'.repeat(40_000)}\r\n\r\n`);
    expect(text).toMatch(/^HTTP\/1.1 431/);
  });

  it('bodies have a limit per class: what signs in takes little', async () => {
    const post = (path: string, bytes: number) =>
      server.anonymous.raw({ method: 'POST', url: path, payload: { email: 'a'.repeat(bytes) } });
    expect((await post(api.signIn.path, BODY_BYTES_MAX['sign-in'])).statusCode).toBe(413);
    expect((await post(api.signIn.path, BODY_BYTES_MAX['sign-in'] - 100)).statusCode).toBe(400);
    const project = api.instancesCreate.path.replace(':project', 'prj_x');
    expect((await post(project, BODY_BYTES_MAX.provisioning)).statusCode).toBe(413);
  });

  it('a length that lies, or two of them, is refused', async () => {
    for (const lines of ['Content-Length: 5\r\nContent-Length: 6', 'Content-Length: 5\r\nTransfer-Encoding: chunked']) {
      const { text } = await until(
        `POST ${api.signIn.path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${lines}\r\n\r\n{}`,
      );
      expect(text, lines).toMatch(/^HTTP\/1.1 400/);
    }
  });
});
