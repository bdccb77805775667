/** What guards and publishes `beacon`: its security group, domains, forwards and routes. */
import { forwardProblem } from '#domain/forwards.ts';
import { parseRules } from '#domain/network-rules.ts';
import { makeDnsProvider } from './handlers-dns.ts';
import { makeDomain, plainRoute, seenCertificate } from './handlers-domains.ts';
import { DAY, MINUTE } from './make.ts';
import type { InstanceRow, MockState } from './state.ts';
import { DOMAIN, iso, newId } from './state.ts';

const asWanted = { state: 'present' as const, seen: null, problem: null, mine: true };

export function seedNetwork(state: MockState, beacon: InstanceRow, now: number): void {
  const { rules } = parseRules(
    'allow in tcp 22 from 203.0.113.0/24, 2001:db8::/32\nallow in tcp 80,443\ndeny out udp to 198.51.100.7',
  );
  state.securityGroups.push({
    id: newId('sgr'),
    project: beacon.project,
    name: 'web',
    description: 'Web for everybody, SSH for the office',
    rules,
    instances: [{ id: beacon.id, name: beacon.name }],
    usedBy: [],
    state: 'applied',
    createdAt: iso(now - 8 * DAY),
    can: { update: true, delete: true },
  });
  state.securityGroups.push({
    id: newId('sgr'),
    project: beacon.project,
    name: 'database',
    description: 'Asked by the web servers and nobody else',
    rules: parseRules('allow in tcp 5432 from group:web').rules,
    instances: [],
    usedBy: [],
    state: 'applied',
    createdAt: iso(now - 7 * DAY),
    can: { update: true, delete: true },
  });
  state.egress = {
    ...state.egress,
    rules: parseRules('deny out tcp 6667').rules,
    connectionsMax: 4000,
    bytesPerSecondMax: 12_500_000,
  };
  const checked = { checkedAt: iso(now - 2 * MINUTE) };
  const harbour = makeDomain(beacon.project, 'harbour.example', {
    ...checked,
    state: 'verified',
    proof: 'txt',
    pointsHere: true,
    verifiedAt: iso(now - 8 * DAY),
    expiresAt: null,
    wildcard: { state: 'valid', issuer: "Let's Encrypt", expiresAt: iso(now + 61 * DAY), problem: null },
    dns: { zone: 'harbour.example', provider: 'Cloudflare' },
    records: [
      { ...asWanted, name: '_berth-challenge.harbour.example', type: 'TXT', values: ['berth-verify=3f9c1d0a7b2e'] },
      {
        ...asWanted,
        name: 'www.harbour.example',
        type: 'CNAME',
        values: [DOMAIN],
        state: 'drifted',
        seen: ['old-host.example'],
        problem: 'Somebody changed it.',
      },
    ],
  });
  const pending = makeDomain(beacon.project, 'shop.quay.example', {
    ...checked,
    pointsHere: false,
    reason: 'There is no TXT record at _berth-challenge.shop.quay.example.',
  });
  state.domains.push(harbour, pending);
  state.platformWildcard = { state: 'valid', issuer: "Let's Encrypt", expiresAt: iso(now + 47 * DAY), problem: null };
  state.dnsProviders.push(
    makeDnsProvider(state.organization.id, {
      records: 4,
      troubled: 1,
      warnings: ['The token reaches zones that are not used here: quay.example, tide.example.'],
      available: ['harbour.example', 'quay.example', 'tide.example'],
    }),
    makeDnsProvider(state.organization.id, {
      title: 'Name server of the office',
      kind: 'rfc2136',
      server: { host: 'ns1.quay.example', port: 53, keyName: 'berth', algorithm: 'hmac-sha256' },
      zones: ['quay.example'],
      available: ['quay.example'],
      problem: 'No connection to ns1.quay.example: it took too long to answer.',
      records: 2,
    }),
    makeDnsProvider(null, {
      title: 'Zones for everybody',
      zones: ['apps.example', DOMAIN],
      available: ['apps.example', DOMAIN],
      shared: true,
      records: 11,
    }),
  );
  for (const [protocol, hostPort, port, description, forwardState] of [
    ['tcp', 20_000, 25_565, 'Game server', 'active'],
    ['udp', 20_001, 51_820, 'WireGuard', 'active'],
    ['tcp', 20_002, 5432, 'Reporting, until Friday', 'taken'],
  ] as const)
    state.forwards.push({
      id: newId('fwd'),
      project: beacon.project,
      instance: beacon.id,
      instanceName: beacon.name,
      protocol,
      hostPort,
      port,
      description,
      address: `${DOMAIN}:${hostPort}`,
      state: forwardState,
      problem: forwardProblem(forwardState),
      createdAt: iso(now - 3 * DAY),
      can: { update: true, delete: true },
    });
  state.routes.push(
    {
      id: newId('rte'),
      project: beacon.project,
      instance: beacon.id,
      instanceName: beacon.name,
      hostname: 'www.harbour.example',
      ...plainRoute,
      path: '/admin',
      target: 'port',
      port: 9000,
      visibility: 'public',
      primary: false,
      domain: harbour.id,
      certificate: seenCertificate(71),
      rules: { ...plainRoute.rules, allow: ['192.0.2.0/24'], basicAuth: { user: 'team' } },
      url: 'https://www.harbour.example/admin',
      createdAt: iso(now - 2 * DAY),
    },
    {
      id: newId('rte'),
      project: beacon.project,
      instance: beacon.id,
      instanceName: beacon.name,
      hostname: `status.${DOMAIN}`,
      ...plainRoute,
      target: 'port',
      port: 3000,
      visibility: 'public',
      primary: false,
      url: `https://status.${DOMAIN}`,
      createdAt: iso(now - 9 * DAY),
    },
    {
      id: newId('rte'),
      project: beacon.project,
      instance: beacon.id,
      instanceName: beacon.name,
      hostname: `grafana.${DOMAIN}`,
      ...plainRoute,
      target: 'port',
      port: 3001,
      visibility: 'private',
      primary: false,
      url: `https://grafana.${DOMAIN}`,
      createdAt: iso(now - 4 * DAY),
    },
  );
}
