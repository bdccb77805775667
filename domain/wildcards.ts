/** Certificates for *.<domain>, made by DNS-01: which names they hold, when they are made again. */
import type { DomainId } from './ids.ts';

/** The certificate of the platform's own domain; that of a claimed domain has the domain's id. */
export const PLATFORM_WILDCARD = 'platform';
export type WildcardId = DomainId | typeof PLATFORM_WILDCARD;

/** The domain itself and everything directly below it. */
export function wildcardNames(domain: string): string[] {
  return [domain, `*.${domain}`];
}

/** Domains whose wildcard certificate covers `hostname`: itself, and the one label above. */
export function wildcardsCovering(hostname: string): string[] {
  const dot = hostname.indexOf('.');
  return dot === -1 ? [hostname] : [hostname, hostname.slice(dot + 1)];
}

/** When (Unix ms) to have the next one made: after two thirds of its life. */
export function wildcardRenewAt(notBefore: number, notAfter: number): number {
  return Math.floor(notBefore + ((notAfter - notBefore) * 2) / 3);
}

const RETRY_FIRST_MS = 60_000;
/** Authorities count failures: not too often. */
const RETRY_LAST_MS = 6 * 3600_000;

/** How long to wait (ms) after the `attempts`-th failure in a row. */
export function wildcardRetryMs(attempts: number): number {
  return Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 4 ** Math.max(0, attempts - 1));
}
