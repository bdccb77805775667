import { BerthError, notFound } from '#domain/errors.ts';
import type { ProjectId } from '#domain/ids.ts';
import { record } from '#server/store/audit.ts';
import { requireNoBackupWork } from '#server/store/backup-repositories.ts';
import * as store from '#server/store/instances.ts';
import { find } from '#server/store/operations.ts';
import { reserveQuota } from '#server/store/quotas.ts';
import { hasDomainRoutes } from '#server/store/routes.ts';
import { countGrants, insertTransfer, lockTarget, type Place, placeOf, wholeUse } from '#server/store/transfers.ts';
import { instanceTransfer, reachOf, type TransferInput } from '#server/workflows/instance-transfer.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { act, begin, type Request } from './instance-actions.ts';
import { freeAddress } from './instances.ts';
import type { Accepted } from './operations.ts';
import { requireConfirmed } from './step-up.ts';

export type AcceptedTransfer = Accepted & { grantsEnding: number };

/**
 * Within an organization: whoever may take it away here (archive) and make one there (create). Into another one it is
 * given away for good, so that takes `instance.transfer` and a fresh confirmation. Errors: not_found (either project),
 * step_up_required, state_conflict, name_taken, quota_exceeded, conflict (no free address).
 */
export async function transferInstance(
  app: AppContext,
  request: Request,
  project: ProjectId,
): Promise<AcceptedTransfer> {
  const accepted = await act(app, request, 'transfer', { project }, async (held) => {
    const { tx, instance, proof } = held;
    if (project === instance.project) {
      throw new BerthError('invalid_input', 'It is in this project already.', {
        fields: [{ field: 'project', message: 'Choose another project.' }],
      });
    }
    if (await hasDomainRoutes(tx, instance.id)) {
      throw new BerthError(
        'state_conflict',
        'It has addresses on domains of this project, which stay here. Remove those routes first.',
      );
    }
    const there = await authorize({ db: tx }, request.caller, 'instance.create', { kind: 'project', id: project });
    const leaves = there.organization !== instance.organization;
    if (leaves) {
      await authorize({ db: tx }, request.caller, 'instance.transfer', { kind: 'instance', id: instance.id });
      await requireConfirmed(app, proof.person, 'instance.transfer', tx);
      if (instance.protected) {
        throw new BerthError('state_conflict', 'It is protected. Switch protection off in the settings first.');
      }
    }
    await requireNoBackupWork(tx, instance.id);
    const target = await lockTarget(tx, there.id);
    if (target === null) throw notFound('project');
    const from = placeOf(instance);
    const reach = reachOf({ from, to: { ...from, organization: target.organization } });
    // Its row lock makes whoever wants a number or a name there wait.
    await reserveQuota(tx, there.id, await wholeUse(tx, instance), reach);
    if (await store.instanceNameTaken(tx, there.id, instance.name)) {
      throw new BerthError(
        'name_taken',
        `The project ${target.name} has an instance called "${instance.name}" already. Rename one of them first.`,
      );
    }
    const to: Place = {
      organization: target.organization,
      project: there.id,
      ...(await freeAddress(tx, there.id, target)),
    };
    const grants = leaves ? await countGrants(tx, instance.id) : 0;
    const where = `${target.organizationName}/${target.name}`;
    const before = { organization: from.organization, project: from.project };
    const after = { organization: to.organization, project: to.project, name: where, grantsEnding: grants };
    const operation = await begin(app, held, {
      kind: 'instance.transfer',
      title: `Move ${instance.name} to ${leaves ? where : target.name}`,
      workflow: instanceTransfer,
      input: { from, to, desired: instance.desired, owner: proof.person.userId, grants } satisfies TransferInput,
      before,
      after,
    });
    await insertTransfer(tx, instance, operation, to);
    await record(tx, proof.actor, {
      action: 'instance.transfer',
      targetKind: 'instance',
      targetId: instance.id,
      target: instance.name,
      organizationId: to.organization,
      projectId: to.project,
      before,
      after,
    });
    return operation;
  });
  const operation = await find(app.db, accepted.operation.id);
  return { ...accepted, grantsEnding: (operation?.input as TransferInput | undefined)?.grants ?? 0 };
}
