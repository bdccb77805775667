/**
 * Rules of people as one nftables table. Every packet of a guest costs a few map look-ups to find the chain of its own
 * project and groups; nobody pays for the rules of others. Address lists are sets. Pure.
 */
import type { AgentInput } from '#contract/agent.ts';
import { isRange6, type NetworkRule, parsePorts } from '#domain/network-rules.ts';
import { ADDRESSES_PER_NAME_RULE_MAX } from '#domain/resolver.ts';
import type { Passage } from './engine.ts';
import { nameSet } from './name-sets.ts';
import { BETWEEN_MARK } from './passages.ts';

export type Policies = AgentInput<'setPolicies'>;
/** Where the guests named by policies are. */
export type PolicyPlaces = {
  bridges: ReadonlyMap<string, string>;
  addresses: ReadonlyMap<string, { address4: string; address6: string }>;
  /** What guests of a project may ask of each other. */
  passages: readonly Passage[];
};

/** Sets whose elements the kernel adds by itself begin with this: what is in them is no difference. */
export const DYNAMIC_PREFIX = 'dyn_';
const TRACKED_MAX = 65_535;

/** The table's content; null when there are no policies. */
export function policyTable(policies: Policies, { bridges, addresses, passages }: PolicyPlaces): string | null {
  const projects = policies.projects.filter((policy) => bridges.has(policy.project));
  const guests = policies.instances.filter((each) => addresses.has(each.instance) && each.groups.length > 0);
  if (projects.length === 0 && guests.length === 0) return null;
  const sets: string[] = [];
  const chains: string[] = [];
  const caps: string[] = [];
  const jumps: string[] = [];
  const counted: string[] = [];

  for (const [index, policy] of projects.entries()) {
    const bridge = `"${bridges.get(policy.project)}"`;
    const lines: string[] = [];
    if (policy.bytesPerSecondMax !== null) {
      caps.push(...bandwidthLines(sets, `${DYNAMIC_PREFIX}p${index}`, bridge, policy.bytesPerSecondMax));
    }
    if (policy.connectionsMax !== null) {
      chains.push(
        chain(`counted_${index}`, connectionLines(sets, `${DYNAMIC_PREFIX}p${index}c`, policy.connectionsMax)),
      );
      counted.push(`${bridge} : jump counted_${index}`);
      lines.push(`jump counted_${index}`);
    }
    lines.push(
      ...ruleLines(
        sets,
        { name: `p${index}d`, scope: policy.project },
        policy.rules.filter((rule) => rule.action === 'deny'),
        'daddr',
        REFUSE,
      ),
    );
    lines.push(
      ...ruleLines(
        sets,
        { name: `p${index}a`, scope: policy.project },
        policy.rules.filter((rule) => rule.action === 'allow'),
        'daddr',
        'return',
      ),
    );
    if (policy.default === 'deny') lines.push(REFUSE);
    chains.push(chain(`project_${index}`, lines));
    jumps.push(`${bridge} : jump project_${index}`);
  }

  const names = new Map(policies.groups.map((group, index) => [group.group as string, index]));
  const allows = new Set<string>();
  for (const [index, group] of policies.groups.entries()) {
    for (const direction of ['in', 'out'] as const) {
      const address = direction === 'in' ? 'saddr' : 'daddr';
      const of = (action: NetworkRule['action']) =>
        group.rules.filter((rule) => rule.direction === direction && rule.action === action);
      if (of('allow').length > 0) allows.add(`${index}_${direction}`);
      chains.push(
        chain(
          `group_${index}_${direction}_deny`,
          ruleLines(sets, { name: `g${index}${direction}d`, scope: group.group }, of('deny'), address, REFUSE),
        ),
      );
      chains.push(
        chain(
          `group_${index}_${direction}_allow`,
          ruleLines(sets, { name: `g${index}${direction}a`, scope: group.group }, of('allow'), address, 'accept'),
        ),
      );
    }
    for (const action of ['deny', 'allow'] as const) {
      const own = passages.filter((passage) => passage.group === group.group && passage.action === action);
      chains.push(chain(`group_${index}_between_${action}`, passageLines(sets, `g${index}b${action}`, own)));
    }
  }

  // Guests with the same groups share a chain.
  const shared = new Map<string, { groups: number[]; guests: string[] }>();
  for (const { instance, groups } of guests) {
    const indexes = [...new Set(groups.flatMap((group) => names.get(group) ?? []))].sort((a, b) => a - b);
    const key = indexes.join('_');
    const entry = shared.get(key) ?? { groups: indexes, guests: [] };
    entry.guests.push(instance);
    shared.set(key, entry);
  }
  const maps: Record<string, string[]> = { out4: [], out6: [], in4: [], in6: [], to4: [], to6: [] };
  const reached = new Set(passages.flatMap((passage) => (passage.action === 'allow' ? passage.to : [])));
  for (const [index, { groups, guests: members }] of [...shared.values()].entries()) {
    const steps = ['in_deny', 'between_deny', 'between_allow'] as const;
    chains.push(
      chain(
        `guests_${index}_between`,
        steps.flatMap((step) => groups.map((group) => `jump group_${group}_${step}`)),
      ),
    );
    for (const instance of members) {
      const at = addresses.get(instance);
      for (const [map, address] of [
        ['to4', at?.address4],
        ['to6', at?.address6],
      ] as const) {
        if (address !== undefined && reached.has(address)) maps[map]?.push(`${address} : jump guests_${index}_between`);
      }
    }
    for (const direction of ['in', 'out'] as const) {
      const lines = groups.map((group) => `jump group_${group}_${direction}_deny`);
      lines.push(...groups.map((group) => `jump group_${group}_${direction}_allow`));
      // As soon as one rule allows something this way, everything else this way is shut.
      if (groups.some((group) => allows.has(`${group}_${direction}`))) lines.push(REFUSE);
      chains.push(chain(`guests_${index}_${direction}`, lines));
      for (const instance of members) {
        const at = addresses.get(instance);
        maps[`${direction}4`]?.push(`${at?.address4} : jump guests_${index}_${direction}`);
        maps[`${direction}6`]?.push(`${at?.address6} : jump guests_${index}_${direction}`);
      }
    }
  }

  const between = new Set(
    [...reached].length === 0 ? [] : passages.flatMap((passage) => bridges.get(passage.project) ?? []),
  );
  const same = [...between].map((name) => `"${name}" . "${name}"`);
  const map = (name: string, type: string, elements: readonly string[]): string =>
    `  map ${name} { type ${type} : verdict;${elements.length === 0 ? '' : ` elements = { ${elements.join(', ')} };`} }`;
  return [
    ...sets,
    ...chains,
    map('projects', 'ifname', jumps),
    map('out4', 'ipv4_addr', maps['out4'] ?? []),
    map('out6', 'ipv6_addr', maps['out6'] ?? []),
    map('in4', 'ipv4_addr', maps['in4'] ?? []),
    map('in6', 'ipv6_addr', maps['in6'] ?? []),
    ...(same.length === 0
      ? []
      : [
          `  set same { type ifname . ifname; elements = { ${same.join(', ')} }; }`,
          map('counted', 'ifname', counted),
          map('to4', 'ipv4_addr', maps['to4'] ?? []),
          map('to6', 'ipv6_addr', maps['to6'] ?? []),
          // Before the host's own table, which drops whatever goes from guest to guest without a mark.
          chain('between', [
            'type filter hook forward priority -11; policy accept;',
            'iifname . oifname != @same accept',
            'ct state established,related accept',
            'iifname vmap @counted',
            'ip daddr vmap @to4',
            'ip6 daddr vmap @to6',
            REFUSE,
          ]),
          // That the neighbour is on the same link is what guests must not learn: it would not answer them.
          chain('redirects', [
            'type filter hook output priority -11; policy accept;',
            `oifname { ${[...between].map((name) => `"${name}"`).join(', ')} } icmp type redirect drop`,
            `oifname { ${[...between].map((name) => `"${name}"`).join(', ')} } icmpv6 type nd-redirect drop`,
          ]),
        ]),
    chain('through', [
      'type filter hook forward priority -9; policy accept;',
      ...caps,
      'ct state established,related accept',
      // Judged above: what a project may reach is about the outside.
      ...(same.length === 0 ? [] : ['iifname . oifname @same accept']),
      'iifname vmap @projects',
      'iifname "bth*" ip saddr vmap @out4',
      'iifname "bth*" ip6 saddr vmap @out6',
      'oifname "bth*" ip daddr vmap @in4',
      'oifname "bth*" ip6 daddr vmap @in6',
    ]),
  ].join('\n');
}

