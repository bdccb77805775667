/**
 * The HTTP framework of the control plane. `register(route, handler)` is the only way an endpoint comes to be: it takes
 * the route from the contract and does everything around the handler, always in this order:
 *
 *   request id -> who is calling -> same-site check -> call limit -> path, query and body by schema ->
 *   attempt limits -> handler -> answer by schema
 *
 * Errors of every kind leave as problem JSON. A handler only sees checked input and calls the app layer.
 */
import { randomUUID } from 'node:crypto';
import fastifyCookie from '@fastify/cookie';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, type HTTPMethods } from 'fastify';
import type { z } from 'zod';
import type { BodyOf, ParamsOf, QueryOf, RouteDefinition } from '#contract/route.ts';
import type { AnonymousCaller, Caller, PersonCaller } from '#domain/caller.ts';
import { controlRefusal } from '#domain/control-access.ts';
import { BerthError } from '#domain/errors.ts';
import { FILE_PART_BYTES_MAX } from '#domain/files.ts';
import type { UserId } from '#domain/ids.ts';
import { refuseBeyondScopes } from '#domain/scopes.ts';
import type { Clock } from '#server/runtime/clock.ts';
import type { Log } from '#server/runtime/log.ts';
import { RateLimited, type Reservation } from '#server/runtime/rate-limit.ts';
import { Serialized } from '#server/runtime/serialized.ts';
import { withBytes } from './bytes.ts';
import {
  type Credential,
  clientAddress,
  clientUserAgent,
  controlAddress,
  readCredential,
  sessionCookie,
} from './credentials.ts';
import { emailOf, type Limits } from './limits.ts';
import { withOAuthProtocol } from './oauth-wire.ts';
import { invalidFields, normaliseError, PROBLEM_TYPE, presentProblem } from './problem.ts';
import { isRefusal, refusalOf } from './refusals.ts';
import { checkSameSite } from './same-site.ts';
import { bareHeaders, registerSecurityHeaders } from './security-headers.ts';
import { outsideCookie, readOutsideSecret, readSignInHandle, signInCookie } from './sign-in-cookie.ts';
import { checkText } from './text.ts';

/** By class of endpoint: what guesses and asks needs little. */
export const BODY_BYTES_MAX = {
  'sign-in': 16 * 1024,
  mail: 4 * 1024,
  provisioning: 64 * 1024,
  api: 256 * 1024,
} as const;
const HEADER_BYTES_MAX = 32 * 1024;
const HEADERS_MAX = 100;
const IDEMPOTENCY_KEY_LENGTH_MAX = 100;

/** How long a client may take: to send its headers, its whole request; and how often that is looked at. */
const slow = { headersMs: 10_000, requestMs: 30_000, checkMs: 2_000 };

export type HttpOptions = {
  log: Log;
  clock: Clock;
  consoleOrigin: string;
  /** Whether the control plane may be used from there; null: through the socket itself. */
  mayEnter(address: string | null): boolean;
  limits: Limits;
  slow?: typeof slow;
  /** Resolves a credential; null when it is not (or no longer) valid. */
  findPerson(credential: Credential & { readsOnly: boolean }, origin: Caller['origin']): Promise<PersonCaller | null>;
  /** Told of every attempt to sign in that the limits refused. */
  signInLimited(caller: Caller, call: string, email: string | null): Promise<void>;
  /** A new secret for the browser's session when that is due, before the request is handled. */
  renewIfAsked(person: PersonCaller): Promise<void>;
  /** The new secret of the browser's session, when this request made one. */
  takeRenewal(person: PersonCaller): { secret: string; expiresAt: Date } | null;
};

type CallerOf<R extends RouteDefinition> = R['access'] extends 'public' ? PersonCaller | AnonymousCaller : PersonCaller;
type AnswerOf<R extends RouteDefinition> = R['response'] extends z.ZodType ? z.input<R['response']> : undefined;

export type ApiRequest<R extends RouteDefinition> = {
  caller: CallerOf<R>;
  params: ParamsOf<R>;
  query: QueryOf<R>;
  body: BodyOf<R>;
  requestId: string;
  /** Value of the Idempotency-Key header. */
  idempotencyKey: string | null;
  log: Log;
  /** Signs the browser in: sets the session cookie. */
  setSession(token: string, expiresAt: Date): void;
  clearSession(): void;
  /** The handle of a sign-in in progress that this browser holds. */
  signInHandle: string | null;
  setSignIn(handle: string, expiresAt: Date): void;
  clearSignIn(): void;
  /** What ties a sign-in with an identity provider to this browser. */
  outsideSecret: string | null;
  setOutside(secret: string, expiresAt: Date): void;
};

