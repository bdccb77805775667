/** What the instances of a project may reach: plain functions. policy-keeper hands the policies to the host. */
import type { EgressPolicy } from '#contract/egress.ts';
import type { Role } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { notFound } from '#domain/errors.ts';
import type { ProjectId } from '#domain/ids.ts';
import { formatRule } from '#domain/network-rules.ts';
import { record } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import * as store from '#server/store/egress.ts';
import { lockTarget } from '#server/store/transfers.ts';
import { roleAbility } from './abilities.ts';
import { checkAddressSets } from './address-sets.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

function present(policy: store.EgressRecord, role: Role | null): EgressPolicy {
  return {
    default: policy.default,
    rules: policy.rules,
    connectionsMax: policy.connectionsMax,
    bytesPerSecondMax: policy.bytesPerSecondMax,
    state: policy.applied ? 'applied' : 'pending',
    can: { update: roleAbility(role, 'egress.update') },
  };
}

export async function readEgress(app: AppContext, caller: Caller, project: ProjectId): Promise<EgressPolicy> {
  const proof = await authorize(app, caller, 'egress.read', { kind: 'project', id: project });
  return present(await store.getEgress(app.db, proof), proof.role);
}

export async function updateEgress(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  policy: store.EgressPolicy,
): Promise<EgressPolicy> {
  const shown = await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'egress.update', { kind: 'project', id: project });
    if ((await lockTarget(tx, proof.id)) === null) throw notFound('project');
    const before = await store.getEgress(tx, proof);
    await checkAddressSets(tx, proof, policy.rules);
    await store.putEgress(tx, proof, policy);
    await record(tx, proof.actor, {
      action: 'egress.update',
      targetKind: 'project',
      targetId: proof.id,
      target: 'egress',
      organizationId: proof.organization,
      projectId: proof.id,
      before: words(before),
      after: words(policy),
    });
    return present(await store.getEgress(tx, proof), proof.role);
  });
  app.services.nudge('policy-keeper');
  return shown;
}

function words(policy: store.EgressPolicy) {
  return {
    default: policy.default,
    rules: policy.rules.map(formatRule),
    connectionsMax: policy.connectionsMax,
    bytesPerSecondMax: policy.bytesPerSecondMax,
  };
}
