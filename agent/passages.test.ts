import { describe, expect, it } from 'vitest';
import { type InstanceId, makeId, type ProjectId, type SecurityGroupId } from '#domain/ids.ts';
import type { NetworkRule } from '#domain/network-rules.ts';
import type { GuestAddresses } from './engine.ts';
import { openPassages, passages } from './passages.ts';
import { type Policies, policyTable } from './policy-table.ts';

const id = <P extends 'prj' | 'ins' | 'sgr'>(prefix: P, n: number) => makeId(prefix, n, () => new Uint8Array(16));
const [here, there] = [id('prj', 1) as ProjectId, id('prj', 2) as ProjectId];
const [web, db] = [id('sgr', 1) as SecurityGroupId, id('sgr', 2) as SecurityGroupId];
const guest = (n: number, project = here, more: Partial<GuestAddresses> = {}): GuestAddresses => ({
  instance: id('ins', n) as InstanceId,
  project,
  address4: `10.64.${project === here ? 1 : 2}.${n}`,
  address6: `fd42::${project === here ? 1 : 2}:${n}`,
  honest4: true,
  honest6: true,
  ...more,
});
const rule = (groups: SecurityGroupId[], more: Partial<NetworkRule> = {}) =>
  ({
    action: 'allow',
    direction: 'in',
    protocol: 'tcp',
    ports: '5432',
    ranges: [],
    names: [],
    sets: [],
    groups,
    ...more,
  }) as Policies['groups'][number]['rules'][number];
const policies = (
  rules: Policies['groups'][number]['rules'],
  has: Record<number, SecurityGroupId[]> = { 10: [web], 11: [db] },
): Policies => ({
  projects: [],
  groups: [
    { group: web, rules: [] },
    { group: db, rules },
  ],
  instances: Object.entries(has).map(([n, groups]) => ({ instance: id('ins', Number(n)) as InstanceId, groups })),
});
const all = [guest(10), guest(11), guest(12)];
const bridges = new Map<string, string>([
  [here, 'bth00000001'],
  [there, 'bth00000002'],
]);
const table = (given: Policies, guests: readonly GuestAddresses[]): string =>
  policyTable(given, {
    bridges,
    addresses: new Map(
      guests.map(({ instance, address4, address6 }) => [
        instance as string,
        { address4: address4 ?? '', address6: address6 ?? '' },
      ]),
    ),
    passages: passages(given, guests),
  }) ?? '';
const chain = (body: string, name: string): string =>
  new RegExp(` chain ${name} \\{([\\s\\S]*?)\\n {2}\\}`).exec(body)?.[1] ?? '';

describe('V7: passages between guests', () => {
  it('V7: lead from who has the named group to who has the rule, in both families', () => {
    const found = passages(policies([rule([web])]), all);
    expect(found).toMatchObject([
      { project: here, family: 4, from: ['10.64.1.10'], to: ['10.64.1.11'], ports: '5432' },
      { project: here, family: 6, from: ['fd42::1:10'], to: ['fd42::1:11'] },
    ]);
    expect(openPassages(found).get(here)).toHaveLength(2);
    expect(openPassages(passages(policies([rule([web], { action: 'deny' })]), all)).size).toBe(0);
  });

  it('V7: never leave the project, whoever claims the group elsewhere', () => {
    const guests = [guest(10, there), guest(11), guest(12)];
    expect(passages(policies([rule([web])]), guests)).toEqual([]);
  });

  it('V7: are none while a guest of the project could forge an address, for that family', () => {
    const guests = [guest(10), guest(11), guest(12, here, { honest6: false })];
    expect(passages(policies([rule([web])]), guests).map(({ family }) => family)).toEqual([4]);
    expect(passages(policies([rule([web])]), [...guests, guest(13, there, { honest4: false })])).toHaveLength(1);
  });

  it('V7: a group that nobody has opens nothing at all', () => {
    const given = policies([rule([web])], { 11: [db] });
    const body = table(given, all);
    expect(passages(given, all)).toEqual([]);
    expect(body).not.toContain('meta mark');
    // The rule still shuts what it does not name.
    expect(chain(body, 'guests_0_in')).toContain('reject');
    expect(chain(body, 'group_1_in_allow').trim()).toBe('');
  });

  it('V7: only marked ones pass, only on bridges that have passages, and everything else there is refused', () => {
    const body = table(policies([rule([web])]), all);
    expect(body).toContain('elements = { "bth00000001" . "bth00000001" }');
    const lines = chain(body, 'between').trim().split(/\n\s*/);
    expect(lines.at(-1)).toBe('reject with icmpx type admin-prohibited');
    expect(lines[1]).toBe('iifname . oifname != @same accept');
    expect(chain(body, 'group_1_between_allow').trim().split(/\n\s*/)).toEqual([
      'ip saddr @g1ballow0_4 tcp dport { 5432 } meta mark set 0x62740002 accept',
      'ip6 saddr @g1ballow1_6 tcp dport { 5432 } meta mark set 0x62740002 accept',
    ]);
    // Nobody gets in to forwarded ports by it.
    expect(chain(body, 'group_1_in_allow').trim()).toBe('');
  });
});
