import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deniedRanges4, deniedRanges6, expandIp6 } from '#domain/addresses.ts';
import { makeId } from '#domain/ids.ts';
import { configDifferences, inSubnet4, inSubnet6, planNetwork, sameRules } from './acl.ts';

const project = makeId('prj', 1, () => new Uint8Array(16));
const spec = { project, subnet4: '10.64.3.0/24', subnet6: 'fd42:1:2:3::/64' };
const names = { installation: 'abcdef', acl: 'bth-abcdef-0123456789', bridge: 'bth01234567' };

describe('network plan', () => {
  it('A4: rejects every denied range and every address of the host, before anything is allowed', () => {
    const { acl, network, project: engineProject } = planNetwork(spec, names, ['198.41.0.4', '2600::5']);
    const rejected = acl.egress
      .filter((rule) => rule.action === 'reject')
      .flatMap((rule) => (rule.destination ?? '').split(','));
    for (const range of deniedRanges4) expect(rejected).toContain(range);
    // The engine takes mapped ranges for IPv4; the host's own table denies that one.
    for (const range of deniedRanges6) if (range !== '::ffff:0:0/96') expect(rejected).toContain(range);
    expect(rejected).toEqual(expect.arrayContaining(['198.41.0.4', '2600::5']));
    expect(acl.egress.every((rule) => rule.action === 'reject' && rule.state === 'enabled')).toBe(true);
    expect(acl.ingress.map((rule) => rule.source)).toEqual(['10.64.3.1', 'fd42:1:2:3::1']);
    expect(network).toMatchObject({
      'security.acls': names.acl,
      'security.acls.default.egress.action': 'allow',
      'security.acls.default.ingress.action': 'drop',
      'dns.mode': 'none',
      'ipv6.dhcp.stateful': 'true',
    });
    expect(engineProject).toMatchObject({
      restricted: 'true',
      'restricted.containers.privilege': 'isolated',
      'restricted.devices.disk': 'managed',
      'restricted.devices.nic': 'managed',
      'restricted.networks.access': names.bridge,
      'limits.virtual-machines': '0',
    });
    expect(Object.keys(engineProject).filter((key) => key.startsWith('raw.') || key.includes('.paths'))).toEqual([]);
  });

  it('never mixes address families in one rule', () => {
    for (const rule of planNetwork(spec, names, ['198.41.0.4', '2600::5']).acl.egress) {
      const families = new Set(
        (rule.destination ?? '')
          .split(',')
          .filter((entry) => entry !== '')
          .map((entry) => entry.includes(':')),
      );
      expect(families.size).toBeLessThanOrEqual(1);
    }
  });

  it('V7: with passages between guests, refuses what it refused and lets out nothing by default', () => {
    const passage = {
      project,
      group: makeId('sgr', 1, () => new Uint8Array(16)),
      action: 'allow',
      protocol: 'any',
      ports: '53,5432',
    } as const;
    const passages = [
      { ...passage, family: 4 as const, from: ['10.64.3.10'], to: ['10.64.3.11', '10.64.3.12'] },
      { ...passage, family: 6 as const, from: ['fd42:1:2:3::a'], to: ['fd42:1:2:3::b'] },
    ];
    for (const cachePort of [null, 5555]) {
      const { acl, network } = planNetwork(spec, names, ['198.41.0.4'], [], cachePort, passages);
      expect(network['security.acls.default.egress.action']).toBe('drop');
      const rejected = acl.egress.flatMap((rule) => (rule.action === 'reject' ? [rule.destination ?? ''] : []));
      const [four = '', six = ''] = [
        rejected.find((list) => list.startsWith('0.0.0.0/8')),
        rejected.find((list) => list.startsWith('::/127')),
      ];
      // Everything private but the project's own ranges, which what comes in judges.
      expect(four).toContain('10.0.0.0-10.64.2.255,10.64.4.0-10.255.255.255');
      expect(four).toContain('192.168.0.0/16');
      expect(six).toContain('-fd42:1:2:2:ffff:ffff:ffff:ffff,fd42:1:2:4:0:0:0:0-');
      expect(rejected).toContain('fd42:1:2:3::1');
      expect(rejected).toContain('198.41.0.4');
      if (cachePort === null) expect(rejected).toContain('10.64.3.1');
      const allowed = acl.egress.flatMap((rule) => (rule.action === 'allow' ? [rule.destination ?? ''] : []));
      expect(allowed.slice(0, 2)).toEqual([
        '0.0.0.0-10.64.2.255,10.64.4.0-255.255.255.255',
        '0:0:0:0:0:0:0:0-fd42:1:2:2:ffff:ffff:ffff:ffff,fd42:1:2:4:0:0:0:0-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff',
      ]);
      expect(allowed.slice(2)).toEqual(cachePort === null ? [] : ['10.64.3.1']);
      const mail = acl.egress.filter((rule) => rule.destination_port === '25,465');
      expect(mail.map((rule) => rule.destination)).toEqual(allowed.slice(0, 2));
    }
    const { acl } = planNetwork(spec, names, [], [], null, passages);
    expect(
      acl.ingress
        .slice(2)
        .map(({ source, destination, protocol, destination_port: at }) => [source, destination, protocol, at]),
    ).toEqual([
      ['10.64.3.10', '10.64.3.11,10.64.3.12', 'tcp', '53,5432'],
      ['10.64.3.10', '10.64.3.11,10.64.3.12', 'udp', '53,5432'],
      ['fd42:1:2:3::a', 'fd42:1:2:3::b', 'tcp', '53,5432'],
      ['fd42:1:2:3::a', 'fd42:1:2:3::b', 'udp', '53,5432'],
    ]);
  });

  it('knows which addresses a guest may have', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 255 }), (host) => {
        expect(inSubnet4(`10.64.3.${host}`, spec.subnet4)).toBe(host >= 2 && host <= 250);
        expect(inSubnet4(`10.64.4.${host}`, spec.subnet4)).toBe(false);
        expect(inSubnet6(`fd42:1:2:3::${host.toString(16)}`, spec.subnet6)).toBe(host >= 2);
        expect(inSubnet6(`fd42:1:2:4::${host.toString(16)}`, spec.subnet6)).toBe(false);
      }),
    );
    expect(inSubnet6('fd42:1:2:3:1::5', spec.subnet6)).toBe(false);
    expect(inSubnet6('fd42:1:2::5', 'fd42:1:2:0::/64'.replace(':0::', '::'))).toBe(true);
    expect(inSubnet4('10.64.3.10.1', spec.subnet4)).toBe(false);
  });

  it('expands IPv6 addresses', () => {
    expect(expandIp6('::')).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
    expect(expandIp6('fd42:1:2:3::a')).toEqual([0xfd42, 1, 2, 3, 0, 0, 0, 0xa]);
    expect(expandIp6('1:2:3:4:5:6:7:8')).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    for (const text of ['1::2::3', '1:2:3', 'g::', '1:2:3:4:5:6:7:8:9', '::ffff:1.2.3.4'])
      expect(expandIp6(text), text).toBeNull();
  });

  it('compares rules and configuration whatever the order', () => {
    const { acl, network } = planNetwork(spec, names, []);
    expect(sameRules(acl.egress, [...acl.egress].reverse())).toBe(true);
    expect(sameRules(acl.egress, acl.egress.slice(1))).toBe(false);
    expect(
      sameRules(
        acl.egress,
        acl.egress.map((rule) => ({ ...rule, source: '' })),
      ),
    ).toBe(true);
    expect(configDifferences(network, { ...network, 'volatile.x': '1' })).toEqual([]);
    expect(configDifferences(network, { ...network, 'ipv4.nat': 'false' })).toEqual(['ipv4.nat']);
  });
});
