/** Pieces that many schemas share. */
import { z } from 'zod';
import { type ErrorCode, errorCatalogue } from '#domain/errors.ts';
import { type Id, type IdPrefix, idPattern } from '#domain/ids.ts';
import { CONTAINER_NAME_LENGTH_MAX, isContainerName, parseLogSource } from '#domain/logs.ts';
import { namePattern, nameProblem, TITLE_LENGTH_MAX } from '#domain/names.ts';
import { STACK_NAME_LENGTH_MAX, stackNameProblem } from '#domain/stacks.ts';

export const API_PREFIX = '/api/v1';
export const PAGE_SIZE_DEFAULT = 50;
export const PAGE_SIZE_MAX = 200;

export function idSchema<P extends IdPrefix>(prefix: P) {
  return z
    .string()
    .regex(idPattern(prefix), `not an id of this kind (${prefix}_...)`)
    .transform((value) => value as Id<P>)
    .meta({ description: `Id with the prefix ${prefix}_` });
}

export const timestamp = z.iso.datetime().meta({ description: 'UTC, RFC 3339' });

export const nameSchema = z
  .string()
  .superRefine((value, context) => {
    const problem = nameProblem(value);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({
    description: 'Lower-case letters, digits and single hyphens; starts with a letter; some names are reserved',
    pattern: namePattern.source,
  });

export const titleSchema = z.string().trim().min(1).max(TITLE_LENGTH_MAX);
export const descriptionSchema = z.string().trim().max(500);

export const pageQuery = {
  cursor: z.string().max(200).optional().meta({ description: 'nextCursor of the page before' }),
  limit: z.coerce.number().int().min(1).max(PAGE_SIZE_MAX).default(PAGE_SIZE_DEFAULT),
};

export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ items: z.array(item), nextCursor: z.string().nullable() });
}

/** true, or the reason for people. */
export const abilitySchema = z.union([z.literal(true), z.string()]);

const errorCodes = Object.keys(errorCatalogue) as [ErrorCode, ...ErrorCode[]];

/** RFC 9457 problem JSON, media type application/problem+json. */
export const problemSchema = z.object({
  type: z.string().meta({ description: 'URI of the documentation of this error code' }),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.enum(errorCodes),
  requestId: z.string(),
  fields: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  retryAfterSeconds: z.number().optional(),
});
export type Problem = z.output<typeof problemSchema>;

export const stackNameSchema = z
  .string()
  .max(STACK_NAME_LENGTH_MAX)
  .superRefine((name, context) => {
    const problem = stackNameProblem(name);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  })
  .meta({ description: 'Name of a stack (Docker Compose project)', example: 'blog' });

export const containerIdSchema = z
  .string()
  .max(CONTAINER_NAME_LENGTH_MAX)
  .refine(isContainerName, 'an id or name of a container')
  .meta({ description: 'Id or name of a container inside', example: 'blog-web-1' });

export const logSourceSchema = z
  .string()
  .max(200)
  .refine((text) => parseLogSource(text) !== null, 'stack:<name>, container:<name> or run:<operation>')
  .meta({
    description: 'Other lines than those of the journal: of a stack, a container, or what a stack command said',
    example: 'stack:blog',
  });
