/**
 * The agent's verbs: everything the control plane may ask of a host, as closed schemas. An unknown key is an error,
 * never ignored: what is not written here cannot reach an engine. One POST per verb at `/v1/<verb>`; those that take
 * long (`streamingVerbs`) answer with NDJSON lines (progress, then one result or error), `GET /v1/events` streams NDJSON, and
 * terminals and log tails are WebSockets.
 */
import { z } from 'zod';
import { archiveFormats } from '#domain/file-archives.ts';
import { FORWARD_PORT_MIN, FORWARD_PORTS_MAX, forwardProtocols } from '#domain/forwards.ts';
import { guestRunParts } from '#domain/guest-runs.ts';
import { instanceKinds } from '#domain/instances.ts';
import {
  canonicalRule,
  GROUPS_PER_RULE_MAX,
  RULES_PER_EGRESS_POLICY_MAX,
  RULES_PER_GROUP_MAX,
  ruleProblem,
  SECURITY_GROUPS_PER_INSTANCE_MAX,
  SETS_PER_RULE_MAX,
} from '#domain/network-rules.ts';
import { sizeBounds } from '#domain/sizes.ts';
import { cleanParts, containerActions, STACK_TEXT_BYTES_MAX, stackVerbs } from '#domain/stacks.ts';
import { containerIdSchema, idSchema, logSourceSchema, stackNameSchema } from './common.ts';
import { egressPolicySchema } from './egress.ts';
import { archiveNamesSchema, filePathSchema } from './files.ts';
import { registrySpecSchema } from './registry-process.ts';
import { ruleFieldsSchema } from './security-groups.ts';

/** Largest request body the agent reads. */
export const AGENT_BODY_BYTES_MAX = 4 * 1024 * 1024;
export const AGENT_LOG_LINES_MAX = 5000;
export const AGENT_ALLOWED_IMAGES_MAX = 500;
/** Both protocols of a whole pool. */
export const AGENT_FORWARDS_MAX = 2 * FORWARD_PORTS_MAX;
export const AGENT_POLICIES_MAX = 5_000;
export const AGENT_POWER_TIMEOUT_SECONDS_MAX = 600;
export const AGENT_TERMINAL_SIDE_MAX = 1000;
/** The largest number Linux gives an account; the one after it means nobody. */
const GUEST_UID_MAX = 2 ** 32 - 2;
/** Connections of clients that one call cuts. */
export const AGENT_CUTS_MAX = 256;

const octet = '(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])';
const ip4 = new RegExp(`^${octet}(?:\\.${octet}){3}$`);

/** Shortest form of an IPv6 address ('fd42:1:2:0::a' -> 'fd42:1:2::a'); null when it is none. */
export function canonicalIp6(value: string): string | null {
  if (!/^[0-9a-f:]{2,39}$/.test(value) || !URL.canParse(`http://[${value}]/`)) return null;
  return new URL(`http://[${value}]/`).hostname.slice(1, -1);
}

export const address4Schema = z.string().regex(ip4, 'an IPv4 address');
/** Rewritten to its shortest form, so that two spellings of one address cannot pass two checks. */
export const address6Schema = z.string().transform((value, context) => {
  const canonical = canonicalIp6(value);
  if (canonical !== null) return canonical;
  context.addIssue({ code: 'custom', message: 'not an IPv6 address in lower case' });
  return z.NEVER;
});
const subnet4Schema = z.string().regex(new RegExp(`^${octet}\\.${octet}\\.${octet}\\.0/24$`), 'an IPv4 /24');
const subnet6Schema = z
  .string()
  .regex(/^f[cd][0-9a-f]{2}:[0-9a-f]{1,4}:[0-9a-f]{1,4}(?::[0-9a-f]{1,4})?::\/64$/, 'a unique local IPv6 /64')
  .transform((value) => `${canonicalIp6(value.slice(0, -3))}/64`);

/** The client's end of a connection to the port of the user plane. */
const cutClientSchema = z.strictObject({
  address: z.union([address4Schema, address6Schema]),
  port: z.number().int().min(1).max(65_535),
});
export type CutClient = z.output<typeof cutClientSchema>;

