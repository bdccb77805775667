/** Every help page of the program in order: for the golden file, and for docs/reference/cli.md. */
import type { Command } from 'commander';
import { buildProgram } from './program.ts';
import type { Io } from './runtime.ts';

const nothing = { write: () => true } as unknown as Io['stdout'];

export type HelpPage = { words: string[]; command: Command; text: string };

/** Walks the command tree; hidden commands are left out. */
export function helpPages(): HelpPage[] {
  const io = {
    stdout: nothing,
    stderr: nothing,
    stdin: nothing,
    env: {},
    now: () => 0,
    signal: new AbortController().signal,
  };
  const pages: HelpPage[] = [];
  const walk = (command: Command, words: string[]): void => {
    let after = '';
    command.configureOutput({
      writeOut: (text) => {
        after += text;
      },
    });
    command.outputHelp();
    pages.push({ words, command, text: after });
    for (const child of command.commands) {
      if (!child.name().startsWith('__') && child.name() !== 'help') walk(child, [...words, child.name()]);
    }
  };
  walk(buildProgram(io as unknown as Io), ['berth']);
  return pages;
}
