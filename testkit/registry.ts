/**
 * A registry on loopback to pull from: Debian's docker-registry with a password, behind a small proxy that adds the
 * limits Docker Hub sends and can be stopped. Images are made by hand: random layers of a wanted size.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo, createServer as createTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream';

export const UPSTREAM_LOGIN = { username: 'puller', password: 'a pull password' };
const HTPASSWD = 'puller:$2y$04$QVhjU.BWpMrTWLqL7cd2tORHmAnxfGlTh3ECe.wbg2sfXme.A4lz2';
const PROGRAM = '/usr/bin/docker-registry';
const UP_MS_MAX = 60_000;
const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

export type TestUpstream = {
  url: string;
  /** What it says of its limit; null: nothing. */
  limit: { limit: number; remaining: number } | null;
  /** Requests by `METHOD path`, in order. */
  asked: string[];
  /** Makes an image of these layers and pushes it. */
  push(name: string, tag: string, layers: Buffer[]): Promise<TestImage>;
  /** Answers nobody any more, and again. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Cuts every answer off after so many bytes; null: none. */
  cutAfter: number | null;
  close(): Promise<void>;
};
export type TestImage = { name: string; tag: string; digest: string; blobs: string[]; bytes: number };

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const authorization = `Basic ${Buffer.from(`${UPSTREAM_LOGIN.username}:${UPSTREAM_LOGIN.password}`).toString('base64')}`;

