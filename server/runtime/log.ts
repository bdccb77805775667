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
    serializers: { err: (error: unknown) => presentError(error) },
    redact: { paths: secretFields.flatMap((name) => [name, `*.${name}`]), censor: '***' },
  };
  if (options.write === undefined) return pino(settings) as Log;
  const write = options.write;
  return pino(settings, { write }) as Log;
}

export type LoggedError = { type: string; message: string; code?: string; stack?: string; cause?: LoggedError };
/** Causes of causes that are written down. */
const CAUSES_MAX = 5;

/**
 * Only what helps to find the fault: libraries hang whole connections (with their settings) and rows on their errors.
 */
export function presentError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) return { type: typeof error, message: String(error) };
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    message: error.message,
    ...(typeof code === 'string' ? { code } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
    ...(error.cause === undefined || depth >= CAUSES_MAX ? {} : { cause: presentError(error.cause, depth + 1) }),
  };
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
