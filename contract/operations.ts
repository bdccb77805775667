/** Operations: the handle of everything that takes longer than a request. */
import { z } from 'zod';
import { operationKinds, operationStates, stepStates } from '#domain/operations.ts';
import { API_PREFIX, idSchema, pageOf, pageQuery, timestamp } from './common.ts';
import { defineRoute } from './route.ts';

export const operationStepSchema = z.object({
  name: z.string(),
  title: z.string(),
  state: z.enum(stepStates),
  startedAt: timestamp.nullable(),
  finishedAt: timestamp.nullable(),
  attempts: z.number().int(),
  /** 0..100 where known. */
  percent: z.number().nullable(),
  message: z.string().nullable(),
});

/** Who asked for its end, and when; it goes on until its command has ended. Null: nobody. */
export const operationStopSchema = z.object({ by: z.string(), at: timestamp }).nullable();

export const operationSchema = z.object({
  id: idSchema('opr'),
  kind: z.enum(operationKinds),
  title: z.string(),
  state: z.enum(operationStates),
  project: idSchema('prj').nullable(),
  instance: idSchema('ins').nullable(),
  /** Name of what it works on, kept even when that is gone. */
  target: z.string(),
  actor: z.string(),
  createdAt: timestamp,
  startedAt: timestamp.nullable(),
  finishedAt: timestamp.nullable(),
  steps: z.array(operationStepSchema),
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  stop: operationStopSchema,
  /** Whether it can be stopped while it runs. */
  stoppable: z.boolean(),
  /** Median seconds of the last finished operations of this kind; null when there are none. */
  usualSeconds: z.number().nullable(),
});
export type Operation = z.output<typeof operationSchema>;

const tag = 'operations';

export const operationRoutes = {
  operationsList: defineRoute({
    id: 'operations.list',
    method: 'GET',
    path: `${API_PREFIX}/projects/:project/operations`,
    tag,
    access: 'operation.read',
    rateClass: 'api',
    status: 200,
    summary: 'Operations of a project, newest first',
    params: z.object({ project: idSchema('prj') }),
    query: z.object({ ...pageQuery, state: z.enum(operationStates).optional(), instance: idSchema('ins').optional() }),
    response: pageOf(operationSchema),
  }),
  operationsGet: defineRoute({
    id: 'operations.get',
    method: 'GET',
    path: `${API_PREFIX}/operations/:operation`,
    tag,
    access: 'operation.read',
    rateClass: 'api',
    status: 200,
    summary: 'One operation with its steps',
    params: z.object({ operation: idSchema('opr') }),
    response: operationSchema,
  }),
  operationsStop: defineRoute({
    id: 'operations.stop',
    method: 'POST',
    path: `${API_PREFIX}/operations/:operation/stop`,
    tag,
    access: 'operation.cancel',
    rateClass: 'api',
    status: 200,
    summary: 'Stop a command that runs inside an instance',
    description: 'It is asked to end and killed after a grace. One that has ended is answered as it is.',
    params: z.object({ operation: idSchema('opr') }),
    response: operationSchema,
  }),
  platformOperationsList: defineRoute({
    id: 'platform.operations.list',
    method: 'GET',
    path: `${API_PREFIX}/platform/operations`,
    tag,
    access: 'platform.image.read',
    rateClass: 'api',
    status: 200,
    summary: 'Operations that belong to no project (image builds), newest first',
    query: z.object(pageQuery),
    response: pageOf(operationSchema),
  }),
} as const;
