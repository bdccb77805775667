import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { allRoutes } from './api.ts';
import { OPENAPI_FILE, openApiDocument, openApiText } from './emit.ts';

type Any = { [key: string]: unknown };

it('U3: contract/openapi.json is what the route table says (else: npm run openapi)', () => {
  expect(readFileSync(OPENAPI_FILE, 'utf8')).toBe(openApiText());
});

it('U3: every route is in the document, with its access rule, and ids are unique', () => {
  const paths = openApiDocument()['paths'] as Record<string, Record<string, Any>>;
  for (const route of allRoutes) {
    const operation = paths[route.path.replace(/:([A-Za-z]+)/g, '{$1}')]?.[route.method.toLowerCase()];
    expect(operation?.['operationId']).toBe(route.id);
    expect(operation?.['x-berth-access']).toBe(route.access);
    expect(Object.keys(operation?.['responses'] as Any)).toContain(String(route.status));
  }
  expect(new Set(allRoutes.map((route) => route.id)).size).toBe(allRoutes.length);
});

it('U3: every reference inside the document leads somewhere', () => {
  const document = openApiDocument();
  const missing: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, child] of Object.entries(value)) {
      if (key === '$ref' && typeof child === 'string') {
        const target = child
          .replace('#/', '')
          .split('/')
          .reduce<unknown>((at, part) => (at as Any | undefined)?.[part], document);
        if (target === undefined) missing.push(child);
      } else walk(child);
    }
  };
  walk(document);
  expect(missing).toEqual([]);
});

it('U3: path parameters in the path and in the schema are the same', () => {
  for (const route of allRoutes) {
    const inPath = [...route.path.matchAll(/:([A-Za-z]+)/g)].map((match) => match[1]).sort();
    const declared = Object.keys(route.params?.shape ?? {}).sort();
    expect(declared, route.id).toEqual(inPath);
  }
});