export async function freePort(host = '127.0.0.1'): Promise<number> {
  const server = createTcp().listen(0, host);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

export async function startUpstream(): Promise<TestUpstream> {
  const folder = mkdtempSync(join(tmpdir(), 'berth-upstream-'));
  const inner = await freePort();
  writeFileSync(join(folder, 'htpasswd'), `${HTPASSWD.trim()}\n`);
  writeFileSync(
    join(folder, 'config.yml'),
    [
      'version: 0.1',
      'log: { level: error, accesslog: { disabled: true } }',
      `storage: { filesystem: { rootdirectory: ${JSON.stringify(join(folder, 'data'))} } }`,
      `http: { addr: "127.0.0.1:${inner}", secret: test }`,
      `auth: { htpasswd: { realm: test, path: ${JSON.stringify(join(folder, 'htpasswd'))} } }`,
      '',
    ].join('\n'),
  );
  const registry: ChildProcess = spawn(PROGRAM, ['serve', join(folder, 'config.yml')], { stdio: 'ignore' });
  const real = `http://127.0.0.1:${inner}`;
  for (const until = Date.now() + UP_MS_MAX; ; ) {
    if (
      await fetch(`${real}/v2/`).then(
        () => true,
        () => false,
      )
    )
      break;
    if (Date.now() > until) throw new Error('the upstream registry does not start');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }

  let proxy: Server | null = null;
  let port = 0;
  const upstream: TestUpstream = {
    url: '',
    limit: null,
    asked: [],
    cutAfter: null,
    async push(name, tag, layers) {
      const config = Buffer.from(
        JSON.stringify({
          architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
          os: 'linux',
          config: {},
          rootfs: { type: 'layers', diff_ids: layers.map(digestOf) },
        }),
      );
      for (const blob of [config, ...layers]) await pushBlob(real, name, blob);
      const part = (mediaType: string, blob: Buffer) => ({ mediaType, size: blob.length, digest: digestOf(blob) });
      const manifest = Buffer.from(
        JSON.stringify({
          schemaVersion: 2,
          mediaType: MANIFEST,
          config: part('application/vnd.docker.container.image.v1+json', config),
          // Not packed: Docker takes a plain tar as it is.
          layers: layers.map((layer) => part('application/vnd.docker.image.rootfs.diff.tar', layer)),
        }),
      );
      const answer = await fetch(`${real}/v2/${name}/manifests/${tag}`, {
        method: 'PUT',
        headers: { authorization, 'content-type': MANIFEST },
        body: manifest,
      });
      if (answer.status !== 201) throw new Error(`not pushed: ${answer.status} ${await answer.text()}`);
      const all = [config, ...layers];
      return {
        name,
        tag,
        digest: digestOf(manifest),
        blobs: all.map(digestOf),
        bytes: [manifest, ...all].reduce((sum, blob) => sum + blob.length, 0),
      };
    },
    async stop() {
      const ending = proxy;
      proxy = null;
      ending?.close();
      ending?.closeAllConnections();
    },
    async start() {
      const server = createServer((question, answer) => {
        upstream.asked.push(`${question.method} ${question.url}`);
        const inward = request(
          `${real}${question.url}`,
          { method: question.method, headers: { ...question.headers, host: `127.0.0.1:${inner}` } },
          (got) => {
            const { limit } = upstream;
            const limits =
              limit === null || question.url?.includes('/manifests/') !== true
                ? {}
                : { 'ratelimit-limit': `${limit.limit};w=21600`, 'ratelimit-remaining': `${limit.remaining};w=21600` };
            answer.writeHead(got.statusCode ?? 502, { ...got.headers, ...limits });
            let sent = 0;
            got.on('data', (chunk: Buffer) => {
              sent += chunk.length;
              if (upstream.cutAfter !== null && sent > upstream.cutAfter) answer.destroy();
            });
            if (answer.destroyed) got.destroy();
            else pipeline(got, answer, () => undefined);
          },
        );
        inward.on('error', () => answer.destroy());
        question.pipe(inward);
      });
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      port = (server.address() as AddressInfo).port;
      upstream.url = `http://127.0.0.1:${port}`;
      proxy = server;
    },
    async close() {
      await upstream.stop();
      registry.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await upstream.start();
  return upstream;
}

async function pushBlob(real: string, name: string, blob: Buffer): Promise<void> {
  const begun = await fetch(`${real}/v2/${name}/blobs/uploads/`, { method: 'POST', headers: { authorization } });
  const where = new URL(begun.headers.get('location') ?? '', real);
  where.searchParams.set('digest', digestOf(blob));
  const done = await fetch(where, {
    method: 'PUT',
    headers: { authorization, 'content-type': 'application/octet-stream' },
    body: new Uint8Array(blob),
  });
  if (done.status !== 201) throw new Error(`not pushed: ${done.status} ${await done.text()}`);
}

/** A tar with one file of random bytes, as a layer. */
export function layer(bytes: number, file = 'file'): Buffer {
  const header = Buffer.alloc(512);
  const put = (text: string, at: number) => header.write(text, at, 'ascii');
  put(file, 0);
  put('0000644\0', 100);
  put('0000000\0', 108);
  put('0000000\0', 116);
  put(`${bytes.toString(8).padStart(11, '0')}\0`, 124);
  put('00000000000\0', 136);
  put('        ', 148);
  put('0', 156);
  put('ustar\u000000', 257);
  put(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  const padding = Buffer.alloc((512 - (bytes % 512)) % 512);
  return Buffer.concat([header, randomBytes(bytes), padding, Buffer.alloc(1024)]);
}

/** Pulls as Docker does: by tag, then every blob at once; checks every digest. Errors: what was wrong. */
export async function pull(from: string, name: string, reference: string): Promise<{ digest: string; bytes: number }> {
  const headers = { accept: MANIFEST };
  await fetch(`${from}/v2/${name}/manifests/${reference}`, { method: 'HEAD', headers });
  const manifest = await fetch(`${from}/v2/${name}/manifests/${reference}`, { headers });
  const body = Buffer.from(await manifest.arrayBuffer());
  if (manifest.status !== 200) throw new Error(`manifest: ${manifest.status} ${body.toString()}`);
  const { config, layers } = JSON.parse(body.toString()) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  let bytes = body.length;
  await Promise.all(
    [config, ...layers].map(async ({ digest }) => {
      const answer = await fetch(`${from}/v2/${name}/blobs/${digest}`);
      const blob = Buffer.from(await answer.arrayBuffer());
      if (answer.status !== 200) throw new Error(`blob: ${answer.status} ${blob.toString().slice(0, 200)}`);
      if (digestOf(blob) !== digest) throw new Error(`half a blob: ${blob.length} bytes`);
      bytes += blob.length;
    }),
  );
  return { digest: digestOf(body), bytes };
}
