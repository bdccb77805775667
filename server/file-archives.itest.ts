/** Archives of files and stopping commands, through the API, with simulated guests: who may, bounds, what is left behind. */
import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import { list as listTar } from 'tar';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { ARCHIVE_DOWNLOADS_PER_PERSON_MAX } from '#domain/file-archives.ts';
import type { InstanceId } from '#domain/ids.ts';
import { HAND_MADE_STACK } from '#drivers/simulated/docker.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';
import { fastWork, settled, until } from '#testkit/work.ts';

const HOME = '/home/berth';
let server: TestServer;
let world: SetUp;
let instance: InstanceId;
let address: AddressInfo;
const driver = new SimulatedDriver();
const lookAtGuestRun = driver.lookAtGuestRun.bind(driver);
const openFiles = driver.files.bind(driver);

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), driver, work: fastWork });
  world = await server.setUp();
  const created = await world.owner.call(api.instancesCreate, {
    params: { project: world.project },
    body: { kind: 'server', name: 'disk' },
  });
  await settled(world.owner, created.operation.id);
  instance = created.instance?.id as InstanceId;
  const files = await driver.files(instance);
  for (const folder of [`${HOME}/site`, `${HOME}/site/deep`]) await files.makeFolder(folder, 0o750);
  await files.writePart(`${HOME}/site/index.html`, 0, Buffer.from('<h1>hello</h1>'));
  await files.writePart(`${HOME}/site/deep/${'ü'.repeat(120)}`, 0, Buffer.from('long name'));
  await files.writePart(`${HOME}/site/empty`, 0, Buffer.alloc(0));
  await server.http.fastify.listen({ host: '127.0.0.1', port: 0 });
  address = server.http.fastify.server.address() as AddressInfo;
});
afterAll(() => server?.stop());
afterEach(() => {
  driver.lookAtGuestRun = lookAtGuestRun;
  driver.files = openFiles;
  driver.faults.clear();
});

const at = () => ({ instance });
const archive = (folder: string, names: string) =>
  world.owner.try(api.filesArchive, { params: at(), query: { folder, names } });
const pack = (names: string[], to: string) =>
  world.owner.try(api.filesPack, { params: at(), body: { folder: HOME, names, to } });
const unpack = (path: string, to: string, replace = false) =>
  world.owner.try(api.filesUnpack, { params: at(), body: { path, to, replace } });
const ended = async (answer: Awaited<ReturnType<typeof pack>>) => {
  expect(answer.statusCode, answer.body).toBe(202);
  return settled(world.owner, answer.json<{ operation: { id: never } }>().operation.id);
};
const names = async (path: string) =>
  (await world.owner.call(api.filesList, { params: at(), query: { path } })).items.map(({ name }) => name);
const audited = async (action: string) =>
  (
    await world.owner.call(api.auditList, {
      params: { organization: world.organization },
      query: { limit: 100, action },
    })
  ).items;

type Listed = { path: string; type: string; size: number; linkpath: string | undefined; mode: number };
async function entriesOf(body: Buffer): Promise<Listed[]> {
  const found: Listed[] = [];
  const parser = listTar({
    onReadEntry: ({ path, type, size, linkpath, mode }) => {
      found.push({ path, type, size: size ?? 0, linkpath, mode: mode ?? 0 });
    },
  });
  Readable.from([gunzipSync(body)]).pipe(parser as never);
  await once(parser as never, 'end');
  return found;
}

