/**
 * Serves the mock from Vite's own server: REST with the contract's validation, event stream, and edge's WebSockets.
 * `?mock=fresh` (an installation before set-up), `?mock=empty` (nothing created yet), `?mock=viewer`, `?mock=out`,
 * `?mock=guest` (or `guest-empty`), `?mock=entered` (as an administrator), `?mock=factors` (has second factors; `-out` has to give one), `?mock=strict` (has to set one up), `?mock=unconfirmed` and
 * `?mock=seed` on any page choose what to look at. `MOCK_CHAOS=20` makes a fifth of all calls fail.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import type { Plugin, PreviewServer, ViteDevServer } from 'vite';
import type { RouteName } from '#contract/api.ts';
import { api } from '#contract/api.ts';
import type { RouteDefinition } from '#contract/route.ts';
import { BerthError, errorCatalogue, toBerthError } from '#domain/errors.ts';
import { attachEdge, thumbnail } from './edge.ts';
import { buildImage, handlers, seed } from './handlers.ts';
import { factorScenario } from './handlers-factors.ts';
import type { MockState } from './state.ts';
import { iso, listeners, newId } from './state.ts';

const BODY_BYTES_MAX = 1024 * 1024;
/** Answers take between these (milliseconds), so that waiting states can be seen. */
const DELAY_MS = { min: 40, max: 160 };

function scenario(name: string): MockState {
  const state = seed();
  if (name === 'fresh')
    Object.assign(state, {
      setupNeeded: true,
      signedIn: false,
      instances: [],
      snapshots: [],
      routes: [],
      forwards: [],
      backups: [],
      securityGroups: [],
      operations: [],
      tokens: [],
      sshKeys: [],
      members: state.members.slice(0, 1),
    });
  else if (name === 'empty')
    Object.assign(state, {
      instances: [],
      snapshots: [],
      routes: [],
      forwards: [],
      backups: [],
      securityGroups: [],
      operations: state.operations.filter((each) => each.project === null),
      audit: [],
      tokens: [],
      sshKeys: [],
      invitations: [],
    });
  else if (name === 'guest' || name === 'guest-empty') {
    Object.assign(state, { role: 'guest', user: { ...state.user, platformAdmin: false } });
    const shared = state.instances.filter((each) => each.phase === 'ready').slice(0, 4);
    for (const [index, each] of shared.entries())
      if (name === 'guest')
        state.grants.push({
          id: newId('grt'),
          app: each.id,
          subject: state.user.id,
          permissions: index % 2 === 0 ? ['open'] : ['open', 'terminal'],
          grantedBy: 'ines@harbour.example',
          createdAt: iso(),
        });
  } else if (name === 'entered')
    state.entries.push({
      id: newId('ent'),
      organization: { id: state.organization.id, name: state.organization.name, title: state.organization.title },
      user: state.user,
      reason: 'Ada asked for help: her desktop does not start',
      createdAt: iso(),
      expiresAt: iso(Date.now() + 42 * 60_000),
      endedAt: null,
    });
  else if (name === 'viewer') Object.assign(state, { role: 'viewer', user: { ...state.user, platformAdmin: false } });
  else if (name === 'out') state.signedIn = false;
  else Object.assign(state, factorScenario(name));
  const building = state.images.find((each) => each.state === 'building');
  if (building !== undefined)
    buildImage(
      state,
      building,
      state.operations.find((each) => each.id === building.operation?.id),
    );
  return state;
}

async function readBody(request: IncomingMessage, route: RouteDefinition): Promise<unknown> {
  if (route.consumes === 'bytes') return new Uint8Array(await buffer(request));
  let text = '';
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > BODY_BYTES_MAX) throw new BerthError('too_large', 'The body is too large.');
  }
  return text === '' ? undefined : JSON.parse(text);
}

