/** Waiting for long work: live hints tell when to look, a slow poll covers a broken stream. */
import { type Command, Option } from 'commander';
import { isFinished } from '#domain/operations.ts';
import type { OutputOf } from './client.ts';
import { CliError } from './errors.ts';
import { formatDuration, parseDuration } from './format.ts';
import { Progress } from './progress.ts';
import type { Runtime } from './runtime.ts';

/** Without any hint the operation is looked at this often. */
export const POLL_MS = 2_000;
/** Hints closer together than this cause one look. */
export const LOOK_GAP_MS = 150;
export const WAIT_TIMEOUT_DEFAULT = '10m';

type Operation = OutputOf<'operationsGet'>;
type Accepted = OutputOf<'instancesCreate'>;
type Instance = NonNullable<Accepted['instance']>;

export type WaitOptions = { wait?: boolean; timeout?: string };

/** Adds `--wait` and `--timeout` to a command that starts long work. */
export function withWait(command: Command, timeout: string = WAIT_TIMEOUT_DEFAULT): Command {
  return command.addOption(new Option('-w, --wait', 'wait until it is done and show each step')).addOption(
    new Option('--timeout <duration>', 'how long to wait; the work goes on after that')
      .default(timeout)
      // Here and not where it is used: there the work has begun.
      .argParser((text) => {
        parseDuration(text);
        return text;
      }),
  );
}

/** Follows an operation to its end. Errors: CliError timeout; the operation's own failure is in the answer. */
export async function followOperation(berth: Runtime, id: string, timeoutMs: number): Promise<Operation> {
  const client = await berth.client();
  const stop = new AbortController();
  const signal = AbortSignal.any([stop.signal, berth.io.signal]);
  const deadline = performance.now() + timeoutMs;
  let wake: () => void = () => undefined;
  const listen = async (): Promise<void> => {
    for await (const event of client.events({ signal })) {
      if (event === null || (event.kind === 'operation' && event.id === id)) wake();
    }
  };
  // Hints only make it quicker: when they cannot be had, the poll below is enough.
  const listening = listen().catch(() => undefined);
  const progress = new Progress(berth.io.stderr, berth.paintErr, berth.io.now);
  try {
    for (;;) {
      const operation = await client.call('operationsGet', { params: { operation: id } }, { signal });
      progress.update(operation);
      if (isFinished(operation.state)) return operation;
      const left = deadline - performance.now();
      if (left <= 0) {
        throw new CliError('timeout', `Not finished after ${formatDuration(timeoutMs)}. The work goes on.`, {
          code: 'timeout',
          hint: `Follow it with: berth operations watch ${id}`,
        });
      }
      await new Promise<void>((resolve) => {
        let gap: NodeJS.Timeout | null = null;
        const finish = (): void => {
          clearTimeout(poll);
          if (gap !== null) clearTimeout(gap);
          signal.removeEventListener('abort', finish);
          wake = () => undefined;
          resolve();
        };
        const poll = setTimeout(finish, Math.min(POLL_MS, left));
        wake = () => {
          gap ??= setTimeout(finish, LOOK_GAP_MS);
        };
        signal.addEventListener('abort', finish, { once: true });
      });
      if (berth.io.signal.aborted) {
        throw new CliError('interrupted', 'Stopped watching. The work goes on.', {
          code: 'interrupted',
          hint: `Follow it with: berth operations watch ${id}${operation.stoppable ? `\nStop it with: berth operations stop ${id}` : ''}`,
        });
      }
    }
  } finally {
    progress.stop();
    stop.abort();
    await listening;
  }
}

/** An operation that did not succeed, as an error. */
export function operationError(operation: Operation): CliError {
  const message = operation.error?.message ?? `The operation ended as ${operation.state}.`;
  return new CliError('failure', `${operation.title}: ${message}`, {
    code: 'operation_failed',
    hint: `See every step: berth operations get ${operation.id}`,
  });
}

/**
 * Finishes a command that was answered 202. With `--wait` it follows the work, prints the API's `{operation, instance}`
 * (or `done` for people) and fails when the work failed; without, it prints what was accepted.
 */
export async function finishAccepted(
  berth: Runtime,
  accepted: Accepted,
  options: WaitOptions,
  done: (instance: Instance | null, operation: Operation) => string,
): Promise<void> {
  if (options.wait !== true) {
    berth.print(
      accepted,
      () => `${accepted.operation.title}: accepted\nFollow it with: berth operations watch ${accepted.operation.id}\n`,
    );
    return;
  }
  const operation = await followOperation(
    berth,
    accepted.operation.id,
    parseDuration(options.timeout ?? WAIT_TIMEOUT_DEFAULT),
  );
  if (operation.state !== 'succeeded') {
    if (berth.json) berth.print({ operation, instance: accepted.instance }, () => '');
    throw operationError(operation);
  }
  const instance = accepted.instance === null ? null : await refreshed(berth, accepted.instance.id);
  berth.print({ operation, instance }, () => done(instance, operation));
}

/** The instance as it is now; null when it is gone (purged). */
async function refreshed(berth: Runtime, id: string): Promise<Instance | null> {
  const client = await berth.client();
  try {
    return await client.call('instancesGet', { params: { instance: id } }, { signal: berth.io.signal });
  } catch (error) {
    if (error instanceof CliError && error.exit === 'notFound') return null;
    throw error;
  }
}
