/**
 * The protocol endpoints of Berth as an OpenID provider, under /oidc: the library answers them itself. In front of it:
 * no session of the library survives into a new authorization (Berth's own session decides each time), and every
 * address it builds begins with the console's, whatever the request says its host is.
 */
import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '#domain/caller.ts';
import type { AppContext } from '#server/app/context.ts';
import { findPerson } from '#server/app/identity.ts';
import { OIDC_PATH } from '#server/app/oidc-clients.ts';
import type { OidcProvider } from '#server/app/oidc-provider.ts';
import type { Log } from '#server/runtime/log.ts';
import { clientAddress, clientUserAgent, readCredential } from './credentials.ts';
import type { Limits } from './limits.ts';
import { type Http, sendProblem } from './server.ts';

const BODY_BYTES_MAX = 16 * 1024;
/** The library's own session: none survives from one step to the next, so that it never says who is here. */
const SESSION_COOKIE = /(?:^|;\s*)__Host-berth-oidc=[^;]*/g;

export async function registerOidcProvider(
  http: Http,
  app: AppContext,
  provider: () => Promise<OidcProvider>,
  { limits, log }: { limits: Limits; log: Log },
): Promise<void> {
  const { host } = new URL(app.config.consoleOrigin);

  await http.fastify.register(async (server) => {
    // The library reads bodies itself.
    server.removeAllContentTypeParsers();
    server.addContentTypeParser('*', { bodyLimit: BODY_BYTES_MAX }, (_request, _body, done) => done(null));

    const through = async (request: FastifyRequest, reply: FastifyReply) => {
      await limits.call(request, nobody(request), reply);
      const { raw } = request;
      const length = Number(raw.headers['content-length'] ?? 0);
      if (length > BODY_BYTES_MAX || raw.headers['transfer-encoding'] !== undefined) {
        return reply.status(413).type('text/plain').send('Too large.');
      }
      prepare(raw, host);
      const library = await (await provider()).current();
      const callback = library.callback();
      for (const [name, value] of Object.entries(reply.getHeaders())) {
        if (value !== undefined) reply.raw.setHeader(name, value);
      }
      reply.hijack();
      await callback(raw, reply.raw);
      return reply;
    };

    server.get<{ Params: { uid: string } }>(`${OIDC_PATH}/interaction/:uid`, async (request, reply) => {
      const anonymous = nobody(request);
      await limits.call(request, anonymous, reply);
      prepare(request.raw, host);
      const credential = readCredential(request);
      const person =
        credential?.via === 'session'
          ? await findPerson(app, { ...credential, readsOnly: true }, anonymous.origin)
          : null;
      const step = await (await provider()).interact(request.raw, reply.raw, person);
      reply.header('cache-control', 'no-store');
      if (step.next === 'go') return reply.redirect(step.url, 303);
      const { uid } = request.params;
      if (step.next === 'ask') return reply.redirect(`/app-sign-in/${encodeURIComponent(uid)}`, 303);
      const back = encodeURIComponent(`${OIDC_PATH}/interaction/${encodeURIComponent(uid)}`);
      return reply.redirect(`/sign-in?return=${back}`, 303);
    });
    server.route({ method: ['GET', 'POST', 'OPTIONS'], url: `${OIDC_PATH}/*`, handler: through });
    server.setErrorHandler((error, request, reply) => sendProblem(log, error, request, reply));
  });
}

/** Apps and browsers on their way are counted by address. */
function nobody(request: FastifyRequest): Extract<Caller, { kind: 'anonymous' }> {
  const origin = { address: clientAddress(request), userAgent: clientUserAgent(request), requestId: request.id };
  return { kind: 'anonymous', origin };
}

function prepare(request: IncomingMessage & { originalUrl?: string }, host: string): void {
  const url = request.url ?? '/';
  request.originalUrl = url;
  request.url = url.slice(OIDC_PATH.length);
  request.headers['x-forwarded-proto'] = 'https';
  request.headers['x-forwarded-host'] = host;
  request.headers.host = host;
  const path = request.url.split('?')[0];
  if (path?.startsWith('/auth') === true && request.headers.cookie !== undefined) {
    request.headers.cookie = request.headers.cookie.replace(SESSION_COOKIE, '');
  }
}
