import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deniedRanges4, deniedRanges6 } from '#domain/addresses.ts';
import { makeId } from '#domain/ids.ts';
import { configDifferences, expandIp6, inSubnet4, inSubnet6, planNetwork, sameRules } from './acl.ts';

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
