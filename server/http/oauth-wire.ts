/** Errors of OAuth endpoints (`protocol: 'oauth'`): of the shape of RFC 6749 instead of problem JSON. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { OAuthErrorCode } from '#contract/oauth.ts';
import type { BerthError } from '#domain/errors.ts';
import { OAuthError } from '#server/app/oauth.ts';
import type { Log } from '#server/runtime/log.ts';
import { normaliseError } from './problem.ts';

/** Makes a scope of `server` in which `add` registers its route. */
export function withOAuthProtocol(server: FastifyInstance, log: Log, add: (scope: FastifyInstance) => void): void {
  server.register((scope, _options, done) => {
    scope.setErrorHandler((error, request, reply) => sendOAuthError(log, error, request, reply));
    add(scope);
    done();
  });
}

function sendOAuthError(log: Log, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  reply.header('cache-control', 'no-store').header('pragma', 'no-cache').type('application/json; charset=utf-8');
  if (error instanceof OAuthError) {
    return reply.status(400).send(JSON.stringify({ error: error.code, error_description: error.message }));
  }
  const problem = normaliseError(error);
  if (problem.status >= 500) {
    log.error(
      { requestId: request.id, code: problem.code, detail: problem.detail, err: problem.cause ?? problem },
      problem.message,
    );
  }
  if (problem.retryAfterSeconds !== undefined)
    reply.header('retry-after', String(Math.ceil(problem.retryAfterSeconds)));
  const status = problem.status === 429 || problem.status >= 500 ? problem.status : 400;
  return reply.status(status).send(JSON.stringify({ error: codeOf(problem), error_description: problem.message }));
}

function codeOf(problem: BerthError): OAuthErrorCode {
  if (problem.status === 429) return 'slow_down';
  if (problem.status === 503 || problem.status === 504) return 'temporarily_unavailable';
  return problem.status >= 500 ? 'server_error' : 'invalid_request';
}