describe('V2: a folder is downloaded as an archive', () => {
  it('V2: with everything in it; links stay links, modes and long names are kept; it is in the audit log', async () => {
    const answer = await archive('/', 'home/readme');
    expect(answer.statusCode, answer.body).toBe(200);
    expect(answer.headers['content-type']).toBe('application/octet-stream');
    expect(answer.headers['content-disposition']).toBe("attachment; filename*=UTF-8''files.tar.gz");
    const entries = await entriesOf(answer.rawPayload);
    expect(entries.map(({ path, type, size }) => [path, type, size])).toEqual([
      ['home/', 'Directory', 0],
      ['home/berth/', 'Directory', 0],
      ['home/berth/readme.txt', 'File', 9],
      ['home/berth/site/', 'Directory', 0],
      ['home/berth/site/deep/', 'Directory', 0],
      [`home/berth/site/deep/${'ü'.repeat(120)}`, 'File', 9],
      ['home/berth/site/empty', 'File', 0],
      ['home/berth/site/index.html', 'File', 14],
      ['readme', 'SymbolicLink', 0],
    ]);
    expect(entries.find(({ path }) => path === 'readme')?.linkpath).toBe('/home/berth/readme.txt');
    expect(entries.find(({ path }) => path === 'home/berth/site/')?.mode).toBe(0o750);
    expect((await audited('file.archive'))[0]).toMatchObject({ after: { folder: '/', names: ['home', 'readme'] } });
  });

  it('V2: one entry names the archive; what is not there, and what is no name, is said before the answer begins', async () => {
    expect((await archive(HOME, 'site')).headers['content-disposition']).toContain('site.tar.gz');
    expect((await archive(HOME, 'nothing')).statusCode).toBe(404);
    for (const bad of ['', '..', '.', 'a//b', '../etc', 'site/site', `${'n/'.repeat(100)}n`, 'x'.repeat(256)]) {
      expect((await archive(HOME, bad)).statusCode, bad).toBe(400);
    }
    expect((await archive('/home/../etc', 'hosts')).statusCode).toBe(400);
  });

  it('V2: what vanishes while it is read is left out; what cannot be read breaks the answer off', async () => {
    driver.files = async (id) => {
      const files = await openFiles(id);
      const gone = (path: string) => path.endsWith('index.html');
      return {
        ...files,
        read: (path) => (gone(path) ? broken() : files.read(path)),
        look: async (path) => {
          if (gone(path)) await files.look('/nothing');
          return files.look(path);
        },
      };
    };
    const entries = await entriesOf((await archive(HOME, 'site')).rawPayload);
    expect(entries.map(({ path }) => path)).not.toContain('site/index.html');
    expect(entries.map(({ path }) => path)).toContain('site/empty');
    // Said before the answer begins as long as nothing of it has gone out; after that there is only breaking off.
    driver.files = async (id) => {
      const files = await openFiles(id);
      return { ...files, read: (path) => (path.endsWith('index.html') ? broken() : files.read(path)) };
    };
    expect(await download(HOME, 'site')).toEqual({ status: 409, whole: true });
    driver.files = async (id) => {
      const files = await openFiles(id);
      const half = async function* () {
        for (let piece = 0; piece < 40; piece++) yield Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)));
        throw new Error('the disk broke');
      };
      return {
        ...files,
        read: () => Readable.from(half()),
        list: async (folder, max) => {
          const { entries, complete } = await files.list(folder, max);
          return { entries: entries.map((entry) => ({ ...entry, sizeBytes: 4_000_000 })), complete };
        },
      };
    };
    expect(await download(HOME, 'site')).toEqual({ status: 200, whole: false });
  });

  it('I7: it ends with its reader, nothing stays open, and one person downloads a few at once', async () => {
    let open = 0;
    driver.files = async (id) => {
      const files = await openFiles(id);
      open++;
      const endless = async function* () {
        for (;;) {
          yield Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)));
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      };
      return {
        ...files,
        read: () => Readable.from(endless()),
        list: async (folder, max) => {
          const { entries, complete } = await files.list(folder, max);
          return { entries: entries.map((entry) => ({ ...entry, sizeBytes: 2 ** 40 / 64 })), complete };
        },
        close: () => open--,
      };
    };
    const running = Array.from({ length: ARCHIVE_DOWNLOADS_PER_PERSON_MAX }, () => begin(HOME, 'site'));
    const answers = await Promise.all(running);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect((await archive(HOME, 'site')).statusCode).toBe(429);
    expect(open).toBe(ARCHIVE_DOWNLOADS_PER_PERSON_MAX);
    for (const { leave } of answers) leave();
    await until(() => open === 0);
    driver.files = openFiles;
    expect((await archive(HOME, 'site')).statusCode).toBe(200);
  });
});

/** A stream that never has anything, as one of a file that cannot be opened. */
function broken(): Readable {
  return new Readable({
    read() {
      this.destroy(new Error('no such file'));
    },
  });
}

