/**
 * Stacks (Docker Compose projects) inside a server. Where a stack's files are is found out inside the guest, from its
 * folder or from what Compose wrote on its containers; nobody sends paths, and none is ever opened by the host.
 */
import { randomBytes } from 'node:crypto';
import type { AgentInput } from '#contract/agent.ts';
import type { AgentResult } from '#contract/agent-results.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { filePathProblem } from '#domain/files.ts';
import type { InstanceId } from '#domain/ids.ts';
import {
  STACK_FILE,
  STACKS_FOLDER,
  STACKS_LISTED_MAX,
  stackFolder,
  stackNameProblem,
  stackState,
} from '#domain/stacks.ts';
import { askInside, dockerState, type LabelledContainer, labelledContainers, plainContainer } from './containers.ts';
import type { Engine } from './engine.ts';

const CHECK_MS_MAX = 20_000;
const CHECK_MODE = 0o600;
/** Checking a file needs no Docker, but its command line would wake one that sleeps. */
const NOBODY_THERE = { DOCKER_HOST: 'unix:///run/berth-nobody.sock' };
const FILES_PER_STACK_MAX = 10;

/** Where a stack comes from: its folder, its compose files, its environment files. */
type Source = { folder: string; files: string[]; environment: string[] };
type Found = { containers: LabelledContainer[]; source: Source | null; managed: boolean };

export async function stacks(engine: Engine, instance: InstanceId): Promise<AgentResult<'stacks'>> {
  const { docker, found, containers } = await look(engine, instance);
  return {
    docker,
    stacks: [...found].map(([name, stack]) => ({
      name,
      state: stackState(stack.containers),
      file: stack.source?.files[0] ?? null,
      managed: stack.managed,
    })),
    containers: containers.map(plainContainer),
  };
}

async function look(engine: Engine, instance: InstanceId) {
  const docker = await dockerState(engine, instance);
  const [folders, containers] = await Promise.all([
    docker === 'missing' ? [] : ownFolders(engine, instance),
    docker === 'running' ? labelledContainers(engine, instance) : [],
  ]);
  return { docker, containers, found: stacksOf(folders, containers) };
}

/** Names in the folder for stacks that have a compose file and can be a stack's name. */
async function ownFolders(engine: Engine, instance: InstanceId): Promise<string[]> {
  const { stdout } = await askInside(engine, instance, [
    ...['find', STACKS_FOLDER, '-mindepth', '2', '-maxdepth', '2', '-type', 'f', '-name', STACK_FILE],
    ...['-printf', '%h\\0'],
  ]);
  const names = stdout.split('\0').map((folder) => folder.slice(STACKS_FOLDER.length + 1));
  return names.filter((name) => stackNameProblem(name) === null).sort();
}

/** Those with a folder here and those with containers, by name. */
export function stacksOf(folders: readonly string[], containers: readonly LabelledContainer[]): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const name of folders.slice(0, STACKS_LISTED_MAX)) {
    const folder = stackFolder(name);
    found.set(name, {
      containers: [],
      source: { folder, files: [`${folder}/${STACK_FILE}`], environment: [] },
      managed: true,
    });
  }
  for (const container of containers) {
    const name = container.stack;
    if (stackNameProblem(name) !== null) continue;
    const stack = found.get(name) ?? { containers: [], source: sourceOf(container), managed: false };
    if (!found.has(name)) {
      if (found.size >= STACKS_LISTED_MAX) continue;
      found.set(name, stack);
    }
    stack.containers.push(container);
    // The same name, started from another place: what runs is what counts.
    const labelled = sourceOf(container);
    if (stack.managed && labelled !== null && labelled.folder !== stack.source?.folder) {
      stack.source = labelled;
      stack.managed = false;
    }
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** From Compose's labels; null when they say nothing that can be a path. */
function sourceOf({ files, folder, environment }: LabelledContainer): Source | null {
  const paths = (text: string) => (text === '' ? [] : text.split(',').slice(0, FILES_PER_STACK_MAX));
  const source = { folder, files: paths(files), environment: paths(environment) };
  const all = [source.folder, ...source.files, ...source.environment];
  return source.files.length > 0 && all.every((path) => filePathProblem(path) === null) ? source : null;
}

/** Compose writes for people unless it is told not to. */
const compose = (name: string) => ['docker', 'compose', '--ansi=never', '--progress=plain', `--project-name=${name}`];

const sourceArguments = ({ folder, files, environment }: Source) => [
  `--project-directory=${folder}`,
  ...files.map((path) => `--file=${path}`),
  ...environment.map((path) => `--env-file=${path}`),
];

/**
 * What Compose says about `text` as the (first) file of this stack: nothing when it is right. Docker need not run.
 * Errors: unsupported when there is no Compose inside.
 */
export async function checkStack(
  engine: Engine,
  { instance, stack, text }: AgentInput<'stackCheck'>,
): Promise<AgentResult<'stackCheck'>> {
  const { docker, found } = await look(engine, instance);
  if (docker === 'missing') throw new BerthError('unsupported', 'There is no Docker inside this server.');
  const source = found.get(stack)?.source ?? { folder: stackFolder(stack), files: [], environment: [] };
  const path = `/run/berth-check-${randomBytes(8).toString('hex')}.yaml`;
  await engine.writeFile(instance, path, text, CHECK_MODE);
  try {
    const files = [path, ...source.files.slice(1)];
    const argv = [...compose(stack), ...sourceArguments({ ...source, files }), 'config', '--quiet'];
    const { code, stdout, stderr } = await askInside(engine, instance, argv, CHECK_MS_MAX, NOBODY_THERE);
    if (code === 0) return { said: null };
    const said = `${stderr}\n${stdout}`.trim().replaceAll(path, STACK_FILE).slice(0, 4_000);
    return { said: said === '' ? 'Docker Compose refuses it.' : said };
  } finally {
    await engine.removeFile(instance, path);
  }
}

/**
 * `down` and `restart` go by name alone: they work on what is there, also when the file is broken or gone. `up` and
 * `pull` need the file.
 */
export async function stackCommand(
  engine: Engine,
  instance: InstanceId,
  task: Extract<AgentInput<'guestRun'>['task'], { type: 'stack' }>,
): Promise<string[]> {
  const { docker, found } = await look(engine, instance);
  if (docker === 'missing') throw new BerthError('unsupported', 'There is no Docker inside this server.');
  if (docker === 'stopped') {
    throw new BerthError('state_conflict', 'Docker is switched off inside: start it with "systemctl start docker".');
  }
  const stack = found.get(task.stack);
  // Docker sleeps: its containers are not known until it is asked, and asking wakes it.
  if (stack === undefined && docker !== 'asleep') throw notFound('stack');
  if (task.verb === 'down') {
    return [...compose(task.stack), 'down', '--remove-orphans', ...(task.volumes ? ['--volumes'] : [])];
  }
  if (task.verb === 'restart') return [...compose(task.stack), 'restart'];
  const source = stack?.source ?? null;
  if (source === null) {
    throw new BerthError('conflict', 'Nobody knows any more where its compose file is: start it from the terminal.');
  }
  const verb = task.verb === 'up' ? ['up', '--detach'] : ['pull'];
  return [...compose(task.stack), ...sourceArguments(source), ...verb];
}
