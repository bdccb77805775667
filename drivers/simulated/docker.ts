/** Docker inside a simulated server: one stack that somebody started by hand, and whatever was written to its disk. */
import { BerthError, notFound } from '#domain/errors.ts';
import { parentOf } from '#domain/files.ts';
import { type GuestRunPart, type GuestTask, guestRunPart } from '#domain/guest-runs.ts';
import type { OperationId } from '#domain/ids.ts';
import { type DockerUse, STACK_FILE, STACKS_FOLDER, type Stack, stackFile } from '#domain/stacks.ts';
import type { GuestRun, InnerContainer } from '../interface.ts';
import { runArchive, type SimulatedDisk } from './files.ts';

/** Kept with the guest: which stacks have containers, whether those run, and the commands that were started. */
export type SimulatedDocker = { stacks: Record<string, 'running' | 'exited'>; runs: string[] };

export const HAND_MADE_STACK = 'byhand';
const BYTES_PER_PART = 1_000_000;

export const newDocker = (): SimulatedDocker => ({ stacks: { [HAND_MADE_STACK]: 'running' }, runs: [] });

const runKey = (run: OperationId, part: GuestRunPart) => `${run} ${part}`;

export function containersOf(docker: SimulatedDocker): InnerContainer[] {
  return Object.entries(docker.stacks).map(([stack, state]) => ({
    id: Buffer.from(stack).toString('hex').padEnd(64, '0').slice(0, 64),
    name: `${stack}-web-1`,
    image: 'simulated:1',
    state,
    status: state === 'running' ? 'Up 1 minute' : 'Exited (137) 1 minute ago',
    ports: state === 'running' ? '0.0.0.0:8080->80/tcp' : '',
    stack,
    service: 'web',
  }));
}

export function stacksOf(docker: SimulatedDocker, disk: SimulatedDisk): Stack[] {
  const written = [...disk.keys()]
    .filter((path) => parentOf(parentOf(path)) === STACKS_FOLDER && path.endsWith(`/${STACK_FILE}`))
    .map((path) => parentOf(path).slice(STACKS_FOLDER.length + 1));
  return [...new Set([...written, ...Object.keys(docker.stacks)])].sort().map((name) => {
    const state = docker.stacks[name];
    const managed = written.includes(name);
    const file = managed ? stackFile(name) : `/home/berth/${name}/${STACK_FILE}`;
    return { name, state: state === undefined ? 'down' : state === 'running' ? 'running' : 'stopped', file, managed };
  });
}

/** The command is done at once; the same again finds it done. Errors: not_found. */
export function startRun(docker: SimulatedDocker, disk: SimulatedDisk, run: OperationId, task: GuestTask): void {
  const key = runKey(run, guestRunPart(task));
  if (docker.runs.includes(key)) return;
  if (task.type === 'stack') {
    if (!stacksOf(docker, disk).some(({ name }) => name === task.stack)) throw notFound('stack');
    if (task.verb === 'down') delete docker.stacks[task.stack];
    if (task.verb === 'up') docker.stacks[task.stack] = 'running';
  }
  if (task.type === 'pack' || task.type === 'unpack') runArchive(disk, task);
  docker.runs.push(key);
}

export function lookAtRun(docker: SimulatedDocker, run: OperationId, part: GuestRunPart): GuestRun {
  if (!docker.runs.includes(runKey(run, part))) return { state: 'gone', code: null, lines: [] };
  return { state: 'exited', code: 0, lines: [`Simulated: ${part}.`, 'Total reclaimed space: 1MB'] };
}

export function endRun(docker: SimulatedDocker, run: OperationId, part: GuestRunPart): void {
  docker.runs = docker.runs.filter((key) => key !== runKey(run, part));
}

export function useOf(): DockerUse {
  const parts = (['images', 'containers', 'volumes', 'cache', 'networks'] as const).map((part) => ({
    part,
    count: 2,
    unused: 1,
    bytes: part === 'networks' ? 0 : 2 * BYTES_PER_PART,
    reclaimableBytes: part === 'networks' ? 0 : BYTES_PER_PART,
  }));
  return { state: 'running', parts };
}

/** Errors: not_found. */
export function act(docker: SimulatedDocker, container: string, action: 'start' | 'stop' | 'restart'): void {
  const found = containersOf(docker).find(({ id, name }) => id === container || name === container);
  if (found === undefined) throw new BerthError('not_found', 'There is no such container.');
  docker.stacks[found.stack] = action === 'stop' ? 'exited' : 'running';
}