/** Over a real connection: one that can be left, or that the server breaks off. */
function begin(folder: string, chosen: string) {
  const search = new URLSearchParams({ folder, names: chosen });
  const ask = request({
    host: address.address,
    port: address.port,
    path: `/api/v1/instances/${instance}/files/archive?${search}`,
    headers: { cookie: `__Host-berth=${world.owner.cookie}` },
  });
  return new Promise<{ status: number; leave: () => void; whole: Promise<boolean> }>((resolve, reject) => {
    ask.on('error', reject);
    ask.on('response', (response) => {
      const whole = new Promise<boolean>((told) => {
        response.on('end', () => told(response.complete));
        response.on('error', () => told(false));
      });
      response.resume();
      resolve({ status: response.statusCode ?? 0, leave: () => ask.destroy(), whole });
    });
    ask.end();
  });
}
async function download(folder: string, chosen: string) {
  const { status, whole } = await begin(folder, chosen);
  return { status, whole: await whole };
}

describe('V2: packing and unpacking inside', () => {
  it('V2: entries become an archive with the owner of its folder; nothing of the work is left', async () => {
    const operation = await ended(await pack(['site', 'readme.txt'], `${HOME}/all.tar.gz`));
    expect(operation).toMatchObject({ kind: 'files.pack', state: 'succeeded', stoppable: true, stop: null });
    expect(await names(HOME)).toEqual(['all.tar.gz', 'readme.txt', 'site']);
    const [made] = (await world.owner.call(api.filesList, { params: at(), query: { path: HOME } })).items;
    expect(made).toMatchObject({ uid: 1000, gid: 1000, mode: 0o644 });
    expect((await audited('files.pack'))[0]).toMatchObject({ after: { names: ['site', 'readme.txt'] } });
  });

  it('V2: unpacked into a new folder, or among what is there; what is there already is refused by name', async () => {
    const path = `${HOME}/all.tar.gz`;
    expect(await ended(await unpack(path, `${HOME}/new`))).toMatchObject({ state: 'succeeded' });
    expect(await names(`${HOME}/new`)).toEqual(['readme.txt', 'site']);
    const files = await driver.files(instance);
    await files.makeFolder(`${HOME}/target`, 0o755);
    await files.writePart(`${HOME}/target/readme.txt`, 0, Buffer.from('mine'));
    const refused = await ended(await unpack(path, `${HOME}/target`));
    expect(refused).toMatchObject({ state: 'failed', error: { code: 'conflict' } });
    expect(refused.error?.message).toBe('Already there: "readme.txt". Nothing was changed.');
    expect(await names(`${HOME}/target`)).toEqual(['readme.txt']);
    expect(await ended(await unpack(path, `${HOME}/target`, true))).toMatchObject({ state: 'succeeded' });
    expect(await names(`${HOME}/target`)).toEqual(['readme.txt', 'site']);
    await files.remove({ path: `${HOME}/target/site`, type: 'file' });
    await files.makeFolder(`${HOME}/target/site`, 0o755);
    const kept = await ended(await unpack(path, `${HOME}/target`, true));
    expect(kept.error?.message).toBe('Already there: "site". Nothing was changed.');
  });

  it('V2: what cannot be is said at once', async () => {
    const path = `${HOME}/all.tar.gz`;
    for (const [answer, status] of [
      [await pack(['site'], path), 409],
      [await pack(['nothing'], `${HOME}/x.tar.gz`), 404],
      [await pack(['site'], '/nowhere/x.tar.gz'), 404],
      [await pack(['site'], `${HOME}/x.zip`), 400],
      [await pack([], `${HOME}/x.tar.gz`), 400],
      [await pack(['../etc'], `${HOME}/x.tar.gz`), 400],
      [await pack(['..'], `${HOME}/x.tar.gz`), 400],
      [await pack(['site', 'site'], `${HOME}/x.tar.gz`), 400],
      [await pack(['site'], '/home/../x.tar.gz'), 400],
      [await unpack(`${HOME}/readme.txt`, `${HOME}/x`), 400],
      [await unpack(`${HOME}/none.tar`, `${HOME}/x`), 404],
      [await unpack(path, `${HOME}/readme.txt`), 409],
      [await unpack(path, '/nowhere/deep'), 404],
      [await unpack(path, `${HOME}/../x`), 400],
    ] as const) {
      expect(answer.statusCode, answer.body).toBe(status);
    }
  });

  it('I5: two archives of one name at once: one is made, the other is told, and no part is left', async () => {
    const answers = await Promise.all([pack(['site'], `${HOME}/race.tar.gz`), pack(['site'], `${HOME}/race.tar.gz`)]);
    const states = [];
    for (const answer of answers) states.push((await ended(answer)).state);
    expect(states.sort()).toEqual(['failed', 'succeeded']);
    expect((await names(HOME)).filter((name) => name.includes('.part'))).toEqual([]);
  });
});

