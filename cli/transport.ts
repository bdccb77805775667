/** How the program reaches an installation: names under .localhost, Berth's own CA, and errors in plain words. */
import { type LookupAddress, type LookupOptions, lookup } from 'node:dns';
import { readFile } from 'node:fs/promises';
import { rootCertificates } from 'node:tls';
import { CliError } from './errors.ts';

type LookupCallback = (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family?: number) => void;

/** RFC 6761: names under `localhost` mean this machine. Not every resolver knows, so this does not ask one. */
export function isLocalhostName(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost');
}

/** A `lookup` for sockets that answers 127.0.0.1 for `*.localhost` itself. */
export function localhostLookup(hostname: string, options: LookupOptions, callback: LookupCallback): void {
  if (!isLocalhostName(hostname)) {
    lookup(
      hostname,
      options,
      callback as (error: NodeJS.ErrnoException | null, address: string | LookupAddress[], family: number) => void,
    );
    return;
  }
  if (options.all === true) callback(null, [{ address: '127.0.0.1', family: 4 }]);
  else callback(null, '127.0.0.1', 4);
}

/** The public roots plus the given CA certificate (PEM file), or undefined for the public roots alone. */
export async function trustedRoots(caFile: string | undefined): Promise<string[] | undefined> {
  if (caFile === undefined) return undefined;
  try {
    return [...rootCertificates, await readFile(caFile, 'utf8')];
  } catch (error) {
    throw new CliError('usage', `Cannot read the CA certificate ${caFile}: ${(error as Error).message}`, {
      hint: 'Name the right file with --ca at berth login, or with BERTH_CA.',
      cause: error,
    });
  }
}

const certificateCodes = new Set([
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'CERT_HAS_EXPIRED',
  'CERT_SIGNATURE_FAILURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
]);

/** The system's error code somewhere in a chain of causes, or ''. */
export function systemCode(error: unknown): string {
  for (let at = error, depth = 0; at instanceof Error && depth < 5; at = at.cause, depth++) {
    const code = (at as NodeJS.ErrnoException).code;
    if (at instanceof AggregateError && at.errors.length > 0) return systemCode(at.errors[0]);
    if (typeof code === 'string') return code;
  }
  return '';
}

/** Why a connection failed, and what to do. */
export function connectionError(error: unknown, url: string): CliError {
  const code = systemCode(error);
  const origin = new URL(url).origin;
  if (certificateCodes.has(code)) {
    return new CliError('unavailable', `The certificate of ${origin} is not trusted (${code}).`, {
      code: 'network',
      hint: "Give Berth's CA certificate: berth login --ca FILE, or BERTH_CA=FILE. On the host it is <data dir>/ca.crt.",
      cause: error,
    });
  }
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return new CliError('unavailable', `The name ${new URL(url).hostname} cannot be resolved.`, {
      code: 'network',
      hint: 'Check the address of the installation: berth login --url URL',
      cause: error,
    });
  }
  if (code === 'ECONNREFUSED') {
    return new CliError('unavailable', `Nothing answers at ${origin}.`, {
      code: 'network',
      hint: 'On the host: ./berth status, then ./berth up.',
      cause: error,
    });
  }
  const timedOut = code.includes('TIMEOUT') || code === 'ETIMEDOUT';
  return new CliError(
    timedOut ? 'timeout' : 'unavailable',
    timedOut
      ? `${origin} did not answer in time.`
      : `The connection to ${origin} failed${code === '' ? '' : ` (${code})`}.`,
    {
      code: timedOut ? 'timeout' : 'network',
      hint: 'Try again; on the host, ./berth status says what is down.',
      cause: error,
    },
  );
}
