import { expect, it } from 'vitest';
import { wantedAt } from './completion.ts';
import { buildProgram } from './program.ts';
import { helpPages } from './reference.ts';
import type { Io } from './runtime.ts';
import { runCli } from './testing.ts';

it('U3: help pages are as written down (vitest -u writes them again)', async () => {
  const text = helpPages()
    .map((page) => `### ${page.words.join(' ')} --help\n${page.text}`)
    .join('\n');
  await expect(text).toMatchFileSnapshot('./help.golden.txt');
});

it('U3: every command and option says what it does', () => {
  for (const { command, words } of helpPages()) {
    expect(command.description(), words.join(' ')).not.toBe('');
    for (const option of command.options) expect(option.description, `${words.join(' ')} ${option.flags}`).not.toBe('');
  }
});

it('U3: a wrong verb gets a suggestion and exit code 2', async () => {
  const wrong = await runCli(['instances', 'crate', 'x']);
  expect(wrong).toMatchObject({ code: 2, out: '' });
  expect(wrong.err).toContain('Did you mean create?');
  expect((await runCli(['instance', 'strat', 'x'])).err).toContain('Did you mean start?');
});

it('U3: exit codes and JSON errors without an installation', async () => {
  expect((await runCli(['--help'])).code).toBe(0);
  expect((await runCli(['--version'])).out.trim()).toMatch(/^\d+\.\d+\.\d+/);
  expect((await runCli(['instances', 'create'])).code).toBe(2);
  expect((await runCli(['instances', 'create', 'toaster', 'x'])).code).toBe(2);
  expect((await runCli(['whoami'])).code).toBe(3);
  expect((await runCli(['whoami', '--context', 'nowhere'])).code).toBe(2);
  const json = await runCli(['whoami', '--json']);
  expect(JSON.parse(json.err)).toMatchObject({ error: { code: 'unauthenticated', exitCode: 3 } });
  const usage = await runCli(['instances', 'list', '--bogus', '--json']);
  expect(JSON.parse(usage.err)).toMatchObject({ error: { code: 'usage', exitCode: 2 } });
});

it('U3: completion knows verbs, options, choices and which names are wanted', () => {
  const io = { stdout: { write: () => true }, stderr: { write: () => true }, env: {} } as unknown as Io;
  const program = buildProgram(io);
  expect(wantedAt(program, ['inst']).words).toEqual(['instances']);
  expect(wantedAt(program, ['instances', 're']).words).toEqual(['restart', 'resume', 'rename', 'resize', 'restore']);
  expect(wantedAt(program, ['instances', 'create', '']).words).toEqual(['desktop', 'server']);
  expect(wantedAt(program, ['images', 'import', 'x', '--k']).words).toEqual(['--kind']);
  expect(wantedAt(program, ['instances', 'start', '']).names).toBe('instance');
  expect(wantedAt(program, ['--project', 'p', 'snapshots', 'delete', 'web', ''])).toEqual({
    words: [],
    names: 'snapshot',
    before: ['web'],
  });
  expect(wantedAt(program, ['instances', 'list', '--project', '']).names).toBe('project');
  expect(wantedAt(program, ['completion', '']).words).toEqual(['bash', 'zsh', 'fish']);
});

it('U3: the completion scripts are what shells expect', async () => {
  expect((await runCli(['completion', 'bash'])).out).toContain('complete -o default -F _berth_complete berth');
  expect((await runCli(['completion', 'zsh'])).out).toContain('compdef _berth_complete berth');
  expect((await runCli(['completion', 'fish'])).out).toContain('complete -c berth');
  expect((await runCli(['completion', 'tcsh'])).code).toBe(2);
});
