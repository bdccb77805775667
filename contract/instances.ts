/** Instances and their snapshots. */
import { z } from 'zod';
import {
  desiredStates,
  displayStates,
  healthStates,
  instanceActions,
  instanceKinds,
  instancePhases,
  instanceVerbs,
  observedStates,
} from '#domain/instances.ts';
import { NAME_LENGTH_MAX } from '#domain/names.ts';
import { sizeBounds, sizePresets } from '#domain/sizes.ts';
import {
  API_PREFIX,
  abilitySchema,
  descriptionSchema,
  idSchema,
  logSourceSchema,
  nameSchema,
  pageOf,
  pageQuery,
  timestamp,
  titleSchema,
} from './common.ts';
import { operationSchema } from './operations.ts';
import { defineRoute } from './route.ts';

export const instanceKindSchema = z.enum(instanceKinds);

export const sizeSchema = z.strictObject({
  cpus: z.number().int().min(sizeBounds.cpus.min).max(sizeBounds.cpus.max),
  memoryBytes: z.number().int().min(sizeBounds.memoryBytes.min).max(sizeBounds.memoryBytes.max),
  diskBytes: z.number().int().min(sizeBounds.diskBytes.min).max(sizeBounds.diskBytes.max),
});

export const sizeChoiceSchema = z.union([
  z.enum(sizePresets.map((preset) => preset.name) as [string, ...string[]]),
  sizeSchema,
]);

export const healthCheckSchema = z.object({
  name: z.string(),
  state: z.enum(healthStates),
  message: z.string(),
  optional: z.boolean(),
});

export const instanceSchema = z.object({
  id: idSchema('ins'),
  project: idSchema('prj'),
  kind: instanceKindSchema,
  name: z.string(),
  description: z.string(),
  state: z.enum(displayStates),
  phase: z.enum(instancePhases),
  desired: z.enum(desiredStates),
  observed: z.enum(observedStates),
  observedAt: timestamp.nullable(),
  health: z.enum(healthStates),
  healthChecks: z.array(healthCheckSchema),
  /** What differs from what is wanted and what Berth does about it; null when nothing. */
  drift: z.string().nullable(),
  size: z.object({ cpus: z.number(), memoryBytes: z.number(), diskBytes: z.number() }),
  usage: z.object({
    memoryBytes: z.number().nullable(),
    diskBytes: z.number().nullable(),
    processes: z.number().nullable(),
  }),
  image: z.object({ name: z.string(), fingerprint: z.string().nullable() }),
  /** The platform address, https://<name>.<domain>; null until the route exists. */
  url: z.string().nullable(),
  address4: z.string().nullable(),
  address6: z.string().nullable(),
  host: z.object({ id: idSchema('hst'), name: z.string() }).nullable(),
  protected: z.boolean(),
  createdBy: z.string(),
  createdAt: timestamp,
  startedAt: timestamp.nullable(),
  archivedAt: timestamp.nullable(),
  /** When an archived instance is removed for good. */
  purgeAt: timestamp.nullable(),
  /** The operation that is changing it now. */
  operation: z
    .object({ id: idSchema('opr'), title: z.string(), step: z.string().nullable(), percent: z.number().nullable() })
    .nullable(),
  version: z.number().int(),
  can: z.record(z.enum(instanceVerbs), abilitySchema),
});
export type Instance = z.output<typeof instanceSchema>;

export const snapshotSchema = z.object({
  id: idSchema('snp'),
  instance: idSchema('ins'),
  name: z.string(),
  state: z.enum(['creating', 'ready', 'deleting', 'failed']),
  createdAt: timestamp,
  createdBy: z.string(),
});

/** What a 202 answers: the operation, and the instance it is about. */
export const acceptedSchema = z.object({ operation: operationSchema, instance: instanceSchema.nullable() });

/** What moving to another project answers. */
export const transferAcceptedSchema = acceptedSchema.extend({
  /** So many people and groups lose what was granted to them on it; only into another organization. */
  grantsEnding: z.number().int(),
});

const tag = 'instances';
const instanceParams = z.object({ instance: idSchema('ins') });
const projectParams = z.object({ project: idSchema('prj') });
const snapshotParams = instanceParams.extend({ snapshot: idSchema('snp') });

