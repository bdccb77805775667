/** Page cursors: opaque to callers, checked on the way in, never trusted. */
import { BerthError } from '#domain/errors.ts';

/** Packs the sort key of a page's last row. */
export function encodeCursor(key: string | number): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** Sort key as text. Errors: invalid_input. */
export function decodeTextCursor(cursor: string | undefined, pattern: RegExp): string | null {
  if (cursor === undefined) return null;
  const value = parse(cursor);
  if (typeof value !== 'string' || !pattern.test(value)) throw badCursor();
  return value;
}

/** Sort key as a number. Errors: invalid_input. */
export function decodeNumberCursor(cursor: string | undefined): number | null {
  if (cursor === undefined) return null;
  const value = parse(cursor);
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw badCursor();
  return value;
}

/** Cuts a list read with `limit + 1` rows into a page. */
export function cutPage<Row>(
  rows: Row[],
  limit: number,
  key: (row: Row) => string | number,
): { rows: Row[]; nextCursor: string | null } {
  const page = rows.slice(0, limit);
  const last = page.at(-1);
  return { rows: page, nextCursor: rows.length > limit && last !== undefined ? encodeCursor(key(last)) : null };
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw badCursor();
  }
}

function badCursor(): BerthError {
  return new BerthError('invalid_input', 'The cursor is not valid.', {
    fields: [{ field: 'cursor', message: 'Use nextCursor of the page before, unchanged.' }],
  });
}
