/**
 * Hands the rules of security groups and the policies of projects to the host: all of them, so that lost ones come back
 * and strange ones go. At once when a row has changed, every minute otherwise.
 */

import { rulesForHost } from '#domain/network-rules.ts';
import type { PolicySpec } from '#drivers/interface.ts';
import { allAddressSets } from '../store/address-sets.ts';
import { transact } from '../store/database.ts';
import { allEgress, recordEgressApplied } from '../store/egress.ts';
import { allSecurityGroups, recordGroupApplied } from '../store/security-groups.ts';
import type { Services } from '../workflows/services.ts';
import type { Reconciler } from './reconciler.ts';

/** Only a look at the rows; another replica may have changed them. */
const EVERY_MS = 1_000;
const AGAIN_MS = 60_000;

export function policyKeeper(services: Services, everyMs = EVERY_MS): Reconciler {
  let handed = '';
  let handedAt = Number.NEGATIVE_INFINITY;
  return {
    name: 'policy-keeper',
    everyMs,
    async run() {
      const policies = await allEgress(services.db);
      const groups = await allSecurityGroups(services.db);
      const sets = new Map<string, Map<string, readonly string[]>>();
      for (const { project, name, ranges } of await allAddressSets(services.db))
        sets.set(project, (sets.get(project) ?? new Map<string, readonly string[]>()).set(name, ranges));
      const ofProject = (project: string) => sets.get(project) ?? new Map<string, readonly string[]>();
      const ids = new Map<string, Map<string, string>>();
      for (const { project, name, id } of groups)
        ids.set(project, (ids.get(project) ?? new Map<string, string>()).set(name, id));
      const idsOf = (project: string) => ids.get(project) ?? new Map<string, string>();
      const having = new Map<string, PolicySpec['instances'][number]>();
      for (const group of groups) {
        for (const { id } of group.instances) {
          const entry = having.get(id) ?? { instance: id, groups: [] };
          entry.groups.push(group.id);
          having.set(id, entry);
        }
      }
      const used = groups.filter((group) => group.instances.length > 0);
      const spec: PolicySpec = {
        projects: policies.map(({ project, default: action, rules, connectionsMax, bytesPerSecondMax }) => ({
          project,
          default: action,
          rules: rulesForHost(rules, ofProject(project), idsOf(project)),
          connectionsMax,
          bytesPerSecondMax,
        })),
        groups: used.map(({ id, project, rules }) => ({
          group: id,
          rules: rulesForHost(rules, ofProject(project), idsOf(project)),
        })),
        instances: [...having.values()],
      };
      const digest = JSON.stringify(spec);
      const newPolicies = policies.filter((policy) => !policy.applied);
      const newGroups = groups.filter((group) => !group.applied);
      const news = digest !== handed || newPolicies.length + newGroups.length > 0;
      if (!news && services.now() - handedAt < AGAIN_MS) return null;
      await services.driver.setPolicies(spec);
      handed = digest;
      handedAt = services.now();
      if (newPolicies.length + newGroups.length === 0) return null;
      await transact(services.db, async (tx) => {
        for (const policy of newPolicies) await recordEgressApplied(tx, policy);
        for (const group of newGroups) await recordGroupApplied(tx, group);
      });
      return `${policies.length} policies and ${used.length} security groups at the host`;
    },
  };
}