export const instanceRoutes = {
  instancesList: defineRoute({
    id: 'instances.list',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/instances`,
    tag,
    access: 'instance.list',
    rateClass: 'api',
    status: 200,
    summary: 'Instances of a project',
    params: projectParams,
    query: z.object({
      ...pageQuery,
      kind: instanceKindSchema.optional(),
      archived: z.enum(['true', 'false']).default('false'),
      search: z.string().max(100).optional(),
    }),
    response: pageOf(instanceSchema),
  }),
  instancesCreate: defineRoute({
    id: 'instances.create',
    method: 'POST',
    path: `${API_PREFIX}/projects/:project/instances`,
    tag,
    access: 'instance.create',
    rateClass: 'provisioning',
    status: 202,
    summary: 'Create a desktop or a server',
    description: 'Send an Idempotency-Key header to make retries safe.',
    params: projectParams,
    severalLines: ['description'],
    body: z.strictObject({
      kind: instanceKindSchema,
      name: nameSchema,
      description: descriptionSchema.default(''),
      size: sizeChoiceSchema.optional(),
      image: z
        .string()
        .max(64)
        .optional()
        .meta({ description: 'Image name; the default is the one named like the kind' }),
    }),
    response: acceptedSchema,
  }),
  instanceNamesCheck: defineRoute({
    id: 'instances.nameCheck',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/instance-names/:name`,
    tag,
    access: 'instance.read',
    rateClass: 'api',
    status: 200,
    summary: 'Whether a name is free, the host name it would get, and a free suggestion',
    params: projectParams.extend({ name: z.string().max(100) }),
    response: z.object({
      available: z.boolean(),
      problem: z.string().nullable(),
      hostname: z.string().nullable(),
      url: z.string().nullable(),
      suggestion: z.string().nullable(),
    }),
  }),
  instancesGet: defineRoute({
    id: 'instances.get',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance`,
    tag,
    access: 'instance.read',
    rateClass: 'api',
    status: 200,
    summary: 'One instance',
    params: instanceParams,
    response: instanceSchema,
  }),
  instancesUpdate: defineRoute({
    id: 'instances.update',
    method: 'PATCH',
    path: `${API_PREFIX}/instances/:instance`,
    tag,
    access: 'instance.update',
    rateClass: 'api',
    status: 200,
    summary: 'Change description or protection',
    params: instanceParams,
    body: z.strictObject({ description: descriptionSchema.optional(), protected: z.boolean().optional() }),
    severalLines: ['description'],
    response: instanceSchema,
  }),
  instancesRename: defineRoute({
    id: 'instances.rename',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/rename`,
    tag,
    access: 'instance.update',
    rateClass: 'api',
    status: 202,
    summary: 'Rename: host name inside, platform address (the old one redirects no longer)',
    params: instanceParams,
    body: z.strictObject({ name: nameSchema }),
    response: acceptedSchema,
  }),
  instancesResize: defineRoute({
    id: 'instances.resize',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/resize`,
    tag,
    access: 'instance.update',
    rateClass: 'api',
    status: 202,
    summary: 'Change CPU, memory and disk while it runs',
    params: instanceParams,
    body: z.strictObject({ size: sizeChoiceSchema }),
    response: acceptedSchema,
  }),
  instancesPower: defineRoute({
    id: 'instances.power',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/actions/:action`,
    tag,
    access: 'instance.power',
    rateClass: 'api',
    status: 202,
    summary: 'Start, stop, restart, pause or resume',
    params: instanceParams.extend({ action: z.enum(instanceActions) }),
    body: z.strictObject({ force: z.boolean().default(false) }).default({ force: false }),
    response: acceptedSchema,
  }),
  instancesClone: defineRoute({
    id: 'instances.clone',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/clone`,
    tag,
    access: 'instance.create',
    rateClass: 'provisioning',
    status: 202,
    summary: 'Copy it, or one of its snapshots, to a new instance with a fresh identity',
    params: instanceParams,
    body: z.strictObject({ name: nameSchema, snapshot: idSchema('snp').nullable().default(null) }),
    response: acceptedSchema,
  }),
  instancesTransfer: defineRoute({
    id: 'instances.transfer',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/transfer`,
    tag,
    access: 'instance.archive',
    rateClass: 'provisioning',
    status: 202,
    summary: 'Move it to another project, with disk, snapshots and routes; it restarts with a new internal address',
    description:
      'Needs instance.create there. Into another organization it needs instance.transfer and a fresh confirmation, and ends every grant on it.',
    params: instanceParams,
    body: z.strictObject({ project: idSchema('prj') }),
    response: transferAcceptedSchema,
  }),
  instancesArchive: defineRoute({
    id: 'instances.archive',
    method: 'DELETE',
    path: `${API_PREFIX}/instances/:instance`,
    tag,
    access: 'instance.archive',
    rateClass: 'api',
    status: 202,
    summary: 'Delete: archived for 7 days, then removed for good',
    params: instanceParams,
    response: acceptedSchema,
  }),
  instancesRestore: defineRoute({
    id: 'instances.restore',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/restore`,
    tag,
    access: 'instance.archive',
    rateClass: 'api',
    status: 202,
    summary: 'Bring an archived instance back',
    params: instanceParams,
    body: z
      .strictObject({
        name: nameSchema.optional().meta({ description: 'A new name, when the old one is taken meanwhile' }),
      })
      .default({}),
    response: acceptedSchema,
  }),
  instancesPurge: defineRoute({
    id: 'instances.purge',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/purge`,
    tag,
    access: 'instance.purge',
    rateClass: 'api',
    status: 202,
    summary: 'Remove an archived or failed instance for good, with its data',
    params: instanceParams,
    body: z.strictObject({ confirmName: z.string().max(NAME_LENGTH_MAX) }),
    response: acceptedSchema,
  }),
  instancesLogs: defineRoute({
    id: 'instances.logs',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/logs`,
    tag,
    access: 'instance.logs',
    rateClass: 'api',
    status: 200,
    summary: 'The last lines of the journal',
    params: instanceParams,
    query: z.object({
      lines: z.coerce.number().int().min(1).max(2000).default(200),
      search: z.string().max(200).optional(),
      unit: z
        .string()
        .max(100)
        .regex(/^[A-Za-z0-9@:._-]+$/)
        .optional(),
      since: timestamp.optional(),
      of: logSourceSchema.optional(),
    }),
    response: z.object({
      items: z.array(z.object({ ts: z.string(), unit: z.string(), priority: z.number(), message: z.string() })),
    }),
  }),
  snapshotsList: defineRoute({
    id: 'snapshots.list',
    method: 'GET',
    path: `${API_PREFIX}/instances/:instance/snapshots`,
    tag: 'snapshots',
    access: 'snapshot.read',
    rateClass: 'api',
    status: 200,
    summary: 'Snapshots of an instance',
    params: instanceParams,
    response: z.object({ items: z.array(snapshotSchema) }),
  }),
  snapshotsCreate: defineRoute({
    id: 'snapshots.create',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/snapshots`,
    tag: 'snapshots',
    access: 'instance.snapshot',
    rateClass: 'api',
    status: 202,
    summary: 'Take a snapshot',
    params: instanceParams,
    body: z.strictObject({ name: titleSchema }),
    response: acceptedSchema,
  }),
  snapshotsRollback: defineRoute({
    id: 'snapshots.rollback',
    method: 'POST',
    path: `${API_PREFIX}/instances/:instance/snapshots/:snapshot/rollback`,
    tag: 'snapshots',
    access: 'instance.rollback',
    rateClass: 'api',
    status: 202,
    summary: 'Roll the instance back to a snapshot',
    params: snapshotParams,
    response: acceptedSchema,
  }),
  snapshotsDelete: defineRoute({
    id: 'snapshots.delete',
    method: 'DELETE',
    path: `${API_PREFIX}/instances/:instance/snapshots/:snapshot`,
    tag: 'snapshots',
    access: 'instance.snapshot',
    rateClass: 'api',
    status: 202,
    summary: 'Delete a snapshot',
    params: snapshotParams,
    response: acceptedSchema,
  }),
} as const;
