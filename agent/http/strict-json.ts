/**
 * JSON for requests that decide about a host: like JSON.parse, but a key given twice is an error (two readers could
 * see two different requests), so are `__proto__` keys and nesting without end.
 */
import type { z } from 'zod';
import { BerthError } from '#domain/errors.ts';

const DEPTH_MAX = 16;

/** Errors: invalid_input. */
export function parseStrictJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BerthError('invalid_input', 'The body is not JSON.');
  }
  refuseAmbiguity(text);
  return value;
}

/** The text is valid JSON here, so only strings and brackets need to be told apart. */
function refuseAmbiguity(text: string): void {
  const open: (Set<string> | null)[] = [];
  let index = 0;
  while (index < text.length) {
    const char = text[index];
    if (char === '{' || char === '[') {
      open.push(char === '{' ? new Set() : null);
      if (open.length > DEPTH_MAX) throw new BerthError('invalid_input', 'The body is nested too deeply.');
    } else if (char === '}' || char === ']') {
      open.pop();
    } else if (char === '"') {
      const end = stringEnd(text, index);
      const keys = open.at(-1);
      if (keys != null && isKey(text, end)) {
        const key = JSON.parse(text.slice(index, end)) as string;
        if (keys.has(key)) throw new BerthError('invalid_input', 'A key is given twice.');
        if (key === '__proto__') throw new BerthError('invalid_input', 'This key is not allowed.');
        keys.add(key);
      }
      index = end;
      continue;
    }
    index++;
  }
}

/** Index after the closing quote. */
function stringEnd(text: string, start: number): number {
  let index = start + 1;
  while (text[index] !== '"') index += text[index] === '\\' ? 2 : 1;
  return index + 1;
}

function isKey(text: string, end: number): boolean {
  let index = end;
  while (/\s/.test(text[index] ?? '')) index++;
  return text[index] === ':';
}

/** Parses with a closed schema. Errors: invalid_input with the fields that are wrong. */
export function parseInput<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BerthError('invalid_input', 'The request is not as the verb wants it.', {
    fields: parsed.error.issues
      .slice(0, FIELD_ERRORS_MAX)
      .map((issue) => ({ field: issue.path.join('.'), message: issue.message })),
  });
}

const FIELD_ERRORS_MAX = 20;
