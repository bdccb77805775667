/**
 * Instances: list, show, change, create. Create does everything that can be refused in one transaction: right, quota,
 * name, address, idempotency key, operation, audit; what takes time is the workflow's.
 */
import type { Instance } from '#contract/instances.ts';
import { address4, HOST_NUMBER_MAX, HOST_NUMBER_MIN, parseCidr4 } from '#domain/addresses.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, isRefused, notFound } from '#domain/errors.ts';
import { type InstanceId, isId, type ProjectId } from '#domain/ids.ts';
import type { InstanceKind } from '#domain/instances.ts';
import { NAME_LENGTH_MAX, nameProblem, slug } from '#domain/names.ts';
import { instanceUse } from '#domain/quotas.ts';
import { defaultPreset, type Size, sizePresets } from '#domain/sizes.ts';
import { Serialized } from '#server/runtime/serialized.ts';
import { record } from '#server/store/audit.ts';
import type { Authorized } from '#server/store/authorized.ts';
import { type Db, type Trx, transact } from '#server/store/database.ts';
import { findHostByName } from '#server/store/hosts.ts';
import { findImageByName, type ImageRecord } from '#server/store/images.ts';
import * as store from '#server/store/instances.ts';
import { projectNetwork } from '#server/store/observations.ts';
import { reserveQuota } from '#server/store/quotas.ts';
import { hostnameTaken } from '#server/store/routes.ts';
import { acceptOperation, newOperationId } from '#server/workflows/accept.ts';
import { primaryHostnames } from '#server/workflows/hostnames.ts';
import { instanceCreate } from '#server/workflows/instance-create.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { type Accepted, acceptOnce, operationAs, type Page, pageOf, requestHash } from './operations.ts';
import { presentInstance, publicUrl } from './present-instance.ts';

export type SizeChoice = string | Size;

/** A preset's name or figures of one's own. Errors: invalid_input for a preset that is not made for this kind. */
export function resolveSize(choice: SizeChoice | undefined, kind: InstanceKind): Size {
  if (choice !== undefined && typeof choice !== 'string') return choice;
  const name = choice ?? defaultPreset[kind];
  const preset = sizePresets.find((candidate) => candidate.name === name);
  if (preset === undefined || !preset.kinds.includes(kind)) {
    throw new BerthError('invalid_input', `The size "${name}" is not made for a ${kind}.`, {
      fields: [{ field: 'size', message: `Choose another size for a ${kind}.` }],
    });
  }
  return { cpus: preset.cpus, memoryBytes: preset.memoryBytes, diskBytes: preset.diskBytes };
}

type InstanceListQuery = {
  cursor?: string | undefined;
  limit: number;
  kind?: InstanceKind | undefined;
  archived: 'true' | 'false';
  search?: string | undefined;
};

export async function listInstances(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  query: InstanceListQuery,
): Promise<Serialized<Page<Instance>>> {
  const proof = await authorize(app, caller, 'instance.list', { kind: 'project', id: project });
  if (query.cursor !== undefined && !isId('ins', query.cursor)) {
    throw new BerthError('invalid_input', 'The cursor is not valid.');
  }
  const list = () => instancePage(app, proof, query);
  // What is searched for is seldom asked twice.
  if (query.search !== undefined && query.search !== '') return new Serialized(await list());
  const key = JSON.stringify(['instances', project, proof.person.userId, proof.role, query]);
  return app.keptAnswers.answer(key, proof.organization, app.clock.now().getTime(), list);
}

async function instancePage(
  app: AppContext,
  proof: Authorized<'project', 'instance.list'>,
  query: InstanceListQuery,
): Promise<Page<Instance>> {
  const found = await store.listInstances(app.db, proof, {
    kind: query.kind,
    archived: query.archived === 'true',
    search: query.search,
    before: query.cursor as InstanceId | undefined,
    limit: query.limit + 1,
  });
  return pageOf(
    found.map(({ instance, permissions }) => presentInstance(app, instance, { role: proof.role, permissions })),
    query.limit,
    (instance) => instance.id,
  );
}

export async function getInstance(app: AppContext, caller: Caller, id: InstanceId): Promise<Instance> {
  const proof = await authorize(app, caller, 'instance.read', { kind: 'instance', id });
  const found = await store.getInstance(app.db, proof);
  if (found === null) throw notFound('instance');
  return presentInstance(app, found, proof);
}

export async function updateInstance(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  change: { description?: string | undefined; protected?: boolean | undefined },
): Promise<Instance> {
  const proof = await authorize(app, caller, 'instance.update', { kind: 'instance', id });
  await transact(app.db, async (tx) => {
    const instance = await store.lockInstance(tx, proof.id);
    if (instance === null) throw notFound('instance');
    if (instance.phase === 'purging') throw new BerthError('state_conflict', 'It is being removed.');
    await store.changeInstance(tx, instance, {
      ...(change.description === undefined ? {} : { description: change.description }),
      ...(change.protected === undefined ? {} : { protected: change.protected }),
    });
    await record(tx, proof.actor, {
      action: 'instance.update',
      targetKind: 'instance',
      targetId: instance.id,
      target: instance.name,
      organizationId: instance.organization,
      projectId: instance.project,
      before: { description: instance.description, protected: instance.protected },
      after: change,
    });
  });
  return getInstance(app, caller, id);
}

export type CreateInstanceInput = {
  kind: InstanceKind;
  name: string;
  description: string;
  size?: SizeChoice | undefined;
  image?: string | undefined;
};

