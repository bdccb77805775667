/** Containers of the Docker Engine inside a server. */

import type { AgentInnerContainer } from '#contract/agent-results.ts';
import { BerthError } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import type { Engine } from './engine.ts';

const DOCKER_MS_MAX = 5_000;
const DOCKER_BYTES_MAX = 1024 * 1024;
const CONTAINERS_SHOWN_MAX = 200;
const FIELD_LENGTH_MAX = 300;

/** Empty when there is no engine inside or it does not answer. Errors: not_found, state_conflict. */
export async function innerContainers(engine: Engine, instance: InstanceId): Promise<AgentInnerContainer[]> {
  try {
    // Asking an engine that sleeps would wake it (and its memory) in every server.
    const awake = await engine.exec(instance, ['systemctl', 'is-active', '--quiet', 'docker.service'], {
      timeoutMs: DOCKER_MS_MAX,
      bytesMax: DOCKER_BYTES_MAX,
    });
    if (awake.code !== 0) return [];
    const { code, stdout } = await engine.exec(
      instance,
      ['docker', 'ps', '--all', '--no-trunc', '--format', '{{json .}}'],
      {
        timeoutMs: DOCKER_MS_MAX,
        bytesMax: DOCKER_BYTES_MAX,
      },
    );
    return code === 0 ? parseContainers(stdout) : [];
  } catch (error) {
    if (
      error instanceof BerthError &&
      (error.code === 'timeout' || error.code === 'upstream_failed' || error.code === 'too_large')
    )
      return [];
    throw error;
  }
}

export function parseContainers(stdout: string): AgentInnerContainer[] {
  const found: AgentInnerContainer[] = [];
  for (const line of stdout.split('\n')) {
    if (line.trim() === '' || found.length >= CONTAINERS_SHOWN_MAX) continue;
    try {
      const fields = JSON.parse(line) as Record<string, unknown>;
      const field = (key: string): string =>
        typeof fields[key] === 'string' ? (fields[key] as string).slice(0, FIELD_LENGTH_MAX) : '';
      if (field('ID') === '') continue;
      found.push({
        id: field('ID').slice(0, 64),
        name: field('Names'),
        image: field('Image'),
        state: field('State'),
        status: field('Status'),
        ports: field('Ports'),
      });
    } catch {
      // Not a line of ours.
    }
  }
  return found;
}
