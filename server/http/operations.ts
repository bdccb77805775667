/** Endpoints of operations. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { getOperation, listOperations, listPlatformOperations, stopOperation } from '#server/app/operations.ts';
import type { Http } from './server.ts';

export function registerOperations(http: Http, app: AppContext): void {
  http.register(api.operationsList, async ({ caller, params, query }) =>
    listOperations(app, caller, params.project, query),
  );
  http.register(api.operationsGet, async ({ caller, params }) => getOperation(app, caller, params.operation));
  http.register(api.operationsStop, async ({ caller, params }) => stopOperation(app, caller, params.operation));
  http.register(api.platformOperationsList, async ({ caller, query }) => listPlatformOperations(app, caller, query));
}
