/**
 * Stacks (Docker Compose projects) inside a server: asked of its host every time, kept nowhere but in their files. A
 * command on a stack is an operation; only one works on a stack at a time.
 */
import { randomBytes } from 'node:crypto';
import type { Stack } from '#contract/stacks.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { type FileEntry, FOLDER_MODE_NEW, fileVersion, joinPath, parentOf } from '#domain/files.ts';
import type { InstanceId } from '#domain/ids.ts';
import { instanceAbility } from '#domain/instances.ts';
import {
  STACK_TEXT_BYTES_MAX,
  STACKS_FOLDER,
  type StackProblem,
  type StackVerb,
  stackFile,
  stackFolder,
  stackProblems,
} from '#domain/stacks.ts';
import type { InstanceProof } from '#server/store/authorized.ts';
import type { Trx } from '#server/store/database.ts';
import * as instances from '#server/store/instances.ts';
import { type OperationRecord, openOfInstance } from '#server/store/operations.ts';
import * as store from '#server/store/stacks.ts';
import { acceptOperation, newOperationId } from '#server/workflows/accept.ts';
import type { AnyWorkflow } from '#server/workflows/engine.ts';
import { type GuestFiles, lookAt, withGuestFiles } from '#server/workflows/file-trees.ts';
import { type StackRunInput, stackRun } from '#server/workflows/stack-run.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { note } from './files.ts';
import type { Request } from './instance-actions.ts';
import { answer } from './instances.ts';
import { type Accepted, acceptOnce, presentStop, requestHash } from './operations.ts';

type StackAction = 'stack.open' | 'stack.write';
type Opened = { proof: InstanceProof<StackAction>; instance: instances.InstanceRecord };
export type StackText = { path: string; text: string; version: string };

/** Secrets stand in compose files: only root inside reads one that was made here. */
const TEXT_MODE_NEW = 0o600;

/** Errors: not_found, state_conflict (does not run, no server). */
export async function openDocker(
  app: AppContext,
  caller: Caller,
  action: StackAction,
  id: InstanceId,
): Promise<Opened> {
  const proof = await authorize(app, caller, action, { kind: 'instance', id });
  const instance = await instances.findInstance(app.db, proof.id);
  if (instance === null) throw notFound('instance');
  requireAble(instance);
  return { proof, instance };
}

/** A stack's command holds nobody else up: other work on the instance may go on meanwhile. */
function requireAble(instance: instances.InstanceRecord): void {
  const able = instanceAbility('stacks', instance.kind, { ...instance, busyWith: null });
  if (able !== true) throw new BerthError('state_conflict', able);
}

function presentRun(operation: OperationRecord | undefined): Stack['run'] {
  if (operation === undefined) return null;
  return {
    operation: operation.id,
    verb: (operation.input as StackRunInput).verb,
    state: operation.state,
    actor: operation.actor,
    createdAt: operation.createdAt.toISOString(),
    finishedAt: operation.finishedAt?.toISOString() ?? null,
    error: operation.error?.message ?? null,
    stop: presentStop(operation),
  };
}

const stackOf = (operation: OperationRecord) => (operation.input as Partial<StackRunInput>).stack;

export async function listStacks(app: AppContext, caller: Caller, id: InstanceId) {
  const { proof } = await openDocker(app, caller, 'stack.open', id);
  const [{ docker, stacks, containers }, operations] = await Promise.all([
    app.services.driver.stacks(proof.id),
    store.dockerOperations(app.db, proof),
  ]);
  const names = new Set(stacks.map(({ name }) => name));
  return {
    docker,
    items: stacks.map((stack) => ({
      ...stack,
      containers: containers.filter((container) => container.stack === stack.name),
      run: presentRun(operations.find((operation) => stackOf(operation) === stack.name)),
    })),
    others: containers.filter((container) => !names.has(container.stack)),
    can: { write: roleAbility(proof.role, 'stack.write') },
  };
}

/** Errors: not_found (no such stack), conflict (nobody knows its file). */
async function fileOf(app: AppContext, id: InstanceId, name: string): Promise<string> {
  const { stacks } = await app.services.driver.stacks(id);
  const found = stacks.find((stack) => stack.name === name);
  if (found === undefined) throw notFound('stack');
  if (found.file === null) throw new BerthError('conflict', 'Nobody knows any more where its compose file is.');
  return found.file;
}

/** Recorded as every file that is read. Errors: not_found, conflict (no text, too large), state_conflict. */
export async function readStack(app: AppContext, caller: Caller, id: InstanceId, name: string): Promise<StackText> {
  const opened = await openDocker(app, caller, 'stack.open', id);
  const path = await fileOf(app, opened.proof.id, name);
  return withGuestFiles(app.services, opened.proof.id, async (files) => {
    const read = await readText(files, path);
    await note(app, opened, 'stack.read', { stack: name, path });
    return read;
  });
}

