import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalRange,
  canonicalRule,
  describeRule,
  formatRule,
  type NetworkRule,
  parsePorts,
  parseRule,
  parseRules,
  ruleActions,
  ruleDirections,
  ruleProblem,
  ruleProtocols,
  rulesForHost,
  withSourceRenamed,
} from './network-rules.ts';

const port = fc.integer({ min: 1, max: 65_535 });
const range = fc.oneof(
  fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 })).map(([address, bits]) => `${address}/${bits}`),
  fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 })).map(([address, bits]) => `${address}/${bits}`),
);
const name = fc.tuple(fc.boolean(), fc.domain()).map(([below, domain]) => `${below ? '*.' : ''}${domain}`);
const rule: fc.Arbitrary<NetworkRule> = fc
  .record({
    action: fc.constantFrom(...ruleActions),
    direction: fc.constantFrom(...ruleDirections),
    protocol: fc.constantFrom(...ruleProtocols),
    ports: fc
      .array(fc.tuple(port, port), { maxLength: 5 })
      .map((spans) => spans.map(([a, b]) => (a === b ? `${a}` : `${Math.min(a, b)}-${Math.max(a, b)}`)).join(',')),
    ranges: fc.array(range, { maxLength: 4 }),
    names: fc.array(name, { maxLength: 3 }),
    sets: fc.array(fc.constantFrom('office', 'web-2'), { maxLength: 2 }),
    groups: fc.array(fc.constantFrom('web', 'db-1'), { maxLength: 2 }),
  })
  .filter((each) => ruleProblem(each) === null);

describe('V7: rules in words', () => {
  it('V7: what is written can be read again, as the same rule', () => {
    fc.assert(
      fc.property(rule, (each) => {
        const canonical = canonicalRule(each);
        expect(parseRule(formatRule(each))).toEqual(canonical);
        expect(canonicalRule(canonical)).toEqual(canonical);
      }),
    );
  });

  it('V7: any text is read or refused in words, and never makes a firewall line of its own', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const read = parseRule(text);
        if (typeof read !== 'string') expect(formatRule(read)).toMatch(/^[a-z0-9 .,:/*_@-]+$/);
      }),
    );
    for (const hostile of [
      'allow in tcp 80;flush',
      'allow in tcp 80 from 1.2.3.4}',
      'allow out any to @',
      'allow out any to @a b',
      'deny out tcp -1',
    ]) {
      expect(typeof parseRule(hostile), hostile).toBe('string');
    }
  });

  it('V7: merges ports and knows both families', () => {
    expect(parsePorts('90,80-85,84-89,443')).toEqual([
      { first: 80, last: 90 },
      { first: 443, last: 443 },
    ]);
    for (const wrong of ['0', '65536', '9-8', '80,', 'http', '1-2-3']) expect(parsePorts(wrong), wrong).toBeNull();
    expect(canonicalRange('2001:DB8:0::1')).toBe('2001:db8::1/128');
    expect(canonicalRange('1.2.3.4')).toBe('1.2.3.4/32');
    for (const wrong of ['1.2.3', '1.2.3.256', '1.2.3.4/33', 'fd00::/129', 'example.org', '']) {
      expect(canonicalRange(wrong), wrong).toBeNull();
    }
  });

  it('V7: says each wrong line, and each rule in a sentence', () => {
    const { rules, problems } = parseRules(
      '# web\nallow in tcp 80,443\n\npermit in\ndeny out udp 53 to 1.1.1.1, 2606:4700::/32',
    );
    expect(problems).toEqual(['Line 4: Begin with allow or deny: permit in']);
    expect(rules.map(describeRule)).toEqual([
      'TCP ports 80,443 from anywhere',
      'UDP port 53 to 1.1.1.1/32, 2606:4700::/32',
    ]);
  });

  it('V7: names security groups for what comes in, and nothing is left of one that is gone', () => {
    const text = 'allow in tcp 5432 from 192.0.2.0/24,@office,group:web,group:jobs';
    const read = parseRule(text);
    if (typeof read === 'string') throw new Error(read);
    expect(formatRule(read)).toBe(text);
    expect(describeRule({ ...read, ranges: [], sets: [] })).toBe(
      'TCP port 5432 from instances with web, instances with jobs',
    );
    expect(parseRule('allow out tcp 5432 to group:web')).toContain('for what comes in');
    for (const wrong of ['allow in any from group:', 'allow in any from group:A_b', 'allow in any from group:x;drop'])
      expect(typeof parseRule(wrong), wrong).toBe('string');
    const host = rulesForHost([read], new Map([['office', ['203.0.113.0/24']]]), new Map([['web', 'sgr_web']]));
    expect(host.map(({ ranges, sets, groups }) => ({ ranges, sets, groups }))).toEqual([
      { ranges: ['192.0.2.0/24'], sets: [], groups: [] },
      { ranges: ['203.0.113.0/24'], sets: [], groups: [] },
      { ranges: [], sets: [], groups: ['sgr_web'] },
      // The one that is not there: matches no packet, instead of every one.
      { ranges: ['0.0.0.0/32'], sets: [], groups: [] },
    ]);
    expect(withSourceRenamed([read], 'web', 'front')[0]?.groups).toEqual(['front', 'jobs']);
  });
});