/** Answering `Serialized` goes with `answerIsPresented`: bytes cannot be checked. */
export type Handler<R extends RouteDefinition> = (
  request: ApiRequest<R>,
) => Promise<AnswerOf<R> | Serialized<AnswerOf<R>>>;

export type StreamTools = {
  fastifyRequest: FastifyRequest;
  reply: FastifyReply;
};
export type StreamHandler<R extends RouteDefinition> = (request: ApiRequest<R>, tools: StreamTools) => Promise<void>;

export type RegisterOptions = {
  /**
   * Skips the answer's schema (it costs about a fifth of a large list). Only where the handler's own presenter builds
   * every object key by key, so that no column can leak.
   */
  answerIsPresented?: boolean;
  /** How long anybody may keep the answer; absent: not at all. */
  cacheSeconds?: number;
};

export type Http = {
  fastify: FastifyInstance;
  register<R extends RouteDefinition>(route: R, handler: Handler<R>, options?: RegisterOptions): void;
  /** For routes that produce an event stream: the handler writes to the socket itself. */
  registerStream<R extends RouteDefinition>(route: R, handler: StreamHandler<R>): void;
  /** Ids of the routes registered so far; a test compares them with the contract. */
  registered: Set<string>;
};

type Prepared = { caller: Caller; params: unknown; query: unknown; body: unknown; attempts: Reservation[] };