async function readText(files: GuestFiles, path: string): Promise<StackText> {
  const entry = await files.follow(path);
  if (entry.type !== 'file') throw new BerthError('conflict', 'Its compose file is no file.');
  if (entry.sizeBytes > STACK_TEXT_BYTES_MAX) throw new BerthError('conflict', 'Its compose file is too large.');
  const parts: Buffer[] = [];
  let size = 0;
  if (entry.sizeBytes > 0) {
    for await (const part of files.read(path) as AsyncIterable<Buffer>) {
      size += part.length;
      if (size > STACK_TEXT_BYTES_MAX) throw new BerthError('conflict', 'Its compose file is too large.');
      parts.push(part);
    }
  }
  const text = Buffer.concat(parts).toString('utf8');
  if (text.includes('\0')) throw new BerthError('conflict', 'Its compose file is no text.');
  return { path, text, version: fileVersion(entry) };
}

/** Whole and at once: aside first, then under its name. */
async function putText(files: GuestFiles, path: string, text: string, before: FileEntry | null): Promise<StackText> {
  const folder = await files.follow(parentOf(path));
  const aside = joinPath(parentOf(path), `.berth-${randomBytes(8).toString('hex')}.part`);
  try {
    await files.writePart(aside, 0, Buffer.from(text));
    await files.setMode(aside, before === null ? TEXT_MODE_NEW : before.mode & 0o777);
    await files.setOwner(aside, before?.uid ?? folder.uid, before?.gid ?? folder.gid);
    await files.rename(aside, path, before !== null);
  } catch (error) {
    await files.remove({ path: aside, type: 'file' }).catch(() => undefined);
    throw error;
  }
  return { path, text, version: fileVersion(await files.look(path)) };
}

/** Errors: name_taken, state_conflict, conflict. */
export async function createStack(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  { name, text }: { name: string; text: string },
): Promise<StackText> {
  const { proof, instance } = await openDocker(app, caller, 'stack.write', id);
  const { docker, stacks } = await app.services.driver.stacks(proof.id);
  if (docker === 'missing') throw new BerthError('unsupported', 'There is no Docker inside this server.');
  const taken = () => new BerthError('name_taken', `There is a stack called "${name}" already.`);
  if (stacks.some((stack) => stack.name === name)) throw taken();
  return withGuestFiles(app.services, proof.id, async (files) => {
    const path = stackFile(name);
    for (const folder of [parentOf(STACKS_FOLDER), STACKS_FOLDER, stackFolder(name)]) {
      if ((await lookAt(files, folder)) !== null) continue;
      await files.makeFolder(folder, FOLDER_MODE_NEW).catch((error: unknown) => {
        // Two at once: the folder is there, and that is all that is wanted.
        if (!(error instanceof BerthError && error.code === 'conflict')) throw error;
      });
    }
    if ((await lookAt(files, path)) !== null) throw taken();
    const written = await putText(files, path, text, null).catch((error: unknown) => {
      throw error instanceof BerthError && error.code === 'conflict' && /already/.test(error.message) ? taken() : error;
    });
    await note(app, { proof, instance }, 'stack.create', { stack: name, path });
    return written;
  });
}

/** Errors: conflict (it changed meanwhile), not_found, state_conflict. */
export async function writeStack(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  name: string,
  { text, version }: { text: string; version: string },
): Promise<StackText> {
  const { proof, instance } = await openDocker(app, caller, 'stack.write', id);
  const named = await fileOf(app, proof.id, name);
  return withGuestFiles(app.services, proof.id, async (files) => {
    const before = await files.look(named);
    if (before.type === 'link') {
      throw new BerthError('conflict', `${named} is a link: change the file it leads to.`);
    }
    if (before.type !== 'file') throw new BerthError('conflict', 'Its compose file is no file.');
    if (fileVersion(before) !== version) {
      throw new BerthError('conflict', 'The file was changed meanwhile. Look at it again before you replace it.');
    }
    const written = await putText(files, named, text, before);
    await note(app, { proof, instance }, 'stack.write', { stack: name, path: named });
    return written;
  });
}

/** Errors: unsupported (no Compose inside), state_conflict. */
export async function checkStack(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  name: string,
  text: string,
): Promise<{ problems: StackProblem[] }> {
  const { proof } = await openDocker(app, caller, 'stack.write', id);
  const said = await app.services.driver.checkStack(proof.id, name, text);
  if (said === null) return { problems: [] };
  const problems = stackProblems(text, said);
  return { problems: problems.length > 0 ? problems : [{ line: null, message: said.slice(0, 500) }] };
}

