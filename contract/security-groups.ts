/** Security groups: rules about what may enter and leave the instances that have them. */
import { z } from 'zod';
import {
  canonicalRule,
  GROUPS_PER_RULE_MAX,
  NAMES_PER_RULE_MAX,
  RANGES_PER_RULE_MAX,
  RULES_FROM_GROUPS_MAX,
  RULES_PER_GROUP_MAX,
  ruleActions,
  ruleDirections,
  ruleProblem,
  ruleProtocols,
  SECURITY_GROUPS_PER_INSTANCE_MAX,
  SETS_PER_RULE_MAX,
} from '#domain/network-rules.ts';
import { API_PREFIX, abilitySchema, descriptionSchema, idSchema, nameSchema, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const ruleFieldsSchema = z.strictObject({
  action: z.enum(ruleActions),
  direction: z.enum(ruleDirections),
  protocol: z.enum(ruleProtocols),
  ports: z.string().max(250).default('').meta({ description: "'80,443,1000-2000'; empty: all" }),
  ranges: z
    .array(z.string().max(50))
    .max(RANGES_PER_RULE_MAX)
    .default([])
    .meta({ description: 'Addresses and ranges of either family; empty, and no names, sets or groups: anywhere' }),
  names: z
    .array(z.string().max(255))
    .max(NAMES_PER_RULE_MAX)
    .default([])
    .meta({ description: 'For what goes out: domains, or everything below one (*.example.org)' }),
  sets: z
    .array(z.string().max(63))
    .max(SETS_PER_RULE_MAX)
    .default([])
    .meta({ description: 'Address sets of the project, by name' }),
  groups: z
    .array(z.string().max(63))
    .max(GROUPS_PER_RULE_MAX)
    .default([])
    .meta({ description: 'For what comes in: security groups of the project, by name; their instances get in' }),
});

/** One rule; its ports are merged and its ranges written in their shortest form. */
export const networkRuleSchema = ruleFieldsSchema
  .superRefine((rule, context) => {
    const problem = ruleProblem(rule);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .transform(canonicalRule);

/** As rules are answered. */
export const shownRuleSchema = z.object({
  action: z.enum(ruleActions),
  direction: z.enum(ruleDirections),
  protocol: z.enum(ruleProtocols),
  ports: z.string(),
  ranges: z.array(z.string()),
  names: z.array(z.string()),
  sets: z.array(z.string()),
  groups: z.array(z.string()),
});

export const policyStates = ['pending', 'applied'] as const;

export const securityGroupSchema = z.object({
  id: idSchema('sgr'),
  project: idSchema('prj'),
  name: z.string(),
  description: z.string(),
  rules: z.array(shownRuleSchema),
  instances: z.array(z.object({ id: idSchema('ins'), name: z.string() })),
  /** Other groups of the project whose rules name it; it cannot be deleted while there are any. */
  usedBy: z.array(z.string()),
  /** `applied`: the host has exactly these rules. */
  state: z.enum(policyStates),
  createdAt: timestamp,
  can: z.object({ update: abilitySchema, delete: abilitySchema }),
});
export type SecurityGroup = z.output<typeof securityGroupSchema>;

const rules = z
  .array(networkRuleSchema)
  .max(RULES_PER_GROUP_MAX)
  .superRefine((all, context) => {
    if (all.filter((rule) => rule.groups.length > 0).length <= RULES_FROM_GROUPS_MAX) return;
    context.addIssue({
      code: 'custom',
      message: `At most ${RULES_FROM_GROUPS_MAX} rules of a group name security groups.`,
    });
  });
const tag = 'security-groups';

export const securityGroupRoutes = {
  securityGroupsList: defineRoute({
    id: 'security-groups.list',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/security-groups`,
    tag,
    access: 'security-group.read',
    rateClass: 'api',
    status: 200,
    summary: 'Security groups of a project, with the instances that have them',
    params: z.object({ project: idSchema('prj') }),
    response: z.object({ items: z.array(securityGroupSchema) }),
  }),
  securityGroupsCreate: defineRoute({
    id: 'security-groups.create',
    method: 'POST',
    path: `${API_PREFIX}/projects/:project/security-groups`,
    tag,
    access: 'security-group.create',
    rateClass: 'api',
    status: 201,
    summary: 'Make a security group',
    params: z.object({ project: idSchema('prj') }),
    body: z.strictObject({ name: nameSchema, description: descriptionSchema.default(''), rules: rules.default([]) }),
    response: securityGroupSchema,
  }),
  securityGroupsUpdate: defineRoute({
    id: 'security-groups.update',
    method: 'PATCH',
    path: `${API_PREFIX}/security-groups/:group`,
    tag,
    access: 'security-group.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change name, description, rules, or which instances have it; open connections go on',
    params: z.object({ group: idSchema('sgr') }),
    body: z.strictObject({
      name: nameSchema.optional(),
      description: descriptionSchema.optional(),
      rules: rules.optional(),
      instances: z
        .array(idSchema('ins'))
        .max(250)
        .optional()
        .meta({ description: `An instance has at most ${SECURITY_GROUPS_PER_INSTANCE_MAX} groups` }),
    }),
    response: securityGroupSchema,
  }),
  securityGroupsDelete: defineRoute({
    id: 'security-groups.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/security-groups/:group`,
    tag,
    access: 'security-group.delete',
    rateClass: 'api',
    status: 204,
    summary: 'Delete a security group that no rule of another group names; its instances lose its rules',
    params: z.object({ group: idSchema('sgr') }),
  }),
} as const;
