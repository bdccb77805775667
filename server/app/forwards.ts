/** Port forwards: plain functions. The row is what is wanted; forward-keeper hands all of them to the host. */
import type { Forward } from '#contract/forwards.ts';
import type { Role } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { FORWARDS_PER_INSTANCE_MAX, type ForwardProtocol, forwardProblem } from '#domain/forwards.ts';
import type { ForwardId, InstanceId, ProjectId } from '#domain/ids.ts';
import { instanceAbility } from '#domain/instances.ts';
import { noUse } from '#domain/quotas.ts';
import { record } from '#server/store/audit.ts';
import { type Trx, transact } from '#server/store/database.ts';
import * as store from '#server/store/forwards.ts';
import { findHostByName } from '#server/store/hosts.ts';
import { lockInstance } from '#server/store/instances.ts';
import { releaseQuota, reserveQuota } from '#server/store/quotas.ts';
import { isMoving } from '#server/store/transfers.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { type Page, pageOf } from './operations.ts';

export type ForwardInput = {
  protocol: ForwardProtocol;
  port: number;
  hostPort?: number | undefined;
  description: string;
};

const KEEPER = 'forward-keeper';

function presentForward(app: AppContext, forward: store.ForwardRecord, role: Role | null): Forward {
  return {
    id: forward.id,
    project: forward.project,
    instance: forward.instance,
    instanceName: forward.instanceName,
    protocol: forward.protocol,
    hostPort: forward.hostPort,
    port: forward.port,
    description: forward.description,
    address: `${app.config.domain}:${forward.hostPort}`,
    state: forward.state,
    problem: forwardProblem(forward.state),
    createdAt: forward.createdAt.toISOString(),
    can: { update: roleAbility(role, 'forward.update'), delete: roleAbility(role, 'forward.delete') },
  };
}

/** In order of ports. */
export async function listForwards(app: AppContext, caller: Caller, instance: InstanceId): Promise<Forward[]> {
  const proof = await authorize(app, caller, 'forward.read', { kind: 'instance', id: instance });
  const forwards = await store.forwardsOfInstance(app.db, proof.id);
  return forwards.map((forward) => presentForward(app, forward, proof.role));
}

export async function listProjectForwards(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  query: { cursor?: string | undefined; limit: number },
): Promise<Page<Forward>> {
  const proof = await authorize(app, caller, 'forward.read', { kind: 'project', id: project });
  const after = query.cursor === undefined ? undefined : positionOf(query.cursor);
  const forwards = await store.forwardsOfProject(app.db, proof.id, { after, limit: query.limit + 1 });
  return pageOf(
    forwards.map((forward) => presentForward(app, forward, proof.role)),
    query.limit,
    (forward) => `${forward.hostPort}/${forward.protocol}`,
  );
}

/** Errors: invalid_input. */
function positionOf(cursor: string): { hostPort: number; protocol: ForwardProtocol } {
  const [, port, protocol] = /^(\d{1,5})\/(tcp|udp)$/.exec(cursor) ?? [];
  if (port === undefined) throw new BerthError('invalid_input', 'The cursor is not one of ours.');
  return { hostPort: Number(port), protocol: protocol as ForwardProtocol };
}

/** Errors: quota_exceeded, conflict (port taken, pool used up), invalid_input (port outside the pool), state_conflict. */
export async function createForward(
  app: AppContext,
  caller: Caller,
  id: InstanceId,
  input: ForwardInput,
): Promise<Forward> {
  const made = await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'forward.create', { kind: 'instance', id });
    const ports = await portsOf(app, tx, input);
    const instance = await lockInstance(tx, proof.id);
    if (instance === null) throw notFound('instance');
    const able = instanceAbility('forward', instance.kind, { ...instance, busyWith: null });
    if (able !== true) throw new BerthError('state_conflict', able);
    await requireSettled(tx, instance.id);
    if ((await store.countForwards(tx, instance.id)) >= FORWARDS_PER_INSTANCE_MAX) {
      throw new BerthError('quota_exceeded', `An instance has at most ${FORWARDS_PER_INSTANCE_MAX} port forwards.`);
    }
    await reserveQuota(tx, instance.project, { ...noUse, portForwards: 1 });
    const { protocol, port, description } = input;
    const forward: store.NewForward = {
      id: app.ids.make('fwd'),
      organization: instance.organization,
      project: instance.project,
      instance: instance.id,
      protocol,
      port,
      description,
      enabled: true,
    };
    const hostPort = await store.insertForward(tx, forward, ports, app.services.now());
    if (hostPort === null) {
      if (input.hostPort !== undefined) throw store.portTaken(protocol, input.hostPort);
      throw new BerthError('conflict', `Every ${protocol.toUpperCase()} port of the host's pool is taken.`);
    }
    await record(tx, proof.actor, {
      action: 'forward.create',
      targetKind: 'forward',
      targetId: forward.id,
      target: `${protocol}/${hostPort}`,
      organizationId: instance.organization,
      projectId: instance.project,
      after: { protocol, hostPort, port, description, instance: instance.name, instanceId: instance.id },
    });
    return { id: forward.id, role: proof.role };
  });
  app.services.nudge(KEEPER);
  return shown(app, made.id, made.role);
}

