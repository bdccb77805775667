import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { problemSchema } from '#contract/common.ts';
import { BerthError, type ErrorCode, errorCatalogue } from '#domain/errors.ts';
import { invalidFields, normaliseError, presentProblem } from './problem.ts';
import { checkText } from './text.ts';

describe('errors become problem JSON', () => {
  it('every code of the catalogue has its status and fits the contract', () => {
    for (const code of Object.keys(errorCatalogue) as ErrorCode[]) {
      const problem = presentProblem(new BerthError(code, 'Words.', { detail: 'PRIVATE' }), 'req_1');
      expect(problemSchema.parse(problem)).toEqual(problem);
      expect(problem.status).toBe(errorCatalogue[code].status);
      expect(JSON.stringify(problem)).not.toContain('PRIVATE');
    }
  });

  it('what nobody foresaw is bland, and keeps its cause for the log', () => {
    const cause = new Error('relation "secret_table" does not exist');
    const error = normaliseError(cause);
    expect([error.code, error.status, error.cause]).toEqual(['internal', 500, cause]);
    expect(JSON.stringify(presentProblem(error, 'r'))).not.toContain('secret_table');
    for (const odd of [undefined, null, 'text', 42, {}]) expect(normaliseError(odd).code).toBe('internal');
  });

  it('a database that is away is unavailable, not an internal error', () => {
    const socket = Object.assign(new Error('connect'), { code: 'ECONNREFUSED', syscall: 'connect' });
    const gone = Object.assign(new Error('connect'), { code: 'ENOENT', syscall: 'connect' });
    const recovering = Object.assign(new Error('starting up'), { code: '57P03' });
    const killed = Object.assign(new Error('terminating'), { code: '57P01' });
    const broken = new Error('Connection terminated unexpectedly');
    const waiting = new Error('timeout exceeded when trying to connect');
    for (const error of [socket, gone, recovering, killed, broken, waiting]) {
      const normal = normaliseError(error);
      expect([normal.code, normal.retryAfterSeconds], error.message).toEqual(['unavailable', 2]);
    }
    // A file that is missing is our own mistake.
    expect(normaliseError(Object.assign(new Error('open'), { code: 'ENOENT', syscall: 'open' })).code).toBe('internal');
  });

  it('field errors name the field and never repeat what was sent', () => {
    const schema = z.strictObject({ name: z.string().max(3), deep: z.strictObject({ n: z.number() }) });
    const result = schema.safeParse({ name: 'SECRETVALUE', deep: { n: 'x', extra: 1 }, 'odd key': 1 });
    if (result.success) throw new Error('should fail');
    const error = invalidFields(result.error, 'body');
    expect(error.fields?.map((field) => field.field).sort()).toEqual(['deep.extra', 'deep.n', 'name', 'odd key']);
    expect(JSON.stringify(error.fields)).not.toContain('SECRETVALUE');
  });
});

describe('every text of every request', () => {
  it('may hold any language and emoji; several lines where the contract says so', () => {
    checkText({ a: ['ąčęėįšųūž', '日本語', '👩🏽‍🚀'] }, 'body');
    checkText({ deep: { note: 'a\tb\r\nc' } }, 'body', ['note']);
    expect(() => checkText({ deep: { name: 'a\nc' } }, 'body', ['note'])).toThrow('not valid');
  });
  it('may not hold control characters or half characters, in keys neither', () => {
    for (const bad of ['\u0000', '\u0008', '\u000b', '\u001b', '\u007f', '\ud800', 'x\udc00', 'a\u202eb', '\u2028']) {
      expect(() => checkText({ a: bad }, 'body'), JSON.stringify(bad)).toThrow('not valid');
      expect(() => checkText({ [bad]: 1 }, 'body'), JSON.stringify(bad)).toThrow('not valid');
    }
  });
  it('is bounded in depth and number', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(() => checkText(deep, 'body')).toThrow('too deeply');
    expect(() =>
      checkText(
        Array.from({ length: 30_000 }, () => 1),
        'body',
      ),
    ).toThrow('too deeply');
  });
});
