/** Address sets: addresses and ranges under a name, written once and used in several rules of a project (`from @office`). */
import { z } from 'zod';
import { canonicalRange, RANGES_PER_RULE_MAX } from '#domain/network-rules.ts';
import { API_PREFIX, abilitySchema, descriptionSchema, idSchema, nameSchema, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const addressSetSchema = z.object({
  name: z.string(),
  description: z.string(),
  ranges: z.array(z.string()),
  /** Security groups whose rules use it, and whether the project's policy does. */
  usedBy: z.object({ securityGroups: z.array(z.string()), egress: z.boolean() }),
  createdAt: timestamp,
  can: z.object({ update: abilitySchema, delete: abilitySchema }),
});
export type AddressSet = z.output<typeof addressSetSchema>;

const ranges = z
  .array(z.string().max(50))
  .min(1)
  .max(RANGES_PER_RULE_MAX)
  .transform((texts, context) => {
    const wrong = texts.find((text) => canonicalRange(text) === null);
    if (wrong === undefined) return [...new Set(texts.flatMap((text) => canonicalRange(text) ?? []))];
    context.addIssue({ code: 'custom', message: `"${wrong}" is not an address or range such as 203.0.113.0/24.` });
    return z.NEVER;
  });
const params = z.object({ project: idSchema('prj') });
const one = params.extend({ name: nameSchema });
const path = `${API_PREFIX}/projects/:project/address-sets` as const;
const shared = { tag: 'security-groups', rateClass: 'api' } as const;

export const addressSetRoutes = {
  addressSetsList: defineRoute({
    ...shared,
    id: 'address-sets.list',
    method: 'GET',
    path,
    access: 'security-group.read',
    status: 200,
    summary: 'Address sets of a project, and which rules use them',
    params,
    response: z.object({ items: z.array(addressSetSchema) }),
  }),
  addressSetsPut: defineRoute({
    ...shared,
    id: 'address-sets.put',
    method: 'PUT',
    path: `${path}/:name`,
    access: 'security-group.update',
    status: 200,
    summary: 'Make an address set, or change it and with it every rule that uses it',
    description: "One that the project's policy uses needs `egress.update` as well.",
    params: one,
    body: z.strictObject({ description: descriptionSchema.default(''), ranges }),
    response: addressSetSchema,
  }),
  addressSetsDelete: defineRoute({
    ...shared,
    id: 'address-sets.delete',
    method: 'DELETE',
    path: `${path}/:name`,
    access: 'security-group.update',
    status: 204,
    summary: 'Delete an address set that no rule uses',
    params: one,
  }),
} as const;