export const fingerprintSchema = z.string().regex(/^[0-9a-f]{64}$/, 'a sha256 in lower-case hexadecimal');
export const hostnameLabelSchema = z.string().regex(/^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'a DNS label');
export const recipeNameSchema = z.string().regex(/^[a-z][a-z0-9-]{0,39}$/, 'a recipe name');
export const importFileSchema = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/, 'a bare file name');
const kindSchema = z.enum(instanceKinds);
const oneLine = (max: number) =>
  z
    .string()
    .max(max)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: refusing control characters is the point
    .regex(/^[^\u0000-\u001f\u007f]*$/, 'one line of text');

const within = (bounds: { min: number; max: number }) => z.number().int().min(bounds.min).max(bounds.max);
export const sizeSchema = z.strictObject({
  cpus: within(sizeBounds.cpus),
  memoryBytes: within(sizeBounds.memoryBytes),
  diskBytes: within(sizeBounds.diskBytes),
});

export const guestSpecSchema = z.strictObject({
  instance: idSchema('ins'),
  project: idSchema('prj'),
  operation: idSchema('opr'),
  kind: kindSchema,
  hostname: hostnameLabelSchema,
  imageFingerprint: fingerprintSchema,
  size: sizeSchema,
  address4: address4Schema,
  address6: address6Schema,
});

/** A rule as the host takes it: what comes from a group names the group by its id and nothing else. */
const hostRuleSchema = ruleFieldsSchema
  .extend({ groups: z.array(idSchema('sgr')).max(1).default([]) })
  .superRefine((rule, context) => {
    const { groups, ...plain } = rule;
    const mixed = groups.length > 0 && plain.ranges.length + plain.names.length + plain.sets.length > 0;
    const problem =
      ruleProblem({ ...plain, groups: [] }) ??
      (mixed || (groups.length > 0 && plain.direction === 'out')
        ? 'A group is the only source of a rule, for what comes in.'
        : null);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .transform(canonicalRule);
/** Each set and each group that a rule of people names is a rule of its own here. */
const hostRules = (most: number) => z.array(hostRuleSchema).max(most * (1 + SETS_PER_RULE_MAX + GROUPS_PER_RULE_MAX));

const oneInstance = z.strictObject({ instance: idSchema('ins') });
const oneSnapshot = z.strictObject({ instance: idSchema('ins'), snapshot: idSchema('snp') });
const nothing = z.strictObject({});
const repositoryRef = {
  repository: idSchema('vlt'),
  place: z.discriminatedUnion('type', [z.strictObject({ type: z.literal('local') })]),
  password: z.string().regex(/^[A-Za-z0-9_-]{43}$/, '32 bytes in base64url'),
};
const backupRef = { ...repositoryRef, backup: idSchema('cpy') };
/** Who does it inside. */
const asOwner = { uid: within({ min: 0, max: GUEST_UID_MAX }), gid: within({ min: 0, max: GUEST_UID_MAX }) };
const guestRunPart = z.strictObject({
  instance: idSchema('ins'),
  run: idSchema('opr'),
  part: z.enum(guestRunParts),
});

export const importSourceSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('file'), path: importFileSchema }),
  z.strictObject({
    type: z.literal('server'),
    url: z.url({ protocol: /^https$/ }).max(500),
    protocol: z.enum(['simplestreams', 'incus']),
    alias: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._/-]{0,199}$/, 'an alias'),
  }),
]);

