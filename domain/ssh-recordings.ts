/**
 * Recordings of SSH sessions as far as they are arithmetic: their bounds, and how their files are written and read. A file
 * is an asciicast of version 2: a line with a header, then a line for each event. Nothing here reads or writes a file.
 */
import { isId, type SshSessionId } from './ids.ts';

/** One recording: beyond it the shell is ended, so that nothing goes unrecorded. */
export const SSH_RECORDING_BYTES_MAX = 64 * 1024 ** 2;
export const SSH_RECORDING_HOURS_MAX = 24;
/** All recordings of an organization: beyond it no recorded shell is opened until some are deleted. */
export const SSH_RECORDINGS_BYTES_MAX = 4 * 1024 ** 3;
/** So much stays free on the disk of the recordings: below it recorded shells end and none is opened. */
export const SSH_RECORDINGS_FREE_BYTES_MIN = 1024 ** 3;
/** How long recordings are kept. */
export const SSH_RECORDING_DAYS_DEFAULT = 30;
export const SSH_RECORDING_DAYS_MAX = 365;

/** What edge tells the gateway about a server: `full` means that it has to be recorded and there is no room. */
export const sshRecordingStates = ['off', 'on', 'full'] as const;
export type SshRecordingState = (typeof sshRecordingStates)[number];

/** What the person reads before their shell. */
export const SSH_RECORDED_WORDS =
  'This session is recorded: what the terminal shows, not what you type. Those who manage the organization can replay it.';

/** Seconds since the start, kind (output or new size), data. */
export type CastEvent = readonly [at: number, kind: 'o' | 'r', data: string];
export type Cast = {
  width: number;
  height: number;
  startedAt: Date;
  title: string;
  seconds: number;
  events: CastEvent[];
};

const SESSION_KEY = 'BERTH_SSH_SESSION';

export function castHeader(of: {
  width: number;
  height: number;
  startedAt: Date;
  title: string;
  term: string;
  session: SshSessionId;
}): string {
  const { width, height, title } = of;
  const timestamp = Math.floor(of.startedAt.getTime() / 1000);
  const env = { TERM: of.term, [SESSION_KEY]: of.session };
  return `${JSON.stringify({ version: 2, width, height, timestamp, title, env })}\n`;
}

/** The connection that the first line of a file names. */
export function sessionOfCast(header: string): SshSessionId | null {
  try {
    const value = JSON.parse(header) as { env?: Record<string, unknown> } | null;
    const session = value?.env?.[SESSION_KEY];
    return isId('shs', session) ? session : null;
  } catch {
    return null;
  }
}

export function castLine(milliseconds: number, kind: CastEvent[1], data: string): string {
  return `${JSON.stringify([Math.max(0, Math.round(milliseconds)) / 1000, kind, data])}\n`;
}

const size = (value: unknown, fallback: number): number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) <= 1_000 ? (value as number) : fallback;

/** One line as an event; null when it is none, such as the last line of a file that was cut off. */
export function readCastLine(line: string): CastEvent | null {
  try {
    const value: unknown = JSON.parse(line);
    if (!Array.isArray(value)) return null;
    const [at, kind, data] = value as unknown[];
    if (typeof at !== 'number' || !Number.isFinite(at) || at < 0 || typeof data !== 'string') return null;
    return kind === 'o' || kind === 'r' ? [at, kind, data] : null;
  } catch {
    return null;
  }
}

/** Null when the text does not begin with a header. What cannot be read of the rest is left out; time never runs back. */
export function readCast(text: string): Cast | null {
  const lines = text.split('\n');
  let header: unknown;
  try {
    header = JSON.parse(lines[0] ?? '');
  } catch {
    return null;
  }
  if (typeof header !== 'object' || header === null || !('version' in header) || header.version !== 2) return null;
  const { width, height, timestamp, title } = header as Record<string, unknown>;
  const events: CastEvent[] = [];
  let seconds = 0;
  for (const line of lines.slice(1)) {
    const event = readCastLine(line);
    if (event === null) continue;
    seconds = Math.max(seconds, event[0]);
    events.push([seconds, event[1], event[2]]);
  }
  return {
    width: size(width, 80),
    height: size(height, 24),
    startedAt: new Date((typeof timestamp === 'number' ? timestamp : 0) * 1000),
    title: typeof title === 'string' ? title : '',
    seconds,
    events,
  };
}

/** '120x40' of an event of kind 'r'; null when it is no size. */
export function readCastSize(data: string): { columns: number; rows: number } | null {
  const match = /^(\d{1,4})x(\d{1,4})$/.exec(data);
  const columns = Number(match?.[1]);
  const rows = Number(match?.[2]);
  return match !== null && columns > 0 && rows > 0 && columns <= 1_000 && rows <= 1_000 ? { columns, rows } : null;
}
