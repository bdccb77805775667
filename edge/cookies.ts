/** Cookies of requests: finding Berth's own, and taking them out of what an instance may see. */
const BERTH_PREFIX = '__host-berth';

/** The value of the first cookie called `name` in a `Cookie` header; undefined when there is none. */
export function cookieValue(header: string | undefined, name: string): string | undefined {
  if (header === undefined || header === '') return undefined;
  let start = 0;
  while (start < header.length) {
    let end = header.indexOf(';', start);
    if (end === -1) end = header.length;
    while (start < end && (header.charCodeAt(start) === 32 || header.charCodeAt(start) === 9)) start++;
    if (header.startsWith(name, start) && header.charCodeAt(start + name.length) === 61)
      return header.slice(start + name.length + 1, end).trim();
    start = end + 1;
  }
  return undefined;
}

/** The `Cookie` header without Berth's cookies; everything else unchanged and in order. */
export function withoutBerthCookies(header: string | undefined): string {
  if (header === undefined || header === '') return '';
  if (!header.toLowerCase().includes(BERTH_PREFIX)) return header;
  return header
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair !== '' && !pair.toLowerCase().startsWith(BERTH_PREFIX))
    .join('; ');
}
