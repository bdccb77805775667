/**
 * A guest's logs: its journal, and what its stacks and containers write. What comes out of a guest is hostile text: parsed field by
 * field and cut to size.
 */

import type { AgentInput } from '#contract/agent.ts';
import type { AgentLogEntry } from '#contract/agent-results.ts';
import type { InstanceId } from '#domain/ids.ts';
import { parseLogSource } from '#domain/logs.ts';
import { followDockerLogs, readDockerLogs } from './docker-logs.ts';
import type { Engine, GuestProcess } from './engine.ts';
import { runIdentifier } from './guest-runs.ts';
import { LINE_BYTES_MAX, LineSplitter, MESSAGE_LENGTH_MAX, UNIT_LENGTH_MAX } from './lines.ts';

const LOGS_MS_MAX = 15_000;
const LOGS_BYTES_MAX = 16 * 1024 * 1024;

const FIELDS = '--output-fields=MESSAGE,PRIORITY,_SYSTEMD_UNIT,UNIT,SYSLOG_IDENTIFIER';
const BASE = ['journalctl', '--no-pager', '--quiet', '--output=json', FIELDS] as const;

export async function readLogs(engine: Engine, query: AgentInput<'logs'>): Promise<AgentLogEntry[]> {
  const source = query.of === undefined ? null : parseLogSource(query.of);
  if (source !== null && source.kind !== 'run') return readDockerLogs(engine, query, source);
  const { stdout } = await engine.exec(query.instance, logArguments(query), {
    timeoutMs: LOGS_MS_MAX,
    bytesMax: LOGS_BYTES_MAX,
  });
  return stdout.split('\n').flatMap((line) => parseJournalLine(line) ?? []);
}

/** Every value is one argument with its option, so nothing a person types can become an option of its own. */
export function logArguments(query: Omit<AgentInput<'logs'>, 'instance'>): string[] {
  const argv: string[] = [...BASE, `--lines=${query.lines}`];
  if (query.unit !== undefined) argv.push(`--unit=${query.unit}`);
  argv.push(...runArguments(query.of));
  if (query.sinceIso !== undefined) argv.push(`--since=@${Math.floor(Date.parse(query.sinceIso) / 1000)}`);
  if (query.search !== undefined && query.search !== '')
    argv.push(`--grep=${escapeRegExp(query.search)}`, '--case-sensitive=no');
  return argv;
}

export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|#/-]/g, '\\$&');
}

/** Follows the journal, calling `onEntry` per line, until the process is closed. */
export async function followLogs(
  engine: Engine,
  instance: InstanceId,
  { lines, of }: { lines: number; of?: string | undefined },
  onEntry: (entry: AgentLogEntry) => void,
): Promise<GuestProcess> {
  const source = of === undefined ? null : parseLogSource(of);
  if (source !== null && source.kind !== 'run') return followDockerLogs(engine, instance, source, lines, onEntry);
  const child = await engine.follow(instance, [...BASE, '--follow', `--lines=${lines}`, ...runArguments(of)]);
  const splitter = new LineSplitter((line) => {
    const entry = parseJournalLine(line);
    if (entry !== null) onEntry(entry);
  });
  child.onOutput((bytes, fd) => {
    if (fd === 1) splitter.push(bytes);
  });
  return child;
}

/** Only what one run said. */
function runArguments(of: string | undefined): string[] {
  const source = of === undefined ? null : parseLogSource(of);
  return source?.kind === 'run' ? [`--identifier=${runIdentifier(source.operation)}`] : [];
}

/** Null when the line is not a journal entry. */
export function parseJournalLine(line: string): AgentLogEntry | null {
  if (line.trim() === '' || line.length > LINE_BYTES_MAX) return null;
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) return null;
  const fields = entry as Record<string, unknown>;
  const microseconds = figure(fields['__REALTIME_TIMESTAMP']);
  if (!Number.isFinite(microseconds) || microseconds <= 0 || microseconds > MICROSECONDS_MAX) return null;
  const priority = figure(fields['PRIORITY'] ?? 6);
  return {
    ts: new Date(microseconds / 1000).toISOString(),
    unit: (text(fields['_SYSTEMD_UNIT']) || text(fields['SYSLOG_IDENTIFIER']) || text(fields['UNIT'])).slice(
      0,
      UNIT_LENGTH_MAX,
    ),
    priority: Number.isInteger(priority) && priority >= 0 && priority <= 7 ? priority : 6,
    message: text(fields['MESSAGE']).slice(0, MESSAGE_LENGTH_MAX),
  };
}

/** Objects are not asked how they read as numbers: the guest wrote their methods' names. */
function figure(value: unknown): number {
  return typeof value === 'string' || typeof value === 'number' ? Number(value) : Number.NaN;
}

/** The year 9999: later instants have no ISO form of four digits. */
const MICROSECONDS_MAX = 253_402_300_799_000_000;

/** The journal gives bytes that are not text as an array of numbers, and repeated fields as an array. */
function text(value: unknown): string {
  if (typeof value === 'string') return value;
  if (!Array.isArray(value)) return '';
  if (value.every((item) => typeof item === 'number')) {
    return Buffer.from(value.slice(0, MESSAGE_LENGTH_MAX).map((item) => Number(item) & 255)).toString('utf8');
  }
  return value.map(text).join(' ');
}
