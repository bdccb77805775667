/** Checks that hold for every text of every request, before any schema looks at it. */
import { BerthError } from '#domain/errors.ts';

const DEPTH_MAX = 16;
const NODES_MAX = 20_000;
/** C0 controls but tab, line feed and carriage return; DEL; lone surrogates. None of them belongs into any field. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]|\p{Surrogate}/u;

/** Errors: invalid_input when a string holds control characters or the value is nested too deeply. */
export function checkText(value: unknown, where: string): void {
  let nodes = 0;
  const stack: { value: unknown; depth: number; path: string }[] = [{ value, depth: 0, path: '' }];
  for (let item = stack.pop(); item !== undefined; item = stack.pop()) {
    if (++nodes > NODES_MAX || item.depth > DEPTH_MAX) {
      throw new BerthError('invalid_input', `The ${where} of the request is nested too deeply.`);
    }
    if (typeof item.value === 'string') {
      if (forbidden.test(item.value)) throw controlCharacters(where, item.path);
    } else if (typeof item.value === 'object' && item.value !== null) {
      for (const [key, child] of Object.entries(item.value)) {
        if (forbidden.test(key)) throw controlCharacters(where, item.path);
        stack.push({ value: child, depth: item.depth + 1, path: item.path === '' ? key : `${item.path}.${key}` });
      }
    }
  }
}

function controlCharacters(where: string, path: string): BerthError {
  return new BerthError('invalid_input', `The ${where} of the request is not valid.`, {
    fields: [{ field: (path === '' ? where : path).slice(0, 100), message: 'Control characters are not allowed.' }],
  });
}