function match(
  method: string,
  path: string,
): { name: RouteName; route: RouteDefinition; params: Record<string, string> } | null {
  for (const [name, route] of Object.entries(api) as [RouteName, RouteDefinition][]) {
    if (route.method !== method) continue;
    const wanted = route.path.split('/');
    const given = path.split('/');
    if (wanted.length !== given.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((part, index) => {
      if (!part.startsWith(':')) return part === given[index];
      params[part.slice(1)] = decodeURIComponent(given[index] ?? '');
      return true;
    });
    if (fits) return { name, route, params };
  }
  return null;
}

function send(response: ServerResponse, status: number, body: unknown, type = 'application/json'): void {
  response.statusCode = status;
  response.setHeader('x-request-id', `req-${randomBytes(6).toString('hex')}`);
  if (body === undefined) {
    response.end();
    return;
  }
  response.setHeader('content-type', type);
  response.end(JSON.stringify(body));
}

function sendProblem(response: ServerResponse, error: BerthError): void {
  const requestId = `req-${randomBytes(6).toString('hex')}`;
  const { title, status } = errorCatalogue[error.code];
  send(
    response,
    status,
    {
      type: `/docs/errors#${error.code}`,
      title,
      status,
      detail: error.message,
      code: error.code,
      requestId,
      fields: error.fields,
    },
    'application/problem+json',
  );
}

function stream(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write(': hello\n\n');
  const listener = (id: number, hint: unknown) => {
    response.write(
      hint === 'resync'
        ? `id: ${id}\nevent: resync\ndata: {}\n\n`
        : `id: ${id}\nevent: change\ndata: ${JSON.stringify(hint)}\n\n`,
    );
  };
  listeners.add(listener);
  const beat = setInterval(() => response.write(': beat\n\n'), 15_000);
  request.on('close', () => {
    listeners.delete(listener);
    clearInterval(beat);
  });
}

async function answer(state: MockState, request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
  const found = match(request.method ?? 'GET', url.pathname);
  try {
    if (found === null) throw new BerthError('not_found', 'There is no such endpoint.');
    if (found.name === 'events') {
      stream(request, response);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, DELAY_MS.min + Math.random() * (DELAY_MS.max - DELAY_MS.min)));
    if (Math.random() * 100 < Number(process.env.MOCK_CHAOS ?? 0))
      throw new BerthError('unavailable', 'The mock failed on purpose.');
    if (found.route.access !== 'public' && !state.signedIn) throw new BerthError('unauthenticated', 'Sign in first.');
    const parse = (schema: RouteDefinition['body'], value: unknown, where: string) => {
      if (schema === undefined) return undefined;
      const result = schema.safeParse(value);
      if (result.success) return result.data;
      throw new BerthError('invalid_input', 'The request is not valid.', {
        fields: result.error.issues.map((issue) => ({ field: issue.path.join('.') || where, message: issue.message })),
      });
    };
    const input = {
      params: parse(found.route.params, found.params, 'params') ?? {},
      query: parse(found.route.query, Object.fromEntries(url.searchParams), 'query') ?? {},
      body: parse(found.route.body, await readBody(request, found.route), 'body'),
    };
    // The table pairs every name with a handler of exactly its types; a name known only at run time cannot show it.
    const handler = handlers[found.name] as (state: MockState, input: unknown) => unknown;
    const made = handler(state, input);
    if (found.route.produces === 'bytes') {
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(String(made));
    } else send(response, found.route.status, made);
  } catch (error) {
    sendProblem(response, toBerthError(error));
  }
}

export function mockApiPlugin(): Plugin {
  let state = scenario(process.env.MOCK_SCENARIO ?? 'seed');
  const answerFrom = (server: ViteDevServer | PreviewServer) => {
    server.middlewares.use((request, response, next) => {
      const url = new URL(request.url ?? '/', 'http://mock');
      const wanted = url.searchParams.get('mock');
      if (wanted !== null && !url.pathname.startsWith('/api')) {
        state = scenario(wanted);
        for (const listener of listeners) listener(0, 'resync');
        url.searchParams.delete('mock');
        response.writeHead(302, { location: url.pathname + url.search });
        response.end();
      } else if (url.pathname.startsWith('/api/v1/') || url.pathname === '/healthz' || url.pathname === '/readyz')
        void answer(state, request, response, url);
      else if (/^\/edge\/v1\/instances\/[^/]+\/thumbnail$/.test(url.pathname))
        thumbnail(state, url.pathname.split('/')[4] ?? '', response);
      else next();
    });
    if (server.httpServer !== null) attachEdge(server.httpServer, () => state);
  };
  return { name: 'berth-mock-api', configureServer: answerFrom, configurePreviewServer: answerFrom };
}
