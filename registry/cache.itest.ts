/** The image cache as a process of its own, with Debian's docker-registry inside, before a registry on loopback. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type RegistryFacts, type RegistrySpec, registryReportSchema } from '#contract/registry-process.ts';
import { freePort, layer, pull, startUpstream, type TestUpstream, UPSTREAM_LOGIN } from '#testkit/registry.ts';
import { layoutOf } from './layout.ts';

const MIB = 1024 ** 2;
const NOBODY = 65_534;
const ADDRESS = '127.0.0.1';

let upstream: TestUpstream;
let folder: string;
let port: number;
let from: string;
let child: ChildProcess;
let facts: RegistryFacts;
let spec: RegistrySpec;

function order(more: Partial<RegistrySpec> = {}, program = '/usr/bin/docker-registry'): void {
  spec = { ...spec, ...more };
  const value = { spec, listen: [ADDRESS], port, program, dataDir: folder };
  child.stdin?.write(`${JSON.stringify(value)}\n`);
}

async function start(): Promise<void> {
  const main = fileURLToPath(new URL('main.ts', import.meta.url));
  child = spawn(process.execPath, [main], {
    stdio: ['pipe', 'pipe', 'inherit'],
    uid: NOBODY,
    gid: NOBODY,
    env: { PATH: '/usr/bin:/bin', NODE_NO_WARNINGS: '1' },
  });
  createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
    const report = registryReportSchema.parse(JSON.parse(line));
    if ('failed' in report) throw new Error(report.failed);
    facts = report;
  });
  order();
  await until(() => facts?.state === 'running');
}

async function end(signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill(signal);
  await gone;
  facts = { ...facts, state: 'off' };
}

async function until(condition: () => boolean | Promise<boolean>, ms = 90_000): Promise<void> {
  for (const limit = Date.now() + ms; !(await condition()); ) {
    if (Date.now() > limit) throw new Error(`it did not become so: ${JSON.stringify(facts)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

beforeEach(async () => {
  upstream = await startUpstream();
  folder = mkdtempSync(join(tmpdir(), 'berth-registry-'));
  chownSync(folder, NOBODY, NOBODY);
  port = await freePort();
  from = `http://${ADDRESS}:${port}`;
  spec = {
    enabled: true,
    upstream: upstream.url,
    login: UPSTREAM_LOGIN,
    caCertificate: null,
    bytesMax: 200 * MIB,
    emptied: 0,
  };
  await start();
});
afterEach(async () => {
  await end('SIGTERM');
  await upstream.close();
  rmSync(folder, { recursive: true, force: true });
});

/** What has ended and waits for somebody to notice does not run. */
function runs(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
  } catch {
    return false;
  }
}

/** GETs of blobs that upstream saw. */
const fetchedBlobs = () => upstream.asked.filter((line) => line.startsWith('GET') && line.includes('/blobs/'));

