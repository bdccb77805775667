/**
 * How the API is written down: every endpoint is one `defineRoute` value. The server registers handlers from it, the
 * typed clients (console, CLI) call by it, openapi.json is emitted from it and the authorization matrix walks it.
 */
import type { z } from 'zod';
import type { Action, PlatformAction } from '#domain/authz.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Who may call: nobody known (`public`), any signed-in person (`self`), or whoever holds the named action. */
export type Access = 'public' | 'self' | Action | PlatformAction;

/**
 * What a call costs, besides being counted as a call (reads and changes apart): `sign-in` takes a secret that can be
 * guessed; `mail` lets somebody unknown cause a mail; `provisioning` creates things. Figures: domain/rate-limits.ts.
 */
export type RateClass = 'sign-in' | 'mail' | 'provisioning' | 'api';

export type RouteDefinition = {
  id: string;
  method: Method;
  /** Fastify style: /api/v1/instances/:instance */
  path: string;
  tag: string;
  summary: string;
  description?: string;
  access: Access;
  rateClass: RateClass;
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** Fields of the body that may have several lines; all other texts are one line. */
  severalLines?: readonly string[];
  /** Status of success; 202 answers with an Operation. */
  status: 200 | 201 | 202 | 204;
  /** Body of success; absent for 204. */
  response?: z.ZodType;
  /** `oauth`: credentials are in the body, unknown fields are ignored, errors have the shape of RFC 6749. */
  protocol?: 'oauth';
  /** For `self`: also with a token whose scopes hold nothing about the account. */
  anyScopes?: true;
  /**
   * `form` is application/x-www-form-urlencoded, where a standard of others asks for it; `bytes` is
   * application/octet-stream, a part of a file. Default: JSON.
   */
  consumes?: 'json' | 'form' | 'bytes';
  /**
   * `stream` is text/event-stream; `lines` application/x-ndjson, one JSON value a line, for as long as it takes; `image` a
   * picture whose type is in the answer; `bytes` application/octet-stream, a file as it is; `metrics` the text that
   * Prometheus reads.
   */
  produces?: 'json' | 'stream' | 'lines' | 'image' | 'bytes' | 'metrics';
};

/** Keeps the literal types of one route. */
export function defineRoute<const R extends RouteDefinition>(route: R): R {
  return route;
}

export type ParamsOf<R extends RouteDefinition> = R['params'] extends z.ZodType
  ? z.output<R['params']>
  : Record<never, never>;
export type QueryOf<R extends RouteDefinition> = R['query'] extends z.ZodType
  ? z.output<R['query']>
  : Record<never, never>;
export type QueryInputOf<R extends RouteDefinition> = R['query'] extends z.ZodType
  ? z.input<R['query']>
  : Record<never, never>;
export type BodyOf<R extends RouteDefinition> = R['body'] extends z.ZodType ? z.output<R['body']> : undefined;
export type BodyInputOf<R extends RouteDefinition> = R['body'] extends z.ZodType ? z.input<R['body']> : undefined;
export type ResponseOf<R extends RouteDefinition> = R['response'] extends z.ZodType
  ? z.output<R['response']>
  : undefined;

type Loose<T> = { [K in keyof T]: T[K] extends string ? string : T[K] };
type Part<Name extends string, T> = keyof T extends never
  ? { [K in Name]?: undefined }
  : Record<never, never> extends T
    ? { [K in Name]?: T }
    : { [K in Name]: T };
type BodyPart<B> = [B] extends [undefined] ? { body?: undefined } : undefined extends B ? { body?: B } : { body: B };

/** What a typed client takes to call it; ids as plain strings (they come from people). */
export type CallInputOf<R extends RouteDefinition> = Part<'params', Loose<ParamsOf<R>>> &
  Part<'query', QueryInputOf<R>> &
  BodyPart<BodyInputOf<R>>;
