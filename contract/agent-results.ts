/** What the agent answers, as schemas: the driver parses every answer, so a broken agent cannot poison the database. */
import { z } from 'zod';
import { FLOWS_PER_BATCH_MAX, flowProtocols, flowVerdicts } from '#domain/flows.ts';
import { forwardProtocols, forwardStates } from '#domain/forwards.ts';
import { healthStates, instanceKinds, observedStates } from '#domain/instances.ts';
import { cleanParts, dockerStates, stackStates } from '#domain/stacks.ts';
import type { AgentVerb } from './agent.ts';
import { idSchema } from './common.ts';
import { registryFactsSchema } from './registry-process.ts';

const isoTime = z.string().max(40);
const count = z.number().min(0);

export const guestObservationSchema = z.object({
  instance: idSchema('ins'),
  project: idSchema('prj'),
  state: z.enum(observedStates),
  hostname: z.string(),
  size: z.object({ cpus: count, memoryBytes: count, diskBytes: count }).nullable(),
  imageFingerprint: z.string().nullable(),
  address4: z.string().nullable(),
  address6: z.string().nullable(),
  uidBase: count.nullable(),
  uidCount: count.nullable(),
  createdAt: isoTime,
  startedAt: isoTime.nullable(),
  memoryUsedBytes: count.nullable(),
  diskUsedBytes: count.nullable(),
  cpuUsedNs: count.nullable(),
  processes: count.nullable(),
  snapshots: z.array(z.object({ snapshot: idSchema('snp'), createdAt: isoTime })),
});
export type AgentGuestObservation = z.output<typeof guestObservationSchema>;

const counted = count.nullable();
export const readingSchema = z.object({
  cpuSeconds: count,
  cpuLimit: counted,
  memoryBytes: count,
  memoryLimitBytes: counted,
  readBytes: counted,
  writtenBytes: counted,
  receivedBytes: count,
  sentBytes: count,
  processes: counted,
});
/** The host and all its running guests at one moment. */
export const metricSampleSchema = z.object({
  at: z.iso.datetime(),
  host: readingSchema,
  guests: z.array(readingSchema.extend({ instance: idSchema('ins') })),
});
export type AgentMetricSample = z.output<typeof metricSampleSchema>;

export const hostFactsSchema = z.object({
  hostname: z.string(),
  engine: z.string(),
  engineVersion: z.string(),
  kernel: z.string(),
  os: z.string(),
  cpus: count,
  memoryBytes: count,
  memoryUsedBytes: count,
  poolName: z.string(),
  poolDriver: z.string(),
  poolBytes: count,
  poolUsedBytes: count,
  load1: count,
  uptimeSeconds: count,
  missing: z.array(z.string()),
  usedRanges4: z.array(z.string()),
  addresses: z.array(z.string()),
  /** The pool of ports for forwards as it may be used (null: not at all), and those of it that programs listen on. */
  forwards: z.object({
    pool: z.object({ first: count, last: count }).nullable(),
    busy: z.array(z.object({ protocol: z.enum(forwardProtocols), port: count })),
  }),
});
export type AgentHostFacts = z.output<typeof hostFactsSchema>;

export const healthCheckSchema = z.object({
  name: z.string(),
  state: z.enum(healthStates),
  message: z.string(),
  optional: z.boolean(),
});
export const healthReportSchema = z.object({
  state: z.enum(healthStates),
  checks: z.array(healthCheckSchema),
  checkedAt: isoTime,
});
export type AgentHealthReport = z.output<typeof healthReportSchema>;

export const innerContainerSchema = z.object({
  id: z.string(),
  name: z.string(),
  image: z.string(),
  state: z.string(),
  status: z.string(),
  ports: z.string(),
  stack: z.string(),
  service: z.string(),
});
export type AgentInnerContainer = z.output<typeof innerContainerSchema>;

export const dockerUsageSchema = z.object({
  state: z.enum(dockerStates),
  parts: z.array(
    z.object({
      part: z.enum(cleanParts),
      count,
      unused: count,
      bytes: count,
      reclaimableBytes: count,
    }),
  ),
});
export type AgentDockerUsage = z.output<typeof dockerUsageSchema>;

export const logEntrySchema = z.object({
  ts: isoTime,
  unit: z.string(),
  priority: z.number().int().min(0).max(7),
  message: z.string(),
});
export type AgentLogEntry = z.output<typeof logEntrySchema>;

export const flowSchema = z.object({
  instance: idSchema('ins'),
  address: z.string(),
  protocol: z.enum(flowProtocols),
  port: count,
  verdict: z.enum(flowVerdicts),
  name: z.string().nullable(),
  connections: count,
  sentBytes: count,
  receivedBytes: count,
  firstAt: isoTime,
  lastAt: isoTime,
});

