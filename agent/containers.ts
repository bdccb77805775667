/**
 * The Docker Engine inside a server: whether it runs, its containers, what lies about. Asked with its own
 * command line inside the guest; what comes back is hostile text, parsed field by field and cut to size.
 */
import type { AgentInput } from '#contract/agent.ts';
import type { AgentDockerUsage, AgentInnerContainer } from '#contract/agent-results.ts';
import { BerthError } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import {
  type CleanPart,
  CONTAINER_STOP_SECONDS,
  CONTAINERS_LISTED_MAX,
  type DockerState,
  dockerBytes,
} from '#domain/stacks.ts';
import type { Engine, ExecResult } from './engine.ts';

const DOCKER_MS_MAX = 15_000;
const ACT_MS_MAX = 60_000;
const DOCKER_BYTES_MAX = 1024 * 1024;
const FIELD_LENGTH_MAX = 300;
/** Compose files of a stack are one label: all their paths. */
const PATHS_LENGTH_MAX = 8_192;
const STACK_LABEL = 'com.docker.compose';

/** One JSON object per container. Labels are asked for one by one: joined as `docker ps` would, they cannot be told apart. */
const CONTAINER_FORMAT = `{${Object.entries({
  id: '.ID',
  name: '.Names',
  image: '.Image',
  state: '.State',
  status: '.Status',
  ports: '.Ports',
  stack: `(.Label "${STACK_LABEL}.project")`,
  service: `(.Label "${STACK_LABEL}.service")`,
  files: `(.Label "${STACK_LABEL}.project.config_files")`,
  folder: `(.Label "${STACK_LABEL}.project.working_dir")`,
  environment: `(.Label "${STACK_LABEL}.project.environment_file")`,
})
  .map(([key, value]) => `"${key}":{{json ${value}}}`)
  .join(',')}}`;

/** A container with what Compose wrote on it about where its stack comes from. */
export type LabelledContainer = AgentInnerContainer & { files: string; folder: string; environment: string };

/** Runs a fixed command inside that only looks. Errors: timeout, too_large, not_found, state_conflict. */
export function askInside(
  engine: Engine,
  instance: InstanceId,
  argv: readonly string[],
  timeoutMs = DOCKER_MS_MAX,
  environment: Record<string, string> = {},
): Promise<ExecResult> {
  return engine.exec(instance, argv, { timeoutMs, bytesMax: DOCKER_BYTES_MAX, environment });
}

/** Does not wake it: an engine that sleeps costs a server no memory. */
export async function dockerState(engine: Engine, instance: InstanceId): Promise<DockerState> {
  const { code, stdout } = await askInside(engine, instance, [
    'systemctl',
    'show',
    '--property=Id,LoadState,ActiveState',
    'docker.service',
    'docker.socket',
  ]);
  return code === 0 ? stateOfUnits(stdout) : 'missing';
}

export function stateOfUnits(shown: string): DockerState {
  const units = new Map(
    shown.split('\n\n').map((block) => {
      const fields = new Map(block.split('\n').map((line) => line.split('=', 2) as [string, string]));
      return [fields.get('Id') ?? '', fields] as const;
    }),
  );
  const service = units.get('docker.service');
  if (service?.get('LoadState') !== 'loaded') return 'missing';
  if (service.get('ActiveState') === 'active') return 'running';
  return units.get('docker.socket')?.get('ActiveState') === 'active' ? 'asleep' : 'stopped';
}

/** Empty when there is no engine inside or it does not answer. Errors: not_found, state_conflict. */
export async function innerContainers(engine: Engine, instance: InstanceId): Promise<AgentInnerContainer[]> {
  try {
    if ((await dockerState(engine, instance)) !== 'running') return [];
    return (await labelledContainers(engine, instance)).map(plainContainer);
  } catch (error) {
    if (error instanceof BerthError && ['timeout', 'upstream_failed', 'too_large'].includes(error.code)) return [];
    throw error;
  }
}

export function plainContainer(container: LabelledContainer): AgentInnerContainer {
  const { files: _files, folder: _folder, environment: _environment, ...plain } = container;
  return plain;
}

/** Errors: upstream_failed when Docker refuses. */
export async function labelledContainers(engine: Engine, instance: InstanceId): Promise<LabelledContainer[]> {
  const result = await askInside(engine, instance, [
    'docker',
    'ps',
    '--all',
    '--no-trunc',
    '--format',
    CONTAINER_FORMAT,
  ]);
  if (result.code !== 0) throw refusal('Docker does not answer inside.', result);
  return parseContainers(result.stdout);
}

