/** Finds out, by trying, whether this kernel can filter forged addresses on bridge ports (nft bridge support). */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { NicFilters } from './guests.ts';

const PROBE_SECONDS_MAX = 10;

const rules = {
  mac: [
    'iifname "berth-probe" ether saddr != 02:00:00:00:00:01 drop',
    'iifname "berth-probe" ether type arp arp saddr ether != 02:00:00:00:00:01 drop',
  ],
  ip4: [
    'iifname "berth-probe" ether type ip ip saddr != 192.0.2.9 drop',
    'iifname "berth-probe" ether type arp arp saddr ip != 192.0.2.9 drop',
  ],
  ip6: [
    'iifname "berth-probe" ether type ip6 ip6 saddr != fd00::9 drop',
    'iifname "berth-probe" icmpv6 type 134 drop',
    'iifname "berth-probe" icmpv6 type 136 @nh,528,48 != 0x020000000001 drop',
  ],
} as const;

/** Loads the kind of rules that the engine would write into a table of its own, then removes the table. */
export async function probeNicFilters(): Promise<NicFilters> {
  const [mac, ip4, ip6] = await Promise.all([tryRules(rules.mac), tryRules(rules.ip4), tryRules(rules.ip6)]);
  return { mac, ip4: ip4 && mac, ip6: ip6 && mac };
}

async function tryRules(lines: readonly string[]): Promise<boolean> {
  const table = `berth_probe_${randomBytes(4).toString('hex')}`;
  const text = [
    `table bridge ${table} {`,
    '  chain probe_in { type filter hook input priority filter; policy accept;',
    ...lines.map((line) => `    ${line}`),
    '  }',
    '  chain probe_fwd { type filter hook forward priority filter; policy accept;',
    ...lines.map((line) => `    ${line}`),
    '  }',
    '}',
  ].join('\n');
  const loaded = await nft(['-f', '-'], text);
  await nft(['delete', 'table', 'bridge', table], '');
  return loaded.ok;
}

/** Runs nft with fixed arguments. */
export function nft(
  args: readonly string[],
  input: string,
  bytesMax = NFT_BYTES_MAX,
): Promise<{ ok: boolean; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      'nft',
      [...args],
      { timeout: PROBE_SECONDS_MAX * 1000, maxBuffer: bytesMax },
      (error, stdout, stderr) =>
        resolve({
          ok: error === null,
          stdout,
          stderr: stderr || (error === null ? '' : `nft ended: ${error.signal ?? error.code ?? error.message}`),
        }),
    );
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(input);
  });
}

const NFT_BYTES_MAX = 8 * 1024 * 1024;
