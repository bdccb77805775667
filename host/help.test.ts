import { expect, it } from 'vitest';
import { HELP, helpOf } from './help.ts';

it('U1: a command asked for help tells its own options and nothing else', () => {
  expect(helpOf('up')).toContain('--acme-directory URL');
  expect(helpOf('up')).not.toContain('berth down');
  expect(helpOf('uninstall')).toMatch(/^berth uninstall remove .*\n$/);
  expect(helpOf('version')).toBe('berth version\n');
  expect(helpOf('dev')).toContain('npm run dev');
  expect(helpOf('instances')).toBeNull();
  expect(HELP).toContain(helpOf('down')?.trimEnd());
});
