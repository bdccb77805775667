/** How values are written for people: sizes, times, durations. Pure; `now` is an argument. */
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** 1536 -> '1.5 KiB'. At most one decimal, none from 10 up. */
export function formatBytes(bytes: number): string {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const rounded = value >= 10 || unit === 0 ? Math.round(value) : Math.round(value * 10) / 10;
  return `${bytes < 0 ? '-' : ''}${rounded} ${UNITS[unit]}`;
}

/** Exact value for the hover: '1,536 bytes'. */
export function exactBytes(bytes: number): string {
  return `${bytes.toLocaleString('en')} bytes`;
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`;
}

/** Milliseconds -> '0.4 s', '12 s', '3 min 20 s', '2 h 5 min', '4 d 3 h'. */
export function formatDuration(ms: number): string {
  if (ms < 0) return '0 s';
  if (ms < 950) return `${Math.max(0.1, Math.round(ms / 100) / 10)} s`;
  const seconds = Math.round(ms / 1000);
  if (ms < 9_950) return `${Math.round(ms / 100) / 10} s`;
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return hours % 24 === 0 ? `${days} d` : `${days} d ${hours % 24} h`;
}

/** 'just now', '3 min ago', 'in 2 h', '5 d ago'; beyond 30 days the date. */
export function formatRelative(at: number, now: number): string {
  const delta = now - at;
  const past = delta >= 0;
  const seconds = Math.round(Math.abs(delta) / 1000);
  const say = (text: string) => (past ? `${text} ago` : `in ${text}`);
  if (seconds < 5) return past ? 'just now' : 'in a moment';
  if (seconds < 60) return say(`${seconds} s`);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return say(`${minutes} min`);
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return say(`${hours} h`);
  const days = Math.floor(hours / 24);
  if (days <= 30) return say(`${days} d`);
  return formatDate(at);
}

let formats: { language: string; timeZone: string | undefined } = { language: 'en-GB', timeZone: undefined };

/** Dates are written this way from now on; time zone null: that of the browser. */
export function setFormats({ language, timeZone }: { language: string; timeZone: string | null }): void {
  formats = { language, timeZone: timeZone ?? undefined };
}

/** Where the person wants times from; undefined: the browser's own. */
export function displayTimeZone(): string | undefined {
  return formats.timeZone;
}

export function formatDate(at: number): string {
  const { language, timeZone } = formats;
  return new Date(at).toLocaleDateString(language, { timeZone, day: 'numeric', month: 'short', year: 'numeric' });
}

/** Date and time to the second, where and how the person wants it. */
export function formatMoment(at: number): string {
  const { language, timeZone } = formats;
  return new Date(at).toLocaleString(language, { timeZone, dateStyle: 'medium', timeStyle: 'medium' });
}

/** For the axis of a graph: '14:20', or '21 Nov' where days count. */
export function formatTick(at: number, days: boolean): string {
  const { language, timeZone } = formats;
  return new Date(at).toLocaleString(
    language,
    days ? { timeZone, day: 'numeric', month: 'short' } : { timeZone, hour: '2-digit', minute: '2-digit' },
  );
}

/** Local time to the second, then UTC: what a hover shows. */
export function exactTime(at: number): string {
  const date = new Date(at);
  const local = formatMoment(at);
  return `${local} local · ${date.toISOString().replace('T', ' ').slice(0, 19)} UTC`;
}

/** Share of a limit in percent, 0..100; a limit of 0 counts as full. */
export function percentOf(used: number, limit: number): number {
  if (limit <= 0) return used > 0 ? 100 : 0;
  return Math.min(100, Math.max(0, (used / limit) * 100));
}

/** 'instance.create' -> 'Instance create': the fallback for codes without a title of their own. */
export function humanize(code: string): string {
  const text = code.replace(/[._-]+/g, ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
