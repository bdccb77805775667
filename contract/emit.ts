/**
 * Emits contract/openapi.json (OpenAPI 3.1) from the route table. `node contract/emit.ts` writes it,
 * `node contract/emit.ts --check` fails when the checked-in file is stale. Request and response shapes are JSON Schema
 * 2020-12 by zod; shapes with a name of their own become components so that generated clients get readable types.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { type ErrorCode, errorCatalogue } from '#domain/errors.ts';
import packageJson from '../package.json' with { type: 'json' };
import { allRoutes } from './api.ts';
import { auditEntrySchema } from './audit.ts';
import { backupSchema } from './backups.ts';
import { problemSchema } from './common.ts';
import { SESSION_COOKIE } from './edge.ts';
import { eventSchema } from './events.ts';
import { forwardSchema } from './forwards.ts';
import { hostSchema } from './hosts.ts';
import { invitationSchema, memberSchema, sessionSchema, tokenSchema, userSchema, whoamiSchema } from './identity.ts';
import { imageSchema } from './images.ts';
import { acceptedSchema, healthCheckSchema, instanceSchema, sizeSchema, snapshotSchema } from './instances.ts';
import { deviceLoginSchema, oauthErrorSchema } from './oauth.ts';
import { operationSchema, operationStepSchema } from './operations.ts';
import { organizationSchema, projectSchema } from './organizations.ts';
import { quotaSchema } from './quotas.ts';
import type { RouteDefinition } from './route.ts';
import { routeSchema } from './routes.ts';
import { securityGroupSchema } from './security-groups.ts';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type JsonObject = { [key: string]: Json };

export const OPENAPI_FILE = fileURLToPath(new URL('openapi.json', import.meta.url));

/** Shapes with a name. Everything else is named after its endpoint. */
const named: Record<string, z.ZodType> = {
  Accepted: acceptedSchema,
  AuditEntry: auditEntrySchema,
  DeviceLogin: deviceLoginSchema,
  Event: eventSchema,
  HealthCheck: healthCheckSchema,
  Host: hostSchema,
  Image: imageSchema,
  Instance: instanceSchema,
  Invitation: invitationSchema,
  Member: memberSchema,
  OAuthError: oauthErrorSchema,
  Operation: operationSchema,
  OperationStep: operationStepSchema,
  Organization: organizationSchema,
  Problem: problemSchema,
  Project: projectSchema,
  Quota: quotaSchema,
  Route: routeSchema,
  Forward: forwardSchema,
  Backup: backupSchema,
  SecurityGroup: securityGroupSchema,
  Session: sessionSchema,
  Size: sizeSchema,
  Snapshot: snapshotSchema,
  Token: tokenSchema,
  User: userSchema,
  Whoami: whoamiSchema,
};

const tagDescriptions: Record<string, string> = {
  domains: 'Domains of your own: claimed by a project, proven by DNS',
  identity: 'Set-up, sign-in, the own account, API tokens and invitation links.',
  'identity-providers': 'Where people may sign in instead of here: Google, Keycloak, any OpenID Connect provider.',
  'oidc-clients': 'Apps that sign people in with Berth, by OpenID Connect.',
  organizations: 'The tenant: its members and invitations.',
  projects: 'Projects group instances inside an organization and carry a quota.',
  quotas: 'What a project may use, and what all projects of an organization may use together.',
  instances: 'Desktops and servers. Changes that take time answer 202 with an operation.',
  snapshots: 'Points in time of one instance to roll back to or to clone from.',
  backups: 'Encrypted copies of instances outside of the engine; they outlive the instance.',
  routes: 'Host names that lead to a port of an instance.',
  'security-groups': 'Rules about what may enter and leave the instances that have them.',
  egress: 'What the instances of a project may reach.',
  forwards: 'TCP and UDP ports of the host that lead to a port of an instance.',
  operations: 'What long work is doing: steps, durations, errors.',
  images: 'What instances are made from. Only allow-listed fingerprints are ever started.',
  hosts: 'The machines that run instances.',
  programs: 'Signing programs in with OAuth 2.0: device codes, access tokens, refresh tokens.',
  metrics: 'What hosts and instances use, now and in the last 90 days.',
  keys: 'What signs tokens and what seals secrets.',
  audit: 'Who changed what, from where, with which result.',
  platform: 'Settings of the installation.',
  events: 'Live hints by Server-Sent Events.',
  registration: 'Who may make an account, and with which code.',
  system: 'Health and facts of the installation itself.',
};

