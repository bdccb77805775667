/** Operations of the mock. */
import { BerthError, notFound } from '#domain/errors.ts';
import { isFinished } from '#domain/operations.ts';
import type { Handlers } from './handlers.ts';
import { stop } from './simulate.ts';
import { hint, iso, type MockState, record } from './state.ts';

function find(state: MockState, id: string) {
  const operation = state.operations.find((each) => each.id === id);
  if (operation === undefined) throw notFound('operation');
  return operation;
}

export const operationHandlers: Pick<
  Handlers,
  'operationsList' | 'operationsGet' | 'operationsStop' | 'platformOperationsList'
> = {
  operationsList: (state, { params, query }) => ({
    items: state.operations.filter(
      (each) =>
        each.project === params.project &&
        (query.state === undefined || each.state === query.state) &&
        (query.instance === undefined || each.instance === query.instance),
    ),
    nextCursor: null,
  }),
  operationsGet: (state, { params }) => find(state, params.operation),
  operationsStop: (state, { params }) => {
    const operation = find(state, params.operation);
    if (isFinished(operation.state) || operation.stop !== null) return operation;
    if (!operation.stoppable) {
      throw new BerthError('state_conflict', 'This cannot be stopped halfway: it ends, or takes back what it did.');
    }
    operation.stop = { by: state.user.name, at: iso() };
    record(state, 'operation.stop', 'instance', operation.instance ?? '', operation.target);
    stop(operation);
    hint('operation', operation.id, operation.project, operation.instance);
    return operation;
  },
  platformOperationsList: (state) => ({
    items: state.operations.filter((each) => each.project === null),
    nextCursor: null,
  }),
};
