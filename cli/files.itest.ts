/** V2: files on the command line, against the real control plane in this process. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FILE_PART_BYTES_MAX } from '#domain/files.ts';
import { freePort } from '#testkit/ingress.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { PASSWORD, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork } from '#testkit/work.ts';
import { type Ran, runCli } from './testing.ts';

let server: TestServer;
let home = '';

const berth = (...argv: string[]): Promise<Ran> => runCli(argv, { env: { HOME: home }, now: Date.now() });
async function ok(...argv: string[]): Promise<string> {
  const ran = await berth(...argv);
  expect(ran.code, `${argv.join(' ')}: ${ran.err}`).toBe(0);
  return ran.out;
}
const local = (name: string) => join(home, name);

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'berth-cli-files-'));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  server = await startTestServer({ database: await withDatabase(), config: { consoleOrigin: url }, work: fastWork });
  await server.setUp();
  await server.http.fastify.listen({ host: '127.0.0.1', port });
  const signedIn = await runCli(['login', '--url', url, '--email', 'owner@example.test', '--password-stdin'], {
    env: { HOME: home },
    stdin: `${PASSWORD}\n`,
  });
  expect(signedIn.code, signedIn.err).toBe(0);
  await ok('instances', 'create', 'server', 'disk', '--wait');
});
afterAll(async () => {
  await server?.stop();
  rmSync(home, { recursive: true, force: true });
});

it('V2: a file goes in and comes out the same, in parts; what is there already is kept', async () => {
  const content = Buffer.from(Array.from({ length: FILE_PART_BYTES_MAX + 70_000 }, (_, index) => index % 253));
  writeFileSync(local('big.bin'), content);
  await ok('files', 'put', 'disk', local('big.bin'));
  await ok('files', 'get', 'disk', 'big.bin', local('back.bin'));
  expect(readFileSync(local('back.bin')).equals(content)).toBe(true);
  expect((await berth('files', 'put', 'disk', local('big.bin'))).code).toBe(5);
  expect((await berth('files', 'get', 'disk', 'big.bin', local('back.bin'))).code).toBe(2);
  writeFileSync(local('small.txt'), 'small');
  await ok('files', 'put', 'disk', local('small.txt'), 'big.bin', '--replace');
  expect(await ok('files', 'get', 'disk', '/home/berth/big.bin', '-')).toBe('small');
});

it('V2: folders, names, permissions; removing asks for what it takes', async () => {
  await ok('files', 'mkdir', 'disk', 'site');
  await ok('files', 'move', 'disk', 'big.bin', 'site/index.html');
  await ok('files', 'chmod', 'disk', '600', 'site/index.html');
  const { items } = JSON.parse(await ok('files', 'list', 'disk', 'site', '--json')) as { items: { mode: number }[] };
  expect(items).toMatchObject([{ name: 'index.html', mode: 0o600 }]);
  expect(await ok('files', 'list', 'disk')).toMatch(/drwxr-xr-x .* site\//);
  expect((await berth('files', 'delete', 'disk', 'site', '--yes')).code).toBe(5);
  expect(await ok('files', 'delete', 'disk', 'site', '--recursive', '--yes')).toContain('2 removed');
});

it('V2: a folder comes out as an archive; packed and unpacked inside; stopping what has ended is answered kindly', async () => {
  await ok('files', 'mkdir', 'disk', 'pictures');
  await ok('files', 'get', 'disk', 'pictures', local('pictures.tar.gz'), '--archive');
  expect(readFileSync(local('pictures.tar.gz')).subarray(0, 2)).toEqual(Buffer.from([0x1f, 0x8b]));
  expect((await berth('files', 'get', 'disk', 'pictures', local('x'))).code).not.toBe(0);
  expect(await ok('files', 'pack', 'disk', 'all.tar.gz', 'pictures', 'readme.txt', '--wait')).toContain('is there');
  expect((await berth('files', 'pack', 'disk', 'all.tar.gz', 'pictures')).code).toBe(5);
  expect((await berth('files', 'pack', 'disk', 'b.tar.gz', 'pictures', '/etc/hosts')).code).toBe(2);
  expect((await berth('files', 'pack', 'disk', 'b.zip', 'pictures')).code).toBe(2);
  expect(await ok('files', 'unpack', 'disk', 'all.tar.gz', '--wait')).toContain('unpacked into /home/berth/all');
  expect((await berth('files', 'unpack', 'disk', 'readme.txt')).code).toBe(2);
  const again = await berth('files', 'unpack', 'disk', 'all.tar.gz', '--wait');
  expect([again.code, again.err]).toEqual([1, expect.stringContaining('Already there: "pictures", "readme.txt"')]);
  const { items } = JSON.parse(await ok('operations', 'list', '--json')) as { items: { id: string }[] };
  expect(await ok('operations', 'stop', items[0]?.id ?? '')).toContain('had ended before, as failed');
});

it('V2: what is no path, no mode, no file and no instance is said, with its own exit code', async () => {
  for (const path of ['../etc', '/a//b', '/a/../b']) {
    expect((await berth('files', 'list', 'disk', path)).code, path).toBe(2);
  }
  expect((await berth('files', 'chmod', 'disk', '999', 'readme.txt')).code).toBe(2);
  expect((await berth('files', 'put', 'disk', local('nothing'))).code).toBe(2);
  expect((await berth('files', 'put', 'disk', home)).code).toBe(2);
  expect((await berth('files', 'get', 'disk', 'nothing')).code).toBe(4);
  expect((await berth('files', 'list', 'nothing')).code).toBe(4);
});
