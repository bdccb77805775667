/**
 * The second wall around guests' networks: one static nftables table, keyed on the prefix of bridge names, that holds
 * even if the engine's own rules were lost. It can only take away: an accept here is not final, a drop is. The same for
 * every installation on the machine, whatever networks exist; never a rule per tenant.
 */
import { createHash } from 'node:crypto';
import { deniedRanges4, deniedRanges6 } from '#domain/addresses.ts';
import { BerthError } from '#domain/errors.ts';
import { PULL_MARK } from '#domain/registry.ts';
import { nft } from './incus/filters.ts';
import type { HostGuard } from './network-guard.ts';
import { BETWEEN_MARK } from './passages.ts';

const TABLE = 'berth_guard';
/** Counted up with every change of the rules: where two installations differ in age, the newer table stays. */
const VERSION = 4;

/** The table as nft reads it. `mark` is a digest of the rules, kept in the table's comment to notice older versions. */
export function hostTable(): { text: string; mark: string } {
  const body = `
  set denied4 { type ipv4_addr; flags interval; elements = { ${deniedRanges4.join(', ')} }; }
  set denied6 { type ipv6_addr; flags interval; elements = { ${deniedRanges6.join(', ')} }; }
  chain guest_to_host {
    type filter hook input priority filter - 10; policy accept;
    iifname != "bth*" accept
    ct state established,related accept
    udp dport { 53, 67, 547 } accept
    tcp dport 53 accept
    meta mark ${PULL_MARK} accept
    icmp type { destination-unreachable, time-exceeded, parameter-problem } accept
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem, nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld-listener-done, mld2-listener-report } accept
    reject
  }
  chain guest_through {
    type filter hook forward priority filter - 10; policy accept;
    iifname != "bth*" oifname != "bth*" accept
    ct state established,related accept
    ct state invalid drop
    iifname "bth*" oifname "bth*" meta mark ${BETWEEN_MARK} accept
    iifname "bth*" oifname "bth*" drop
    oifname "bth*" ct status dnat accept
    oifname "bth*" drop
    ip daddr @denied4 reject with icmp type admin-prohibited
    ip6 daddr @denied6 reject with icmpv6 type admin-prohibited
  }`;
  const mark = `berth v${VERSION} ${createHash('sha256').update(body).digest('hex').slice(0, 16)}`;
  return { text: `table inet ${TABLE} {\n  comment "${mark}"${body}\n}\n`, mark };
}

/** Loads the table when it is missing, changed or older. */
export class HostTable implements HostGuard {
  #seen: string | null = null;

  /** Returns what was repaired. Errors: unavailable when nft refuses. */
  async check(): Promise<string[]> {
    const { text, mark } = hostTable();
    const present = await nft(['list', 'table', 'inet', TABLE], '');
    if (present.ok && present.stdout === this.#seen) return [];
    const newer = Number(/comment "berth v(\d+) /.exec(present.stdout)?.[1] ?? 0) > VERSION;
    if (present.ok && newer) {
      this.#seen = present.stdout;
      return [];
    }
    // Somebody else's table (another installation, or ours before a restart) with all its rules is taken as it is: a
    // needless rewrite by another version of nft can leave sets behind that an older one cannot read.
    if (
      this.#seen === null &&
      present.ok &&
      present.stdout.includes(mark) &&
      verdicts(present.stdout) === verdicts(text)
    ) {
      this.#seen = present.stdout;
      return [];
    }
    // One transaction: there is no moment without rules.
    const loaded = await nft(['-f', '-'], `table inet ${TABLE}\ndelete table inet ${TABLE}\n${text}`);
    if (!loaded.ok)
      throw new BerthError('unavailable', 'The firewall table could not be loaded.', {
        detail: loaded.stderr.slice(0, 500),
      });
    const after = await nft(['list', 'table', 'inet', TABLE], '');
    this.#seen = after.ok ? after.stdout : null;
    return [present.ok ? 'it was different' : 'it was missing'];
  }
}

/** How many rules decide something. */
function verdicts(text: string): number {
  return (text.match(/\b(accept|drop|reject)\b/g) ?? []).length;
}