/** Who may come from which neighbours: without anybody to name, nothing at all. */
function passageLines(sets: string[], name: string, passages: readonly Passage[]): string[] {
  return passages.map(({ action, protocol, ports, family, from }, index) => {
    const key = family === 4 ? 'ip' : 'ip6';
    const set = `${name}${index}_${family}`;
    sets.push(`  set ${set} { type ipv${family}_addr; elements = { ${from.join(', ')} }; }`);
    const verdict = action === 'deny' ? REFUSE : `meta mark set ${BETWEEN_MARK} accept`;
    return `${key} saddr @${set} ${protocolMatch({ protocol, ports })}${verdict}`;
  });
}

const REFUSE = 'reject with icmpx type admin-prohibited';

function chain(name: string, lines: readonly string[]): string {
  return [`  chain ${name} {`, ...lines.map((line) => `    ${line}`), '  }'].join('\n');
}

/** A few lines for each rule; address lists become sets of their own, domain names sets that the resolver fills. */
function ruleLines(
  sets: string[],
  { name, scope }: { name: string; scope: string },
  rules: readonly NetworkRule[],
  address: 'saddr' | 'daddr',
  verdict: string,
): string[] {
  return rules.flatMap((rule, index) => {
    const what = protocolMatch(rule);
    // From guests and not from addresses: it says nothing about what comes from outside.
    if (rule.groups.length > 0) return [];
    if (rule.ranges.length === 0 && rule.names.length === 0) return [`${what}${verdict}`];
    const families = [
      { suffix: '4', key: 'ip', type: 'ipv4_addr', ranges: rule.ranges.filter((range) => !isRange6(range)) },
      { suffix: '6', key: 'ip6', type: 'ipv6_addr', ranges: rule.ranges.filter(isRange6) },
    ];
    return families.flatMap(({ suffix, key, type, ranges }) => {
      const lines: string[] = [];
      if (ranges.length > 0) {
        const set = `${name}${index}_${suffix}`;
        sets.push(`  set ${set} { type ${type}; flags interval; auto-merge; elements = { ${ranges.join(', ')} }; }`);
        lines.push(`${key} ${address} @${set} ${what}${verdict}`);
      }
      if (rule.names.length > 0) {
        const set = `${nameSet(scope, rule.names)}${suffix}`;
        const made = `  set ${set} { type ${type}; size ${ADDRESSES_PER_NAME_RULE_MAX}; flags timeout; }`;
        if (!sets.includes(made)) sets.push(made);
        lines.push(`${key} ${address} @${set} ${what}${verdict}`);
      }
      return lines;
    });
  });
}

