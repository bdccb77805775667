/** The description of the API for programs, as checked in: `/api/v1/openapi.json`. Public, like the documentation. */
import { readFile } from 'node:fs/promises';
import { API_PREFIX } from '#contract/common.ts';
import type { Http } from './server.ts';

/** `file` is contract/openapi.json; read once. Errors: whatever reading it says. */
export async function registerOpenapi(http: Http, file: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  http.fastify.get(`${API_PREFIX}/openapi.json`, (_request, reply) =>
    reply.type('application/json; charset=utf-8').header('cache-control', 'no-cache').send(text),
  );
}
