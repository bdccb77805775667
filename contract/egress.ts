/** What the instances of a project may reach, beyond what Berth never allows. */
import { z } from 'zod';
import {
  BANDWIDTH_MAX,
  BANDWIDTH_MIN,
  CONNECTIONS_MAX,
  CONNECTIONS_MIN,
  RULES_PER_EGRESS_POLICY_MAX,
  ruleActions,
} from '#domain/network-rules.ts';
import { API_PREFIX, abilitySchema, idSchema } from './common.ts';
import { defineRoute } from './route.ts';
import { networkRuleSchema, policyStates, shownRuleSchema } from './security-groups.ts';

const limits = {
  /** What no rule says. */
  default: z.enum(ruleActions),
  /** Open connections of one instance to the outside; null: no cap. */
  connectionsMax: z.number().int().min(CONNECTIONS_MIN).max(CONNECTIONS_MAX).nullable(),
  /** Bytes a second of one instance, each way; null: no cap. */
  bytesPerSecondMax: z.number().int().min(BANDWIDTH_MIN).max(BANDWIDTH_MAX).nullable(),
};

export const egressRulesSchema = z
  .array(networkRuleSchema)
  .max(RULES_PER_EGRESS_POLICY_MAX)
  .superRefine((rules, context) => {
    if (rules.some((rule) => rule.direction === 'in')) {
      context.addIssue({
        code: 'custom',
        message: 'Here are only rules for out; what comes in is for security groups.',
      });
    }
  });

export const egressPolicySchema = z.strictObject({ ...limits, rules: egressRulesSchema });

const shownSchema = z.object({
  ...limits,
  rules: z.array(shownRuleSchema),
  state: z.enum(policyStates),
  can: z.object({ update: abilitySchema }),
});
export type EgressPolicy = z.output<typeof shownSchema>;

export const egressRoutes = {
  egressGet: defineRoute({
    id: 'egress.get',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/egress`,
    tag: 'egress',
    access: 'egress.read',
    rateClass: 'api',
    status: 200,
    summary: 'What the instances of a project may reach',
    description:
      'Private and shared ranges, metadata addresses, the hosts, other tenants and mail (TCP 25 and 465) are shut in every project, whatever is allowed here.',
    params: z.object({ project: idSchema('prj') }),
    response: shownSchema,
  }),
  egressUpdate: defineRoute({
    id: 'egress.update',
    method: 'PUT',
    path: `${API_PREFIX}/projects/:project/egress`,
    tag: 'egress',
    access: 'egress.update',
    rateClass: 'api',
    status: 200,
    summary: 'Set what the instances of a project may reach; open connections go on',
    params: z.object({ project: idSchema('prj') }),
    body: egressPolicySchema,
    response: shownSchema,
  }),
} as const;
