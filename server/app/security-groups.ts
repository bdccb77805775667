/** Security groups: plain functions. policy-keeper hands all rules to the host. */
import type { SecurityGroup } from '#contract/security-groups.ts';
import type { Role } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { InstanceId, ProjectId, SecurityGroupId } from '#domain/ids.ts';
import {
  formatRule,
  type NetworkRule,
  SECURITY_GROUPS_PER_INSTANCE_MAX,
  SECURITY_GROUPS_PER_PROJECT_MAX,
  withSourceRenamed,
} from '#domain/network-rules.ts';
import { record } from '#server/store/audit.ts';
import { type Trx, transact } from '#server/store/database.ts';
import * as store from '#server/store/security-groups.ts';
import { lockTarget } from '#server/store/transfers.ts';
import { roleAbility } from './abilities.ts';
import { checkAddressSets } from './address-sets.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

const KEEPER = 'policy-keeper';

function present(group: store.SecurityGroupRecord, role: Role | null): SecurityGroup {
  return {
    id: group.id,
    project: group.project,
    name: group.name,
    description: group.description,
    rules: group.rules,
    instances: group.instances,
    usedBy: group.usedBy,
    state: group.applied ? 'applied' : 'pending',
    createdAt: group.createdAt.toISOString(),
    can: {
      update: roleAbility(role, 'security-group.update'),
      delete: usersOf(group) ?? roleAbility(role, 'security-group.delete'),
    },
  };
}

/** Why it has to stay; null: nothing names it. */
function usersOf({ usedBy }: store.SecurityGroupRecord): string | null {
  return usedBy.length === 0 ? null : `Rules of other security groups name it: ${usedBy.join(', ')}.`;
}

/** Errors: invalid_input when a rule names a group that the project has not. */
function checkSources(rules: readonly NetworkRule[], known: readonly string[]): void {
  const missing = rules.flatMap((rule) => rule.groups).find((group) => !known.includes(group));
  if (missing === undefined) return;
  const message = `The project has no security group called "${missing}".`;
  throw new BerthError('invalid_input', message, { fields: [{ field: 'rules', message }] });
}

export async function listSecurityGroups(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
): Promise<SecurityGroup[]> {
  const proof = await authorize(app, caller, 'security-group.read', { kind: 'project', id: project });
  return (await store.securityGroupsOf(app.db, proof)).map((group) => present(group, proof.role));
}

/** Errors: name_taken, quota_exceeded. */
export async function createSecurityGroup(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  input: { name: string; description: string; rules: NetworkRule[] },
): Promise<SecurityGroup> {
  const made = await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'security-group.create', { kind: 'project', id: project });
    // Keeps the project from being deleted meanwhile.
    if ((await lockTarget(tx, proof.id)) === null) throw notFound('project');
    if (input.rules.some((rule) => rule.groups.length > 0)) await store.lockGroups(tx, proof.id);
    const others = await store.securityGroupsOf(tx, proof);
    if (others.length >= SECURITY_GROUPS_PER_PROJECT_MAX) {
      throw new BerthError(
        'quota_exceeded',
        `A project has at most ${SECURITY_GROUPS_PER_PROJECT_MAX} security groups.`,
      );
    }
    await checkAddressSets(tx, proof, input.rules);
    checkSources(input.rules, [input.name, ...others.map((other) => other.name)]);
    const id = app.ids.make('sgr');
    const place = { organization: proof.organization, project: proof.id };
    await store.insertSecurityGroup(tx, { id, ...place, ...input }, app.services.now());
    await record(tx, proof.actor, {
      action: 'security-group.create',
      targetKind: 'security-group',
      targetId: id,
      target: input.name,
      organizationId: place.organization,
      projectId: place.project,
      after: { description: input.description, rules: input.rules.map(formatRule) },
    });
    return { id, role: proof.role };
  });
  app.services.nudge(KEEPER);
  return shown(app, made.id, made.role);
}

