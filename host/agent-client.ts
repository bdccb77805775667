/** The few verbs of the agent that `up` needs, called as root over its socket. */
import { request } from 'node:http';
import type { AgentStreamLine, AgentVerb } from '#contract/agent.ts';
import { socketRequest } from './health.ts';
import type { Layout } from './layout.ts';
import { readSecret } from './secrets.ts';

const BUILD_IDLE_MS = 600_000;

type Progress = { phase: string; percent: number; line: string };

/** One verb that answers with one JSON value. Errors: what the agent says. */
export async function agentCall<T>(layout: Layout, verb: AgentVerb, body: unknown = {}): Promise<T> {
  const answer = await socketRequest({
    socket: layout.sockets.agent,
    method: 'POST',
    path: `/v1/${verb}`,
    headers: { authorization: `Bearer ${readSecret(layout, 'agent-token-server')}` },
    body,
    timeoutMs: 30_000,
  });
  if (answer.status !== 200) throw new Error(`the agent refused ${verb}: ${answer.body.slice(0, 400)}`);
  return JSON.parse(answer.body) as T;
}

/** Builds an image, or joins the build that runs, and reports each line. Errors: why the build failed. */
export function buildImage(layout: Layout, recipe: string, onProgress: (progress: Progress) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({ recipe });
    const outgoing = request({
      socketPath: layout.sockets.agent,
      method: 'POST',
      path: '/v1/buildImage',
      timeout: BUILD_IDLE_MS,
      headers: {
        host: 'localhost',
        authorization: `Bearer ${readSecret(layout, 'agent-token-server')}`,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('the build says nothing any more')));
    outgoing.on('error', reject);
    outgoing.on('response', (incoming) => {
      let rest = '';
      let done = false;
      incoming.setEncoding('utf8');
      incoming.on('error', reject);
      incoming.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const text of lines) {
          if (text.trim() === '') continue;
          const line = JSON.parse(text) as AgentStreamLine<Progress, unknown>;
          if (line.type === 'progress') onProgress(line.progress);
          else if (line.type === 'error') reject(new Error(line.error.message));
          else done = true;
        }
      });
      incoming.on('end', () => {
        if (done) resolve();
        else
          reject(
            new Error(
              `the build of ${recipe} ended without a result (status ${incoming.statusCode}) ${rest.slice(0, 300)}`,
            ),
          );
      });
    });
    outgoing.end(body);
  });
}
