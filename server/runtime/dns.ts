/**
 * Questions to the domain name system, through the resolvers of this machine or those that `up` was told. Answers tell
 * "there is none" from "nobody knows now": only the first may take something away from anybody.
 */
import { Resolver } from 'node:dns/promises';

const DNS_TIMEOUT_MS = 2_500;
const DNS_TRIES = 2;
/** Records of one answer that are looked at. */
const DNS_RECORDS_MAX = 50;

/** `records` are empty when there are none; null when no resolver could say. */
export type DnsAnswer = readonly string[] | null;

export type Dns = {
  /** Texts of TXT records, the parts of each put together. */
  texts(name: string): Promise<DnsAnswer>;
  /** The name that `name` is an alias of: none or one. */
  alias(name: string): Promise<DnsAnswer>;
  /** IPv4 and IPv6 addresses, aliases followed. */
  addresses(name: string): Promise<DnsAnswer>;
};

/** Codes that mean "there is no such record", from c-ares. */
const none = new Set(['ENOTFOUND', 'ENODATA']);

/** `servers`: 'address' or 'address:port'; none: the machine's own. */
export function createDns(servers: readonly string[] = []): Dns {
  const ask = async (work: (resolver: Resolver) => Promise<string[]>): Promise<DnsAnswer> => {
    // One for each question: they can be cancelled only all together.
    const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES });
    if (servers.length > 0) resolver.setServers(servers);
    try {
      return (await work(resolver)).slice(0, DNS_RECORDS_MAX);
    } catch (error) {
      return none.has((error as NodeJS.ErrnoException).code ?? '') ? [] : null;
    }
  };
  return {
    texts: (name) => ask(async (resolver) => (await resolver.resolveTxt(name)).map((parts) => parts.join(''))),
    alias: (name) => ask(async (resolver) => (await resolver.resolveCname(name)).map((target) => target.toLowerCase())),
    async addresses(name) {
      const [four, six] = await Promise.all([
        ask((resolver) => resolver.resolve4(name)),
        ask((resolver) => resolver.resolve6(name)),
      ]);
      return four === null && six === null ? null : [...(four ?? []), ...(six ?? [])];
    },
  };
}