/** The file goes, and its folder when nothing else is in it. Errors: state_conflict (it is not down), not_found. */
export async function removeStack(app: AppContext, caller: Caller, id: InstanceId, name: string): Promise<void> {
  const { proof, instance } = await openDocker(app, caller, 'stack.write', id);
  const { docker, stacks } = await app.services.driver.stacks(proof.id);
  const found = stacks.find((stack) => stack.name === name);
  if (found === undefined) throw notFound('stack');
  if (!found.managed) {
    throw new BerthError('state_conflict', 'It was started by hand: its file is not ours to remove.');
  }
  if (docker !== 'running' && docker !== 'asleep')
    throw new BerthError('state_conflict', 'Docker does not run inside.');
  if (found.state !== 'down') throw new BerthError('state_conflict', 'It has containers: take it down first.');
  const [open] = await openOfInstance(app.db, proof, store.dockerKinds);
  if (open !== undefined && stackOf(open) === name) throw busy(open);
  await withGuestFiles(app.services, proof.id, async (files) => {
    await files.remove({ path: stackFile(name), type: 'file' });
    // Data beside the file is its person's.
    await files.remove({ path: stackFolder(name), type: 'folder' }).catch(() => undefined);
  });
  await note(app, { proof, instance }, 'stack.remove', { stack: name });
}

function busy(operation: OperationRecord): BerthError {
  return new BerthError('state_conflict', `Another command runs: ${operation.title} (${operation.id}).`);
}

/**
 * Accepts one command of Docker: the row of the instance is locked meanwhile, so that two at the same moment see each
 * other. `clashes` says which of those that run are in the way.
 */
export async function acceptDocker(
  app: AppContext,
  request: Request,
  body: unknown,
  clashes: (open: OperationRecord) => boolean,
  what: (instance: instances.InstanceRecord) => {
    kind: (typeof store.dockerKinds)[number];
    title: string;
    workflow: AnyWorkflow;
    input: unknown;
    after: unknown;
  },
): Promise<Accepted> {
  const hash = requestHash('docker', request.instance, body);
  const accepted = await acceptOnce(app, request.caller, request.idempotencyKey, hash, async (tx: Trx) => {
    const ref = { kind: 'instance', id: request.instance } as const;
    const proof = await authorize({ db: tx }, request.caller, 'stack.write', ref);
    const instance = await instances.lockInstance(tx, proof.id);
    if (instance === null) throw notFound('instance');
    requireAble(instance);
    const open = (await openOfInstance(tx, proof, store.dockerKinds)).find(clashes);
    if (open !== undefined) throw busy(open);
    const id = newOperationId(app.services);
    return acceptOperation(app.services, tx, { ...what(instance), id, actor: proof.actor, instance });
  });
  return answer(app, request.caller, accepted.operation);
}

const titles: Record<StackVerb, (stack: string, on: string) => string> = {
  up: (stack, on) => `Start the stack ${stack} on ${on}`,
  down: (stack, on) => `Take the stack ${stack} on ${on} down`,
  restart: (stack, on) => `Restart the stack ${stack} on ${on}`,
  pull: (stack, on) => `Pull the images of the stack ${stack} on ${on}`,
};

/** Errors: state_conflict (another command works on it, or a clean-up runs), not_found. */
export async function runStack(app: AppContext, request: Request, input: StackRunInput): Promise<Accepted> {
  const { stack, verb } = input;
  const volumes = verb === 'down' && input.volumes;
  // A repeated request is answered as before, whatever became of the stack; the workflow looks again.
  if (request.idempotencyKey === null) await requireStack(app, request, stack);
  return acceptDocker(
    app,
    request,
    { stack, verb, volumes },
    (open) => open.kind === 'docker.clean' || stackOf(open) === stack,
    (instance) => ({
      kind: `stack.${verb}`,
      title: titles[verb](stack, instance.name),
      workflow: stackRun(verb),
      input: { stack, verb, volumes } satisfies StackRunInput,
      after: verb === 'down' ? { stack, volumes } : { stack },
    }),
  );
}

/** Said at once where it can be told. Errors: not_found, state_conflict, unsupported. */
async function requireStack(app: AppContext, { caller, instance }: Request, name: string): Promise<void> {
  const { proof } = await openDocker(app, caller, 'stack.write', instance);
  const { docker, stacks } = await app.services.driver.stacks(proof.id);
  if (docker === 'missing') throw new BerthError('unsupported', 'There is no Docker inside this server.');
  if (docker === 'stopped') throw new BerthError('state_conflict', 'Docker is switched off inside: start it first.');
  // One that sleeps does not tell of its containers.
  if (docker === 'running' && !stacks.some((stack) => stack.name === name)) throw notFound('stack');
}
