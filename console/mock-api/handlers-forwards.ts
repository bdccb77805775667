/** Port forwards of the mock. */
import { BerthError, notFound } from '#domain/errors.ts';
import { defaultForwardPorts } from '#domain/forwards.ts';
import type { Handlers } from './handlers.ts';
import { DOMAIN, hint, iso, newId, record } from './state.ts';

type ForwardHandlers = Pick<
  Handlers,
  'forwardsListProject' | 'forwardsList' | 'forwardsCreate' | 'forwardsUpdate' | 'forwardsDelete'
>;

export const forwardHandlers: ForwardHandlers = {
  forwardsListProject: (state, { params }) => ({
    items: state.forwards.filter((each) => each.project === params.project),
    nextCursor: null,
  }),
  forwardsList: (state, { params }) => ({
    items: state.forwards.filter((each) => each.instance === params.instance),
  }),
  forwardsCreate: (state, { params, body }) => {
    const row = state.instances.find((each) => each.id === params.instance);
    if (row === undefined) throw notFound('instance');
    const taken = (port: number) =>
      state.forwards.some((each) => each.protocol === body.protocol && each.hostPort === port);
    let hostPort = body.hostPort ?? defaultForwardPorts.first;
    while (body.hostPort === undefined && taken(hostPort)) hostPort++;
    if (taken(hostPort) || hostPort < defaultForwardPorts.first || hostPort > defaultForwardPorts.last) {
      const message = taken(hostPort)
        ? `${body.protocol.toUpperCase()} port ${hostPort} is taken.`
        : `Ports of this host go from ${defaultForwardPorts.first} to ${defaultForwardPorts.last}.`;
      throw new BerthError('conflict', message, { fields: [{ field: 'hostPort', message }] });
    }
    const forward = {
      id: newId('fwd'),
      project: row.project,
      instance: row.id,
      instanceName: row.name,
      protocol: body.protocol,
      hostPort,
      port: body.port,
      description: body.description ?? '',
      address: `${DOMAIN}:${hostPort}`,
      state: 'pending' as const,
      problem: null,
      createdAt: iso(),
      can: { update: true as const, delete: true as const },
    };
    state.forwards.push(forward);
    record(state, 'forward.create', 'forward', forward.id, `${forward.protocol}/${hostPort}`);
    hint('forward', forward.id, row.project, row.id);
    setTimeout(() => {
      const there = state.forwards.find((each) => each.id === forward.id);
      if (there !== undefined) there.state = 'active';
      hint('forward', forward.id, row.project, row.id);
    }, 600);
    return forward;
  },
  forwardsUpdate: (state, { params, body }) => {
    const forward = state.forwards.find((each) => each.id === params.forward);
    if (forward === undefined) throw notFound('port forward');
    if (body.port !== undefined) forward.port = body.port;
    if (body.description !== undefined) forward.description = body.description;
    hint('forward', forward.id, forward.project, forward.instance);
    return forward;
  },
  forwardsDelete: (state, { params }) => {
    const forward = state.forwards.find((each) => each.id === params.forward);
    if (forward === undefined) throw notFound('port forward');
    state.forwards = state.forwards.filter((each) => each !== forward);
    record(state, 'forward.delete', 'forward', forward.id, `${forward.protocol}/${forward.hostPort}`);
    hint('forward', forward.id, forward.project, forward.instance);
    return undefined;
  },
};
