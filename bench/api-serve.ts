/**
 * The two servers of bench/api.ts, each in a process of its own on a unix socket. `berth`: the real HTTP stack, app and
 * store on a real PostgreSQL with 100 instances. `bare`: Fastify that sends the bytes it is given. Prints one JSON line
 * when it listens; ends when stdin closes.
 */
import { readFileSync } from 'node:fs';
import fastify from 'fastify';
import { api } from '#contract/api.ts';
import { createLog } from '#server/runtime/log.ts';
import { makeImage, makeInstance } from '#testkit/factories.ts';
import { idleWork, startTestServer } from '#testkit/server.ts';

const [mode, socket, argument] = process.argv.slice(2);
if (mode === undefined || socket === undefined || argument === undefined)
  throw new Error('usage: api-serve.ts MODE SOCKET URL|FILE');

if (mode === 'bare') {
  const bytes = readFileSync(argument, 'utf8');
  const server = fastify({ logger: false });
  server.get('/list', (_request, reply) => reply.type('application/json; charset=utf-8').send(bytes));
  await server.listen({ path: socket });
  console.log(JSON.stringify({ path: '/list', token: '' }));
} else {
  const server = await startTestServer({
    database: { url: argument },
    startWork: idleWork,
    log: createLog({ level: 'info', write: () => undefined }),
  });
  const { owner, organization, project } = await server.setUp();
  const image = await makeImage(server.app.db, { name: 'server' });
  const person = owner.userId;
  if (person === null) throw new Error('the owner has no id');
  for (let index = 0; index < 100; index++) {
    await makeInstance(server.app.db, { organization, project, person }, { image });
  }
  const { secret } = await owner.call(api.tokensCreate, { body: { name: 'bench' } });
  await server.http.fastify.listen({ path: socket });
  console.log(JSON.stringify({ path: `/api/v1/projects/${project}/instances?limit=100`, token: secret }));
}
process.stdin.resume().on('end', () => process.exit(0));
