/**
 * The documentation under /docs: static pages that docs/build.ts made. Public, like the sign-in page. Addresses have no
 * ending: /docs/reference/errors is reference/errors.html.
 */
import { readFile } from 'node:fs/promises';
import { extname, join, normalize } from 'node:path';
import { BerthError } from '#domain/errors.ts';
import type { Log } from '#server/runtime/log.ts';
import { sendPage } from './security-headers.ts';
import { type Http, sendProblem } from './server.ts';

const PATH = /^[a-z0-9][a-zA-Z0-9._/-]{0,200}$/;
const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.gz': 'application/gzip',
};

/** Files an address below /docs/ may mean, best first; none when it would lead outside or is no address of ours. */
export function docsFiles(path: string): string[] {
  const wanted = path.replace(/\/+$/, '');
  const candidates = wanted === '' ? ['index.html'] : [wanted, `${wanted}.html`, `${wanted}/index.html`];
  return candidates.filter(
    (file) => PATH.test(file) && !file.includes('..') && normalize(file) === file && extname(file) in types,
  );
}

/** `docsDir` is where the built pages are; while it is not there, /docs answers 404. */
export function registerDocs(http: Http, docsDir: string, consoleOrigin: string, log: Log): void {
  http.fastify.get('/docs', (_request, reply) => reply.redirect('/docs/', 308));
  http.fastify.get<{ Params: { '*': string } }>('/docs/*', async (request, reply) => {
    for (const file of docsFiles(request.params['*'])) {
      const bytes = await readFile(join(docsDir, file)).catch(() => null);
      if (bytes === null) continue;
      if (extname(file) === '.html') return sendPage(reply, bytes.toString('utf8'), consoleOrigin);
      return reply
        .header('cache-control', 'no-cache')
        .type(types[extname(file)] ?? 'text/plain')
        .send(bytes);
    }
    const missing = new BerthError('not_found', 'There is no such page of the documentation.');
    return sendProblem(log, missing, request, reply);
  });
}
