/** Stacks (Docker Compose projects) inside a server. */
import { z } from 'zod';
import { operationStates } from '#domain/operations.ts';
import { dockerStates, STACK_TEXT_BYTES_MAX, stackStates, stackVerbs } from '#domain/stacks.ts';
import { API_PREFIX, idSchema, stackNameSchema, timestamp } from './common.ts';
import { containerSchema } from './containers.ts';
import { acceptedSchema } from './instances.ts';
import { operationStopSchema } from './operations.ts';
import { defineRoute } from './route.ts';

const ability = z.union([z.literal(true), z.string()]);

/** The last command on a stack: it may still run. Its lines are the log `run:<operation>`. */
const runSchema = z.object({
  operation: idSchema('opr'),
  verb: z.enum(stackVerbs),
  state: z.enum(operationStates),
  actor: z.string(),
  createdAt: timestamp,
  finishedAt: timestamp.nullable(),
  error: z.string().nullable(),
  stop: operationStopSchema,
});

export const stackSchema = z.object({
  name: z.string(),
  state: z.enum(stackStates),
  /** Its (first) compose file; null when nobody knows any more where it is. */
  file: z.string().nullable(),
  /** False: started by hand, from another place. */
  managed: z.boolean(),
  containers: z.array(containerSchema),
  run: runSchema.nullable(),
});
export type Stack = z.output<typeof stackSchema>;

const textSchema = z
  .string()
  .max(STACK_TEXT_BYTES_MAX)
  .refine((text) => new TextEncoder().encode(text).length <= STACK_TEXT_BYTES_MAX, 'Too long for a compose file.')
  .refine((text) => !text.includes('\0'), 'This is no text.');

const instanceParams = z.object({ instance: idSchema('ins') });
const stackParams = z.object({ instance: idSchema('ins'), stack: stackNameSchema });
const base = `${API_PREFIX}/instances/:instance/stacks`;
const common = { tag: 'stacks', rateClass: 'api' } as const;
/** What the stack's file says now. `version` goes along when it is written again. */
const fileSchema = z.object({ path: z.string(), text: z.string(), version: z.string() });

export const stackRoutes = {
  stacksList: defineRoute({
    ...common,
    id: 'stacks.list',
    method: 'GET',
    path: base,
    access: 'stack.open',
    status: 200,
    summary: 'Stacks inside a server, also those started by hand',
    params: instanceParams,
    response: z.object({
      /** Stacks started by hand and all containers are only known while Docker runs. */
      docker: z.enum(dockerStates),
      items: z.array(stackSchema),
      /** Containers that belong to no stack. */
      others: z.array(containerSchema),
      can: z.object({ write: ability }),
    }),
  }),
  stacksRead: defineRoute({
    ...common,
    id: 'stacks.read',
    method: 'GET',
    path: `${base}/:stack/file`,
    access: 'stack.open',
    status: 200,
    summary: 'The compose file of a stack',
    params: stackParams,
    response: fileSchema,
  }),
  stacksCreate: defineRoute({
    ...common,
    id: 'stacks.create',
    method: 'POST',
    path: base,
    access: 'stack.write',
    status: 201,
    summary: 'Write a new stack; nothing is started',
    params: instanceParams,
    body: z.strictObject({ name: stackNameSchema, text: textSchema }),
    severalLines: ['text'],
    response: fileSchema,
  }),
  stacksWrite: defineRoute({
    ...common,
    id: 'stacks.write',
    method: 'PUT',
    path: `${base}/:stack/file`,
    access: 'stack.write',
    status: 200,
    summary: 'Change the compose file of a stack; what runs stays as it is until `up`',
    params: stackParams,
    severalLines: ['text'],
    body: z.strictObject({
      text: textSchema,
      version: z.string().max(60).meta({ description: 'Only when the file is still this one' }),
    }),
    response: fileSchema,
  }),
  stacksCheck: defineRoute({
    ...common,
    id: 'stacks.check',
    method: 'POST',
    path: `${base}/:stack/check`,
    access: 'stack.write',
    status: 200,
    summary: 'What Docker Compose says about a text as the compose file of this stack',
    params: stackParams,
    body: z.strictObject({ text: textSchema }),
    severalLines: ['text'],
    response: z.object({
      /** Empty: it is right. */
      problems: z.array(z.object({ line: z.number().int().nullable(), message: z.string() })),
    }),
  }),
  stacksRun: defineRoute({
    ...common,
    id: 'stacks.run',
    method: 'POST',
    path: `${base}/:stack/:verb`,
    access: 'stack.write',
    status: 202,
    summary: 'Start, take down, restart a stack, or pull its images',
    description:
      'The command goes on inside whatever happens outside. What it says is the log `run:<operation>` of the instance.',
    params: z.object({ instance: idSchema('ins'), stack: stackNameSchema, verb: z.enum(stackVerbs) }),
    body: z
      .strictObject({
        volumes: z
          .boolean()
          .default(false)
          .meta({ description: 'Only for `down`: remove its volumes, with their data' }),
      })
      .default({ volumes: false }),
    response: acceptedSchema,
  }),
  stacksRemove: defineRoute({
    ...common,
    id: 'stacks.remove',
    method: 'DELETE',
    path: `${base}/:stack`,
    access: 'stack.write',
    status: 200,
    summary: 'Remove the compose file of a stack that is down; what else is in its folder stays',
    params: stackParams,
    response: z.object({ removed: z.literal(true) }),
  }),
} as const;