/** Makes the server; it does not listen yet. */
export async function createHttp(options: HttpOptions): Promise<Http> {
  const server = fastify({
    bodyLimit: BODY_BYTES_MAX.api,
    exposeHeadRoutes: false,
    forceCloseConnections: true,
    // Requests so broken that no route and no hook sees them, such as a path with a bad percent sign.
    frameworkErrors: (error, request, reply) => {
      reply.header('x-request-id', request.id);
      bareHeaders(reply);
      sendProblem(options.log, error, request, reply);
    },
    genReqId: (request) => requestIdFrom(request.headers['x-request-id']),
    logger: false,
    requestTimeout: (options.slow ?? slow).requestMs,
    http: { maxHeaderSize: HEADER_BYTES_MAX, connectionsCheckingInterval: (options.slow ?? slow).checkMs },
    routerOptions: { maxParamLength: 300, caseSensitive: true },
    onProtoPoisoning: 'error',
    onConstructorPoisoning: 'error',
  });
  server.server.headersTimeout = (options.slow ?? slow).headersMs;
  server.server.maxHeadersCount = HEADERS_MAX;
  await server.register(fastifyCookie);
  await registerSecurityHeaders(server);
  acceptEmptyJson(server);

  const people = new WeakMap<FastifyRequest, UserId>();
  server.addHook('onRequest', async (request, reply) => {
    reply.header('x-request-id', request.id);
    // Before anything of the request is looked at.
    const address = controlAddress(request);
    if (!options.mayEnter(address)) throw new BerthError('forbidden', controlRefusal(address ?? ''));
  });
  server.addHook('onResponse', async (request, reply) => {
    const fields = {
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
    };
    if (reply.statusCode >= 500) options.log.warn(fields, 'request failed');
    else if (isRefusal(reply)) options.log.info({ ...fields, ...refusalOf(request, people.get(request)) }, 'refused');
    else options.log.debug(fields, 'request');
  });
  server.setErrorHandler((error, request, reply) => sendProblem(options.log, error, request, reply));

  const prepare = async (route: CheckedRoute, request: FastifyRequest, reply: FastifyReply): Promise<Prepared> => {
    const origin = {
      address: clientAddress(request),
      userAgent: clientUserAgent(request),
      requestId: request.id,
    };
    // OAuth endpoints take their own credentials, in the form.
    const credential = route.definition.protocol === 'oauth' ? null : readCredential(request);
    const reads = readsOnly(request);
    const person = credential === null ? null : await options.findPerson({ ...credential, readsOnly: reads }, origin);
    const caller: Caller = person ?? { kind: 'anonymous', origin };
    if (person !== null) people.set(request, person.userId);
    await options.limits.call(route.definition, caller, reply);
    if (credential?.via === 'token' && person === null) {
      throw new BerthError('unauthenticated', 'This token is not valid, was revoked or has expired.');
    }
    checkSameSite(request, credential, options.consoleOrigin);
    if (route.definition.access !== 'public' && person === null) {
      throw new BerthError('unauthenticated', 'Sign in first.');
    }
    if (route.definition.access === 'self' && route.definition.anyScopes !== true && person !== null) {
      if (person.serviceOf !== null) throw new BerthError('forbidden', 'A service account has no account page.');
      refuseBeyondScopes(person.scopes, reads ? 'account.read' : 'account.update');
    }
    const params = checked(route.params, request.params, 'path');
    const query = checked(route.query, request.query, 'query');
    const body = checkedBody(route.definition, request);
    const signInHandle = readSignInHandle(request);
    const attempts = await options.limits
      .attempt(route.definition, { caller, body, signInHandle }, reply)
      .catch(async (error: unknown) => {
        if (route.definition.rateClass === 'sign-in' && error instanceof RateLimited) {
          await options.signInLimited(caller, route.definition.id, emailOf(body));
        }
        throw error;
      });
    return { caller, params, query, body, attempts };
  };

  const present = <R extends RouteDefinition>(
    prepared: Prepared,
    request: FastifyRequest,
    reply: FastifyReply,
  ): ApiRequest<R> => ({
    caller: prepared.caller as CallerOf<R>,
    params: prepared.params as ParamsOf<R>,
    query: prepared.query as QueryOf<R>,
    body: prepared.body as BodyOf<R>,
    requestId: request.id,
    idempotencyKey: idempotencyKey(request),
    log: options.log.child({ requestId: request.id }),
    setSession: (token, expiresAt) => {
      reply.setCookie(sessionCookie.name, token, { ...sessionCookie.options, expires: expiresAt });
    },
    clearSession: () => {
      reply.clearCookie(sessionCookie.name, sessionCookie.options);
    },
    signInHandle: readSignInHandle(request),
    setSignIn: (handle, expiresAt) => {
      reply.setCookie(signInCookie.name, handle, { ...signInCookie.options, expires: expiresAt });
    },
    clearSignIn: () => {
      reply.clearCookie(signInCookie.name, signInCookie.options);
    },
    outsideSecret: readOutsideSecret(request),
    setOutside: (secret, expiresAt) => {
      reply.setCookie(outsideCookie.name, secret, { ...outsideCookie.options, expires: expiresAt });
    },
  });

  const registered = new Set<string>();
  const renew = (caller: Caller, reply: FastifyReply): void => {
    const renewal = caller.kind === 'person' ? options.takeRenewal(caller) : null;
    if (renewal === null) return;
    reply.setCookie(sessionCookie.name, renewal.secret, { ...sessionCookie.options, expires: renewal.expiresAt });
  };
  const add = (route: RouteDefinition, run: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>) => {
    if (registered.has(route.id)) throw new Error(`route ${route.id} is registered twice`);
    registered.add(route.id);
    const bodyLimit = BODY_BYTES_MAX[route.rateClass];
    const definition = { method: route.method as HTTPMethods, url: route.path, bodyLimit, handler: run };
    if (route.protocol === 'oauth') withOAuthProtocol(server, options.log, (scope) => void scope.route(definition));
    else if (route.consumes === 'bytes') {
      withBytes(server, (scope) => void scope.route({ ...definition, bodyLimit: FILE_PART_BYTES_MAX }));
    } else server.route(definition);
  };

  return {
    fastify: server,
    registered,
    register(route, handler, registerOptions = {}) {
      const checkedRoute = checkRoute(route);
      add(route, async (request, reply) => {
        const prepared = await prepare(checkedRoute, request, reply);
        // With a request that only reads: others under way with the old secret may read, and a change must not be refused.
        if (prepared.caller.kind === 'person' && readsOnly(request)) await options.renewIfAsked(prepared.caller);
        renew(prepared.caller, reply);
        const answer = await handler(present(prepared, request, reply));
        renew(prepared.caller, reply);
        // Only failed attempts count against the sign-in limits.
        if (route.rateClass === 'sign-in') await Promise.all(prepared.attempts.map((attempt) => attempt.refund()));
        reply.status(route.status);
        const { cacheSeconds } = registerOptions;
        reply.header('cache-control', cacheSeconds === undefined ? 'no-store' : `public, max-age=${cacheSeconds}`);
        if (route.response === undefined) return reply.send();
        reply.type('application/json; charset=utf-8');
        if (registerOptions.answerIsPresented !== true) {
          return reply.send(JSON.stringify(route.response.parse(answer)));
        }
        return reply.send(answer instanceof Serialized ? answer.bytes : JSON.stringify(answer));
      });
    },
    registerStream(route, handler) {
      const checkedRoute = checkRoute(route);
      add(route, async (request, reply) => {
        const prepared = await prepare(checkedRoute, request, reply);
        await handler(present(prepared, request, reply), { fastifyRequest: request, reply });
        return reply;
      });
    },
  };
}

