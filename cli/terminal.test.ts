import { expect, it } from 'vitest';
import { EscapeFilter } from './terminal.ts';

function typed(...pieces: string[]): { text: string; leave: boolean } {
  const filter = new EscapeFilter();
  let text = '';
  for (const piece of pieces) {
    const result = filter.push(Buffer.from(piece));
    text += result.bytes.toString();
    if (result.leave) return { text, leave: true };
  }
  return { text, leave: false };
}

it('U3: ~. leaves only at the beginning of a line', () => {
  expect(typed('ls\r', '~', '.')).toEqual({ text: 'ls\r', leave: true });
  expect(typed('~.')).toEqual({ text: '', leave: true });
  expect(typed('cd ~.\r')).toEqual({ text: 'cd ~.\r', leave: false });
  expect(typed('~~.\r')).toEqual({ text: '~.\r', leave: false });
  expect(typed('~/bin\r')).toEqual({ text: '~/bin\r', leave: false });
  expect(typed('a\r~', '\r~.')).toEqual({ text: 'a\r~\r', leave: true });
});
