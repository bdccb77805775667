/**
 * Rules about what may enter or leave an instance, as people write them: "allow in tcp 22,80 from 203.0.113.0/24". Deny
 * wins over allow, whatever the order. Pure.
 */
export const ruleActions = ['allow', 'deny'] as const;
export type RuleAction = (typeof ruleActions)[number];
export const ruleDirections = ['in', 'out'] as const;
export type RuleDirection = (typeof ruleDirections)[number];
export const ruleProtocols = ['any', 'tcp', 'udp', 'icmp'] as const;
export type RuleProtocol = (typeof ruleProtocols)[number];

/**
 * `ports` empty: all. `ranges` (CIDR, either family), `names` (of domains, for what goes out), `sets` and `groups` (for
 * what comes in) all empty: anywhere. A name stands for the addresses that the resolver has answered for it, a group for
 * the instances that have it.
 */
export type NetworkRule = {
  action: RuleAction;
  direction: RuleDirection;
  protocol: RuleProtocol;
  ports: string;
  ranges: string[];
  names: string[];
  /** Address sets of the project, by name. */
  sets: string[];
  /** Security groups of the project, by name; on its way to the host by id. */
  groups: string[];
};

export const RULES_PER_GROUP_MAX = 50;
export const RULES_PER_EGRESS_POLICY_MAX = 100;
export const RANGES_PER_RULE_MAX = 500;
export const NAMES_PER_RULE_MAX = 50;
export const SETS_PER_RULE_MAX = 5;
export const GROUPS_PER_RULE_MAX = 5;
/** Rules of one group that name groups: each of them becomes rules of the engine as well. */
export const RULES_FROM_GROUPS_MAX = 10;
export const ADDRESS_SETS_PER_PROJECT_MAX = 50;
export const PORTS_PER_RULE_MAX = 20;
export const SECURITY_GROUPS_PER_PROJECT_MAX = 50;
export const SECURITY_GROUPS_PER_INSTANCE_MAX = 5;
/** Open connections an instance may be held to, and bytes a second. */
export const CONNECTIONS_MIN = 10;
export const CONNECTIONS_MAX = 60_000;
export const BANDWIDTH_MIN = 10_000;
export const BANDWIDTH_MAX = 100_000_000_000;

export type PortSpan = { first: number; last: number };

/** '80,443,1000-2000' as spans without overlaps, in order; null when it cannot be read. */
export function parsePorts(text: string): PortSpan[] | null {
  if (text === '') return [];
  const spans: PortSpan[] = [];
  for (const part of text.split(',')) {
    const [, first = '', last = first] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part) ?? [];
    const span = { first: Number(first), last: Number(last) };
    if (first === '' || span.first < 1 || span.last > 65_535 || span.last < span.first) return null;
    spans.push(span);
  }
  spans.sort((a, b) => a.first - b.first);
  const merged: PortSpan[] = [];
  for (const span of spans) {
    const before = merged.at(-1);
    if (before !== undefined && span.first <= before.last + 1) before.last = Math.max(before.last, span.last);
    else merged.push({ ...span });
  }
  return merged;
}

export function formatPorts(spans: readonly PortSpan[]): string {
  return spans.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)).join(',');
}

const octet = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const range4 = new RegExp(`^${octet}(?:\\.${octet}){3}(?:/(?:3[0-2]|[12]?[0-9]))?$`);

/** An address or range of either family in its shortest form; null when it is none. */
export function canonicalRange(text: string): string | null {
  if (range4.test(text)) return text.includes('/') ? text : `${text}/32`;
  const [, address = '', bits = '128'] = /^([0-9a-f:]{2,39})(?:\/(\d{1,3}))?$/.exec(text.toLowerCase()) ?? [];
  if (address === '' || !address.includes(':') || Number(bits) > 128) return null;
  if (!URL.canParse(`http://[${address}]/`)) return null;
  return `${new URL(`http://[${address}]/`).hostname.slice(1, -1)}/${Number(bits)}`;
}

/** Names of address sets and of security groups. */
const setName = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const label = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?';
const domainName = new RegExp(`^(?:\\*\\.)?(?:${label}\\.)+(?=[a-z0-9-]*[a-z])${label}$`);
const NAME_LENGTH_MAX = 253;

