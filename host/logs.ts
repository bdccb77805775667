/** `berth logs`: the files of the processes, JSON lines made readable. */
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, statSync, watchFile } from 'node:fs';
import { basename, join } from 'node:path';

const TAIL_BYTES_MAX = 2 * 1024 * 1024;
const FOLLOW_MS = 250;

/** The last `lines` lines of a file; an empty list when there is none. */
export function tail(file: string, lines: number): string[] {
  if (!existsSync(file) || lines <= 0) return [];
  const size = statSync(file).size;
  const start = Math.max(0, size - TAIL_BYTES_MAX);
  const text = start === 0 ? readFileSync(file, 'utf8') : readFrom(file, start);
  return text
    .split('\n')
    .filter((line) => line !== '')
    .slice(-lines);
}

function readFrom(file: string, start: number): string {
  const descriptor = openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(Math.min(TAIL_BYTES_MAX, Math.max(0, statSync(file).size - start)));
    const read = readSync(descriptor, buffer, 0, buffer.length, start);
    return buffer.toString('utf8', 0, read);
  } finally {
    closeSync(descriptor);
  }
}

/** Processes that have a log in this folder. */
export function logNames(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .map((name) => basename(name, '.log'))
    .sort();
}

/** One line for people: time, process, level, message, the rest as key=value. Anything but JSON is shown as it is. */
export function pretty(process_: string, line: string): string {
  if (!line.startsWith('{')) return `${process_.padEnd(10)} ${line}`;
  let value: Record<string, unknown>;
  try {
    value = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return `${process_.padEnd(10)} ${line}`;
  }
  const { time, ts, level, msg, process: _process, pid: _pid, hostname: _hostname, ...rest } = value;
  const stamp =
    typeof time === 'string' ? time : typeof ts === 'number' ? new Date(ts * 1000).toISOString() : String(time ?? '');
  const fields = Object.entries(rest).map(
    ([key, field]) => `${key}=${typeof field === 'string' ? field : JSON.stringify(field)}`,
  );
  return `${stamp} ${process_.padEnd(10)} ${String(level ?? '').padEnd(5)} ${String(msg ?? '')}${fields.length === 0 ? '' : `  ${fields.join(' ')}`}`;
}

/** Prints the last lines of some logs, then follows them until the process is interrupted. */
export function showLogs(
  dir: string,
  names: readonly string[],
  lines: number,
  follow: boolean,
  print: (line: string) => void,
  raw: boolean,
): void {
  for (const name of names) {
    const file = join(dir, `${name}.log`);
    let position = existsSync(file) ? statSync(file).size : 0;
    for (const line of tail(file, lines)) print(raw ? line : pretty(name, line));
    if (!follow) continue;
    let rest = '';
    watchFile(file, { interval: FOLLOW_MS }, (now) => {
      // Smaller than before: it was rotated.
      if (now.size < position) position = 0;
      if (now.size === position) return;
      const text = rest + readFrom(file, position);
      position = now.size;
      const parts = text.split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) if (line !== '') print(raw ? line : pretty(name, line));
    });
  }
}
