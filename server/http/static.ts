/**
 * The built console: hashed assets are kept by browsers for ever, everything else is asked for anew. Any path that is no
 * file and no API answers index.html, so that a page of the console survives a reload.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { BerthError } from '#domain/errors.ts';
import type { Log } from '#server/runtime/log.ts';
import { sendPage } from './security-headers.ts';
import { type Http, sendProblem } from './server.ts';

const YEAR_SECONDS = 31_536_000;
/** First parts of paths that never mean a page of the console. */
const notPages = new Set(['api', 'edge', 'oidc', 'docs', 'assets', 'healthz', 'readyz', 'metrics']);

/** `consoleDir` null (development, or not built): pages answer 404. */
export async function registerConsole(
  http: Http,
  consoleDir: string | null,
  consoleOrigin: string,
  log: Log,
): Promise<void> {
  const index = consoleDir === null ? null : join(consoleDir, 'index.html');
  if (consoleDir !== null && existsSync(consoleDir)) {
    await http.fastify.register(fastifyStatic, {
      root: consoleDir,
      // Files are looked up when asked for: `berth up` may replace the built console under a running server.
      wildcard: true,
      index: 'index.html',
      dotfiles: 'ignore',
      cacheControl: false,
      setHeaders: (response, path) => {
        response.header(
          'cache-control',
          path.includes('/assets/') ? `public, max-age=${YEAR_SECONDS}, immutable` : 'no-cache',
        );
      },
    });
  }
  // Pages carry a nonce: they are never sent as they lie there.
  const page = async (request: FastifyRequest, reply: FastifyReply) => {
    const html = index === null || !wantsPage(request) ? null : await readFile(index, 'utf8').catch(() => null);
    if (html !== null) return sendPage(reply.status(200), html, consoleOrigin);
    return sendProblem(log, missing(request), request, reply);
  };
  for (const path of ['/', '/index.html']) http.fastify.get(path, page);
  http.fastify.setNotFoundHandler(page);
}

function wantsPage(request: FastifyRequest): boolean {
  if (request.method !== 'GET' && request.method !== 'HEAD') return false;
  const [first = ''] = request.url.slice(1).split(/[/?#]/);
  return !notPages.has(first) && (request.headers.accept ?? '').includes('text/html');
}

function missing(request: FastifyRequest): BerthError {
  return new BerthError(
    'not_found',
    `There is nothing at ${request.method} ${request.url.split('?')[0]?.slice(0, 200)}.`,
  );
}
