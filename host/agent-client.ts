/** The one verb of the agent that `up` needs, called as root over its socket. */
import { request } from 'node:http';
import type { AgentStreamLine } from '#contract/agent.ts';
import type { Layout } from './layout.ts';
import { readSecret } from './secrets.ts';

const BUILD_IDLE_MS = 600_000;

type Progress = { phase: string; percent: number; line: string };

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
