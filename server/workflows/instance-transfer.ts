/**
 * Transfer: an instance moves to another project. Place, name and quota there were promised when it was accepted. The
 * guest is stopped, moved with its disk and snapshots, and started in its new network; the rows change in the last
 * transaction, all at once. Until then everybody sees it where it was, and a move that fails only leaves a restart behind.
 */

import { BerthError } from '#domain/errors.ts';
import type { UserId } from '#domain/ids.ts';
import type { DesiredState } from '#domain/instances.ts';
import { record } from '../store/audit.ts';
import { asSystem } from '../store/authorized.ts';
import type { Trx } from '../store/database.ts';
import { lockRegistry } from '../store/grants.ts';
import { lockInstance } from '../store/instances.ts';
import { projectNetwork, recordObservation } from '../store/observations.ts';
import { releaseQuota } from '../store/quotas.ts';
import { deleteTransfer, type Place, settleTransfer, wholeUse } from '../store/transfers.ts';
import type { Step, StepContext, StepError, Workflow } from './engine.ts';
import { instanceOf } from './guest-steps.ts';
import { stopStep } from './instance-archive.ts';
import { answersStep, wakeStep } from './instance-restore.ts';

export type TransferInput = {
  from: Place;
  to: Place;
  desired: DesiredState;
  /** Who moves it; they take it over in another organization. */
  owner: UserId;
  /** Grants that end with it, as they were when it was accepted. */
  grants: number;
};

/** What counts in the organization as well: only what leaves or enters it. */
export function reachOf({ from, to }: Pick<TransferInput, 'from' | 'to'>): 'organization' | 'project' {
  return from.organization === to.organization ? 'project' : 'organization';
}

/** No undo: the network belongs to the other project and stays, others may be on it. */
const networkStep: Step<TransferInput> = {
  name: 'network',
  title: 'Prepare the network of the other project',
  async do({ services, operation }) {
    const { project } = operation.input.to;
    const network = await projectNetwork(services.db, project);
    if (network === null) throw new BerthError('gone', 'The project is no longer there.');
    await services.driver.ensureNetwork({ project, subnet4: network.subnet4, subnet6: network.subnet6 });
  },
};

const moveStep: Step<TransferInput> = {
  name: 'move',
  title: 'Move the machine, its disk and its snapshots',
  do: (context) => put(context, context.operation.input.to),
  undo: (context) => put(context, context.operation.input.from),
};

async function put(context: StepContext<TransferInput>, place: Place): Promise<void> {
  const { services, operation } = context;
  const instance = await instanceOf(context);
  const { project, address4, address6 } = place;
  const at = services.now();
  const seen = await services.driver.moveGuest(instance.id, { project, address4, address6 }, operation.id);
  await recordObservation(services.db, instance.id, seen, at);
}

/** It is there: rows, routes, rights and quota change together with the end of the operation. */
async function succeeded(tx: Trx, { operation }: StepContext<TransferInput>): Promise<void> {
  const { input } = operation;
  // Before the instance, as whoever changes grants does.
  if (reachOf(input) === 'organization') await lockRegistry(tx, input.from.organization);
  const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
  if (instance === null || !(await deleteTransfer(tx, operation.id))) return;
  await releaseQuota(tx, input.from.project, await wholeUse(tx, instance), reachOf(input));
  await settleTransfer(tx, instance, input.to, input.owner);
}

async function failed(tx: Trx, { operation }: StepContext<TransferInput>, error: StepError): Promise<void> {
  const { input } = operation;
  const instance = operation.instance === null ? null : await lockInstance(tx, operation.instance);
  if (instance === null || !(await deleteTransfer(tx, operation.id))) return;
  await releaseQuota(tx, input.to.project, await wholeUse(tx, instance), reachOf(input));
  // The engine writes it where it was; where it was awaited they are told too.
  await record(tx, asSystem(operation.title, 'workflow'), {
    action: operation.kind,
    targetKind: 'instance',
    targetId: instance.id,
    target: operation.target,
    result: 'failed',
    organizationId: input.to.organization,
    projectId: input.to.project,
    after: { operation: operation.id, error: error.code, message: error.message },
  });
}

export const instanceTransfer: Workflow<TransferInput> = {
  steps: [networkStep, stopStep, moveStep, wakeStep, answersStep] as Step<TransferInput>[],
  succeeded,
  failed,
};
