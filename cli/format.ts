/** Text for people: sizes, times, durations, colours. Pure; the time is an argument. */
import { usageError } from './errors.ts';

const units: Record<string, number> = {
  '': 1,
  b: 1,
  k: 1024,
  ki: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mi: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  g: 1024 ** 3,
  gi: 1024 ** 3,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
  t: 1024 ** 4,
  ti: 1024 ** 4,
  tib: 1024 ** 4,
  tb: 1000 ** 4,
};

/** '4GiB', '4G' (powers of 1024), '4GB' (powers of 1000), '512MiB', '4294967296' -> bytes. Errors: CliError usage. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const factor = match === null ? undefined : units[(match[2] ?? '').toLowerCase()];
  const value = match === null || factor === undefined ? Number.NaN : Number(match[1]) * factor;
  if (!Number.isFinite(value)) throw usageError(`"${text}" is not a size.`, 'Write it like 512MiB, 4GiB or 40G.');
  const bytes = Math.round(value);
  if (!Number.isSafeInteger(bytes)) throw usageError(`"${text}" is too large.`);
  return bytes;
}

/** '90s', '10m', '2h', '1d' or plain seconds -> milliseconds. Errors: CliError usage. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim());
  const factor = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }[match?.[2] ?? 's'];
  if (match === null || factor === undefined) {
    throw usageError(`"${text}" is not a duration.`, 'Write it like 90s, 10m or 2h.');
  }
  return Math.round(Number(match[1]) * factor);
}

/** A time for `--since`: RFC 3339, or how long ago ('15m', '2h', '7d'). Returns RFC 3339 in UTC. */
export function parseSince(text: string, now: number): string {
  if (/^\d+(?:\.\d+)?\s*(?:s|m|h|d)$/.test(text.trim())) return new Date(now - parseDuration(text)).toISOString();
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw usageError(`"${text}" is not a time.`, 'Write it like 2h, 7d or 2026-11-21T03:00:00Z.');
  return new Date(at).toISOString();
}

/** 4294967296 -> '4 GiB'; null -> '-'. */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return '-';
  let value = bytes;
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (value < 1024) return `${unit === 'B' ? value : trim(value)} ${unit}`;
    value /= 1024;
  }
  return `${trim(value)} TiB`;
}

function trim(value: number): string {
  const text = value >= 100 ? value.toFixed(0) : value.toFixed(1);
  return text.replace(/\.0$/, '');
}

/** 75_300 -> '1m 15s'; under a minute with one decimal: '4.2s'. */
export function formatDuration(ms: number): string {
  if (ms < 60_000) return `${(Math.max(0, ms) / 1000).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  const hours = Math.floor(seconds / 3600);
  if (hours < 48) return `${hours}h ${Math.floor((seconds % 3600) / 60)}m`;
  return `${Math.floor(hours / 24)}d ${hours % 24}h`;
}

/** '3m ago', 'in 6d', 'just now'; null -> '-'. */
export function formatRelative(iso: string | null, now: number): string {
  if (iso === null) return '-';
  const difference = Date.parse(iso) - now;
  const distance = Math.abs(difference);
  if (distance < 5000) return 'just now';
  const seconds = Math.round(distance / 1000);
  const text =
    seconds < 60
      ? `${seconds}s`
      : seconds < 3600
        ? `${Math.floor(seconds / 60)}m`
        : seconds < 86_400
          ? `${Math.floor(seconds / 3600)}h`
          : `${Math.floor(seconds / 86_400)}d`;
  return difference > 0 ? `in ${text}` : `${text} ago`;
}

export type Paint = {
  bold: (text: string) => string;
  dim: (text: string) => string;
  green: (text: string) => string;
  yellow: (text: string) => string;
  red: (text: string) => string;
  cyan: (text: string) => string;
};

/** Colours, or none: only on a terminal, never with NO_COLOR (https://no-color.org). */
export function makePaint(enabled: boolean): Paint {
  const wrap = (open: number, close: number) => (text: string) =>
    enabled ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return {
    bold: wrap(1, 22),
    dim: wrap(2, 22),
    green: wrap(32, 39),
    yellow: wrap(33, 39),
    red: wrap(31, 39),
    cyan: wrap(36, 39),
  };
}

/** Colours a state word by how it bodes; unknown words stay plain. */
export function paintState(state: string, paint: Paint): string {
  if (['running', 'ready', 'succeeded', 'online', 'healthy', 'ok'].includes(state)) return paint.green(state);
  if (['failed', 'unhealthy', 'offline', 'refused', 'error'].includes(state)) return paint.red(state);
  if (['stopped', 'archived', 'absent', 'paused'].includes(state)) return paint.dim(state);
  return paint.yellow(state);
}

/** Removes control characters, so that text from the API cannot steer the terminal it is printed on. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removing control characters is the point
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '').replace(/[\t\n]+/g, ' ');
}
