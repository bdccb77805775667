/**
 * Every text field of every request of the contract, with texts that belong into none: refused with 400, nothing stored.
 * Walks the contract, so a new field is in it from the start. A field of several lines says so in its route.
 */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { api, type RouteName } from '#contract/api.ts';
import type { RouteDefinition } from '#contract/route.ts';
import type { Place } from '#testkit/factories.ts';
import { withDatabase } from '#testkit/postgres.ts';
import { routeRows } from '#testkit/route-rows.ts';
import type { RowCall } from '#testkit/row-makers.ts';
import { idleWork, type SetUp, startTestServer, type TestServer } from '#testkit/server.ts';

let server: TestServer;
let home: SetUp;
let place: Place;

beforeAll(async () => {
  server = await startTestServer({ database: await withDatabase(), startWork: idleWork });
  home = await server.setUp();
  if (home.owner.userId === null) throw new Error('no owner');
  place = { organization: home.organization, project: home.project, person: home.owner.userId };
});
afterAll(() => server.stop());

const hostile: [what: string, text: string][] = [
  ['NUL', 'a\u0000b'],
  ['bell', 'a\u0007b'],
  ['escape', 'a\u001b[31mb'],
  ['delete', 'a\u007fb'],
  ['next line (C1)', 'a\u0085b'],
  ['right-to-left override', 'user\u202egnp.exe'],
  ['isolate', 'a\u2066b'],
  ['line separator', 'a\u2028b'],
  ['byte order mark', '\ufeffab'],
  ['lone surrogate', 'a\ud800b'],
];

type Schema = {
  type?: string | string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  maxLength?: number;
  enum?: unknown[];
  const?: unknown;
};
type Path = (string | number)[];
/** `given` are values that choose the branch of a union the field is in. */
type Field = { path: Path; maxLength: number | undefined; given: [Path, unknown][] };

/** Paths of all texts; of a union those of every branch, of a list its first entry. */
function textFields(schema: Schema, path: Path = [], given: [Path, unknown][] = []): Field[] {
  const own =
    [schema.type].flat().includes('string') && schema.enum === undefined && schema.const === undefined
      ? [{ path, maxLength: schema.maxLength, given }]
      : [];
  const properties = Object.entries(schema.properties ?? {});
  const chosen = properties.flatMap(([key, child]): [Path, unknown][] =>
    child.const === undefined ? [] : [[[...path, key], child.const]],
  );
  return [
    ...own,
    ...properties.flatMap(([key, child]) => textFields(child, [...path, key], [...given, ...chosen])),
    ...(schema.items === undefined ? [] : textFields(schema.items, [...path, 0], given)),
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((branch) => textFields(branch, path, given)),
  ];
}

const toSchema = (schema: z.ZodType) => z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;

/** A copy of `body` with `text` at `path`; what stands in the way of the path is replaced. */
function withText(body: unknown, path: Readonly<Path>, text: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return text;
  if (typeof key === 'number') return [withText(Array.isArray(body) ? body[key] : undefined, rest, text)];
  const object = typeof body === 'object' && body !== null && !Array.isArray(body) ? body : {};
  return { ...object, [key]: withText((object as Record<string, unknown>)[key], rest, text) };
}

async function traces(): Promise<unknown> {
  const { rows } = await sql`select (select coalesce(max(seq), 0) from outbox) as hints,
    (select coalesce(max(seq), 0) from audit) as audit, (select count(*) from app_user) as users,
    (select count(*) from operation) as operations`.execute(server.app.db);
  return rows[0];
}

const names = (Object.keys(routeRows) as RouteName[]).filter(
  (name) => (api[name] as RouteDefinition).produces !== 'stream',
);

async function refusedEverywhere(name: RouteName, call: RowCall, what: string): Promise<string | null> {
  const response = await home.owner.try(api[name] as RouteDefinition, call as object);
  server.anonymous.cookie = null;
  return response.statusCode === 400 || response.statusCode === 413 ? null : `${name} ${what}: ${response.statusCode}`;
}

describe('I7: texts that belong into no field', () => {
  it('in every field of every body, and over-long ones: 400, nothing stored', { timeout: 170_000 }, async () => {
    const wrong: string[] = [];
    let fields = 0;
    for (const name of names) {
      const route = api[name] as RouteDefinition;
      if (route.body === undefined) continue;
      const row = await routeRows[name]({ db: server.app.db, driver: server.driver, place, caller: home.owner.userId });
      const before = await traces();
      for (const field of textFields(toSchema(route.body))) {
        fields++;
        const path = `.${field.path.join('.')}`;
        const base = field.given.reduce<unknown>((body, [at, value]) => withText(body, at, value), row.body);
        const texts: [string, string][] = [...hostile, ['too long', 'a'.repeat((field.maxLength ?? 5_000) + 1)]];
        if (route.severalLines?.includes(String(field.path.at(-1))) !== true)
          texts.push(['line break', 'a\nb'], ['header', 'a\r\nSet-Cookie: b=c']);
        for (const [what, text] of texts) {
          const problem = await refusedEverywhere(
            name,
            { ...row, body: withText(base, field.path, text) },
            `${path} ${what}`,
          );
          if (problem !== null) wrong.push(problem);
        }
      }
      if (JSON.stringify(await traces()) !== JSON.stringify(before)) wrong.push(`${name} left traces`);
    }
    expect(wrong).toEqual([]);
    expect(fields).toBeGreaterThan(60);
  });

  it('in every query parameter: 400', { timeout: 120_000 }, async () => {
    const wrong: string[] = [];
    for (const name of names) {
      const route = api[name] as RouteDefinition;
      if (route.query === undefined) continue;
      const row = await routeRows[name]({ db: server.app.db, driver: server.driver, place, caller: home.owner.userId });
      for (const field of textFields(toSchema(route.query))) {
        for (const [what, text] of [...hostile, ['too long', 'a'.repeat((field.maxLength ?? 5_000) + 1)] as const]) {
          if (!text.isWellFormed()) continue;
          const query = { ...row.query, [String(field.path[0])]: text };
          const problem = await refusedEverywhere(name, { ...row, query }, `${field.path.join('.')} ${what}`);
          if (problem !== null) wrong.push(problem);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('no header can be written through any of them', async () => {
    const before = await traces();
    for (const text of ['a\r\nX-Injected: 1', 'a\nX-Injected: 1', 'a%0d%0aX-Injected:1']) {
      const raw = await server.anonymous.raw({
        method: 'GET',
        url: `/docs?x=${encodeURIComponent(text)}`,
        headers: { 'x-request-id': 'a-b-c-d-e-f' },
      });
      expect(raw.headers).not.toHaveProperty('x-injected');
      expect(String(raw.headers['location'] ?? '/docs/')).toBe('/docs/');
    }
    expect(await traces()).toEqual(before);
  });
});
