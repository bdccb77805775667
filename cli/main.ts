#!/usr/bin/env node
/** `berth`: the command-line client. Wiring only: streams and signals in, exit code out. */
import { CommanderError } from 'commander';
import { CliError, describeError, ExitStatus, errorAsJson, exitCodeOf, exitCodes, usageError } from './errors.ts';
import { buildProgram } from './program.ts';
import type { Io } from './runtime.ts';

/** Runs one command line. Resolves to the exit code; prints what there is to print. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const json = argv.includes('--json');
  try {
    await buildProgram(io, json).parseAsync([...argv], { from: 'user' });
    return exitCodes.ok.code;
  } catch (error) {
    if (error instanceof ExitStatus) return error.status;
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.ok.code;
      if (json) io.stderr.write(errorAsJson(usageError(error.message.replace(/^error: /, ''))));
      return exitCodes.usage.code;
    }
    const interrupted = io.signal.aborted && !(error instanceof CliError && error.exit === 'interrupted');
    const shown = interrupted ? new CliError('interrupted', 'Interrupted.', { code: 'interrupted' }) : error;
    io.stderr.write(json ? errorAsJson(shown) : describeError(shown));
    return exitCodeOf(shown);
  }
}

if (import.meta.main) {
  const abort = new AbortController();
  process.once('SIGINT', () => abort.abort());
  process.once('SIGTERM', () => abort.abort());
  // `berth ... | head` closes our stdout early: that is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : 1);
  });
  const code = await main(process.argv.slice(2), {
    stdout: process.stdout,
    stderr: process.stderr,
    stdin: process.stdin,
    env: process.env,
    now: () => Date.now(),
    signal: abort.signal,
  });
  process.exitCode = code;
  if (process.stdin.isTTY === true) process.stdin.unref();
}
