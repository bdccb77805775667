/**
 * What an identity provider added to the address, read before the router parses and rewrites it: a code may look like
 * a number. The page is loaded anew on the way back, so it is read once.
 */
const query = location.search.slice(1);

export function outsideQuery(): string {
  return query;
}
