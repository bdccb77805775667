/** Small pieces of presenters. */

/** RFC 3339 in UTC with milliseconds. */
export function iso(date: Date): string {
  return date.toISOString();
}

export function isoOrNull(date: Date | null): string | null {
  return date === null ? null : date.toISOString();
}
