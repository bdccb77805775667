/** What Berth asks of an ACME authority (RFC 8555) for certificates that DNS proves. */

/** `retry`: not now; `refused`: not like this, the order is lost. The message is for people. */
export class AcmeError extends Error {
  readonly failure: 'retry' | 'refused';
  constructor(failure: 'retry' | 'refused', message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'AcmeError';
    this.failure = failure;
  }
}

export type AcmeDirectory = { directory: string; email: string | null; caFile: string | null };
export type AcmeAccount = { url: string; keyPem: string };
export type AcmeMade = { chainPem: string; issuer: string; notBefore: Date; notAfter: Date };

export type AcmeClient = {
  /** A new account with a key of its own; its holder agrees to the authority's terms. Errors: AcmeError. */
  register(): Promise<AcmeAccount>;
  makeKey(): Promise<string>;
  /** URL of an order for these names. Errors: AcmeError. */
  order(account: AcmeAccount, names: readonly string[]): Promise<string>;
  /**
   * Brings an order to its end from wherever it is. `show` puts these texts where the authority looks
   * (`_acme-challenge.<name>`), before it is told to look. Errors: AcmeError.
   */
  finish(
    account: AcmeAccount,
    order: { url: string; names: readonly string[]; keyPem: string },
    show: (texts: readonly string[]) => Promise<void>,
    /** Called when everything is proven and nothing is signed yet. */
    proven: () => Promise<void>,
  ): Promise<AcmeMade>;
};
