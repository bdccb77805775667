/** Checks that hold for every text of every request, before any schema looks at it. */
import { BerthError } from '#domain/errors.ts';

const DEPTH_MAX = 16;
const NODES_MAX = 20_000;
/**
 * None of these belongs into any field: C0 controls but tab, line feed and carriage return; DEL and C1 controls; line and
 * paragraph separators; marks that turn the direction of what follows (`user\u202Egnp.exe`); the byte order mark; lone
 * surrogates.
 */
const forbidden = /(?![\t\n\r])\p{Cc}|[\u2028-\u202e\u2066-\u2069\ufeff]|\p{Surrogate}/u;

/** Nor do these, unless the contract says that a field has several lines. */
const lineBreaks = /[\t\n\r]/;

/**
 * `severalLines` are the names of fields that may have more than one. Errors: invalid_input when a string holds control
 * characters or the value is nested too deeply.
 */
export function checkText(value: unknown, where: string, severalLines: readonly string[] = []): void {
  let nodes = 0;
  const stack: { value: unknown; depth: number; path: string }[] = [{ value, depth: 0, path: '' }];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    if (++nodes > NODES_MAX || item.depth > DEPTH_MAX) {
      throw new BerthError('invalid_input', `The ${where} of the request is nested too deeply.`);
    }
    if (typeof item.value === 'string') {
      if (forbidden.test(item.value)) throw refused(where, item.path, 'Control characters are not allowed.');
      if (lineBreaks.test(item.value) && !severalLines.includes(item.path.split('.').at(-1) ?? '')) {
        throw refused(where, item.path, 'This is one line: no line breaks, no tabs.');
      }
    } else if (typeof item.value === 'object' && item.value !== null) {
      for (const [key, child] of Object.entries(item.value)) {
        if (forbidden.test(key)) throw refused(where, item.path, 'Control characters are not allowed.');
        stack.push({ value: child, depth: item.depth + 1, path: item.path === '' ? key : `${item.path}.${key}` });
      }
    }
  }
}

function refused(where: string, path: string, message: string): BerthError {
  return new BerthError('invalid_input', `The ${where} of the request is not valid.`, {
    fields: [{ field: (path === '' ? where : path).slice(0, 100), message }],
  });
}
