/** One way to keep records at whoever serves a zone. Each record is marked as its owner's; unmarked ones stay as they are. */
import type { DnsPlace, TsigAlgorithm } from '#domain/dns.ts';

/** `away`: nobody answers, or not now; `denied`: the secret is not accepted or not enough; `zone`: there is no such zone there; `refused`: the record is. */
export type DnsFailure = 'away' | 'denied' | 'zone' | 'refused';

/** The message is for people and holds no secret. */
export class DnsProviderError extends Error {
  readonly failure: DnsFailure;
  constructor(failure: DnsFailure, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'DnsProviderError';
    this.failure = failure;
  }
}

/** What is at a place. `mine`: it carries the owner's mark. */
export type DnsSeen = { values: string[]; mine: boolean };

export type DnsAccess =
  | {
      kind: 'rfc2136';
      host: string;
      port: number;
      keyName: string;
      algorithm: TsigAlgorithm;
      /** The key, in base64. */
      secret: string;
    }
  | { kind: 'cloudflare'; secret: string };

export type DnsProvider = {
  /**
   * Whether the secret opens what it has to. `zones` are those it may change: of the asked ones where the provider
   * cannot list; `warnings` say what it may do beyond. Errors: DnsProviderError.
   */
  inspect(zones: readonly string[]): Promise<{ zones: string[]; warnings: string[] }>;
  /** Asks the provider itself, not a cache. Errors: DnsProviderError. */
  look(place: DnsPlace, owner: string): Promise<DnsSeen>;
  /**
   * Makes the values of this place exactly these, when nothing is there or what is there is the owner's; `taken`
   * otherwise. The same call again changes nothing. Errors: DnsProviderError.
   */
  put(place: DnsPlace, values: readonly string[], owner: string): Promise<'written' | 'taken'>;
  /** Removes the owner's records of this place, and no others. Errors: DnsProviderError. */
  remove(place: DnsPlace, owner: string): Promise<void>;
};

export type DnsProviders = (access: DnsAccess) => DnsProvider;
