import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { api } from '#contract/api.ts';
import { openStreams, STREAMS_PER_PERSON_MAX } from '#server/app/events.ts';
import { transact } from '#server/store/database.ts';
import { emit, type Hint } from '#server/store/outbox.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { idleWork, type SetUp, startTestServer, type TestClient, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let home: SetUp;
let base = '';

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork });
  home = await server.setUp();
  base = await server.http.fastify.listen({ host: '127.0.0.1', port: 0 });
});
afterAll(() => server.stop());

type Message = { id: string; event: string; data: Record<string, unknown> };
type Stream = {
  status: number;
  messages: Message[];
  lastId(): string | null;
  ended: Promise<void>;
  close(): void;
};

async function open(client: TestClient, options: { lastEventId?: string; query?: string } = {}): Promise<Stream> {
  const ending = new AbortController();
  const headers: Record<string, string> = { cookie: `__Host-berth=${client.cookie}` };
  if (options.lastEventId !== undefined) headers['last-event-id'] = options.lastEventId;
  const response = await fetch(`${base}${api.events.path}${options.query ?? ''}`, { headers, signal: ending.signal });
  const messages: Message[] = [];
  let last: string | null = null;
  const read = async (): Promise<void> => {
    let text = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const fields = new Map(
          text
            .slice(0, end)
            .split('\n')
            .map((line): [string, string] => [line.split(': ', 1)[0] ?? '', line.slice(line.indexOf(': ') + 2)]),
        );
        text = text.slice(end + 2);
        last = fields.get('id') ?? last;
        const event = fields.get('event');
        if (event !== undefined) {
          messages.push({ id: fields.get('id') ?? '', event, data: JSON.parse(fields.get('data') ?? '{}') });
        }
      }
    }
  };
  const ended = response.status === 200 ? read().catch(() => {}) : Promise.resolve();
  return { status: response.status, messages, lastId: () => last, ended, close: () => ending.abort() };
}