/** Errors: quota_exceeded, name_taken, invalid_input, idempotency_conflict. */
export async function createInstance(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  input: CreateInstanceInput,
  idempotencyKey: string | null,
): Promise<Accepted> {
  const size = resolveSize(input.size, input.kind);
  const hash = requestHash('instance.create', project, input);
  const accepted = await acceptOnce(app, caller, idempotencyKey, hash, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'instance.create', { kind: 'project', id: project });
    const image = await imageFor(tx, input.kind, input.image);
    const operation = newOperationId(app.services);
    const instance = await reserveInstance(app, tx, {
      project: proof.id,
      organization: proof.organization,
      kind: input.kind,
      name: input.name,
      description: input.description,
      size,
      image: image.id,
      createdBy: proof.person.userId,
      operation,
    });
    return acceptOperation(app.services, tx, {
      id: operation,
      kind: 'instance.create',
      title: `Create ${input.name}`,
      workflow: instanceCreate,
      actor: proof.actor,
      instance,
      input: {},
      after: { kind: input.kind, name: input.name, size, image: image.name },
    });
  });
  return answer(app, caller, accepted.operation);
}

/** What every 202 answers: the operation, and the instance as it is now (null when it is gone already). */
export async function answer(app: AppContext, caller: Caller, id: Accepted['operation']['id']): Promise<Accepted> {
  const operation = await operationAs(app, id);
  if (operation.instance === null) return { operation, instance: null };
  try {
    return { operation, instance: await getInstance(app, caller, operation.instance) };
  } catch (error) {
    if (isRefused(error)) return { operation, instance: null };
    throw error;
  }
}

export async function imageFor(db: Db, kind: InstanceKind, name: string | undefined): Promise<ImageRecord> {
  const wanted = name ?? kind;
  const image = await findImageByName(db, wanted);
  if (image === null || image.kind !== kind) {
    const message = image === null ? `There is no image called "${wanted}".` : `"${wanted}" is not made for a ${kind}.`;
    throw new BerthError('invalid_input', message, { fields: [{ field: 'image', message }] });
  }
  return image;
}

/**
 * Takes quota, name, host number and address for a new instance, and writes its row. The quota's row lock makes the
 * creates of a project wait for each other, so the number that is free here is still free at the insert.
 */
export async function reserveInstance(
  app: AppContext,
  tx: Trx,
  draft: Omit<store.NewInstance, 'id' | 'host' | 'hostNumber' | 'address4' | 'address6'>,
): Promise<store.NewInstance> {
  await reserveQuota(tx, draft.project, instanceUse(draft));
  const network = await projectNetwork(tx, draft.project);
  if (network === null) throw notFound('project');
  const host = await findHostByName(tx, app.config.hostName);
  const instance: store.NewInstance = {
    ...draft,
    id: app.ids.make('ins'),
    host: host?.id ?? null,
    ...(await freeAddress(tx, draft.project, network)),
  };
  await store.insertInstance(tx, instance, app.services.now());
  return instance;
}

/** The lowest number that is free in a project's network; the caller holds its quota's row. Errors: conflict. */
export async function freeAddress(
  tx: Trx,
  project: ProjectId,
  network: { subnet4: string; subnet6: string },
): Promise<Pick<store.NewInstance, 'hostNumber' | 'address4' | 'address6'>> {
  const used = await store.usedHostNumbers(tx, project);
  let hostNumber = HOST_NUMBER_MIN;
  while (used.has(hostNumber)) hostNumber++;
  if (hostNumber > HOST_NUMBER_MAX) {
    throw new BerthError(
      'conflict',
      "The project's network has no free address left. Remove archived or failed instances for good.",
    );
  }
  return {
    hostNumber,
    address4: address4(parseCidr4(network.subnet4), hostNumber),
    address6: network.subnet6.replace(/::\/64$/, `::${hostNumber.toString(16)}`),
  };
}

const SUGGESTIONS_MAX = 50;

/** The first of name-2, name-3, ... that is free in the project; null when none of the first 50 is. */
export async function suggestName(db: Db, project: ProjectId, name: string): Promise<string | null> {
  const stem = slug(name.replace(/-\d+$/, '')) || 'instance';
  for (let count = 2; count < SUGGESTIONS_MAX; count++) {
    const tail = `-${count}`;
    const candidate = `${stem.slice(0, NAME_LENGTH_MAX - tail.length).replace(/-+$/, '')}${tail}`;
    if (nameProblem(candidate) === null && !(await store.instanceNameTaken(db, project, candidate))) return candidate;
  }
  return null;
}

export async function checkInstanceName(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  name: string,
): Promise<{
  available: boolean;
  problem: string | null;
  hostname: string | null;
  url: string | null;
  suggestion: string | null;
}> {
  const proof = await authorize(app, caller, 'instance.read', { kind: 'project', id: project });
  const problem = nameProblem(name);
  if (problem !== null) {
    const proposal = slug(name);
    const usable = proposal !== name && nameProblem(proposal) === null;
    return { available: false, problem, hostname: null, url: null, suggestion: usable ? proposal : null };
  }
  if (await store.instanceNameTaken(app.db, proof.id, name)) {
    return {
      available: false,
      problem: 'This project has an instance of that name.',
      hostname: null,
      url: null,
      suggestion: await suggestName(app.db, proof.id, name),
    };
  }
  const network = await projectNetwork(app.db, proof.id);
  // The real id is not known yet: the last resort, name and piece of id, cannot be shown.
  const [plain, withProject] = primaryHostnames(app.config.domain, name, network?.name ?? '', app.ids.make('ins'));
  const hostname = plain !== undefined && !(await hostnameTaken(app.db, plain)) ? plain : (withProject ?? null);
  return {
    available: true,
    problem: null,
    hostname,
    url: hostname === null ? null : publicUrl(app.config, hostname),
    suggestion: null,
  };
}