describe('V9: the image cache', () => {
  it('V9: asks upstream once for each blob, with the password, and not at all the next time', async () => {
    const image = await upstream.push('library/thing', '1', [layer(3 * MIB), layer(100)]);
    const first = await pull(from, 'library/thing', '1');
    expect(first).toEqual({ digest: image.digest, bytes: image.bytes });
    // The configuration and two layers; those without a password are refused first.
    await until(() => fetchedBlobs().length >= 3);
    const blobs = new Set(fetchedBlobs());
    expect(blobs.size).toBe(3);
    upstream.asked.length = 0;
    await until(async () => (await pull(from, 'library/thing', '1')).bytes === image.bytes);
    expect(await pull(from, 'library/thing', '1')).toEqual(first);
    expect(fetchedBlobs()).toEqual([]);
    await until(() => facts.servedBytes >= 3 * image.bytes && facts.usedBytes === image.bytes);
    expect(facts.hits).toBeGreaterThanOrEqual(3);
    expect(facts).toMatchObject({ misses: 3, problem: null, upstreamProblem: null });
    // Served three times, fetched once (manifests are asked for more often).
    expect(facts.fetchedBytes).toBeLessThan(1.2 * image.bytes);
    expect(facts.images).toMatchObject([{ name: 'library/thing', tag: '1', digest: image.digest, bytes: image.bytes }]);
  });

  it('V9: upstream down: what is cached comes, what is not does not, and it starts anew without upstream', async () => {
    const image = await upstream.push('library/kept', '1', [layer(MIB)]);
    await pull(from, 'library/kept', '1');
    await until(() => facts.usedBytes === image.bytes);
    await upstream.stop();
    expect((await pull(from, 'library/kept', '1')).bytes).toBe(image.bytes);
    await expect(pull(from, 'library/other', '1')).rejects.toThrow(/manifest: (404|502|503|500)/);
    await until(() => facts.upstreamProblem !== null);
    await end('SIGKILL');
    await start();
    expect((await pull(from, 'library/kept', '1')).bytes).toBe(image.bytes);
  });

  it('V9: kill -9 of docker-registry and of the whole cache: it is back and gives whole blobs', async () => {
    const image = await upstream.push('library/big', '1', [layer(20 * MIB)]);
    const cut = pull(from, 'library/big', '1');
    await until(() => fetchedBlobs().length > 0);
    process.kill(Number(readFileSync(join(folder, 'registry.pid'), 'utf8')), 'SIGKILL');
    // The rest of it, and what is pulled until docker-registry is back, comes past it.
    expect((await cut).bytes).toBe(image.bytes);
    expect((await pull(from, 'library/big', '1')).bytes).toBe(image.bytes);
    await until(async () => {
      expect((await pull(from, 'library/big', '1')).bytes).toBe(image.bytes);
      return facts.state === 'running' && facts.problem === null && facts.usedBytes === image.bytes;
    });
    const left = Number(readFileSync(join(folder, 'registry.pid'), 'utf8'));
    await end('SIGKILL');
    await start();
    // The one that outlived its parent was ended: it would write beside the new one.
    expect(runs(left)).toBe(false);
    expect((await pull(from, 'library/big', '1')).bytes).toBe(image.bytes);
  });

  it('V9: an answer of upstream that is cut off is never kept', async () => {
    const image = await upstream.push('library/cut', '1', [layer(8 * MIB)]);
    upstream.cutAfter = 2 * MIB;
    await expect(pull(from, 'library/cut', '1')).rejects.toThrow();
    upstream.cutAfter = null;
    await until(async () => (await pull(from, 'library/cut', '1').catch(() => null))?.bytes === image.bytes);
    await until(() => facts.usedBytes === image.bytes);
  });

  it('V9: what a killed docker-registry left half-written is taken away, and room can be made again', async () => {
    const kept = await upstream.push('library/kept', '1', [layer(MIB)]);
    const torn = await upstream.push('library/torn', '1', [layer(2 * MIB)]);
    for (const name of ['library/kept', 'library/torn']) await pull(from, name, '1');
    await until(() => facts.usedBytes === kept.bytes + torn.bytes);
    await end('SIGTERM');
    // Each of them is written in place, not renamed into it: cut off at its beginning, or in the middle.
    const { blob, currentOf, layer: layerOf, repository, revision, schedule } = layoutOf(join(folder, 'images'));
    const upload = join(repository('library/torn'), '_uploads', 'a-b-c');
    mkdirSync(upload, { recursive: true });
    writeFileSync(join(upload, 'data'), Buffer.alloc(MIB));
    writeFileSync(schedule, '{"library/torn@sha256:');
    writeFileSync(currentOf('library/torn', '1'), '');
    writeFileSync(join(layerOf('library/torn', torn.blobs[1] ?? ''), 'link'), 'sha256:12');
    writeFileSync(join(revision('library/torn', torn.digest), 'link'), '');
    truncateSync(blob(kept.digest), 100);
    execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, folder]);
    await start();
    expect(existsSync(upload)).toBe(false);
    for (const image of [kept, torn]) {
      expect((await pull(from, image.name, '1')).bytes).toBe(image.bytes);
    }
    await until(() => facts.usedBytes === kept.bytes + torn.bytes && facts.images.length === 2);
    expect(facts).toMatchObject({ state: 'running', problem: null });
    await upstream.stop();
    for (const image of [kept, torn]) expect((await pull(from, image.name, '1')).bytes).toBe(image.bytes);
    order({ emptied: 1 });
    await until(() => facts.usedBytes === 0 && facts.images.length === 0);
    expect(facts.problem).toBeNull();
  });

  it('V9: without docker-registry pulls go past it', async () => {
    const image = await upstream.push('library/past', '1', [layer(2 * MIB)]);
    order({}, '/bin/false');
    await until(() => facts.state === 'failed');
    expect(await pull(from, 'library/past', '1')).toEqual({ digest: image.digest, bytes: image.bytes });
    expect(facts.usedBytes).toBe(0);
    order();
    await until(() => facts.state === 'running');
    await pull(from, 'library/past', '1');
    await until(() => facts.usedBytes === image.bytes);
  });

  it('V9: two pull the same at once, and both get it whole', async () => {
    const image = await upstream.push('library/both', '1', [layer(20 * MIB), layer(5 * MIB)]);
    const got = await Promise.all([1, 2, 3].map(() => pull(from, 'library/both', '1')));
    expect(got.map((each) => each.bytes)).toEqual([image.bytes, image.bytes, image.bytes]);
    await until(() => facts.usedBytes === image.bytes);
  });

  it('V9: the cap holds: what was used longest ago goes, shared layers stay, and the rest stays whole', async () => {
    const common = layer(4 * MIB, 'common');
    const old = await upstream.push('library/old', '1', [common, layer(10 * MIB)]);
    const young = await upstream.push('library/young', '1', [common, layer(10 * MIB)]);
    await pull(from, 'library/old', '1');
    await pull(from, 'library/young', '1');
    await until(() => facts.usedBytes === old.bytes + young.bytes - common.length);
    // Both were used a moment ago: nothing may go, so the third is passed on and not kept.
    const third = await upstream.push('library/third', '1', [layer(10 * MIB)]);
    order({ bytesMax: 30 * MIB });
    await until(() => facts.state === 'running');
    await until(() =>
      fetch(`${from}/v2/`).then(
        (answer) => answer.status === 200,
        () => false,
      ),
    );
    await until(async () => {
      expect((await pull(from, 'library/third', '1')).bytes).toBe(third.bytes);
      return facts.problem?.includes('no room') === true;
    });
    expect(facts.usedBytes).toBeLessThan(old.bytes + young.bytes);
    // An hour later.
    await end('SIGTERM');
    const file = join(folder, 'usage.json');
    const usage = JSON.parse(readFileSync(file, 'utf8')) as { used: Record<string, number> };
    const hour = 3_600_000;
    for (const key of Object.keys(usage.used))
      usage.used[key] =
        Date.now() - (key.startsWith('library/old') ? 2 : key.startsWith('library/young') ? 1 : 0) * hour;
    writeFileSync(file, JSON.stringify(usage));
    chownSync(file, NOBODY, NOBODY);
    await start();
    await until(async () => (await pull(from, 'library/third', '1').catch(() => null))?.bytes === third.bytes);
    await until(() => facts.usedBytes === young.bytes + third.bytes);
    expect(facts.usedBytes).toBeLessThanOrEqual(30 * MIB);
    expect(facts.evictedBytes).toBeGreaterThanOrEqual(10 * MIB);
    await until(() => facts.images.length === 2);
    expect(facts.images.map((each) => each.name).sort()).toEqual(['library/third', 'library/young']);
    upstream.asked.length = 0;
    expect((await pull(from, 'library/young', '1')).bytes).toBe(young.bytes);
    expect(fetchedBlobs()).toEqual([]);
  });

  it('V9: emptied: nothing is left, and everything comes again', async () => {
    const image = await upstream.push('library/thing', '1', [layer(MIB)]);
    await pull(from, 'library/thing', '1');
    await until(() => facts.usedBytes === image.bytes);
    order({ emptied: 1 });
    await until(() => facts.usedBytes === 0 && facts.images.length === 0);
    expect((await pull(from, 'library/thing', '1')).bytes).toBe(image.bytes);
  });

  it('V9: says what upstream still lets through', async () => {
    await upstream.push('library/thing', '1', [layer(1000)]);
    upstream.limit = { limit: 100, remaining: 3 };
    await pull(from, 'library/thing', '1');
    await until(() => facts.limit !== null);
    expect(facts.limit).toMatchObject({ limit: 100, remaining: 3, windowSeconds: 21_600 });
  });

  it('V9: a password that is not taken is said, and it is nowhere to be read', async () => {
    await upstream.push('library/thing', '1', [layer(1000)]);
    order({ login: { username: 'puller', password: 'not this one' } });
    await until(() => facts.state === 'running');
    await until(
      async () =>
        (await pull(from, 'library/thing', '1').catch((error) => String(error))) !== '' &&
        facts.upstreamProblem !== null,
    );
    expect(facts.upstreamProblem).toMatch(/user and password/);
    await until(() => existsSync(join(folder, 'usage.json')));
    for (const file of ['config.yml', 'usage.json'])
      expect(readFileSync(join(folder, file), 'utf8')).not.toContain(UPSTREAM_LOGIN.password);
    expect(JSON.stringify(facts)).not.toContain('not this one');
  });
});