/** The host's pool without what listens there and without Berth's own ports. Errors: unavailable, invalid_input, conflict. */
async function portsOf(app: AppContext, tx: Trx, { protocol, hostPort }: ForwardInput) {
  const host = await findHostByName(tx, app.config.hostName);
  const facts = host?.facts?.forwards;
  if (facts === undefined) throw new BerthError('unavailable', 'The host has not said yet which ports it has.');
  const { pool } = facts;
  if (pool === null) throw new BerthError('unavailable', "The host's pool of ports lies where its kernel takes ports.");
  const never = [
    ...Object.values(app.config.ports),
    ...facts.busy.filter((busy) => busy.protocol === protocol).map((busy) => busy.port),
  ];
  if (hostPort === undefined) return { pool, never, wish: null };
  if (hostPort < pool.first || hostPort > pool.last) {
    const message = `Ports of this host go from ${pool.first} to ${pool.last}.`;
    throw new BerthError('invalid_input', message, { fields: [{ field: 'hostPort', message }] });
  }
  if (never.includes(hostPort)) throw store.portTaken(protocol, hostPort);
  return { pool, never, wish: hostPort };
}

export async function updateForward(
  app: AppContext,
  caller: Caller,
  id: ForwardId,
  change: { port?: number | undefined; description?: string | undefined },
): Promise<Forward> {
  const role = await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'forward.update', { kind: 'forward', id });
    const forward = await store.findForward(tx, proof.id);
    if (forward === null) throw notFound('port forward');
    await store.updateForward(tx, forward, {
      ...(change.port === undefined ? {} : { port: change.port }),
      ...(change.description === undefined ? {} : { description: change.description }),
    });
    await record(tx, proof.actor, {
      action: 'forward.update',
      targetKind: 'forward',
      targetId: forward.id,
      target: `${forward.protocol}/${forward.hostPort}`,
      organizationId: forward.organization,
      projectId: forward.project,
      before: { port: forward.port, description: forward.description, instanceId: forward.instance },
      after: { ...change, instanceId: forward.instance },
    });
    return proof.role;
  });
  app.services.nudge(KEEPER);
  return shown(app, id, role);
}

export async function deleteForward(app: AppContext, caller: Caller, id: ForwardId): Promise<void> {
  await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'forward.delete', { kind: 'forward', id });
    const forward = await store.findForward(tx, proof.id);
    if (forward === null) throw notFound('port forward');
    await lockInstance(tx, forward.instance);
    await requireSettled(tx, forward.instance);
    if (!(await store.deleteForward(tx, forward))) throw notFound('port forward');
    await releaseQuota(tx, forward.project, { ...noUse, portForwards: 1 });
    await record(tx, proof.actor, {
      action: 'forward.delete',
      targetKind: 'forward',
      targetId: forward.id,
      target: `${forward.protocol}/${forward.hostPort}`,
      organizationId: forward.organization,
      projectId: forward.project,
      before: {
        port: forward.port,
        description: forward.description,
        instance: forward.instanceName,
        instanceId: forward.instance,
      },
    });
  });
  app.services.nudge(KEEPER);
}

/** Errors: state_conflict while the instance is on its way to another project. */
async function requireSettled(tx: Trx, instance: InstanceId): Promise<void> {
  if (await isMoving(tx, instance)) {
    throw new BerthError(
      'state_conflict',
      'It is moving to another project. Change its port forwards when it is there.',
    );
  }
}

async function shown(app: AppContext, id: ForwardId, role: Role | null): Promise<Forward> {
  const forward = await store.findForward(app.db, id);
  if (forward === null) throw notFound('port forward');
  return presentForward(app, forward, role);
}
