/** instances logs: the last lines of the journal, or every line as it is written. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import { z } from 'zod';
import { closeCodes, edgePath } from '#contract/edge.ts';
import { CliError, usageError } from '../errors.ts';
import { parseSince, plain } from '../format.ts';
import { findInstance, type Instance } from '../refs.ts';
import { type Io, type Runtime, run } from '../runtime.ts';
import { closeError, openSocket } from '../socket.ts';
import { examples } from './session.ts';

const RECONNECT_MS = 1_000;
const RECONNECTS_MAX = 30;
/** Entries remembered to leave out what a new connection repeats. */
const SEEN_MAX = 500;

const entrySchema = z.object({ ts: z.string(), unit: z.string(), priority: z.number(), message: z.string() });
type Entry = z.output<typeof entrySchema>;
/** `of` is another source than the journal: `stack:blog`. */
export type LogsOptions = {
  lines: string;
  search?: string;
  unit?: string;
  since?: string;
  follow?: boolean;
  of?: string;
};

/** '03:12:44 sshd[error] message'. */
export function line(berth: Runtime, entry: Entry): string {
  const at = new Date(entry.ts);
  const time = Number.isNaN(at.getTime()) ? entry.ts : at.toISOString().replace('T', ' ').slice(0, 19);
  const message = plain(entry.message);
  const text =
    entry.priority <= 3 ? berth.paint.red(message) : entry.priority === 4 ? berth.paint.yellow(message) : message;
  return `${berth.paint.dim(time)} ${berth.paint.cyan(plain(entry.unit))} ${text}\n`;
}

const sourceOf = ({ of }: LogsOptions): Record<string, string> => (of === undefined ? {} : { of });

function matches(entry: Entry, options: LogsOptions): boolean {
  if (options.unit !== undefined && entry.unit !== options.unit && entry.unit !== `${options.unit}.service`)
    return false;
  const word = options.search?.toLowerCase() ?? '';
  return entry.message.toLowerCase().includes(word);
}

async function follow(berth: Runtime, instance: Instance, options: LogsOptions, lines: number): Promise<void> {
  const seen: string[] = [];
  let ask = lines;
  for (let failures = 0; !berth.io.signal.aborted; ) {
    try {
      const socket = await openSocket(
        berth,
        `${edgePath('logs', instance.id)}?${new URLSearchParams({ lines: String(ask), ...sourceOf(options) })}`,
      );
      failures = 0;
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => socket.close(1000);
        berth.io.signal.addEventListener('abort', onAbort, { once: true });
        socket.on('message', (data) => {
          const entry = entrySchema.safeParse(safeJson(String(data)));
          if (!entry.success || !matches(entry.data, options)) return;
          const key = `${entry.data.ts}\0${entry.data.unit}\0${entry.data.message}`;
          if (seen.includes(key)) return;
          seen.push(key);
          if (seen.length > SEEN_MAX) seen.shift();
          berth.out(berth.json ? `${JSON.stringify(entry.data)}\n` : line(berth, entry.data));
        });
        socket.on('error', () => undefined);
        socket.on('close', (code, reason) => {
          berth.io.signal.removeEventListener('abort', onAbort);
          const final: readonly number[] = [closeCodes.signedOut, closeCodes.forbidden, closeCodes.notRunning];
          if (final.includes(code)) reject(closeError(code, String(reason)));
          else resolve();
        });
      });
    } catch (error) {
      if (!(error instanceof CliError) || error.exit !== 'unavailable' || failures >= RECONNECTS_MAX) throw error;
    }
    failures += 1;
    ask = 50;
    if (berth.io.signal.aborted) return;
    if (failures === 1) berth.note(berth.paintErr.dim('connection lost, trying again...\n'));
    await sleep(RECONNECT_MS, undefined, { signal: berth.io.signal }).catch(() => undefined);
  }
}

function safeJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Errors: usage; what the server and edge say. */
export async function logs(berth: Runtime, ref: string, options: LogsOptions): Promise<void> {
  const lines = Number(options.lines);
  if (!Number.isInteger(lines) || lines < 1 || lines > 2000) throw usageError('--lines takes a number from 1 to 2000.');
  const instance = await findInstance(berth, ref);
  if (options.follow === true) {
    if (options.since !== undefined) throw usageError('--since and --follow do not go together.');
    return follow(berth, instance, options, lines);
  }
  const page = await (await berth.client()).call('instancesLogs', {
    params: { instance: instance.id },
    query: {
      lines,
      ...sourceOf(options),
      ...(options.search === undefined ? {} : { search: options.search }),
      ...(options.unit === undefined ? {} : { unit: options.unit }),
      ...(options.since === undefined ? {} : { since: parseSince(options.since, berth.io.now()) }),
    },
  });
  berth.print(page, () => page.items.map((entry) => line(berth, entry)).join(''));
}

/** What every command that shows lines takes. */
export function withLogOptions(command: Command): Command {
  return command
    .option('-f, --follow', 'go on with every new line until Ctrl-C')
    .option('-n, --lines <n>', 'lines to show first', '200')
    .option('--search <text>', 'only lines with this text')
    .option('--since <time>', 'only lines after this time (2h, 7d or RFC 3339)');
}

export function addInstanceLogs(instances: Command, io: Io): void {
  withLogOptions(instances.command('logs <instance>').description('Show the journal'))
    .option('--unit <unit>', 'only this systemd unit')
    .addHelpText('after', examples(['berth instances logs web -f', 'berth instances logs web --unit ssh --since 1h']))
    .action(run<LogsOptions>(io, (berth, [ref = ''], options) => logs(berth, ref, options)));
}
