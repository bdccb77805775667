/** A project's network rules as the engine takes them. Pure. */
import { deniedRanges4, deniedRanges6, expandIp6, without4, without6 } from '#domain/addresses.ts';
import type { NetworkSpec, Opening, Passage } from '../engine.ts';
import { label } from '../names.ts';
import { passageRules } from './between.ts';
import type { IncusAclRule, IncusConfig } from './types.ts';

/** Mail ports: an open relay inside one guest would cost the whole host its reputation. */
const DENIED_TCP_PORTS = '25,465';

/** The engine reads IPv4-mapped ranges as IPv4 and fails; the host's own table denies this one. */
const MAPPED_RANGE = '::ffff:0:0/96';

export type NetworkPlan = {
  acl: { config: IncusConfig; egress: IncusAclRule[]; ingress: IncusAclRule[] };
  network: IncusConfig;
  project: IncusConfig;
};

export type PlanNames = { installation: string; acl: string; bridge: string };

/** First address of an IPv4 /24 such as 10.64.3.0/24. */
export function gatewayOf4(subnet4: string): string {
  return subnet4.replace(/\.0\/24$/, '.1');
}

/** First address of an IPv6 /64 such as fd42:1:2:3::/64. */
export function gatewayOf6(subnet6: string): string {
  return subnet6.replace(/::\/64$/, '::1');
}

/** True when `address4` lies in the /24 and is neither network, gateway nor broadcast. */
export function inSubnet4(address4: string, subnet4: string): boolean {
  const prefix = subnet4.slice(0, subnet4.lastIndexOf('.') + 1);
  if (!address4.startsWith(prefix)) return false;
  const last = Number(address4.slice(prefix.length));
  return Number.isInteger(last) && last > 1 && last < DYNAMIC_FIRST;
}

/** True when `address6` (shortest form) lies in the /64 and is not the gateway. */
export function inSubnet6(address6: string, subnet6: string): boolean {
  const groups = expandIp6(address6);
  const net = expandIp6(subnet6.replace(/\/64$/, ''));
  if (groups === null || net === null) return false;
  const host = groups.slice(4);
  if (host[0] !== 0 || host[1] !== 0 || host[2] !== 0) return false;
  return net.slice(0, 4).every((group, index) => group === groups[index]) && (host[3] ?? 0) > 1;
}

/** Addresses .251 to .254 are what dnsmasq may lease to a NIC it does not know; Berth never hands them out. */
const DYNAMIC_FIRST = 251;

/**
 * Rules of one project's network. Everything private, shared, link-local (metadata) and multicast is rejected, so are
 * the host's own addresses whatever they are; the rest of the internet is open in both families. The engine itself
 * lets DHCP, DNS and neighbour discovery to the bridge through before these rules. Inwards only the host may connect, and
 * everybody to `openings`.
 */
export function planNetwork(
  spec: NetworkSpec,
  names: PlanNames,
  hostAddresses: readonly string[],
  openings: readonly Opening[] = [],
  cachePort: number | null = null,
  passages: readonly Passage[] = [],
): NetworkPlan {
  const gateway4 = gatewayOf4(spec.subnet4);
  const gateway6 = gatewayOf6(spec.subnet6);
  const between = passages.length > 0;
  const labels: IncusConfig = { [label.installation]: names.installation, [label.project]: spec.project };
  const reject = (destination: string, description: string): IncusAclRule => ({
    action: 'reject',
    state: 'enabled',
    description,
    destination,
  });
  const own4 = hostAddresses.filter((address) => !address.includes(':')).sort();
  const own6 = hostAddresses.filter((address) => address.includes(':')).sort();
  // Where guests may reach each other, their own ranges are judged by what comes in.
  const denied4 = between ? deniedRanges4.flatMap((range) => without4(range, spec.subnet4)) : deniedRanges4;
  const denied6 = deniedRanges6.filter((range) => range !== MAPPED_RANGE);
  const egress: IncusAclRule[] = [
    reject(
      denied4.flatMap((range) => (cachePort === null || between ? [range] : without4(range, gateway4))).join(','),
      'Private, shared, link-local and reserved ranges',
    ),
    // The engine reads refusals before permissions: the one door at the gateway is what these leave out.
    ...(cachePort === null ? [] : besideDoor(gateway4, cachePort)),
    reject(
      denied6.flatMap((range) => (between ? without6(range, spec.subnet6) : [range])).join(','),
      'Private, link-local, translated and multicast ranges',
    ),
    ...(own4.length > 0 ? [reject(own4.join(','), 'The host itself')] : []),
    ...(own6.length > 0 ? [reject(own6.join(','), 'The host itself')] : []),
    ...(between ? besideNeighbours(spec, cachePort !== null) : [mail({})]),
  ];
  const ingress: IncusAclRule[] = [
    { action: 'allow', state: 'enabled', description: 'The host', source: gateway4 },
    { action: 'allow', state: 'enabled', description: 'The host', source: gateway6 },
    ...openings.flatMap(openingRules),
    ...passages.flatMap(passageRules),
  ];
  const base = spec.subnet4.slice(0, spec.subnet4.lastIndexOf('.') + 1);
  return {
    acl: { config: labels, egress, ingress },
    network: {
      ...labels,
      'ipv4.address': `${gateway4}/24`,
      'ipv4.nat': 'true',
      'ipv4.dhcp': 'true',
      'ipv4.dhcp.ranges': `${base}${DYNAMIC_FIRST}-${base}254`,
      'ipv6.address': `${gateway6}/64`,
      'ipv6.nat': 'true',
      'ipv6.dhcp': 'true',
      'ipv6.dhcp.stateful': 'true',
      // A lease is never renewed: the answer to a renewal goes to the guest's link-local address, which the engine's own
      // address filter keeps from being resolved, so that after an hour the guest would lose its IPv6 address.
      'ipv6.dhcp.expiry': 'infinite',
      // One guest must not find the names of others.
      'dns.mode': 'none',
      'security.acls': names.acl,
      // A packet between guests meets the rules for both ways: what is not a passage must not be let out by default.
      'security.acls.default.egress.action': between ? 'drop' : 'allow',
      'security.acls.default.ingress.action': 'drop',
    },
    project: {
      ...labels,
      'features.images': 'false',
      'features.profiles': 'true',
      'features.storage.volumes': 'true',
      'features.storage.buckets': 'true',
      'features.networks': 'false',
      'features.networks.zones': 'false',
      restricted: 'true',
      'restricted.containers.nesting': 'allow',
      'restricted.containers.privilege': 'isolated',
      'restricted.containers.lowlevel': 'block',
      'restricted.containers.interception': 'block',
      'restricted.virtual-machines.lowlevel': 'block',
      'restricted.devices.disk': 'managed',
      'restricted.devices.nic': 'managed',
      'restricted.devices.gpu': 'block',
      'restricted.devices.infiniband': 'block',
      'restricted.devices.pci': 'block',
      'restricted.devices.proxy': 'block',
      'restricted.devices.unix-block': 'block',
      'restricted.devices.unix-char': 'block',
      'restricted.devices.unix-hotplug': 'block',
      'restricted.devices.usb': 'block',
      'restricted.networks.access': names.bridge,
      'restricted.backups': 'block',
      'restricted.cluster.target': 'block',
      'restricted.snapshots': 'allow',
      'limits.instances': String(GUESTS_PER_NETWORK_MAX),
      'limits.virtual-machines': '0',
      'limits.networks': '0',
    },
  };
}