/** Every verb with its body. The keys are the only paths that exist below `/v1/`. */
export const agentVerbs = {
  host: nothing,
  /** `beside`: a network seen in place a moment ago is checked beside what comes next; what starts guests waits for it. */
  ensureNetwork: z.strictObject({
    project: idSchema('prj'),
    subnet4: subnet4Schema,
    subnet6: subnet6Schema,
    beside: z.boolean().optional(),
  }),
  removeNetwork: z.strictObject({ project: idSchema('prj') }),
  createGuest: guestSpecSchema,
  cloneGuest: z.strictObject({
    source: z.strictObject({ instance: idSchema('ins'), snapshot: idSchema('snp').nullable() }),
    spec: guestSpecSchema,
  }),
  observe: oneInstance,
  list: nothing,
  metrics: z.strictObject({ after: z.iso.datetime().nullable() }),
  /** `done`: the piece that was kept last; it is not told again. */
  flows: z.strictObject({ done: oneLine(80).nullable() }),
  power: z.strictObject({
    instance: idSchema('ins'),
    action: z.enum(['start', 'stop', 'restart', 'pause', 'resume']),
    force: z.boolean().optional(),
    timeoutSeconds: z.number().int().min(1).max(AGENT_POWER_TIMEOUT_SECONDS_MAX).optional(),
  }),
  resize: z.strictObject({ instance: idSchema('ins'), size: sizeSchema }),
  setHostname: z.strictObject({ instance: idSchema('ins'), hostname: hostnameLabelSchema }),
  moveGuest: z.strictObject({
    instance: idSchema('ins'),
    project: idSchema('prj'),
    operation: idSchema('opr'),
    address4: address4Schema,
    address6: address6Schema,
  }),
  destroyGuest: oneInstance,
  setForwards: z.strictObject({
    forwards: z
      .array(
        z.strictObject({
          protocol: z.enum(forwardProtocols),
          hostPort: within({ min: FORWARD_PORT_MIN, max: 65_535 }),
          instance: idSchema('ins'),
          port: within({ min: 1, max: 65_535 }),
        }),
      )
      .max(AGENT_FORWARDS_MAX)
      .refine(
        (forwards) => new Set(forwards.map((each) => `${each.protocol}/${each.hostPort}`)).size === forwards.length,
        'one port leads to one guest',
      ),
  }),
  /** Who has which rules: the whole of it. An instance has the rules of all its groups. */
  setPolicies: z.strictObject({
    projects: z
      .array(egressPolicySchema.extend({ project: idSchema('prj'), rules: hostRules(RULES_PER_EGRESS_POLICY_MAX) }))
      .max(AGENT_POLICIES_MAX),
    groups: z
      .array(z.strictObject({ group: idSchema('sgr'), rules: hostRules(RULES_PER_GROUP_MAX) }))
      .max(AGENT_POLICIES_MAX),
    instances: z
      .array(
        z.strictObject({
          instance: idSchema('ins'),
          groups: z.array(idSchema('sgr')).max(SECURITY_GROUPS_PER_INSTANCE_MAX),
        }),
      )
      .max(AGENT_POLICIES_MAX),
  }),
  /** The image cache of this host, as it shall be; answers how it is. */
  setRegistry: registrySpecSchema,
  createSnapshot: z.strictObject({ instance: idSchema('ins'), snapshot: idSchema('snp'), operation: idSchema('opr') }),
  restoreSnapshot: oneSnapshot,
  deleteSnapshot: oneSnapshot,
  backupGuest: z.strictObject({ ...backupRef, instance: idSchema('ins'), bytesMax: z.number().int().min(1) }),
  restoreBackup: z.strictObject({ ...backupRef, instance: idSchema('ins') }),
  recoverGuest: z.strictObject({ ...backupRef, spec: guestSpecSchema }),
  deleteBackup: z.strictObject({ ...backupRef, instance: idSchema('ins').nullable() }),
  hasBackup: z.strictObject(backupRef),
  removeRepository: z.strictObject(repositoryRef),
  verifyRepository: z.strictObject(repositoryRef),
  repositories: nothing,
  health: oneInstance,
  innerContainers: oneInstance,
  containerUsage: oneInstance,
  containerAct: z.strictObject({
    instance: idSchema('ins'),
    container: containerIdSchema,
    action: z.enum(containerActions),
  }),
  dockerUsage: oneInstance,
  stacks: oneInstance,
  stackCheck: z.strictObject({
    instance: idSchema('ins'),
    stack: stackNameSchema,
    text: z.string().max(STACK_TEXT_BYTES_MAX),
  }),
  /** Starts a command that goes on by itself; the same run and part again finds it. */
  guestRun: z.strictObject({
    instance: idSchema('ins'),
    run: idSchema('opr'),
    task: z.discriminatedUnion('type', [
      z.strictObject({
        type: z.literal('stack'),
        stack: stackNameSchema,
        verb: z.enum(stackVerbs),
        /** Only for `down`: the data goes with it. */
        volumes: z.boolean().default(false),
      }),
      z.strictObject({ type: z.literal('clean'), part: z.enum(cleanParts) }),
      z.strictObject({
        ...asOwner,
        type: z.literal('pack'),
        folder: filePathSchema,
        names: archiveNamesSchema,
        to: filePathSchema,
      }),
      z.strictObject({
        ...asOwner,
        type: z.literal('unpack'),
        path: filePathSchema,
        format: z.enum(archiveFormats),
        to: filePathSchema,
      }),
    ]),
  }),
  guestRunLook: guestRunPart,
  guestRunEnd: guestRunPart,
  logs: z.strictObject({
    instance: idSchema('ins'),
    lines: z.number().int().min(1).max(AGENT_LOG_LINES_MAX),
    search: oneLine(200).optional(),
    unit: z
      .string()
      .regex(/^[A-Za-z0-9@:][A-Za-z0-9@:_.\\-]{0,127}$/, 'a unit name')
      .optional(),
    sinceIso: z.iso.datetime().optional(),
    of: logSourceSchema.optional(),
  }),
  images: nothing,
  recipes: nothing,
  buildImage: z.strictObject({ recipe: recipeNameSchema }),
  importImage: z.strictObject({
    source: importSourceSchema,
    as: z.strictObject({ name: recipeNameSchema, kind: kindSchema, description: oneLine(200) }),
  }),
  deleteImage: z.strictObject({ fingerprint: fingerprintSchema }),
  allowImages: z.strictObject({ fingerprints: z.array(fingerprintSchema).max(AGENT_ALLOWED_IMAGES_MAX) }),
  screenCredentials: oneInstance,
  sshHostKeys: oneInstance,
  sshLogin: oneInstance,
  sshSign: z.strictObject({ instance: idSchema('ins'), data: z.base64().max(4_096) }),
  cutClients: z.strictObject({ clients: z.array(cutClientSchema).min(1).max(AGENT_CUTS_MAX) }),
} as const;