function protocolMatch({ protocol, ports }: Pick<NetworkRule, 'protocol' | 'ports'>): string {
  if (protocol === 'icmp') return 'meta l4proto { icmp, ipv6-icmp } ';
  const spans = (parsePorts(ports) ?? []).map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`));
  if (spans.length === 0) return protocol === 'any' ? '' : `meta l4proto ${protocol} `;
  const list = `{ ${spans.join(', ')} } `;
  return protocol === 'any' ? `meta l4proto { tcp, udp } th dport ${list}` : `${protocol} dport ${list}`;
}

/** Each guest has its own count, in both families. */
function connectionLines(sets: string[], name: string, most: number): string[] {
  return families(sets, name, 'flags dynamic').map(
    ({ set, key }) => `add @${set} { ${key} saddr ct count over ${most} } ${REFUSE}`,
  );
}

/** Each guest has its own bucket, each way; what does not fit is dropped and comes again more slowly. */
function bandwidthLines(sets: string[], name: string, bridge: string, bytesPerSecond: number): string[] {
  const rate = `limit rate over ${bytesPerSecond} bytes/second burst ${Math.max(65_536, Math.floor(bytesPerSecond / 4))} bytes`;
  return (['out', 'in'] as const).flatMap((way) =>
    families(sets, `${name}${way}`, 'flags dynamic,timeout; timeout 1m').map(({ set, key }) =>
      way === 'out'
        ? `iifname ${bridge} update @${set} { ${key} saddr ${rate} } drop`
        : `oifname ${bridge} update @${set} { ${key} daddr ${rate} } drop`,
    ),
  );
}

function families(sets: string[], name: string, flags: string): { set: string; key: 'ip' | 'ip6' }[] {
  return (
    [
      { set: `${name}4`, key: 'ip', type: 'ipv4_addr' },
      { set: `${name}6`, key: 'ip6', type: 'ipv6_addr' },
    ] as const
  ).map(({ set, key, type }) => {
    sets.push(`  set ${set} { type ${type}; size ${TRACKED_MAX}; ${flags}; }`);
    return { set, key };
  });
}
