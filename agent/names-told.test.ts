/** What the agent hears from the resolver and keeps of it: pure parts. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolverAddresses } from '#domain/resolver.ts';
import { ANSWERS_PER_GUEST_MAX, Answers } from './answers.ts';
import { readCounts } from './flow-table.ts';
import { NameSets, nameScopes, nameSet } from './name-sets.ts';
import { networkKey } from './policies.ts';
import { readLine } from './resolver.ts';

describe('V7: what the resolver tells', () => {
  it('V7: is read as addresses, or not at all', () => {
    expect(readLine('7 1 0a40000a www.example.org 60 0b01012c,26000001000200000000000000000044')).toEqual({
      number: 7,
      waits: true,
      answer: {
        client: '10.64.0.10',
        name: 'www.example.org',
        addresses: ['11.1.1.44', '2600:1:2::44'],
        ttlSeconds: 60,
      },
    });
    for (const wrong of [
      '',
      '7 1 0a40 x.org 1 00',
      '7 2 0a40000a x.org 1 0b01012c',
      '7 1 0a40000a x.org; 1 0b01012c',
    ]) {
      expect(readLine(wrong), wrong).toBeNull();
    }
    fc.assert(fc.property(fc.string(), (text) => void readLine(text)));
  });

  it('V7: networks have the same key on both sides', () => {
    expect(networkKey('10.64.3.77')).toBe('0a4003');
    expect(networkKey('10.64.3.0')).toBe('0a4003');
    expect(networkKey('fd42:1:2:3::4d')).toBe('fd42000100020003');
    expect(networkKey('0a4003')).toBe('0a4003');
  });

  it('V7: names are remembered for who asked, within bounds', () => {
    const answers = new Answers();
    const now = 1_000_000;
    const told = (client: string, address: string, name: string) =>
      answers.add({ client, name, addresses: [address], ttlSeconds: 60 }, now);
    told('10.0.0.1', '1.1.1.1', 'a.org');
    told('10.0.0.2', '1.1.1.1', 'b.org');
    expect(answers.nameOf('10.0.0.1', '1.1.1.1', now)).toBe('a.org');
    expect(answers.nameOf('10.0.0.3', '1.1.1.1', now)).toBeNull();
    expect(answers.nameOf('10.0.0.1', '1.1.1.1', now + 2 * 3_600_000)).toBeNull();
    for (let index = 0; index < ANSWERS_PER_GUEST_MAX; index++)
      told('10.0.0.1', `2.2.${index >> 8}.${index & 255}`, 'c.org');
    expect(answers.nameOf('10.0.0.1', '1.1.1.1', now)).toBeNull();
    expect([...answers.valid(now)]).toHaveLength(ANSWERS_PER_GUEST_MAX + 1);
    expect([...answers.valid(now + 61_000)]).toHaveLength(0);
  });

  it('V7: the addresses of names are entered once, renewed with their answer, and survive in the kernel', () => {
    const [scope] = nameScopes('prj_1', [
      {
        action: 'allow',
        direction: 'out',
        protocol: 'any',
        ports: '',
        ranges: [],
        names: ['a.org'],
        sets: [],
        groups: [],
      },
    ]);
    const set = nameSet('prj_1', ['a.org']);
    expect(scope).toMatchObject({ set });
    expect(nameSet('prj_2', ['a.org'])).not.toBe(set);
    const sets = new NameSets();
    expect(sets.add(set, ['1.1.1.1'], 60, 0)).toEqual([]);
    expect(sets.keep(new Set([set]))).toEqual(new Set([set]));
    expect(sets.add(set, ['1.1.1.1'], 60, 0)).toEqual([{ set: `${set}4`, address: '1.1.1.1', seconds: 180 }]);
    expect(sets.add(set, ['1.1.1.1'], 60, 30_000)).toEqual([]);
    expect(sets.add(set, ['1.1.1.1'], 300, 30_000)).toEqual([{ set: `${set}4`, address: '1.1.1.1', seconds: 420 }]);
    const later = new NameSets();
    later.adopt(
      `\tset ${set}4 {\n\t\ttype ipv4_addr\n\t\telements = { 1.1.1.1 timeout 7m expires 6m1s500ms,\n\t\t\t     1.1.1.2 timeout 1m expires 2s }\n\t}\n`,
      0,
    );
    later.keep(new Set([set]));
    expect(later.all(0)).toEqual([
      `add element inet TABLE ${set}4 { 1.1.1.1 timeout 362s }`,
      `add element inet TABLE ${set}4 { 1.1.1.2 timeout 2s }`,
    ]);
    expect(later.all(3_000)).toHaveLength(1);
  });

  it('V7: the resolver’s address is link-local and not one that clouds use', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z0-9]{6}$/), (installation) => {
        const { address4 } = resolverAddresses(installation, 'fd42:1:2');
        const [, third = 0, last = 0] = /^169\.254\.(\d+)\.(\d+)$/.exec(address4)?.map(Number) ?? [];
        expect(third).toBeGreaterThanOrEqual(64);
        expect(third).toBeLessThan(164);
        expect(last).toBeGreaterThan(0);
        expect(last).toBeLessThan(255);
      }),
    );
  });
});

describe('V7: what the kernel has counted', () => {
  it('V7: is read from both families, with and without ports', () => {
    const counts = readCounts(
      '\tset dyn_tried_p4 {\n\t\ttype x\n\t\telements = { 10.1.1.1 . 1.2.3.4 . 6 . 443 counter packets 2 bytes 120 expires 4m,\n\t\t\t     10.1.1.1 . 1.2.3.4 . 17 . 53 counter packets 1 bytes 9 expires 4m }\n\t}\n' +
        '\tset dyn_got_n6 {\n\t\ttype x\n\t\telements = { fd00::1 . 2600::1 . 58 counter packets 3 bytes 300 expires 1s }\n\t}\n' +
        '\tset dyn_more4 {\n\t\tcounter\n\t\telements = { 10.1.1.1 counter packets 7 bytes 70 expires 1s }\n\t}\n',
    );
    expect(counts.tried.get('10.1.1.1 1.2.3.4 6 443')).toEqual({ packets: 2, bytes: 120 });
    expect(counts.tried.size).toBe(2);
    expect(counts.got.get('fd00::1 2600::1 58 0')).toEqual({ packets: 3, bytes: 300 });
    expect(counts.more.get('10.1.1.1')?.packets).toBe(7);
  });
});