describe('V9: what guests cannot do', () => {
  it('V9: put, delete, list what others pulled, or read anything but a pull', async () => {
    const tried = [
      ['PUT', '/v2/library/thing/manifests/1', 405],
      ['DELETE', `/v2/library/thing/manifests/sha256:${'a'.repeat(64)}`, 405],
      ['DELETE', `/v2/library/thing/blobs/sha256:${'a'.repeat(64)}`, 405],
      ['POST', '/v2/library/thing/blobs/uploads/', 405],
      ['PATCH', '/v2/library/thing/blobs/uploads/1', 405],
      ['GET', '/v2/library/thing/blobs/uploads/1', 404],
      ['GET', '/v2/_catalog', 404],
      ['GET', '/v2/library/thing/tags/list', 404],
      ['GET', '/debug/vars', 404],
      ['GET', '/v2/../../etc/passwd', 404],
      ['GET', '/v2/library/..%2f..%2fetc/manifests/1', 404],
      ['GET', '/token', 404],
      ['GET', `/v2/${'a'.repeat(300)}/manifests/1`, 404],
    ] as const;
    for (const [method, path, status] of tried) {
      expect([method, path, (await fetch(`${from}${path}`, { method })).status]).toEqual([method, path, status]);
    }
    expect(upstream.asked).toEqual([]);
  });

  it('V9: what the disk’s owner is asked by others on this machine is refused', async () => {
    const config = readFileSync(join(folder, 'config.yml'), 'utf8');
    const inner = /remoteurl: "([^"]+)"/.exec(config)?.[1] ?? '';
    const bare = await fetch(`${inner}/v2/library/thing/manifests/1`);
    expect(bare.status).toBe(401);
    const wrong = `Basic ${Buffer.from('berth:guess').toString('base64')}`;
    expect((await fetch(`${inner}/token`, { headers: { authorization: wrong } })).status).toBe(401);
    expect(upstream.asked).toEqual([]);
  });
});
