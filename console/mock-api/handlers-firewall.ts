/** Security groups and egress policies of the mock. */
import { BerthError, notFound } from '#domain/errors.ts';
import type { Handlers } from './handlers.ts';
import { hint, iso, newId, record } from './state.ts';

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

export const firewallHandlers: FirewallHandlers = {
  securityGroupsList: (state, { params }) => ({
    items: state.securityGroups.filter((each) => each.project === params.project),
  }),
  securityGroupsCreate: (state, { params, body }) => {
    if (state.securityGroups.some((each) => each.project === params.project && each.name === body.name))
      throw new BerthError('name_taken', `The project has a security group called "${body.name}" already.`, {
        fields: [{ field: 'name', message: 'This name is taken.' }],
      });
    const group = {
      id: newId('sgr'),
      project: params.project,
      name: body.name,
      description: body.description ?? '',
      rules: body.rules ?? [],
      instances: [],
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
    Object.assign(group, Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== undefined)));
    if (instances !== undefined)
      group.instances = state.instances
        .filter((each) => instances.includes(each.id))
        .map(({ id, name }) => ({ id, name }));
    hint('security-group', group.id, group.project, null);
    return group;
  },
  securityGroupsDelete: (state, { params }) => {
    const group = state.securityGroups.find((each) => each.id === params.group);
    if (group === undefined) throw notFound('security group');
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