export const agentImageSchema = z.object({
  fingerprint: z.string(),
  name: z.string(),
  kind: z.enum(instanceKinds),
  recipeHash: z.string().nullable(),
  sizeBytes: count,
  createdAt: isoTime,
  description: z.string(),
});
export type AgentImage = z.output<typeof agentImageSchema>;

export const agentRecipeSchema = z.object({
  name: z.string(),
  kind: z.enum(instanceKinds),
  title: z.string(),
  recipeHash: z.string(),
});
export type AgentRecipe = z.output<typeof agentRecipeSchema>;

export const buildProgressSchema = z.object({ phase: z.string(), percent: z.number(), line: z.string() });
export type AgentBuildProgress = z.output<typeof buildProgressSchema>;

export const agentEventSchema = z.object({
  at: isoTime,
  type: z.enum(['instance', 'image', 'network', 'resync']),
  instance: idSchema('ins').nullable(),
  action: z.string(),
});
export type AgentEvent = z.output<typeof agentEventSchema>;

export const screenCredentialsSchema = z.object({ address: z.string(), port: z.number().int(), password: z.string() });

export const repositoryUseSchema = z.object({ repository: idSchema('vlt'), storedBytes: count });
/** Servers that use the cache, and those whose people have arranged it otherwise. */
const mirrorCountsSchema = z.object({ using: count, theirs: count });
export type MirrorCounts = z.output<typeof mirrorCountsSchema>;
export const registryAnswerSchema = registryFactsSchema.extend({ mirrors: mirrorCountsSchema });
export type RegistryAnswer = z.output<typeof registryAnswerSchema>;

/** One schema per verb; `null` where a verb answers nothing. */
export const agentResults = {
  host: hostFactsSchema,
  ensureNetwork: z.null(),
  removeNetwork: z.null(),
  createGuest: guestObservationSchema,
  cloneGuest: guestObservationSchema,
  observe: guestObservationSchema.nullable(),
  list: z.array(guestObservationSchema),
  metrics: z.array(metricSampleSchema),
  flows: z.object({ batch: z.string().nullable(), flows: z.array(flowSchema).max(FLOWS_PER_BATCH_MAX) }),
  power: guestObservationSchema,
  resize: guestObservationSchema,
  setHostname: z.null(),
  moveGuest: guestObservationSchema,
  destroyGuest: z.null(),
  setForwards: z.array(z.object({ protocol: z.enum(forwardProtocols), hostPort: count, state: z.enum(forwardStates) })),
  setPolicies: z.null(),
  setRegistry: registryAnswerSchema,
  createSnapshot: z.null(),
  restoreSnapshot: z.null(),
  deleteSnapshot: z.null(),
  backupGuest: z.object({ dataBytes: count, files: count, storedBytes: count }),
  restoreBackup: z.null(),
  recoverGuest: guestObservationSchema,
  deleteBackup: z.object({ storedBytes: count }),
  hasBackup: z.boolean(),
  removeRepository: z.null(),
  verifyRepository: z.object({ problem: z.string().nullable(), storedBytes: count }),
  repositories: z.array(repositoryUseSchema),
  health: healthReportSchema,
  innerContainers: z.array(innerContainerSchema),
  containerUsage: z.array(
    z.object({ id: z.string(), cpuPercent: count, memoryBytes: count, memoryLimitBytes: counted, processes: count }),
  ),
  containerAct: z.null(),
  dockerUsage: dockerUsageSchema,
  stacks: z.object({
    docker: z.enum(dockerStates),
    stacks: z.array(
      z.object({ name: z.string(), state: z.enum(stackStates), file: z.string().nullable(), managed: z.boolean() }),
    ),
    containers: z.array(innerContainerSchema),
  }),
  stackCheck: z.object({ said: z.string().nullable() }),
  guestRun: z.null(),
  guestRunLook: z.object({
    state: z.enum(['running', 'exited', 'gone']),
    code: z.number().int().nullable(),
    lines: z.array(z.string()),
  }),
  guestRunEnd: z.null(),
  logs: z.array(logEntrySchema),
  images: z.array(agentImageSchema),
  recipes: z.array(agentRecipeSchema),
  buildImage: agentImageSchema,
  importImage: agentImageSchema,
  deleteImage: z.null(),
  allowImages: z.null(),
  screenCredentials: screenCredentialsSchema,
  sshHostKeys: z.object({ publicKeys: z.array(z.string()).min(1) }),
  sshLogin: z.object({ publicKey: z.string() }),
  sshSign: z.object({ signature: z.string() }),
  cutClients: z.object({ cut: z.number().int() }),
} as const satisfies Record<AgentVerb, z.ZodType>;
export type AgentResult<V extends AgentVerb> = z.output<(typeof agentResults)[V]>;
