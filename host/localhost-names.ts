/**
 * Loaded before a development tool (`node --import`): every name below `localhost` is this machine (RFC 6761), also
 * where the resolver does not say so.
 */
import dns from 'node:dns';

const systemLookup = dns.lookup;

type Callback = (error: NodeJS.ErrnoException | null, address: string | dns.LookupAddress[], family?: number) => void;

function lookup(hostname: string, options: unknown, callback?: Callback): void {
  const answer = (callback ?? options) as Callback;
  if (!hostname.endsWith('.localhost')) {
    (systemLookup as (...args: unknown[]) => void)(hostname, options, callback);
    return;
  }
  const all = typeof options === 'object' && options !== null && 'all' in options && options.all === true;
  process.nextTick(() => {
    if (all) answer(null, [{ address: '127.0.0.1', family: 4 }]);
    else answer(null, '127.0.0.1', 4);
  });
}

dns.lookup = lookup as typeof dns.lookup;