/** Errors: name_taken, invalid_input (an instance of another project, or with too many groups). */
export async function updateSecurityGroup(
  app: AppContext,
  caller: Caller,
  id: SecurityGroupId,
  change: {
    name?: string | undefined;
    description?: string | undefined;
    rules?: NetworkRule[] | undefined;
    instances?: InstanceId[] | undefined;
  },
): Promise<SecurityGroup> {
  const role = await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'security-group.update', { kind: 'security-group', id });
    const group = await store.findSecurityGroup(tx, proof.id);
    if (group === null) throw notFound('security group');
    const { name, description, instances } = change;
    const renamed = name !== undefined && name !== group.name;
    // Its own rules may name it.
    const rules = renamed && change.rules ? withSourceRenamed(change.rules, group.name, name) : change.rules;
    const naming = rules?.some((rule) => rule.sets.length + rule.groups.length > 0) === true;
    // Nobody deletes or renames meanwhile what rules name.
    if (naming || renamed) await store.lockGroups(tx, group.project);
    if (naming) {
      await lockTarget(tx, group.project);
      const project = { kind: 'project', id: group.project } as const;
      const inProject = await authorize({ db: tx }, caller, 'security-group.update', project);
      await checkAddressSets(tx, inProject, rules);
      const others = (await store.securityGroupsOf(tx, inProject)).filter((other) => other.id !== group.id);
      checkSources(rules, [name ?? group.name, ...others.map((other) => other.name)]);
    }
    if (renamed) await store.renameSource(tx, group, name);
    const members = instances === undefined ? undefined : await membersOf(tx, group, instances);
    await store.updateSecurityGroup(tx, group, {
      ...(name === undefined ? {} : { name }),
      ...(description === undefined ? {} : { description }),
      ...(rules === undefined ? {} : { rules }),
      ...(members === undefined ? {} : { instances: members.map((member) => member.id) }),
    });
    await record(tx, proof.actor, {
      action: 'security-group.update',
      targetKind: 'security-group',
      targetId: group.id,
      target: group.name,
      organizationId: group.organization,
      projectId: group.project,
      before: {
        name: group.name,
        description: group.description,
        rules: group.rules.map(formatRule),
        instances: group.instances.map((instance) => instance.name),
      },
      after: {
        ...(name === undefined ? {} : { name }),
        ...(description === undefined ? {} : { description }),
        ...(rules === undefined ? {} : { rules: rules.map(formatRule) }),
        ...(members === undefined ? {} : { instances: members.map((member) => member.name) }),
      },
    });
    return proof.role;
  });
  app.services.nudge(KEEPER);
  return shown(app, id, role);
}

async function membersOf(tx: Trx, group: store.SecurityGroupRecord, instances: readonly InstanceId[]) {
  const wanted = [...new Set(instances)];
  const members = await store.lockMembers(tx, group, wanted);
  const invalid = (message: string) =>
    new BerthError('invalid_input', message, { fields: [{ field: 'instances', message }] });
  if (members.length !== wanted.length) throw invalid('One of them is not an instance of this project.');
  const full = members.find((member) => member.groups >= SECURITY_GROUPS_PER_INSTANCE_MAX);
  if (full !== undefined) {
    throw invalid(
      `${full.name} has ${SECURITY_GROUPS_PER_INSTANCE_MAX} security groups already, the most there may be.`,
    );
  }
  return members;
}

/** Errors: not_found, conflict while rules of other groups name it. */
export async function deleteSecurityGroup(app: AppContext, caller: Caller, id: SecurityGroupId): Promise<void> {
  await transact(app.db, async (tx) => {
    const proof = await authorize({ db: tx }, caller, 'security-group.delete', { kind: 'security-group', id });
    const found = await store.findSecurityGroup(tx, proof.id);
    if (found !== null) await store.lockGroups(tx, found.project);
    const group = await store.findSecurityGroup(tx, proof.id);
    const users = group === null ? null : usersOf(group);
    if (users !== null) throw new BerthError('conflict', users);
    if (group === null || !(await store.deleteSecurityGroup(tx, group))) throw notFound('security group');
    await record(tx, proof.actor, {
      action: 'security-group.delete',
      targetKind: 'security-group',
      targetId: group.id,
      target: group.name,
      organizationId: group.organization,
      projectId: group.project,
      before: { rules: group.rules.map(formatRule), instances: group.instances.map((instance) => instance.name) },
    });
  });
  app.services.nudge(KEEPER);
}

async function shown(app: AppContext, id: SecurityGroupId, role: Role | null): Promise<SecurityGroup> {
  const group = await store.findSecurityGroup(app.db, id);
  if (group === null) throw notFound('security group');
  return present(group, role);
}
