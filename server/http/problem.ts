/** Errors of every kind become RFC 9457 problem JSON here and nowhere else. */
import type { ZodError } from 'zod';
import type { Problem } from '#contract/common.ts';
import { BerthError, errorCatalogue, type FieldError, toBerthError } from '#domain/errors.ts';
import { isDatabaseAway } from '../runtime/database-away.ts';

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';
const FIELDS_MAX = 50;

export function presentProblem(error: BerthError, requestId: string): Problem {
  const { status, title } = errorCatalogue[error.code];
  return {
    type: `/docs/reference/errors#${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    requestId,
    ...(error.fields === undefined ? {} : { fields: error.fields.slice(0, FIELDS_MAX) }),
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
  };
}

/** One `invalid_input` with every field's problem. `where` is the part of the request: body, query or path. */
export function invalidFields(error: ZodError, where: string): BerthError {
  const fields: FieldError[] = error.issues.slice(0, FIELDS_MAX).flatMap((issue) => {
    const path = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.slice(0, FIELDS_MAX).map((key) => ({
        field: (path === '' ? key : `${path}.${key}`).slice(0, 100),
        message: 'There is no such field.',
      }));
    }
    return [{ field: path === '' ? where : path, message: issue.message }];
  });
  return new BerthError('invalid_input', `The ${where} of the request is not valid.`, { fields });
}

type ErrorWithCode = { code?: unknown; statusCode?: unknown };

/** Turns whatever was thrown into a BerthError: ours, Fastify's, PostgreSQL's, or unknown. */
export function normaliseError(error: unknown): BerthError {
  if (error instanceof BerthError) return error;
  if (isDatabaseAway(error)) return away(error);
  if (typeof error === 'object' && error !== null) {
    const { code, statusCode } = error as ErrorWithCode;
    if (typeof code === 'string') {
      const known = fromCode(code, error);
      if (known !== null) return known;
    }
    if (statusCode === 413) return new BerthError('too_large', 'The request is too large.', { cause: error });
    if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
      return new BerthError('invalid_input', 'The request could not be read.', { cause: error });
    }
  }
  return toBerthError(error);
}

function fromCode(code: string, cause: object): BerthError | null {
  if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') {
    return new BerthError('invalid_input', 'Send JSON: Content-Type application/json.', { cause });
  }
  if (code === 'FST_ERR_CTP_INVALID_JSON_BODY' || code === 'FST_ERR_CTP_EMPTY_JSON_BODY') {
    return new BerthError('invalid_input', 'The body is not valid JSON.', { cause });
  }
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new BerthError('too_large', 'The request is too large.', { cause });
  // Lock or statement timeout, query cancelled.
  if (code === '57014' || code === '55P03') return new BerthError('timeout', 'The database took too long.', { cause });
  // Text that PostgreSQL cannot store. Input checks come first; this is the net below them.
  if (code === '22021' || code === '22P05') {
    return new BerthError('invalid_input', 'The request holds characters that cannot be stored.', { cause });
  }
  return null;
}

function away(cause: unknown): BerthError {
  return new BerthError('unavailable', 'The database does not answer right now. Try again in a moment.', {
    cause,
    retryAfterSeconds: 2,
  });
}
