/** Address sets: plain functions. policy-keeper puts them into the rules it hands to the host. */
import type { AddressSet } from '#contract/address-sets.ts';
import type { Role } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { ProjectId } from '#domain/ids.ts';
import { ADDRESS_SETS_PER_PROJECT_MAX, type NetworkRule } from '#domain/network-rules.ts';
import * as store from '#server/store/address-sets.ts';
import { record } from '#server/store/audit.ts';
import type { ProjectProof } from '#server/store/authorized.ts';
import { type Trx, transact } from '#server/store/database.ts';
import { lockTarget } from '#server/store/transfers.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

function userWords({ securityGroups, egress }: AddressSet['usedBy']): string[] {
  return [...(egress ? ["the project's policy"] : []), ...securityGroups.map((name) => `the security group ${name}`)];
}

function present(set: store.AddressSetRecord, role: Role | null): AddressSet {
  const { name, description, ranges, usedBy } = set;
  const update = roleAbility(role, usedBy.egress ? 'egress.update' : 'security-group.update');
  const users = userWords(usedBy);
  return {
    name,
    description,
    ranges,
    usedBy,
    createdAt: set.createdAt.toISOString(),
    can: { update, delete: users.length > 0 ? `Rules use it: ${users.join(', ')}.` : update },
  };
}

/** Errors: invalid_input when a rule uses a set that the project has not. */
export async function checkAddressSets(
  tx: Trx,
  proof: ProjectProof<'security-group.create' | 'security-group.update' | 'egress.update'>,
  rules: readonly NetworkRule[],
): Promise<void> {
  const wanted = new Set(rules.flatMap((rule) => rule.sets));
  if (wanted.size === 0) return;
  await store.lockAddressSets(tx, proof.id, [...wanted], 'use');
  for (const { name } of await store.addressSetsOf(tx, proof)) wanted.delete(name);
  const [missing] = wanted;
  if (missing === undefined) return;
  const message = `The project has no address set called "${missing}".`;
  throw new BerthError('invalid_input', message, { fields: [{ field: 'rules', message }] });
}

export async function listAddressSets(app: AppContext, caller: Caller, project: ProjectId): Promise<AddressSet[]> {
  const proof = await authorize(app, caller, 'security-group.read', { kind: 'project', id: project });
  return (await store.addressSetsOf(app.db, proof)).map((set) => present(set, proof.role));
}

/** Errors: quota_exceeded. */
export async function putAddressSet(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  set: { name: string; description: string; ranges: string[] },
): Promise<AddressSet> {
  const shown = await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'security-group.update', { kind: 'project', id: project });
    if ((await lockTarget(tx, proof.id)) === null) throw notFound('project');
    const sets = await store.addressSetsOf(tx, proof);
    const before = sets.find((each) => each.name === set.name);
    // Whoever may not change the policy must not change what it lets through.
    if (before?.usedBy.egress === true)
      await authorize({ db: tx }, caller, 'egress.update', { kind: 'project', id: project });
    if (before === undefined && sets.length >= ADDRESS_SETS_PER_PROJECT_MAX)
      throw new BerthError('quota_exceeded', `A project has at most ${ADDRESS_SETS_PER_PROJECT_MAX} address sets.`);
    await store.putAddressSet(tx, proof, set, app.services.now());
    await record(tx, proof.actor, {
      action: 'address-set.put',
      targetKind: 'project',
      targetId: proof.id,
      target: set.name,
      organizationId: proof.organization,
      projectId: proof.id,
      ...(before === undefined ? {} : { before: { description: before.description, ranges: before.ranges } }),
      after: { description: set.description, ranges: set.ranges },
    });
    const after = (await store.addressSetsOf(tx, proof)).find((each) => each.name === set.name);
    if (after === undefined) throw notFound('address set');
    return present(after, proof.role);
  });
  app.services.nudge('policy-keeper');
  return shown;
}

/** Errors: not_found, conflict while rules use it. */
export async function deleteAddressSet(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  name: string,
): Promise<void> {
  await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'security-group.update', { kind: 'project', id: project });
    if ((await lockTarget(tx, proof.id)) === null) throw notFound('project');
    await store.lockAddressSets(tx, proof.id, [name], 'delete');
    const set = (await store.addressSetsOf(tx, proof)).find((each) => each.name === name);
    if (set === undefined) throw notFound('address set');
    const users = userWords(set.usedBy);
    if (users.length > 0) throw new BerthError('conflict', `Rules use it: ${users.join(', ')}.`);
    await store.deleteAddressSet(tx, proof, name);
    await record(tx, proof.actor, {
      action: 'address-set.delete',
      targetKind: 'project',
      targetId: proof.id,
      target: name,
      organizationId: proof.organization,
      projectId: proof.id,
      before: { description: set.description, ranges: set.ranges },
    });
  });
}
