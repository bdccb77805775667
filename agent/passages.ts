/**
 * Which guests of a project may reach which others of it, and on what: rules of security groups that name groups, as
 * addresses. A rule counts in a family only while no guest of the project can forge an address of it. Pure.
 */
import type { ProjectId } from '#domain/ids.ts';
import type { GuestAddresses, Passage } from './engine.ts';
import type { Policies } from './policy-table.ts';

/** On packets between guests that a rule has let through, for the host's own table, which drops all others. */
export const BETWEEN_MARK = '0x62740002';

/** Every passage, in the order of the rules. */
export function passages(policies: Policies, guests: readonly GuestAddresses[]): Passage[] {
  const has = new Map(policies.instances.map(({ instance, groups }) => [instance as string, new Set<string>(groups)]));
  const all: Passage[] = [];
  for (const { group, rules } of policies.groups) {
    const named = rules.filter((rule) => rule.groups.length > 0 && rule.direction === 'in');
    if (named.length === 0) continue;
    const receivers = guests.filter((guest) => has.get(guest.instance)?.has(group));
    for (const project of new Set(receivers.map((guest) => guest.project))) {
      const neighbours = guests.filter((guest) => guest.project === project);
      for (const { groups, action, protocol, ports } of named) {
        const senders = neighbours.filter((guest) => groups.some((each) => has.get(guest.instance)?.has(each)));
        for (const family of [4, 6] as const) {
          if (neighbours.some((guest) => !(family === 4 ? guest.honest4 : guest.honest6))) continue;
          const addresses = (of: readonly GuestAddresses[]): string[] =>
            [...new Set(of.flatMap((guest) => (family === 4 ? guest.address4 : guest.address6) ?? []))].sort();
          const from = addresses(senders);
          const to = addresses(receivers.filter((guest) => guest.project === project));
          if (from.length > 0 && to.length > 0) all.push({ project, group, action, protocol, ports, family, from, to });
        }
      }
    }
  }
  return all;
}

/** What lets somebody through, by project. */
export function openPassages(all: readonly Passage[]): Map<ProjectId, Passage[]> {
  const open = new Map<ProjectId, Passage[]>();
  for (const passage of all) {
    if (passage.action === 'allow') open.set(passage.project, [...(open.get(passage.project) ?? []), passage]);
  }
  return open;
}
