/** Containers of the Docker Engine inside a server, what it keeps, and cleaning that up. */
import type { Caller } from '#domain/caller.ts';
import { notFound } from '#domain/errors.ts';
import type { InstanceId } from '#domain/ids.ts';
import type { CleanPart, Container, ContainerAction, ContainerUse, DockerUse } from '#domain/stacks.ts';
import { findInstance } from '#server/store/instances.ts';
import { type DockerCleanInput, dockerClean } from '#server/workflows/docker-clean.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { note } from './files.ts';
import type { Request } from './instance-actions.ts';
import type { Accepted } from './operations.ts';
import { acceptDocker, openDocker } from './stacks.ts';

/** Whether there can be a Docker to ask. */
async function lookInside(app: AppContext, caller: Caller, id: InstanceId): Promise<InstanceId | null> {
  const proof = await authorize(app, caller, 'instance.inspect', { kind: 'instance', id });
  const instance = await findInstance(app.db, proof.id);
  if (instance === null) throw notFound('instance');
  return instance.kind === 'server' && instance.phase === 'ready' && instance.observed === 'running' ? proof.id : null;
}

/** Empty for desktops, for what does not run, and when no Docker Engine runs inside. */
export async function listContainers(app: AppContext, caller: Caller, id: InstanceId): Promise<Container[]> {
  const inside = await lookInside(app, caller, id);
  return inside === null ? [] : app.services.driver.innerContainers(inside);
}

/** Of those that run; empty when nothing does. */
export async function containersUsage(app: AppContext, caller: Caller, id: InstanceId): Promise<ContainerUse[]> {
  const inside = await lookInside(app, caller, id);
  return inside === null ? [] : app.services.driver.containerUsage(inside);
}

/** Errors: not_found, conflict (in Docker's words), state_conflict. */
export async function actOnContainer(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  container: string,
  action: ContainerAction,
): Promise<void> {
  const opened = await openDocker(app, caller, 'stack.write', id);
  await app.services.driver.actOnContainer(opened.proof.id, container, action);
  await note(app, opened, `container.${action}`, { container });
}

/** Errors: state_conflict, conflict. */
export async function dockerUsage(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
): Promise<DockerUse & { can: { clean: true | string } }> {
  const { proof } = await openDocker(app, caller, 'stack.open', id);
  const use = await app.services.driver.dockerUsage(proof.id);
  return { ...use, can: { clean: roleAbility(proof.role, 'stack.write') } };
}

/** Errors: state_conflict while any command of Docker runs there: what it just fetched is not used yet. */
export async function cleanDocker(app: AppContext, request: Request, parts: CleanPart[]): Promise<Accepted> {
  return acceptDocker(
    app,
    request,
    { clean: parts },
    () => true,
    (instance) => ({
      kind: 'docker.clean',
      title: `Clean up Docker on ${instance.name}`,
      workflow: dockerClean,
      input: { parts } satisfies DockerCleanInput,
      after: { parts },
    }),
  );
}