async function until(what: string, probe: () => boolean): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!probe()) {
    if (Date.now() > deadline) throw new Error(`never: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function tell(...hints: Hint[]): Promise<void> {
  return transact(server.app.db, (trx) => emit(trx, ...hints));
}

const about = (ref: string): Hint => ({
  kind: 'instance',
  ref,
  organizationId: home.organization,
  projectId: home.project,
  instanceId: ref,
});
const refs = (stream: Stream) =>
  stream.messages.filter((message) => message.data.kind === 'instance').map((message) => message.data.id);

describe('V10: live hints', () => {
  it('arrive within a fraction of a second, with the outbox number as id and nothing but ids inside', async () => {
    const stream = await open(home.owner);
    await until('open', () => stream.lastId() !== null);
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const began = performance.now();
      await tell(about(`ins_${i}`));
      await until('hint', () => refs(stream).includes(`ins_${i}`));
      times.push(performance.now() - began);
    }
    expect(times.sort((a, b) => a - b)[18]).toBeLessThan(500);
    const message = stream.messages.at(-1);
    expect(message?.data).toEqual({
      kind: 'instance',
      id: 'ins_19',
      project: home.project,
      instance: 'ins_19',
      version: 1,
    });
    expect(Number(message?.id)).toBeGreaterThan(0);
    stream.close();
  });

  it('nobody hears of another tenant; a viewer hears no audit; hosts are for platform administrators', async () => {
    const stranger = await home.owner.addStranger();
    const viewer = await home.owner.addMember(home.organization, 'viewer');
    const streams = { owner: await open(home.owner), stranger: await open(stranger.owner), viewer: await open(viewer) };
    await until('open', () => Object.values(streams).every((stream) => stream.lastId() !== null));
    for (const stream of Object.values(streams)) stream.messages.splice(0);
    await tell(
      about('ins_secret'),
      { kind: 'audit', ref: 'aud_1', organizationId: home.organization },
      { kind: 'host', ref: 'hst_1' },
      { kind: 'image', ref: 'img_1' },
      { kind: 'session', ref: viewer.userId ?? '' },
      { kind: 'quota', ref: home.project, organizationId: stranger.organization },
      { kind: 'image', ref: 'img_last' },
    );
    const done = (stream: Stream) => stream.messages.some((message) => message.data.id === 'img_last');
    await until('all', () => Object.values(streams).every(done));
    const kinds = (stream: Stream) => stream.messages.map((message) => message.data.kind);
    expect(kinds(streams.owner)).toEqual(['instance', 'audit', 'host', 'image', 'image']);
    expect(kinds(streams.viewer)).toEqual(['instance', 'image', 'session', 'image']);
    expect(kinds(streams.stranger)).toEqual(['image', 'quota', 'image']);
    for (const stream of Object.values(streams)) stream.close();
  });

  it('a connection that comes back with Last-Event-ID misses nothing and gets nothing twice', async () => {
    const first = await open(home.owner);
    await until('open', () => first.lastId() !== null);
    await tell(about('ins_a'));
    await until('a', () => refs(first).includes('ins_a'));
    const lastEventId = first.lastId() ?? '';
    first.close();
    await tell(about('ins_b'), about('ins_c'));
    const second = await open(home.owner, { lastEventId });
    await tell(about('ins_d'));
    await until('d', () => refs(second).includes('ins_d'));
    expect(refs(second)).toEqual(['ins_b', 'ins_c', 'ins_d']);
    expect(second.messages.some((message) => message.event === 'resync')).toBe(false);
    second.close();
  });

  it('resuming while hints pour in: every one once', async () => {
    const first = await open(home.owner);
    await until('open', () => first.lastId() !== null);
    const lastEventId = first.lastId() ?? '';
    first.close();
    const wanted = Array.from({ length: 300 }, (_, index) => `ins_p${index}`);
    const pouring = (async () => {
      for (const ref of wanted) await tell(about(ref));
    })();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const stream = await open(home.owner, { lastEventId });
    await pouring;
    await until('the last', () => refs(stream).includes('ins_p299'));
    expect(refs(stream)).toEqual(wanted);
    stream.close();
  });

  it('resuming at another replica: what was missed comes from the table', async () => {
    const first = await open(home.owner);
    await until('open', () => first.lastId() !== null);
    await tell(about('ins_before'));
    await until('before', () => refs(first).includes('ins_before'));
    const lastEventId = first.lastId() ?? '';
    first.close();
    await tell(about('ins_missed'));
    const replica = await startTestServer({
      database: { url: server.app.config.database.url },
      startWork: idleWork,
    });
    const here = base;
    try {
      base = await replica.http.fastify.listen({ host: '127.0.0.1', port: 0 });
      const second = await open(home.owner, { lastEventId });
      await until('missed', () => refs(second).includes('ins_missed'));
      // Committed at the first replica, told by the second.
      await tell(about('ins_news'));
      await until('news', () => refs(second).includes('ins_news'));
      expect(refs(second).filter((ref) => ref === 'ins_missed')).toHaveLength(1);
      second.close();
    } finally {
      base = here;
      await replica.stop();
    }
  });

  it('a number that is not known any more answers resync; nonsense is refused', async () => {
    const stream = await open(home.owner, { lastEventId: '999999999' });
    await until('resync', () => stream.messages.some((message) => message.event === 'resync'));
    stream.close();
    expect((await open(home.owner, { lastEventId: 'abc' })).status).toBe(400);
  });

  it('a stream ends with its session, and loses a tenant with the membership', async () => {
    const leaver = await home.owner.addMember(home.organization, 'member');
    const stream = await open(leaver);
    await until('open', () => stream.lastId() !== null);
    await home.owner.call(api.membersRemove, {
      params: { organization: home.organization, user: leaver.userId ?? '' },
    });
    await until('told', () => stream.messages.some((message) => message.data.kind === 'member'));
    await new Promise((resolve) => setTimeout(resolve, 200));
    stream.messages.splice(0);
    await tell(about('ins_hidden'), { kind: 'image', ref: 'img_seen' });
    await until('image', () => stream.messages.length > 0);
    expect(refs(stream)).toEqual([]);
    await leaver.call(api.signOut);
    await stream.ended;
  });

  it('of one project only, which the caller must be allowed to see', async () => {
    const stranger = await home.owner.addStranger();
    expect((await open(stranger.owner, { query: `?project=${home.project}` })).status).toBe(404);
    const other = await home.owner.call(api.projectsCreate, {
      params: { organization: home.organization },
      body: { name: 'second', title: 'Second' },
    });
    const stream = await open(home.owner, { query: `?project=${other.id}` });
    await until('open', () => stream.lastId() !== null);
    await tell(about('ins_elsewhere'), { ...about('ins_here'), projectId: other.id });
    await until('here', () => refs(stream).includes('ins_here'));
    expect(refs(stream)).toEqual(['ins_here']);
    stream.close();
  });

  it('bounded: a person has a limited number of streams, and closed ones are given back', async () => {
    const person = await home.owner.addMember(home.organization, 'viewer');
    await until('others are closed', () => openStreams() === 0);
    const streams = await Promise.all(Array.from({ length: STREAMS_PER_PERSON_MAX }, () => open(person)));
    expect(streams.every((stream) => stream.status === 200)).toBe(true);
    expect((await open(person)).status).toBe(429);
    for (const stream of streams) stream.close();
    await until('closed', () => openStreams() === 0);
    const again = await open(person);
    expect(again.status).toBe(200);
    again.close();
  });
});
