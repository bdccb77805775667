/** How a PostgreSQL that is stopping, starting, full or gone looks from here: by code where there is one, else by text. */

/** SQLSTATEs of a server that is stopping, starting, full, or whose connection broke. */
const connectionStates = /^(?:08...|57P0[1-4]|53300)$/;
const socketErrors = new Set(['ECONNREFUSED', 'ENOENT', 'ECONNRESET', 'EPIPE', 'EACCES', 'ETIMEDOUT']);
/** What the database client says without a code. */
const clientSays =
  /timeout exceeded when trying to connect|connection terminated|connection error and is not queryable|client was closed/i;
/** Errors are wrapped at most this deep; a longer chain is a circle. */
const CAUSES_MAX = 8;

/** True when asking again in a moment may help because the database or the way to it was away. Follows `cause`. */
export function isDatabaseAway(error: unknown): boolean {
  let current = error;
  for (let depth = 0; depth < CAUSES_MAX && current instanceof Error; depth++) {
    if (looksAway(current)) return true;
    current = current.cause;
  }
  return false;
}

function looksAway(error: Error): boolean {
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') {
    if (connectionStates.test(code)) return true;
    if (socketErrors.has(code) && onSocket(error)) return true;
  }
  return clientSays.test(error.message);
}

/** A missing file is our own mistake; a missing socket is a database that is away. */
function onSocket(error: object): boolean {
  return 'syscall' in error && (error.syscall === 'connect' || error.syscall === 'read' || error.syscall === 'write');
}
