/** What stacks and containers inside a server write, as lines like those of the journal. */
import { stripVTControlCharacters } from 'node:util';
import { AGENT_LOG_LINES_MAX, type AgentInput } from '#contract/agent.ts';
import type { AgentLogEntry } from '#contract/agent-results.ts';
import { BerthError } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import type { LogSource } from '#domain/logs.ts';
import { dockerState } from './containers.ts';
import type { Engine, GuestProcess } from './engine.ts';
import { LineSplitter, MESSAGE_LENGTH_MAX, UNIT_LENGTH_MAX } from './lines.ts';

const LOGS_MS_MAX = 15_000;
const LOGS_BYTES_MAX = 16 * 1024 * 1024;
const PRIORITY_INFO = 6;

type DockerSource = Exclude<LogSource, { kind: 'run' }>;

/** Empty while Docker does not run, and for what is not there. Errors: timeout, too_large, state_conflict. */
export async function readDockerLogs(
  engine: Engine,
  query: AgentInput<'logs'>,
  source: DockerSource,
): Promise<AgentLogEntry[]> {
  if ((await dockerState(engine, query.instance)) !== 'running') return [];
  const word = query.search?.toLowerCase() ?? '';
  // Docker does not search: more is read, and what does not match is left out here.
  const tail = word === '' ? query.lines : AGENT_LOG_LINES_MAX;
  const since = query.sinceIso === undefined ? [] : [`--since=${query.sinceIso}`];
  const { stdout, stderr } = await engine.exec(query.instance, dockerLogArguments(source, tail, since), {
    timeoutMs: LOGS_MS_MAX,
    bytesMax: LOGS_BYTES_MAX,
  });
  return `${stdout}\n${stderr}`
    .split('\n')
    .flatMap((line) => parseDockerLine(line, source) ?? [])
    .filter(
      ({ unit, message }) => word === '' || message.toLowerCase().includes(word) || unit.toLowerCase().includes(word),
    )
    .sort((a, b) => (a.ts < b.ts ? -1 : a.ts > b.ts ? 1 : 0))
    .slice(-query.lines);
}

/** Errors: state_conflict while Docker does not run: looking does not wake it. */
export async function followDockerLogs(
  engine: Engine,
  instance: InstanceId,
  source: DockerSource,
  lines: number,
  onEntry: (entry: AgentLogEntry) => void,
): Promise<GuestProcess> {
  if ((await dockerState(engine, instance)) !== 'running') {
    throw new BerthError('state_conflict', 'Docker does not run inside.');
  }
  const child = await engine.follow(instance, dockerLogArguments(source, lines, ['--follow']));
  const take = (line: string): void => {
    const entry = parseDockerLine(line, source);
    if (entry !== null) onEntry(entry);
  };
  const splitters = { 1: new LineSplitter(take), 2: new LineSplitter(take) };
  child.onOutput((bytes, fd) => splitters[fd].push(bytes));
  return child;
}

export function dockerLogArguments(source: DockerSource, tail: number, more: readonly string[]): string[] {
  const options = ['--timestamps', `--tail=${tail}`, ...more];
  return source.kind === 'container'
    ? ['docker', 'logs', ...options, source.name]
    : ['docker', 'compose', '--ansi=never', `--project-name=${source.name}`, 'logs', '--no-color', ...options];
}

/** `blog-web-1  | 2026-11-21T19:00:00.123456789Z hello`; without the name for one container. Null for anything else. */
export function parseDockerLine(line: string, source: DockerSource): AgentLogEntry | null {
  const match =
    source.kind === 'stack'
      ? /^(\S+)\s+\| (\d{4}-\d\d-\d\dT\S{1,30}) ?(.*)$/s.exec(line)
      : /^()(\d{4}-\d\d-\d\dT\S{1,30}) ?(.*)$/s.exec(line);
  if (match === null) return null;
  const [, unit = '', at = '', message = ''] = match;
  const time = new Date(at);
  if (Number.isNaN(time.getTime())) return null;
  return {
    ts: time.toISOString(),
    unit: (source.kind === 'stack' ? unit : source.name).slice(0, UNIT_LENGTH_MAX),
    priority: PRIORITY_INFO,
    // Colours and cursor movements mean nothing here.
    message: stripVTControlCharacters(message.replace(/\r$/, '')).slice(0, MESSAGE_LENGTH_MAX),
  };
}