/** A domain name, or `*.` and one for everything below it, in lower case; null when it is none. */
export function canonicalName(text: string): string | null {
  const name = text.toLowerCase().replace(/\.$/, '');
  return name.length <= NAME_LENGTH_MAX && domainName.test(name) ? name : null;
}

/** Whether `name` (lower case, no dot at its end) is what a rule's name means. */
export function nameMatches(pattern: string, name: string): boolean {
  return pattern.startsWith('*.') ? name.endsWith(pattern.slice(1)) : name === pattern;
}

export function isRange6(range: string): boolean {
  return range.includes(':');
}

/** What stands before the name of a group in a rule. */
const GROUP_WORD = 'group:';

/** What is wrong with a rule, in words; null: nothing. */
export function ruleProblem(rule: NetworkRule): string | null {
  const ports = parsePorts(rule.ports);
  if (ports === null) return `"${rule.ports}" are not ports: write 80,443 or 1000-2000.`;
  if (ports.length > PORTS_PER_RULE_MAX) return `A rule names at most ${PORTS_PER_RULE_MAX} ports or spans.`;
  if (rule.protocol === 'icmp' && ports.length > 0) return 'ICMP has no ports.';
  if (rule.ranges.length > RANGES_PER_RULE_MAX) return `A rule names at most ${RANGES_PER_RULE_MAX} ranges.`;
  const wrong = rule.ranges.find((range) => canonicalRange(range) === null);
  if (wrong !== undefined) return `"${wrong}" is not an address or range such as 203.0.113.0/24.`;
  if (rule.names.length > NAMES_PER_RULE_MAX) return `A rule names at most ${NAMES_PER_RULE_MAX} domains.`;
  const strange = rule.names.find((name) => canonicalName(name) === null);
  if (strange !== undefined) return `"${strange}" is not a name such as example.org or *.example.org.`;
  if (rule.sets.length > SETS_PER_RULE_MAX) return `A rule names at most ${SETS_PER_RULE_MAX} address sets.`;
  const unnamed = rule.sets.find((set) => !setName.test(set));
  if (unnamed !== undefined) return `"@${unnamed}" is not the name of an address set.`;
  if (rule.names.length > 0 && rule.direction === 'in') return 'Domain names are for what goes out.';
  if (rule.groups.length > GROUPS_PER_RULE_MAX) return `A rule names at most ${GROUPS_PER_RULE_MAX} security groups.`;
  const unknown = rule.groups.find((group) => !setName.test(group));
  if (unknown !== undefined) return `"${GROUP_WORD}${unknown}" is not the name of a security group.`;
  if (rule.groups.length > 0 && rule.direction === 'out')
    return 'Security groups are for what comes in: the rule belongs to who is reached.';
  return null;
}

/** The same rule with ports merged and ranges in their shortest form. Only for rules without a problem. */
export function canonicalRule(rule: NetworkRule): NetworkRule {
  const ranges = [...new Set(rule.ranges.flatMap((range) => canonicalRange(range) ?? []))];
  const names = [...new Set(rule.names.flatMap((name) => canonicalName(name) ?? []))];
  const [sets, groups] = [[...new Set(rule.sets)], [...new Set(rule.groups)]];
  return { ...rule, ports: formatPorts(parsePorts(rule.ports) ?? []), ranges, names, sets, groups };
}

export function formatRule(rule: NetworkRule): string {
  const words: string[] = [rule.action, rule.direction, rule.protocol];
  if (rule.ports !== '') words.push(rule.ports);
  const groups = rule.groups.map((group) => `${GROUP_WORD}${group}`);
  const where = [...rule.ranges, ...rule.names, ...rule.sets.map((set) => `@${set}`), ...groups];
  if (where.length > 0) words.push(rule.direction === 'in' ? 'from' : 'to', where.join(','));
  return words.join(' ');
}