const mediaTypes = {
  json: 'application/json',
  stream: 'text/event-stream',
  lines: 'application/x-ndjson',
  image: 'image/*',
  bytes: 'application/octet-stream',
  metrics: 'text/plain',
} as const;
const bytes = { type: 'string', format: 'binary' };

/** 'instances.nameCheck' -> 'InstancesNameCheck'. */
function pascal(id: string): string {
  return id
    .split('.')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join('');
}

/** Statuses an endpoint may answer with besides success; the catalogue in domain/errors.ts names the codes. */
function problemStatuses(route: RouteDefinition): number[] {
  const statuses = new Set<number>([429, 500]);
  if (route.params !== undefined || route.query !== undefined || route.body !== undefined) statuses.add(400);
  if (route.access !== 'public') {
    statuses.add(401);
    statuses.add(404);
  }
  if (route.method !== 'GET') {
    statuses.add(409);
    if (route.access !== 'public') statuses.add(403);
  }
  return [...statuses].sort((a, b) => a - b);
}

function codesOf(status: number): ErrorCode[] {
  return (Object.keys(errorCatalogue) as ErrorCode[]).filter((code) => errorCatalogue[code].status === status);
}

function fromParameters(shape: z.ZodObject, place: 'path' | 'query'): JsonObject[] {
  return Object.entries(shape.shape).map(([name, schema]) => {
    const { $schema, description, ...rest } = z.toJSONSchema(schema as z.ZodType, { io: 'input' }) as JsonObject;
    const optional = (schema as z.ZodType).safeParse(undefined).success;
    return {
      name,
      in: place,
      required: place === 'path' ? true : !optional,
      ...(description === undefined ? {} : { description }),
      schema: rest,
    };
  });
}