type CheckedRoute = { definition: RouteDefinition; params: z.ZodType | null; query: z.ZodType | null };

/** Unknown keys in path and query are refused as well, whatever the contract's object says. */
/** Whether the request can change nothing. */
const readsOnly = (request: FastifyRequest): boolean => request.method === 'GET' || request.method === 'HEAD';

function checkRoute(definition: RouteDefinition): CheckedRoute {
  return {
    definition,
    params: definition.params?.strict() ?? null,
    query: definition.query?.strict() ?? null,
  };
}

function checked(schema: z.ZodType | null, value: unknown, where: string): unknown {
  checkText(value, where);
  if (schema === null) {
    const [first] = Object.keys((value ?? {}) as object);
    if (first === undefined) return {};
    throw new BerthError('invalid_input', `The ${where} of the request is not valid.`, {
      fields: [{ field: first.slice(0, 100), message: 'There is no such field.' }],
    });
  }
  const result = schema.safeParse(value);
  if (!result.success) throw invalidFields(result.error, where);
  return result.data;
}

function checkedBody(route: RouteDefinition, request: FastifyRequest): unknown {
  const value = request.body;
  if (route.consumes === 'bytes') {
    if (value === undefined || value === null) return new Uint8Array();
    return value;
  }
  const isForm = value instanceof FormBody;
  const wantsForm = route.consumes === 'form';
  if (isForm !== wantsForm && (isForm || value !== undefined)) {
    throw new BerthError('invalid_input', wantsForm ? 'The body must be a form.' : 'The body must be JSON.');
  }
  return checkedValue(route, isForm ? value.fields() : value);
}

function checkedValue(route: RouteDefinition, value: unknown): unknown {
  checkText(value, 'body', route.severalLines);
  if (route.body === undefined) {
    const empty =
      value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
    if (empty) return undefined;
    throw new BerthError('invalid_input', 'This call takes no body.');
  }
  const result = route.body.safeParse(value);
  if (!result.success) throw invalidFields(result.error, 'body');
  return result.data;
}

function requestIdFrom(header: string | string[] | undefined): string {
  if (typeof header === 'string' && /^[A-Za-z0-9_-]{8,64}$/.test(header)) return header;
  return `req_${randomUUID().replaceAll('-', '')}`;
}

function idempotencyKey(request: FastifyRequest): string | null {
  const value = request.headers['idempotency-key'];
  if (value === undefined) return null;
  if (typeof value === 'string' && value.length <= IDEMPOTENCY_KEY_LENGTH_MAX && /^[\x21-\x7e]+$/.test(value))
    return value;
  throw new BerthError('invalid_input', 'The Idempotency-Key header is not valid: up to 100 visible ASCII characters.');
}

/** A form, told apart from JSON: only few endpoints take one. */
class FormBody {
  readonly #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  /** Errors: invalid_input when a field stands there twice. */
  fields(): Record<string, string> {
    const entries = [...new URLSearchParams(this.#text)];
    const fields: Record<string, string> = Object.create(null);
    for (const [name, value] of entries) {
      if (name in fields) throw new BerthError('invalid_input', 'A field of the form stands there twice.');
      fields[name] = value;
    }
    return { ...fields };
  }
}

/** An empty body with a JSON content type is no body; Fastify would refuse it. */
function acceptEmptyJson(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) => {
    if (typeof body === 'string' && body.trim() === '') {
      done(null, undefined);
      return;
    }
    parse(request, typeof body === 'string' ? body : body.toString('utf8'), done);
  });
  server.removeContentTypeParser('text/plain');
  server.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
    done(null, new FormBody(String(body)));
  });
}

/** Writes any error as problem JSON; what the caller may not see goes to the log. */
export function sendProblem(log: Log, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const problem = normaliseError(error);
  if (problem.status >= 500) {
    log.error(
      { requestId: request.id, code: problem.code, detail: problem.detail, err: problem.cause ?? problem },
      problem.message,
    );
  }
  if (problem.retryAfterSeconds !== undefined)
    reply.header('retry-after', String(Math.ceil(problem.retryAfterSeconds)));
  reply.header('cache-control', 'no-store');
  return reply
    .status(problem.status)
    .type(PROBLEM_TYPE)
    .send(JSON.stringify(presentProblem(problem, request.id)));
}
