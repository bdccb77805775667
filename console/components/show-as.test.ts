import { expect, it } from 'vitest';
import { asCurl, shellWord } from './show-as.tsx';

it('quotes words for a shell', () => {
  expect(shellWord('plain-1.2/x')).toBe('plain-1.2/x');
  expect(shellWord("it's $HOME")).toBe(`'it'\\''s $HOME'`);
});

it('shows a call as curl, with the token as a variable', () => {
  const text = asCurl({ name: 'accountUpdate', input: { body: { name: "O'Hara" } } }, 'https://berth.localhost:9443');
  expect(text).toContain('curl -sS -X PATCH https://berth.localhost:9443/api/v1/account');
  expect(text).toContain('$BERTH_TOKEN');
  expect(text).toContain(`-d '{"name":"O'\\''Hara"}'`);
});
