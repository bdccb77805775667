/**
 * Every field of every request has a bound: texts a maximum of length, lists of entries, numbers of size; objects take
 * no unknown keys. If you are here because a test failed after you added a field: give it a `.max()`.
 */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { allRoutes } from './api.ts';

type Schema = {
  type?: string | string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  propertyNames?: Schema;
  items?: Schema | boolean;
  prefixItems?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  format?: string;
  maxLength?: number;
  maxItems?: number;
  minimum?: number;
  maximum?: number;
};

const requests = allRoutes.flatMap((route) =>
  (['params', 'query', 'body'] as const).flatMap((part) => {
    const schema = route[part];
    if (schema === undefined) return [];
    const strict = part === 'body' || !(schema instanceof z.ZodObject) ? schema : schema.strict();
    return [
      {
        name: `${route.id} ${part}`,
        schema: z.toJSONSchema(strict, { io: 'input', unrepresentable: 'any' }) as Schema,
      },
    ];
  }),
);

/** Whatever comes back as a passkey is the browser's and the library's: opaque, but bounded by the body. */
const opaque = /clientExtensionResults/;
/** Browsers add keys to what a passkey answers; the schema leaves them out instead of refusing. */
const strippedAnswer = / body\.passkey(?:\.response)?$/;
/** RFC 6749, 3.1 and 3.2: unrecognized parameters are ignored. They are left out, never passed on. */
const ignoring = new Set(allRoutes.filter((route) => route.protocol === 'oauth').map((route) => `${route.id} body`));

function walk(schema: Schema, path: string, visit: (schema: Schema, path: string) => void): void {
  if (opaque.test(path)) return;
  visit(schema, path);
  for (const [key, child] of Object.entries(schema.properties ?? {})) walk(child, `${path}.${key}`, visit);
  if (typeof schema.items === 'object') walk(schema.items, `${path}[]`, visit);
  if (typeof schema.additionalProperties === 'object') walk(schema.additionalProperties, `${path}.*`, visit);
  for (const each of [...(schema.anyOf ?? []), ...(schema.oneOf ?? []), ...(schema.allOf ?? [])])
    walk(each, path, visit);
}

const is = (schema: Schema, type: string) => [schema.type].flat().includes(type);
/** A pattern that says how long its text is: anchored at both ends, nothing that repeats without end. */
const isBoundedPattern = (pattern: string | undefined) =>
  pattern !== undefined &&
  /^\^.*\$$/s.test(pattern) &&
  !/(?<!\\)[*+]|\{\d+,\}/.test(pattern.replace(/\[[^\]]*\]/g, 'x'));

function violations(find: (schema: Schema) => boolean): string[] {
  const found: string[] = [];
  for (const { name, schema } of requests) {
    walk(schema, name, (each, path) => {
      if (find(each)) found.push(path);
    });
  }
  return [...new Set(found)];
}

describe('I7: every field of every request is bounded', () => {
  it('looks at all of them', () => {
    expect(requests.length).toBeGreaterThan(100);
  });

  it('texts have a maximum of length', () => {
    const isUnbounded = (schema: Schema) =>
      is(schema, 'string') &&
      schema.maxLength === undefined &&
      schema.enum === undefined &&
      schema.const === undefined &&
      schema.format !== 'date-time' &&
      !isBoundedPattern(schema.pattern) &&
      !(schema.allOf ?? []).some((each) => isBoundedPattern(each.pattern));
    expect(violations(isUnbounded)).toEqual([]);
  });

  it('lists have a maximum of entries', () => {
    expect(violations((schema) => is(schema, 'array') && schema.maxItems === undefined)).toEqual([]);
  });

  it('numbers have both ends', () => {
    const isOpen = (schema: Schema) =>
      (is(schema, 'number') || is(schema, 'integer')) &&
      (schema.minimum === undefined || schema.maximum === undefined) &&
      schema.enum === undefined &&
      schema.const === undefined;
    expect(violations(isOpen)).toEqual([]);
  });

  it('objects take no unknown keys: nothing can be assigned that was not meant to', () => {
    const isOpen = (schema: Schema) =>
      is(schema, 'object') &&
      schema.additionalProperties !== false &&
      !(typeof schema.additionalProperties === 'object' && schema.propertyNames?.maxLength !== undefined);
    expect(violations(isOpen).filter((path) => !strippedAnswer.test(path) && !ignoring.has(path))).toEqual([]);
  });
});