export type AgentVerb = keyof typeof agentVerbs;
export type AgentInput<V extends AgentVerb> = z.output<(typeof agentVerbs)[V]>;

/** Verbs that answer with NDJSON instead of one JSON value. */
export const streamingVerbs: readonly AgentVerb[] = [
  'buildImage',
  'importImage',
  'backupGuest',
  'restoreBackup',
  'recoverGuest',
  'deleteBackup',
  'verifyRepository',
];

/** What the edge's token may call; everything else is refused for it. Terminals and log tails come on top. */
export const edgeVerbs: readonly AgentVerb[] = ['screenCredentials', 'observe', 'sshLogin', 'sshSign', 'cutClients'];

/** `GET /v1/files`: binary frames are SFTP (version 3) with the guest's own file system as its root. Not for edge. */
export const filesQuerySchema = oneInstance;

/** `GET /v1/terminal`: binary frames are bytes both ways; text frames are JSON. */
export const terminalQuerySchema = z.strictObject({
  instance: idSchema('ins'),
  user: z.enum(['root', 'berth']),
  cols: z.coerce.number().int().min(1).max(AGENT_TERMINAL_SIDE_MAX),
  rows: z.coerce.number().int().min(1).max(AGENT_TERMINAL_SIDE_MAX),
});
export const terminalControlSchema = z.strictObject({
  type: z.literal('resize'),
  cols: z.number().int().min(1).max(AGENT_TERMINAL_SIDE_MAX),
  rows: z.number().int().min(1).max(AGENT_TERMINAL_SIDE_MAX),
});
/** The last text frame of a terminal. */
export type TerminalExit = { type: 'exit'; code: number };

/** `GET /v1/logs/follow`: one JSON LogEntry per text frame. */
export const followQuerySchema = z.strictObject({
  instance: idSchema('ins'),
  lines: z.coerce.number().int().min(0).max(AGENT_LOG_LINES_MAX),
  of: logSourceSchema.optional(),
});

/** Where a desktop's screen is and the password for it: only ever answered to the edge or the server. */
export type ScreenCredentials = { address: string; port: number; password: string };

/** One NDJSON line of a streaming verb. */
export type AgentStreamLine<Progress, Result> =
  | { type: 'progress'; progress: Progress }
  | { type: 'result'; result: Result }
  | { type: 'error'; error: { code: string; message: string } };
