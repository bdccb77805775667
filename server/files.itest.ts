/** V2: files of an instance through the API: what is refused, what is written down, and uploads that break off. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { FILE_BYTES_MAX, FILE_PART_BYTES_MAX } from '#domain/files.ts';
import type { InstanceId } from '#domain/ids.ts';
import { SimulatedDriver } from '#drivers/simulated/driver.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { type SetUp, startTestServer, TestClient, type TestServer } from '#testkit/server.ts';
import { fastWork, settled } from '#testkit/work.ts';

let server: TestServer;
let world: SetUp;
let instance: InstanceId;
const driver = new SimulatedDriver();

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), driver, work: fastWork });
  world = await server.setUp();
  const { operation, instance: made } = await world.owner.call(api.instancesCreate, {
    params: { project: world.project },
    body: { kind: 'server', name: 'disk' },
  });
  await settled(world.owner, operation.id);
  instance = made?.id as InstanceId;
});
afterAll(() => server?.stop());

const at = () => ({ instance });
const list = async (path: string) =>
  (await world.owner.call(api.filesList, { params: at(), query: { path } })).items.map((item) => item.name);
const read = async (path: string) => world.owner.try(api.filesRead, { params: at(), query: { path } });
type Query = { path: string } & Partial<Record<'upload' | 'offset' | 'last' | 'replace' | 'version', string | number>>;
const put = (query: Query, body: Uint8Array | string = 'text', client: TestClient = world.owner) =>
  client.try(api.filesWrite, {
    params: at(),
    query: { upload: 'abcdefgh', last: 'true', ...query } as never,
    body: Buffer.from(body) as never,
  });
const audited = async (action: string) => {
  const { items } = await world.owner.call(api.auditList, {
    params: { organization: world.organization },
    query: { limit: 100, action },
  });
  return items;
};

describe('V2: reading', () => {
  it('V2: a folder is listed with links as links, a file comes as it is and never as a page', async () => {
    const { items, complete, can } = await world.owner.call(api.filesList, { params: at(), query: {} });
    expect(complete).toBe(true);
    expect(can.write).toBe(true);
    expect(items.find((item) => item.name === 'readme')).toMatchObject({
      type: 'link',
      target: '/home/berth/readme.txt',
    });
    const answer = await read('/readme');
    expect(answer.statusCode).toBe(200);
    expect(answer.body).toBe('Welcome.\n');
    expect(answer.headers['content-type']).toBe('application/octet-stream');
    expect(answer.headers['content-disposition']).toBe("attachment; filename*=UTF-8''readme");
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
  });

  it('I6: who read what is in a file stands in the audit log, with path and size; nothing does that was not given', async () => {
    const before = (await audited('file.read')).length;
    expect((await read('/home/berth/readme.txt')).body).toBe('Welcome.\n');
    // By a link: under the name that was asked for.
    expect((await read('/readme')).statusCode).toBe(200);
    await list('/home/berth');
    for (const path of ['/nothing', '/etc']) expect((await read(path)).statusCode).not.toBe(200);
    const rows = (await audited('file.read')).slice(0, -before || undefined);
    expect(rows).toMatchObject([
      { target: 'disk', result: 'ok', after: { path: '/readme', sizeBytes: 9 } },
      { target: 'disk', result: 'ok', after: { path: '/home/berth/readme.txt', sizeBytes: 9 } },
    ]);
    expect(rows[0]?.actor).toContain('@example.test');
    expect(JSON.stringify(rows)).not.toContain('Welcome');
  });

  it('V2: what is not there, and what is no file, is said before the answer begins', async () => {
    expect((await read('/nothing')).statusCode).toBe(404);
    expect((await read('/etc')).statusCode).toBe(400);
    expect((await world.owner.try(api.filesList, { params: at(), query: { path: '/etc/hostname' } })).statusCode).toBe(
      404,
    );
  });

  it.each(['', '../etc/passwd', '/../etc', '/home/../etc/shadow', '/home/./x', '//etc', '/etc/', '/a\u0000', '/\n'])(
    'V2: the path %j is refused everywhere',
    async (path) => {
      const { owner } = world;
      const answers = [
        path === '' ? null : await owner.try(api.filesList, { params: at(), query: { path } }),
        await read(path),
        await put({ path }),
        await owner.try(api.filesMakeFolder, { params: at(), body: { path } }),
        await owner.try(api.filesMove, { params: at(), body: { from: path, to: '/home/berth/x' } }),
        await owner.try(api.filesMove, { params: at(), body: { from: '/etc/hostname', to: path } }),
        await owner.try(api.filesSetMode, { params: at(), body: { path, mode: 0 } }),
        await owner.try(api.filesRemove, { params: at(), query: { path } }),
      ];
      for (const answer of answers) if (answer !== null) expect(answer.statusCode, answer.body).toBe(400);
    },
  );

  it('V2: an archived instance shows no files', async () => {
    await server.app.db.updateTable('instance').set({ phase: 'archived' }).where('id', '=', instance).execute();
    expect((await world.owner.try(api.filesList, { params: at(), query: {} })).statusCode).toBe(409);
    await server.app.db.updateTable('instance').set({ phase: 'ready' }).where('id', '=', instance).execute();
  });
});

describe('V2: uploads', () => {
  it('V2: a file gets the owner of its folder; one that is replaced keeps its own owner and mode', async () => {
    const made = await put({ path: '/home/berth/notes.txt' }, 'one');
    expect(made.statusCode, made.body).toBe(200);
    expect(made.json()).toMatchObject({ name: 'notes.txt', uid: 1000, gid: 1000, mode: 0o644, sizeBytes: 3 });
    await world.owner.call(api.filesSetMode, { params: at(), body: { path: '/home/berth/notes.txt', mode: 0o600 } });
    expect((await put({ path: '/home/berth/notes.txt' }, 'two')).statusCode).toBe(409);
    const again = await put({ path: '/home/berth/notes.txt', replace: 'true' }, 'twice');
    expect(again.json()).toMatchObject({ mode: 0o600, uid: 1000, sizeBytes: 5 });
    expect((await read('/home/berth/notes.txt')).body).toBe('twice');
    expect((await audited('file.write'))[0]).toMatchObject({
      target: 'disk',
      after: { path: '/home/berth/notes.txt', sizeBytes: 5, replaced: true },
    });
  });

  it('V2: an empty file', async () => {
    expect((await put({ path: '/home/berth/empty' }, '')).json()).toMatchObject({ sizeBytes: 0 });
    expect((await read('/home/berth/empty')).body).toBe('');
  });

  it('V2: in parts: nothing is there under the name before the last one, and a part may be sent again', async () => {
    const path = '/home/berth/parts.bin';
    const part = (offset: number, text: string, last = 'false') =>
      put({ path, upload: 'partpart', offset, last }, text);
    expect((await part(0, 'abc')).json()).toBeNull();
    expect((await part(0, 'abc')).statusCode).toBe(200);
    expect(await list('/home/berth')).toContain('.berth-partpart.part');
    expect((await read(path)).statusCode).toBe(404);
    expect((await part(4, 'xyz')).statusCode).toBe(409);
    expect((await part(3, 'def')).statusCode).toBe(200);
    expect((await part(3, 'def', 'true')).json()).toMatchObject({ sizeBytes: 6 });
    expect((await read(path)).body).toBe('abcdef');
    expect(await list('/home/berth')).not.toContain('.berth-partpart.part');
  });

  it('V2: two uploads of one name at once do not mix; one of them wins whole', async () => {
    const path = '/home/berth/race';
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        put({ path, upload: `upload0${index}`, replace: 'true' }, `${index}`.repeat(1000)),
      ),
    );
    expect(answers.some((answer) => answer.statusCode === 200)).toBe(true);
    expect((await read(path)).body).toMatch(/^(\d)\1{999}$/);
  });

  it('V2: a file that changed since it was read is not written over, and nothing is lost', async () => {
    const path = '/home/berth/edited';
    const first = (await put({ path }, 'mine')).json<{ version: string }>().version;
    await put({ path, replace: 'true' }, 'somebody else’s');
    const refused = await put({ path, replace: 'true', version: first }, 'mine again');
    expect(refused.statusCode).toBe(409);
    expect((await read(path)).body).toBe('somebody else’s');
    expect((await put({ path: '/home/berth/gone', version: first }, 'x')).statusCode).toBe(409);
  });

  it('V2: what is no file is never replaced, a folder that is not there is not made', async () => {
    expect((await put({ path: '/home/berth', replace: 'true' })).statusCode).toBe(409);
    expect((await put({ path: '/readme', replace: 'true' })).statusCode).toBe(409);
    expect((await put({ path: '/nowhere/file' })).statusCode).toBe(404);
    expect((await put({ path: '/' })).statusCode).toBe(400);
  });

  it('I7: the bounds hold: a part, a file, the name of an upload; other bodies are refused', async () => {
    const path = '/home/berth/large';
    expect((await put({ path }, Buffer.alloc(FILE_PART_BYTES_MAX + 1))).statusCode).toBe(413);
    expect((await put({ path }, Buffer.alloc(FILE_PART_BYTES_MAX))).statusCode).toBe(200);
    expect((await put({ path, offset: FILE_BYTES_MAX }, 'x')).statusCode).toBe(413);
    for (const upload of ['short', '../../../etc', 'UPPERCASE1', 'x'.repeat(33)]) {
      expect((await put({ path, upload })).statusCode, upload).toBe(400);
    }
    const url = `/api/v1/instances/${instance}/files/content?path=/home/berth/j&upload=abcdefgh`;
    const json = await world.owner.raw({ method: 'PUT', url, payload: { some: 'json' } });
    expect([400, 415]).toContain(json.statusCode);
    const bytes = await world.owner.raw({
      method: 'POST',
      url: `/api/v1/instances/${instance}/files/folders`,
      payload: Buffer.from('{"path":"/x"}'),
    });
    expect([400, 415]).toContain(bytes.statusCode);
  });
});

describe('V2: changes', () => {
  const { makeFolder, move, remove } = {
    makeFolder: (path: string) => world.owner.try(api.filesMakeFolder, { params: at(), body: { path } }),
    move: (from: string, to: string, replace = false) =>
      world.owner.try(api.filesMove, { params: at(), body: { from, to, replace } }),
    remove: (path: string, recursive = 'false') =>
      world.owner.try(api.filesRemove, { params: at(), query: { path, recursive } as never }),
  };

  it('V2: folders are made, moved with what is in them, and removed with it only when that is asked for', async () => {
    expect((await makeFolder('/home/berth/a')).json()).toMatchObject({ type: 'folder', uid: 1000 });
    expect((await makeFolder('/home/berth/a')).statusCode).toBe(409);
    await put({ path: '/home/berth/a/x' });
    await makeFolder('/home/berth/a/b');
    await put({ path: '/home/berth/a/b/y' });
    expect((await move('/home/berth/a', '/home/berth/a/b/c')).statusCode).toBe(409);
    expect((await move('/home/berth/a', '/home/berth/z')).statusCode).toBe(200);
    expect(await list('/home/berth/z/b')).toEqual(['y']);
    expect((await remove('/home/berth/z')).statusCode).toBe(409);
    expect((await remove('/home/berth/z', 'true')).json()).toEqual({ removed: 4 });
    expect((await remove('/home/berth/z', 'true')).statusCode).toBe(404);
    expect((await audited('file.remove'))[0]).toMatchObject({ after: { path: '/home/berth/z', removed: 4 } });
  });

  it('V2: a move takes nothing away that is there, unless that is asked for', async () => {
    await put({ path: '/home/berth/from' }, 'from');
    await put({ path: '/home/berth/to' }, 'to');
    expect((await move('/home/berth/from', '/home/berth/to')).statusCode).toBe(409);
    expect((await move('/home/berth/from', '/etc', true)).statusCode).toBe(409);
    expect((await move('/home/berth/from', '/home/berth/to', true)).statusCode).toBe(200);
    expect((await read('/home/berth/to')).body).toBe('from');
  });

  it('V2: a link is removed and not what it leads to; it has no mode; the root stays', async () => {
    expect(
      (await world.owner.try(api.filesSetMode, { params: at(), body: { path: '/readme', mode: 0 } })).statusCode,
    ).toBe(400);
    expect((await remove('/readme', 'true')).json()).toEqual({ removed: 1 });
    expect(await list('/home/berth')).toContain('readme.txt');
    for (const answer of [await remove('/', 'true'), await move('/', '/x'), await move('/etc', '/')]) {
      expect([400, 409]).toContain(answer.statusCode);
    }
  });

  it('I2: reading everything is not reading files: the scope *.read does not open them', async () => {
    const { secret } = await world.owner.call(api.tokensCreate, { body: { name: 'reader', scopes: ['*.read'] } });
    const program = new TestClient(server);
    program.token = secret;
    expect((await program.try(api.filesList, { params: at(), query: {} })).statusCode).toBe(403);
  });

  it('R1: while the host is away it is said, and nothing is half done', async () => {
    driver.faults.fail({ verb: 'files', times: Number.POSITIVE_INFINITY });
    const answer = await put({ path: '/home/berth/away' });
    expect(answer.statusCode).toBeGreaterThanOrEqual(500);
    driver.faults.clear();
    expect(await list('/home/berth')).not.toContain('away');
  });
});
