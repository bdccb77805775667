import fc from 'fast-check';
import { expect, it } from 'vitest';
import { SSE_LINE_BYTES_MAX, SseParser } from './sse.ts';

const stream =
  ': hello\n\nid: 7\nevent: change\ndata: {"a":1}\n\r\nid: 8\r\ndata: one\r\ndata: two\r\n\r\nevent: resync\ndata: x\n\n';
const messages = [
  { id: '7', event: 'change', data: '{"a":1}' },
  { id: '8', event: 'message', data: 'one\ntwo' },
  { id: '8', event: 'resync', data: 'x' },
];

it('U3: reads fields, comments, both line ends and several data lines', () => {
  expect(new SseParser().push(stream)).toEqual(messages);
});

it('U3: the same messages however the stream is cut into pieces', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: stream.length }), { maxLength: 12 }), (cuts) => {
      const parser = new SseParser();
      const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
      const got = at.slice(1).flatMap((end, index) => parser.push(stream.slice(at[index], end)));
      expect(got).toEqual(messages);
    }),
  );
});

it('U3: a line without end is refused', () => {
  expect(() => new SseParser().push('x'.repeat(SSE_LINE_BYTES_MAX + 1))).toThrow(RangeError);
});
