/** The client against a real HTTPS server with a certificate of a CA of its own. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { BerthClient, type ClientOptions, RETRIES_MAX } from './client.ts';
import { CliError } from './errors.ts';

let folder = '';
let server: Server;
let port = 0;
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = [];
let answer: (request: IncomingMessage, response: ServerResponse, count: number) => void = () => undefined;

const problem = (code: string, status: number): string =>
  JSON.stringify({ type: '/docs', title: 'T', status, detail: 'Words for people.', code, requestId: 'req-1' });

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'berth-client-'));
  const openssl = (...argv: string[]) => execFileSync('openssl', argv, { cwd: folder, stdio: 'pipe' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.crt', '-subj', '/CN=Test CA', '-days', '2');
  openssl('req', ...key, '-keyout', 'leaf.key', '-out', 'leaf.csr', '-subj', '/CN=berth.localhost');
  writeFileSync(join(folder, 'san'), 'subjectAltName=DNS:berth.localhost');
  openssl(
    'x509',
    '-req',
    '-in',
    'leaf.csr',
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-out',
    'leaf.crt',
    '-days',
    '2',
    '-extfile',
    'san',
  );
  server = createServer(
    { key: readFileSync(join(folder, 'leaf.key')), cert: readFileSync(join(folder, 'leaf.crt')) },
    (request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += String(chunk);
      });
      request.on('end', () => {
        seen.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
        answer(request, response, seen.length);
      });
    },
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  seen = [];
});

function client(options: Partial<ClientOptions> = {}): BerthClient {
  return new BerthClient({
    url: `https://berth.localhost:${port}`,
    token: 'brt_secret',
    caFile: join(folder, 'ca.crt'),
    userAgent: 'test',
    pause: async () => undefined,
    ...options,
  });
}

async function failure(work: Promise<unknown>): Promise<CliError> {
  const error = await work.then(
    () => null,
    (caught: unknown) => caught,
  );
  expect(error).toBeInstanceOf(CliError);
  return error as CliError;
}

const health = JSON.stringify({ status: 'ok', version: '1' });

it('U1: reaches berth.localhost without a resolver, trusts the given CA, sends the token', async () => {
  answer = (_request, response) => response.end(health);
  const berth = client();
  expect(await berth.call('health', {})).toEqual({ status: 'ok', version: '1' });
  expect(seen[0]).toMatchObject({ method: 'GET', url: '/healthz', headers: { authorization: 'Bearer brt_secret' } });
  await berth.close();
});

it('U3: a certificate nobody vouches for is refused, with what to do', async () => {
  const { caFile, ...rest } = { caFile: '', url: `https://berth.localhost:${port}`, userAgent: 'test' };
  const berth = new BerthClient(rest);
  const error = await failure(berth.call('health', {}));
  expect(error.message).toContain('is not trusted');
  expect(error.hint).toContain('--ca');
  expect(seen).toEqual([]);
  await berth.close();
});

it('U3: problem JSON becomes a readable error with exit code and request id', async () => {
  answer = (_request, response) => {
    response.writeHead(409, { 'content-type': 'application/problem+json' }).end(problem('quota_exceeded', 409));
  };
  const berth = client();
  const error = await failure(berth.call('whoami', {}));
  expect(error).toMatchObject({
    exit: 'conflict',
    code: 'quota_exceeded',
    requestId: 'req-1',
    message: 'Words for people.',
  });
  expect(error.hint).toContain('berth quotas show');
  expect(seen.length).toBe(1);
  await berth.close();
});

it('U3: GET is repeated while the server is away; what may act twice is not', async () => {
  answer = (_request, response, count) => {
    if (count <= 2) response.writeHead(503).end('down');
    else response.end(health);
  };
  const berth = client();
  await berth.call('health', {});
  expect(seen.length).toBe(3);
  seen = [];
  answer = (_request, response) => void response.writeHead(502).end('down');
  const power = berth.call('instancesPower', { params: { instance: 'ins_x', action: 'stop' }, body: {} });
  expect((await failure(power)).exit).toBe('unavailable');
  expect(seen.length).toBe(1);
  seen = [];
  const create = berth.call(
    'instancesCreate',
    { params: { project: 'prj_x' }, body: { kind: 'server', name: 'web' } },
    { idempotencyKey: 'key-1' },
  );
  expect((await failure(create)).exit).toBe('unavailable');
  expect(seen.length).toBe(1 + RETRIES_MAX);
  expect(new Set(seen.map((request) => request.headers['idempotency-key']))).toEqual(new Set(['key-1']));
  await berth.close();
});

it('U3: a connection cut in the middle is repeated for GET', async () => {
  answer = (request, response, count) => {
    if (count === 1) request.socket.destroy();
    else response.end(health);
  };
  const berth = client();
  await berth.call('health', {});
  expect(seen.length).toBe(2);
  await berth.close();
});

it('U3: nothing listening, and something that is not Berth, are told apart', async () => {
  const nobody = client({ url: 'https://berth.localhost:9' });
  expect((await failure(nobody.call('health', {}))).message).toContain('Nothing answers');
  await nobody.close();
  answer = (_request, response) => response.end('<html>router login</html>');
  const other = client();
  expect((await failure(other.call('health', {}))).message).toContain('did not answer like a Berth installation');
  await other.close();
});

it('U3: path parameters are encoded, so that text never becomes another path', async () => {
  answer = (_request, response) => response.end('{}');
  const berth = client();
  await berth.call('operationsGet', { params: { operation: '../instances?x=1#y' } });
  expect(seen[0]?.url).toBe('/api/v1/operations/..%2Finstances%3Fx%3D1%23y');
  await berth.close();
});

it('V10: events resume after the last one seen', async () => {
  const event = (id: string) => ({ kind: 'operation', id, project: null, instance: null, version: 1 });
  answer = (_request, response, count) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`: hello\n\nid: ${count * 10}\nevent: change\ndata: ${JSON.stringify(event(`opr_${count}`))}\n\n`);
    if (count === 1) setTimeout(() => response.destroy(), 20);
  };
  const berth = client();
  const stop = new AbortController();
  const got: (string | null)[] = [];
  for await (const hint of berth.events({ signal: stop.signal })) {
    got.push(hint === null ? null : hint.id);
    if (got.length === 4) break;
  }
  stop.abort();
  expect(got).toEqual([null, 'opr_1', null, 'opr_2']);
  expect(seen.map((request) => request.headers['last-event-id'])).toEqual([undefined, '10']);
  await berth.close();
});