function mail(where: Pick<IncusAclRule, 'destination'>): IncusAclRule {
  const ports = { protocol: 'tcp', destination_port: DENIED_TCP_PORTS };
  return { action: 'reject', state: 'enabled', description: 'Mail', ...ports, ...where };
}

/** What counts outside the project, said of everything but its own ranges; and the gateways, which are in them. */
function besideNeighbours(spec: NetworkSpec, door: boolean): IncusAclRule[] {
  const outside = [without4('0.0.0.0/0', spec.subnet4), without6('::/0', spec.subnet6)].map((each) => each.join(','));
  const gateway4 = gatewayOf4(spec.subnet4);
  const one = (action: 'allow' | 'reject', destination: string, description: string): IncusAclRule => ({
    action,
    state: 'enabled',
    description,
    destination,
  });
  return [
    ...outside.map((destination) => mail({ destination })),
    ...outside.map((destination) => one('allow', destination, 'The internet')),
    one('reject', gatewayOf6(spec.subnet6), 'The gateway'),
    // With a door at it, everything beside that is refused already.
    one(door ? 'allow' : 'reject', gateway4, 'The gateway'),
  ];
}

/** Everything at the gateway but one TCP port. */
function besideDoor(gateway: string, port: number): IncusAclRule[] {
  const common = { action: 'reject', state: 'enabled', description: 'The gateway', destination: gateway } as const;
  return [
    { ...common, protocol: 'tcp', destination_port: `1-${port - 1},${port + 1}-65535` },
    { ...common, protocol: 'udp' },
    { ...common, protocol: 'icmp4' },
  ];
}

/** A forwarded port: open to whoever gets there, and only forwarded connections do (the host's own table sees to it). */
function openingRules({ protocol, port, address4, address6 }: Opening): IncusAclRule[] {
  return [address4, address6].map((destination) => ({
    action: 'allow',
    state: 'enabled',
    description: 'Port forward',
    destination,
    protocol,
    destination_port: String(port),
  }));
}

/** Host numbers 2 to 250 of a /24. */
const GUESTS_PER_NETWORK_MAX = 249;

/** Keys whose present value is not the wanted one; keys the engine adds (volatile, defaults) do not matter. */
export function configDifferences(wanted: IncusConfig, present: IncusConfig): string[] {
  return Object.keys(wanted).filter((key) => present[key] !== wanted[key]);
}

/** True when both rule lists say the same, whatever order the engine keeps them in. */
export function sameRules(a: readonly IncusAclRule[], b: readonly IncusAclRule[]): boolean {
  return ruleKeys(a) === ruleKeys(b);
}

function ruleKeys(rules: readonly IncusAclRule[]): string {
  return rules
    .map((rule) =>
      Object.entries(rule)
        .filter(([, value]) => value !== '')
        .sort(([x], [y]) => (x < y ? -1 : 1))
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    )
    .sort()
    .join('\n');
}
