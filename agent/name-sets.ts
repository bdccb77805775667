/**
 * Addresses that stand for domain names in rules. Each project or group has a set of its own for each list of names, so
 * that nobody profits from what others asked; an address is in it for as long as the answer lasts, and a little longer.
 */
import { createHash } from 'node:crypto';
import type { NetworkRule } from '#domain/network-rules.ts';
import { ADDRESSES_PER_NAME_RULE_MAX, NAME_GRACE_SECONDS } from '#domain/resolver.ts';

/** Begins like all sets that the kernel or the resolver fills: what is in them is no difference. */
const PREFIX = 'dyn_names_';

/** Name of the set without its family (4 or 6) at the end. */
export function nameSet(scope: string, names: readonly string[]): string {
  return `${PREFIX}${createHash('sha256')
    .update(`${scope}\n${names.join('\n')}`)
    .digest('hex')
    .slice(0, 16)}_`;
}

/** An address that enters a set (named with its family) for so long. */
export type NewElement = { set: string; address: string; seconds: number };
export type NameScope = { scope: string; set: string; names: readonly string[] };

/** The sets that the rules of a project or group need. */
export function nameScopes(scope: string, rules: readonly NetworkRule[]): NameScope[] {
  return rules
    .filter((rule) => rule.names.length > 0)
    .map(({ names }) => ({ scope, set: nameSet(scope, names), names }));
}

export class NameSets {
  /** By full name of the set: when each address leaves it. */
  readonly #known = new Map<string, Map<string, number>>();
  #full = false;

  /** Sets of an older agent that the kernel still has. */
  adopt(listing: string, now: number): void {
    for (const [, set = '', body = ''] of listing.matchAll(/\tset (dyn_names_\w+) \{([\s\S]*?)\n\t\}\n/g)) {
      const known = this.#of(set);
      for (const [, address = '', expires = ''] of body.matchAll(/([0-9a-f.:]+) timeout \S+ expires (\S+?)[,\s]/g)) {
        known.set(address, now + durationMs(expires));
      }
    }
  }

  /** Only these sets are wanted from now on; answers which of them are new. */
  keep(sets: ReadonlySet<string>): Set<string> {
    const wanted = [...sets].flatMap((set) => [`${set}4`, `${set}6`]);
    for (const set of this.#known.keys()) if (!wanted.includes(set)) this.#known.delete(set);
    const fresh = new Set<string>();
    for (const set of sets) if (!this.#known.has(`${set}4`) && !this.#known.has(`${set}6`)) fresh.add(set);
    for (const set of wanted) this.#of(set);
    return fresh;
  }

  has(full: string): boolean {
    return this.#known.has(full);
  }

  /** Takes addresses in; answers what the kernel does not know yet. */
  add(set: string, addresses: readonly string[], ttlSeconds: number, now: number): NewElement[] {
    const validUntil = now + ttlSeconds * 1000;
    const leaves = validUntil + NAME_GRACE_SECONDS * 1000;
    return addresses.flatMap((address) => {
      const full = `${set}${address.includes(':') ? '6' : '4'}`;
      const known = this.#known.get(full);
      // Not wanted any more, or known for long enough.
      if (known === undefined || (known.get(address) ?? 0) >= validUntil) return [];
      if (known.size >= ADDRESSES_PER_NAME_RULE_MAX) {
        for (const [old, until] of known) if (until <= now) known.delete(old);
        this.#full = known.size >= ADDRESSES_PER_NAME_RULE_MAX;
        if (this.#full) return [];
      }
      known.set(address, leaves);
      return [{ set: full, address, seconds: Math.ceil((leaves - now) / 1000) }];
    });
  }

  /** A set had no room for an address since this was asked last. */
  wasFull(): boolean {
    const full = this.#full;
    this.#full = false;
    return full;
  }

  /** Everything that is in them now, as commands for a table that was just made. */
  all(now: number): string[] {
    return [...this.#known].flatMap(([set, known]) =>
      [...known].flatMap(([address, until]) =>
        until > now ? [`add element inet TABLE ${set} { ${address} timeout ${Math.ceil((until - now) / 1000)}s }`] : [],
      ),
    );
  }

  #of(set: string): Map<string, number> {
    const known = this.#known.get(set) ?? new Map<string, number>();
    this.#known.set(set, known);
    return known;
  }
}

/** As nft commands. An element that is there keeps its time when it is added: it is taken out in the same transaction. */
export function enterElement({ set, address, seconds }: NewElement): string[] {
  const add = `add element inet TABLE ${set} { ${address} timeout ${seconds}s }`;
  return [add, `delete element inet TABLE ${set} { ${address} }`, add];
}

/** `1h2m3s4ms` as nft writes it. */
function durationMs(text: string): number {
  const units: Record<string, number> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1000, ms: 1 };
  let sum = 0;
  for (const [, amount, unit = ''] of text.matchAll(/(\d+)(ms|[dhms])/g)) sum += Number(amount) * (units[unit] ?? 0);
  return sum;
}
