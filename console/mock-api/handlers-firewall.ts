/** Security groups and egress policies of the mock. */
import type { SecurityGroup } from '#contract/security-groups.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import { withSourceRenamed } from '#domain/network-rules.ts';
import type { Handlers } from './handlers.ts';
import { hint, iso, type MockState, newId, record } from './state.ts';

type FirewallHandlers = Pick<
  Handlers,
  | 'securityGroupsList'
  | 'securityGroupsCreate'
  | 'securityGroupsUpdate'
  | 'securityGroupsDelete'
  | 'addressSetsList'
  | 'addressSetsPut'
  | 'addressSetsDelete'
  | 'egressGet'
  | 'egressUpdate'
>;

/** Groups with who names them, as the server says it. */
function shown(state: MockState, group: SecurityGroup): SecurityGroup {
  const usedBy = state.securityGroups
    .filter((other) => other.id !== group.id && other.project === group.project)
    .filter((other) => other.rules.some((rule) => rule.groups.includes(group.name)))
    .map((other) => other.name);
  const words = `Rules of other security groups name it: ${usedBy.join(', ')}.`;
  return { ...group, usedBy, can: { update: true, delete: usedBy.length === 0 || words } };
}

function checkSources(state: MockState, project: string, own: string, rules: readonly { groups: string[] }[]): void {
  const known = [own, ...state.securityGroups.filter((each) => each.project === project).map((each) => each.name)];
  const missing = rules.flatMap((rule) => rule.groups).find((name) => !known.includes(name));
  if (missing === undefined) return;
  const message = `The project has no security group called "${missing}".`;
  throw new BerthError('invalid_input', message, { fields: [{ field: 'rules', message }] });
}

export const firewallHandlers: FirewallHandlers = {
  securityGroupsList: (state, { params }) => ({
    items: state.securityGroups.filter((each) => each.project === params.project).map((each) => shown(state, each)),
  }),
  securityGroupsCreate: (state, { params, body }) => {
    if (state.securityGroups.some((each) => each.project === params.project && each.name === body.name))
      throw new BerthError('name_taken', `The project has a security group called "${body.name}" already.`, {
        fields: [{ field: 'name', message: 'This name is taken.' }],
      });
    checkSources(state, params.project, body.name, body.rules ?? []);
    const group = {
      id: newId('sgr'),
      project: params.project,
      name: body.name,
      description: body.description ?? '',
      rules: body.rules ?? [],
      instances: [],
      usedBy: [],
      state: 'applied' as const,
      createdAt: iso(),
      can: { update: true as const, delete: true as const },
    };
    state.securityGroups.push(group);
    record(state, 'security-group.create', 'security-group', group.id, group.name);
    hint('security-group', group.id, group.project, null);
    return group;
  },
  securityGroupsUpdate: (state, { params, body }) => {
    const group = state.securityGroups.find((each) => each.id === params.group);
    if (group === undefined) throw notFound('security group');
    const { instances, ...rest } = body;
    const before = group.name;
    checkSources(state, group.project, before, rest.rules ?? []);
    Object.assign(group, Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)));
    if (instances !== undefined)
      group.instances = state.instances
        .filter((each) => instances.includes(each.id))
        .map(({ id, name }) => ({ id, name }));
    for (const each of state.securityGroups.filter((other) => other.project === group.project))
      each.rules = withSourceRenamed(each.rules, before, group.name);
    hint('security-group', group.id, group.project, null);
    return shown(state, group);
  },
  securityGroupsDelete: (state, { params }) => {
    const group = state.securityGroups.find((each) => each.id === params.group);
    if (group === undefined) throw notFound('security group');
    const { can } = shown(state, group);
    if (can.delete !== true) throw new BerthError('conflict', can.delete);
    state.securityGroups = state.securityGroups.filter((each) => each !== group);
    hint('security-group', group.id, group.project, null);
    return undefined;
  },
  addressSetsList: (state, { params }) => ({
    items: state.addressSets
      .filter((each) => each.project === params.project)
      .map((each) => {
        const uses = (rules: readonly { sets: string[] }[]) => rules.some((rule) => rule.sets.includes(each.name));
        const securityGroups = state.securityGroups.filter((group) => uses(group.rules)).map((group) => group.name);
        const usedBy = { securityGroups, egress: uses(state.egress.rules) };
        const free = securityGroups.length === 0 && !usedBy.egress;
        return { ...each, usedBy, can: { update: true as const, delete: free || 'Rules use it.' } };
      }),
  }),
  addressSetsPut: (state, { params, body }) => {
    const set = {
      project: params.project,
      name: params.name,
      description: body.description ?? '',
      ranges: body.ranges,
      usedBy: { securityGroups: [], egress: false },
      createdAt: iso(),
      can: { update: true as const, delete: true as const },
    };
    state.addressSets = [...state.addressSets.filter((each) => each.name !== set.name), set];
    hint('security-group', params.project, params.project, null);
    return set;
  },
  addressSetsDelete: (state, { params }) => {
    state.addressSets = state.addressSets.filter((each) => each.name !== params.name);
    hint('security-group', params.project, params.project, null);
    return undefined;
  },
  egressGet: (state) => state.egress,
  egressUpdate: (state, { params, body }) => {
    state.egress = { ...body, state: 'applied', can: { update: true } };
    hint('egress', params.project, params.project, null);
    return state.egress;
  },
};