function problemResponse(status: number): JsonObject {
  const codes = codesOf(status);
  return {
    description: codes.map((code) => `\`${code}\`: ${errorCatalogue[code].title}.`).join(' '),
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
}

const oauthErrorResponse: JsonObject = {
  description: 'An error of RFC 6749 or RFC 8628.',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/OAuthError' } } },
};

function mediaOf(route: RouteDefinition): string {
  return route.consumes === 'form' ? 'application/x-www-form-urlencoded' : 'application/json';
}

/** Builds the document. Pure: the same table gives the same text. */
export function openApiDocument(routes: readonly RouteDefinition[] = allRoutes): JsonObject {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(named)) registry.add(schema, { id });
  const reference = (schema: z.ZodType, fallback: string): JsonObject => {
    if (!registry.has(schema)) registry.add(schema, { id: fallback });
    return { $ref: `#/components/schemas/${registry.get(schema)?.id}` };
  };

  const paths: { [path: string]: JsonObject } = {};
  const used = new Set<number>();
  for (const route of routes) {
    const path = route.path.replace(/:([A-Za-z]+)/g, '{$1}');
    const parameters = [
      ...(route.params === undefined ? [] : fromParameters(route.params, 'path')),
      ...(route.query === undefined ? [] : fromParameters(route.query, 'query')),
    ];
    if (route.method === 'POST' && route.status === 202) {
      parameters.push({
        name: 'Idempotency-Key',
        in: 'header',
        required: false,
        description: 'Any text of your own (at most 100 characters). Sent again, it makes a retry safe.',
        schema: { type: 'string', maxLength: 100 },
      });
    }
    if (route.produces === 'stream') {
      parameters.push({
        name: 'Last-Event-ID',
        in: 'header',
        required: false,
        description: 'The `id:` of the last event seen; what came after it is sent first.',
        schema: { type: 'string' },
      });
    }
    const success: JsonObject = { description: route.status === 202 ? 'Accepted: follow the operation.' : 'Success.' };
    if (route.produces === 'bytes') {
      success['content'] = { [mediaTypes.bytes]: { schema: bytes } };
    } else if (route.response !== undefined) {
      const media = mediaTypes[route.produces ?? 'json'];
      success['content'] = { [media]: { schema: reference(route.response, `${pascal(route.id)}Response`) } };
    } else if (route.produces === 'image') {
      success['content'] = { 'image/*': { schema: bytes } };
    } else if (route.produces === 'metrics') {
      success['content'] = {
        'text/plain': { schema: { type: 'string' } },
        'application/openmetrics-text': { schema: { type: 'string' } },
      };
    }
    const responses: JsonObject = { [String(route.status)]: success };
    if (route.protocol === 'oauth') responses['400'] = oauthErrorResponse;
    else
      for (const status of problemStatuses(route)) {
        responses[String(status)] = { $ref: `#/components/responses/Problem${status}` };
        used.add(status);
      }

    const operation: JsonObject = {
      operationId: route.id,
      tags: [route.tag],
      summary: route.summary,
      ...(route.description === undefined ? {} : { description: route.description }),
      ...(route.access === 'public' ? { security: [] } : {}),
      'x-berth-access': route.access,
      'x-berth-rate-class': route.rateClass,
      ...(parameters.length === 0 ? {} : { parameters }),
      ...(route.body === undefined
        ? {}
        : {
            requestBody: {
              required: !route.body.safeParse(undefined).success,
              content:
                route.consumes === 'bytes'
                  ? { [mediaTypes.bytes]: { schema: bytes } }
                  : { [mediaOf(route)]: { schema: reference(route.body, `${pascal(route.id)}Request`) } },
            },
          }),
      responses,
    };
    const item = paths[path] ?? {};
    item[route.method.toLowerCase()] = operation;
    paths[path] = item;
  }

  const generated = z.toJSONSchema(registry, { io: 'input', uri: (id) => `#/components/schemas/${id}` });
  const schemas: JsonObject = {};
  for (const id of Object.keys(generated.schemas).sort()) {
    const { $schema, $id, ...schema } = generated.schemas[id] as unknown as JsonObject;
    schemas[id] = schema;
  }

  const tags = [...new Set(routes.map((route) => route.tag))];
  return {
    openapi: '3.1.1',
    info: {
      title: 'Berth API',
      version: packageJson.version,
      summary: packageJson.description,
      description: [
        'Everything the console and the `berth` program do goes through this API.',
        'Sign in with a bearer token (`berth tokens create`, or the account page of the console). Lists are pages:',
        'send `nextCursor` back as `cursor`. Errors are problem documents (RFC 9457) with a `code` and a `requestId`.',
        'Long work answers 202 with an Operation; follow it at `/api/v1/operations/{operation}` or through the events.',
      ].join('\n'),
      license: { name: packageJson.license, identifier: packageJson.license },
    },
    servers: [{ url: '/', description: 'This installation' }],
    security: [{ bearer: [] }, { session: [] }],
    tags: tags.map((name) => ({ name, description: tagDescriptions[name] ?? '' })),
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API token.' },
        session: {
          type: 'apiKey',
          in: 'cookie',
          name: SESSION_COOKIE,
          description: 'The session cookie of the console.',
        },
      },
      responses: Object.fromEntries(
        [...used].sort((a, b) => a - b).map((status) => [`Problem${status}`, problemResponse(status)]),
      ),
      schemas,
    },
  };
}

/** The exact text of contract/openapi.json. */
export function openApiText(): string {
  return `${JSON.stringify(openApiDocument(), null, 2)}\n`;
}

if (import.meta.main) {
  const text = openApiText();
  if (process.argv.includes('--check')) {
    const present = await readFile(OPENAPI_FILE, 'utf8').catch(() => '');
    if (present !== text) {
      console.error('contract/openapi.json does not match the route table. Run: npm run openapi');
      process.exit(1);
    }
  } else {
    await writeFile(OPENAPI_FILE, text);
  }
}
