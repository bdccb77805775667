/**
 * The tutorials as people type them: every ```bash block of a tutorial is run against the real control plane, and the
 * ```text block after it has to be what came out. Blocks marked ```sh are of other programs, and of real machines.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '#testkit/ingress.ts';
import { Named } from '#testkit/named.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { PASSWORD, startTestServer, type TestServer } from '#testkit/server.ts';
import { makePublicKey } from '#testkit/ssh-rows.ts';
import { runCli } from './testing.ts';

const DOMAIN = 'cloud.example.org';
const ZONE = 'example.com';
let server: TestServer;
let named: Named;
let home: string;

type Block = { language: string; lines: string[] };

function blocksOf(page: string): Block[] {
  const text = readFileSync(fileURLToPath(new URL(`../docs/tutorial/${page}.md`, import.meta.url)), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].map((match) => ({
    language: match[1] ?? '',
    lines: (match[2] ?? '').trimEnd().split('\n'),
  }));
}

/** What is another each time, and how wide a column is, do not matter. */
function plain(text: string): string[] {
  return text
    .replaceAll(/berth-verify=[\w-]+/g, 'berth-verify=...')
    .replaceAll(/SHA256:[\w+/=]+/g, 'SHA256:...')
    .replaceAll(/\brte_(?:\w+|\.\.\.)/g, 'rte_...')
    .replaceAll(/UserKnownHostsFile \S+/g, 'UserKnownHostsFile ...')
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s{2,}/g, '  '))
    .filter((line) => line !== '');
}

/** Runs a tutorial. `before` a command it may change the world, as a person at a DNS panel does. */
async function follow(page: string, before: (line: string, nth: number) => Promise<void> = async () => {}) {
  const blocks = blocksOf(page);
  const seen = new Map<string, number>();
  for (const [index, block] of blocks.entries()) {
    if (block.language !== 'bash') continue;
    let out = '';
    for (const line of block.lines) {
      const nth = (seen.get(line) ?? 0) + 1;
      seen.set(line, nth);
      await before(line, nth);
      const [program, ...argv] = line.replaceAll('~', home).split(' ');
      expect(program, line).toBe('berth');
      const ran = await runCli(argv, { env: { HOME: home }, now: Date.now() });
      expect(ran.code, `${line}: ${ran.err}`).toBe(0);
      out = ran.out;
    }
    const next = blocks[index + 1];
    if (next?.language === 'text') expect(plain(out), block.lines.join('; ')).toEqual(plain(next.lines.join('\n')));
  }
}

beforeAll(async () => {
  home = mkdtempSync(join(tmpdir(), 'berth-tutorial-'));
  writeFileSync(join(home, 'host-keys'), 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGJl\n');
  const port = await freePort();
  const [database, dns] = await Promise.all([withDatabase(), Named.start({ [ZONE]: [] })]);
  named = dns;
  server = await startTestServer({
    database,
    config: {
      domain: DOMAIN,
      consoleOrigin: `http://127.0.0.1:${port}`,
      resolvers: [named.server],
      buildImages: ['server'],
      ssh: {
        port: 2222,
        socket: join(home, 'reports.sock'),
        hostKeysFile: join(home, 'host-keys'),
        recordings: join(home, 'recordings'),
      },
    },
  });
  await server.setUp();
  await server.http.fastify.listen({ host: '127.0.0.1', port });
  const login = ['login', '--url', `http://127.0.0.1:${port}`, '--email', 'owner@example.test', '--password-stdin'];
  const signedIn = await runCli(login, { env: { HOME: home }, stdin: `${PASSWORD}\n`, now: Date.now() });
  expect(signedIn.code, signedIn.err).toBe(0);
  const create = ['instances', 'create', 'server', 'web', '--size', 'small', '--wait'];
  const created = await runCli(create, { env: { HOME: home }, now: Date.now() });
  expect(created.code, created.err).toBe(0);
});
afterAll(async () => {
  await server?.stop();
  await named?.stop();
  rmSync(home, { recursive: true, force: true });
});

describe('U5: tutorials', () => {
  it('U5: a domain of your own', async () => {
    let value = randomBytes(4).toString('hex');
    await follow('a-domain-of-your-own', async (line, nth) => {
      if (line !== 'berth domains check example.com' || nth !== 2) return;
      const shown = await runCli(['domains', 'show', ZONE], { env: { HOME: home }, now: Date.now() });
      value = /"(berth-verify=[^"]+)"/.exec(shown.out)?.[1] ?? value;
      await named.set(ZONE, [`_berth-challenge IN TXT "${value}"`, `shop IN CNAME ${DOMAIN}.`]);
    });
  });

  it('U5: SSH from anywhere', async () => {
    mkdirSync(join(home, '.ssh'));
    writeFileSync(join(home, '.ssh/berth.pub'), `${makePublicKey().split(' ').slice(0, 2).join(' ')} laptop\n`);
    await follow('ssh-from-anywhere');
  });
});
