/** Operations of the mock. */
import { notFound } from '#domain/errors.ts';
import type { Handlers } from './handlers.ts';

export const operationHandlers: Pick<Handlers, 'operationsList' | 'operationsGet' | 'platformOperationsList'> = {
  operationsList: (state, { params, query }) => ({
    items: state.operations.filter(
      (each) =>
        each.project === params.project &&
        (query.state === undefined || each.state === query.state) &&
        (query.instance === undefined || each.instance === query.instance),
    ),
    nextCursor: null,
  }),
  operationsGet: (state, { params }) => {
    const operation = state.operations.find((each) => each.id === params.operation);
    if (operation === undefined) throw notFound('operation');
    return operation;
  },
  platformOperationsList: (state) => ({
    items: state.operations.filter((each) => each.project === null),
    nextCursor: null,
  }),
};
