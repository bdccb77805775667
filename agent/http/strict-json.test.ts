import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson } from './strict-json.ts';

describe('strict JSON', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        if (text.includes('"__proto__"')) return;
        expect(parseStrictJson(text)).toEqual(JSON.parse(text));
        expect(parseStrictJson(JSON.stringify(value, null, 2))).toEqual(JSON.parse(text));
      }),
    );
  });

  it('refuses a key that is given twice, however it is spelled and wherever it is', () => {
    for (const text of [
      '{"a":1,"a":1}',
      '{"a":1, "\\u0061" : 2}',
      '{"x":{"a":1,"b":{},"a":2}}',
      '[{"a":1,"a":1}]',
      '{"a\\"":1,"a\\"":2}',
    ]) {
      expect(() => parseStrictJson(text), text).toThrow(/twice/);
    }
  });

  it('does not mistake values, or keys of other objects, for keys', () => {
    expect(parseStrictJson('{"a":"a","b":["a","a",{"a":1},{"a":1}],"c":{"a":{"a":1}}}')).toEqual({
      a: 'a',
      b: ['a', 'a', { a: 1 }, { a: 1 }],
      c: { a: { a: 1 } },
    });
    expect(parseStrictJson('{"a":"x\\": {\\"a"}')).toEqual({ a: 'x": {"a' });
  });

  it('refuses __proto__, endless nesting and what is not JSON', () => {
    expect(() => parseStrictJson('{"__proto__":{}}')).toThrow();
    expect(() => parseStrictJson('{"\\u005f_proto__":{}}')).toThrow();
    expect(() => parseStrictJson('['.repeat(30) + ']'.repeat(30))).toThrow(/deep/);
    for (const text of ['', '{', '{}{}', "{'a':1}", '{a:1}', 'NaN'])
      expect(() => parseStrictJson(text), text).toThrow(/not JSON/);
  });
});