export function parseContainers(stdout: string): LabelledContainer[] {
  const found: LabelledContainer[] = [];
  for (const fields of jsonLines(stdout)) {
    if (found.length >= CONTAINERS_LISTED_MAX) break;
    const field = (key: string, max = FIELD_LENGTH_MAX): string => textOf(fields[key]).slice(0, max);
    if (field('id') === '') continue;
    found.push({
      id: field('id', 64),
      name: field('name'),
      image: field('image'),
      state: field('state'),
      status: field('status'),
      ports: field('ports', 2_000),
      stack: field('stack'),
      service: field('service'),
      files: field('files', PATHS_LENGTH_MAX),
      folder: field('folder', PATHS_LENGTH_MAX),
      environment: field('environment', PATHS_LENGTH_MAX),
    });
  }
  return found;
}

/** Errors: not_found, conflict (Docker's own words), state_conflict. */
export async function actOnContainer(
  engine: Engine,
  { instance, container, action }: AgentInput<'containerAct'>,
): Promise<null> {
  const patience = action === 'start' ? [] : [`--time=${CONTAINER_STOP_SECONDS}`];
  const argv = ['docker', action, ...patience, container];
  const result = await engine.exec(instance, argv, { timeoutMs: ACT_MS_MAX, bytesMax: DOCKER_BYTES_MAX });
  if (result.code === 0) return null;
  if (/no such container/i.test(result.stderr)) throw new BerthError('not_found', 'There is no such container.');
  throw refusal('Docker refused.', result);
}

/** Errors: state_conflict while Docker does not run: nothing is woken to be counted. */
export async function dockerUsage(engine: Engine, instance: InstanceId): Promise<AgentDockerUsage> {
  const state = await dockerState(engine, instance);
  if (state !== 'running') return { state, parts: [] };
  const [sizes, networks] = await Promise.all([
    askInside(engine, instance, ['docker', 'system', 'df', '--format', '{{json .}}'], ACT_MS_MAX),
    askInside(engine, instance, [
      ...['docker', 'network', 'ls', '--quiet', '--filter', 'dangling=true', '--filter', 'type=custom'],
    ]),
  ]);
  if (sizes.code !== 0) throw refusal('Docker does not say what it keeps.', sizes);
  const unused = networks.code === 0 ? networks.stdout.split('\n').filter((line) => line !== '').length : 0;
  return { state, parts: parseDockerUsage(sizes.stdout, unused) };
}

const partTitles = { images: 'Images', containers: 'Containers', volumes: 'Local Volumes', cache: 'Build Cache' };

export function parseDockerUsage(stdout: string, unusedNetworks: number): AgentDockerUsage['parts'] {
  const rows = jsonLines(stdout);
  const whole = (value: unknown): number => Math.max(0, Math.trunc(Number(value)) || 0);
  const parts = (Object.keys(partTitles) as (keyof typeof partTitles)[]).flatMap((part) => {
    const row = rows.find((each) => each['Type'] === partTitles[part]);
    if (row === undefined) return [];
    const total = whole(row['TotalCount']);
    return [
      {
        part,
        count: total,
        unused: Math.max(0, total - whole(row['Active'])),
        bytes: dockerBytes(textOf(row['Size'])),
        reclaimableBytes: dockerBytes(textOf(row['Reclaimable']).split(' ')[0] ?? ''),
      },
    ];
  });
  return [...parts, { part: 'networks', count: unusedNetworks, unused: unusedNetworks, bytes: 0, reclaimableBytes: 0 }];
}

/** Docker's last line is what it has to say. */
export function refusal(message: string, { stdout, stderr }: ExecResult): BerthError {
  const said = `${stdout}\n${stderr}`.trim().split('\n').at(-1)?.trim() ?? '';
  const plain = said.replace(/^Error response from daemon: /, '').slice(0, FIELD_LENGTH_MAX);
  return new BerthError('conflict', plain === '' ? message : `${message} ${plain}`);
}

function jsonLines(text: string): Record<string, unknown>[] {
  return text.split('\n').flatMap((line) => {
    try {
      const value: unknown = line.trim() === '' ? null : JSON.parse(line);
      return typeof value === 'object' && value !== null && !Array.isArray(value)
        ? [value as Record<string, unknown>]
        : [];
    } catch {
      // Not a line of ours.
      return [];
    }
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** What removes one kind of what nobody uses. */
export const cleanCommands: Record<CleanPart, readonly string[]> = {
  containers: ['docker', 'container', 'prune', '--force'],
  networks: ['docker', 'network', 'prune', '--force'],
  images: ['docker', 'image', 'prune', '--all', '--force'],
  cache: ['docker', 'builder', 'prune', '--all', '--force'],
  volumes: ['docker', 'volume', 'prune', '--all', '--force'],
};