/** Reads one line as `formatRule` writes it; protocol, ports and ranges may be left out. A string says what is wrong. */
export function parseRule(line: string): NetworkRule | string {
  const words = line.trim().toLowerCase().replace(/,\s+/g, ',').split(/\s+/);
  const action = words.shift();
  if (!isOneOf(ruleActions, action)) return `Begin with allow or deny: ${line.trim()}`;
  const direction = words.shift();
  if (!isOneOf(ruleDirections, direction)) return `After ${action} comes in or out: ${line.trim()}`;
  const protocol = isOneOf(ruleProtocols, words[0]) ? (words.shift() as RuleProtocol) : 'any';
  const preposition = direction === 'in' ? 'from' : 'to';
  const ports = words[0] === undefined || words[0] === preposition ? '' : (words.shift() ?? '');
  const ranges: string[] = [];
  const names: string[] = [];
  const sets: string[] = [];
  const groups: string[] = [];
  if (words[0] === preposition) {
    words.shift();
    for (const part of (words.shift() ?? '').split(',')) {
      if (part.startsWith('@')) sets.push(part.slice(1));
      else if (part.startsWith(GROUP_WORD)) groups.push(part.slice(GROUP_WORD.length));
      else (canonicalName(part) === null ? ranges : names).push(part);
    }
  }
  if (words.length > 0)
    return `"${words.join(' ')}" is not understood. Write: allow ${direction} tcp 443 ${preposition} 203.0.113.0/24`;
  const rule: NetworkRule = { action, direction, protocol, ports, ranges, names, sets, groups };
  return ruleProblem(rule) ?? canonicalRule(rule);
}

function isOneOf<T extends string>(list: readonly T[], word: string | undefined): word is T {
  return word !== undefined && (list as readonly string[]).includes(word);
}

/** Reads lines; empty ones and those that begin with # are left out. Errors of all lines, with their numbers. */
export function parseRules(text: string): { rules: NetworkRule[]; problems: string[] } {
  const rules: NetworkRule[] = [];
  const problems: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.trim().startsWith('#')) continue;
    const rule = parseRule(line);
    if (typeof rule === 'string') problems.push(`Line ${index + 1}: ${rule}`);
    else rules.push(rule);
  }
  return { rules, problems };
}

/** One sentence for people. */
export function describeRule(rule: NetworkRule): string {
  const what =
    rule.protocol === 'any'
      ? rule.ports === ''
        ? 'everything'
        : `TCP and UDP ports ${rule.ports}`
      : rule.protocol === 'icmp'
        ? 'ping and other ICMP'
        : rule.ports === ''
          ? `all of ${rule.protocol.toUpperCase()}`
          : `${rule.protocol.toUpperCase()} ${/[,-]/.test(rule.ports) ? 'ports' : 'port'} ${rule.ports}`;
  const places = [
    ...rule.ranges,
    ...rule.names,
    ...rule.sets.map((set) => `@${set}`),
    ...rule.groups.map((group) => `instances with ${group}`),
  ];
  const shown = places.slice(0, 3).join(', ');
  const more = places.length > 3 ? ` and ${places.length - 3} more` : '';
  const where =
    places.length === 0
      ? rule.direction === 'in'
        ? 'from anywhere'
        : 'to anywhere'
      : `${rule.direction === 'in' ? 'from' : 'to'} ${shown}${more}`;
  return `${what} ${where}`;
}

/** Matches no packet: what is left of a rule whose sets are gone, so that it never means "anywhere". */
const NOWHERE = '0.0.0.0/32';

/** The same rules after a group of the project has got another name. */
export function withSourceRenamed(rules: readonly NetworkRule[], before: string, after: string): NetworkRule[] {
  return rules.map((rule) => ({ ...rule, groups: rule.groups.map((group) => (group === before ? after : group)) }));
}

/**
 * The same rules for the host: each set and each group becomes a rule of its own, groups by their ids. What is not there
 * leaves a rule that matches nothing.
 */
export function rulesForHost(
  rules: readonly NetworkRule[],
  sets: ReadonlyMap<string, readonly string[]>,
  groupIds: ReadonlyMap<string, string>,
): NetworkRule[] {
  return rules.flatMap((rule) => {
    if (rule.sets.length + rule.groups.length === 0) return [rule];
    const plain = { ...rule, ranges: [], names: [], sets: [], groups: [] };
    const own =
      rule.ranges.length + rule.names.length > 0 ? [{ ...plain, ranges: rule.ranges, names: rule.names }] : [];
    const named = rule.sets.map((set) => ({ ...plain, ranges: [...(sets.get(set) ?? [NOWHERE])] }));
    const from = rule.groups.map((group) => {
      const id = groupIds.get(group);
      return id === undefined ? { ...plain, ranges: [NOWHERE] } : { ...plain, groups: [id] };
    });
    return [...own, ...named, ...from];
  });
}
