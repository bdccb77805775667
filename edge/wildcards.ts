/**
 * Wildcard certificates for Caddy, which asks in the handshake when it has none itself. The answer holds a private key:
 * only Caddy gets it, by its password, and only for host names that are routes.
 */
import { X509Certificate } from 'node:crypto';
import { isCaddy, openBundle } from '#contract/wildcards.ts';
import { wildcardsCovering } from '#domain/wildcards.ts';
import { mayHaveCertificate } from './ask.ts';
import { hostnameOf, type Site } from './authorize.ts';
import type { Knowledge } from './callers.ts';

/** `endsAt` in Unix ms. */
type Opened = { closed: string; pem: string | null; endsAt: number };

function opening(pem: string | null, closed: string): Opened {
  return { closed, pem, endsAt: pem === null ? 0 : new X509Certificate(pem).validToDate.getTime() };
}

export class Wildcards {
  readonly #knowledge: Knowledge;
  readonly #site: Site;
  readonly #edgeKey: Uint8Array;
  /** What was opened, by what it was before: a certificate that is made anew is opened anew. */
  readonly #opened = new Map<string, Opened>();

  constructor(knowledge: Knowledge, site: Site, edgeKey: Uint8Array) {
    this.#knowledge = knowledge;
    this.#site = site;
    this.#edgeKey = edgeKey;
  }

  /** Whether whoever asks is Caddy. */
  isAllowed(authorization: string): boolean {
    return isCaddy(this.#edgeKey, authorization);
  }

  /** Chain and key as PEM; null: Caddy is to go on as if nobody had asked. `query` is the part of the URL after '?'. */
  async find(query: string): Promise<string | null> {
    const name = hostnameOf(new URLSearchParams(query).get('server_name') ?? '');
    // The console's own name is never asked for: Caddy keeps its certificate, also while edge is away.
    if (name === undefined || name === this.#site.domain) return null;
    for (const domain of wildcardsCovering(name)) {
      const pem = this.#open(domain);
      if (pem === null) continue;
      // Every name directly below the platform's domain, whatever is there: who asks learns nothing about what is.
      if (domain === this.#site.domain) return pem;
      return (await mayHaveCertificate(this.#knowledge, this.#site, `?domain=${name}`)) ? pem : null;
    }
    return null;
  }

  #open(domain: string): string | null {
    const closed = this.#knowledge.state.wildcard(domain);
    if (closed === undefined) return null;
    const known = this.#opened.get(domain);
    const opened = known?.closed === closed ? known : opening(openBundle(this.#edgeKey, domain, closed), closed);
    this.#opened.set(domain, opened);
    // One that could not be made again in time is worse than those that Caddy gets for single names.
    return this.#knowledge.now() < opened.endsAt ? opened.pem : null;
  }
}
