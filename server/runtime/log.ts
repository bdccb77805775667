/** The log of this process: one JSON object per line on stdout. Secrets are masked wherever a field carries one. */
import { pino } from 'pino';

export type Log = {
  trace(fields: object, message: string): void;
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  child(fields: object): Log;
};

export type LogOptions = {
  level: string;
  process?: string;
  /** Where lines go; stdout when absent. */
  write?: (line: string) => void;
};

/** Field names that never reach a log line, at the top and one level down. */
const secretFields = [
  'password',
  'secret',
  'token',
  'setupCode',
  'cookie',
  'authorization',
  'passwordHash',
  'tokenHash',
];

export function createLog(options: LogOptions): Log {
  const settings = {
    level: options.level,
    base: { process: options.process ?? 'server' },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`]), censor: '***' },
  };
  if (options.write === undefined) return pino(settings) as Log;
  const write = options.write;
  return pino(settings, { write }) as Log;
}

/** A log that says nothing. */
export const silentLog: Log = {
  trace() {},
  debug() {},
  info() {},
  warn() {},
  error() {},
  child: () => silentLog,
};