describe('V2: a command is stopped', () => {
  const run = (verb: 'up' | 'pull' | 'restart' = 'pull') =>
    world.owner.call(api.stacksRun, { params: { instance, stack: HAND_MADE_STACK, verb }, body: {} });
  const stop = (operation: string, client = world.owner) =>
    client.call(api.operationsStop, { params: { operation: operation as never } });
  const forEver = () => {
    driver.lookAtGuestRun = async (id, operation, part) => {
      const seen = await lookAtGuestRun(id, operation, part);
      return seen.state === 'gone' ? seen : { state: 'running', code: null, lines: ['web Pulling'] };
    };
  };
  const running = (id: string) =>
    until(async () => {
      const { steps } = await world.owner.call(api.operationsGet, { params: { operation: id as never } });
      return steps[0]?.message === 'web Pulling';
    });

  it('V2: it ends as stopped, by whom stands there, its run inside is gone, and the stack is free again', async () => {
    forEver();
    const { operation } = await run();
    await running(operation.id);
    const asked = await stop(operation.id);
    expect(asked.stop?.by).toBeTypeOf('string');
    const done = await settled(world.owner, operation.id);
    expect(done).toMatchObject({ state: 'stopped', error: null, stop: asked.stop });
    expect(done.steps).toMatchObject([
      { state: 'stopped', message: `Stopped by ${asked.stop?.by}.` },
      { state: 'skipped' },
    ]);
    expect(driver.behind.guests().find((guest) => guest.instance === instance)?.docker.runs).toEqual([]);
    const { items } = await world.owner.call(api.stacksList, { params: at() });
    expect(items.find(({ name }) => name === HAND_MADE_STACK)?.run).toMatchObject({ state: 'stopped', error: null });
    expect((await audited('operation.stop'))[0]).toMatchObject({ target: 'disk', after: { operation: operation.id } });
    driver.lookAtGuestRun = lookAtGuestRun;
    expect(await settled(world.owner, (await run()).operation.id)).toMatchObject({ state: 'succeeded' });
  });

  it('V2: two at once are fine and written down once; one that has ended is answered as it is', async () => {
    const before = (await audited('operation.stop')).length;
    forEver();
    const { operation } = await run('restart');
    await running(operation.id);
    const answers = await Promise.all([stop(operation.id), stop(operation.id), stop(operation.id)]);
    expect(new Set(answers.map((answer) => JSON.stringify(answer.stop))).size).toBe(1);
    expect(await settled(world.owner, operation.id)).toMatchObject({ state: 'stopped' });
    expect(await stop(operation.id)).toMatchObject({ state: 'stopped' });
    expect((await audited('operation.stop')).length).toBe(before + 1);
    driver.lookAtGuestRun = lookAtGuestRun;
    const quick = await run();
    await settled(world.owner, quick.operation.id);
    expect(await stop(quick.operation.id)).toMatchObject({ state: 'succeeded', stop: null });
  });

  it('V2: an archive that is stopped leaves nothing behind', async () => {
    forEver();
    const answer = await unpack(`${HOME}/all.tar.gz`, `${HOME}/halfway`);
    const { operation } = answer.json<{ operation: { id: string } }>();
    await running(operation.id);
    await stop(operation.id);
    expect(await settled(world.owner, operation.id as never)).toMatchObject({ state: 'stopped' });
    expect((await names(HOME)).filter((name) => name.includes('.part') || name === 'halfway')).toEqual([]);
  });

  it('V2: other work is not stopped halfway, and says so', async () => {
    driver.faults.delay('power', 500);
    const { operation } = await world.owner.call(api.instancesPower, { params: { instance, action: 'restart' } });
    await expect(stop(operation.id)).rejects.toMatchObject({ problem: { code: 'state_conflict' } });
    driver.faults.clear();
    await settled(world.owner, operation.id);
  });

  it('I4: who may start one may stop one; who may only look may not', async () => {
    forEver();
    const { operation } = await run();
    await running(operation.id);
    const viewer = await world.owner.addMember(world.organization, 'viewer');
    await expect(stop(operation.id, viewer)).rejects.toMatchObject({ problem: { code: 'not_found' } });
    const member = await world.owner.addMember(world.organization, 'member');
    expect((await stop(operation.id, member)).stop).not.toBeNull();
    expect(await settled(world.owner, operation.id)).toMatchObject({ state: 'stopped' });
  });
});
