/** Endpoints of stacks inside servers. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  checkStack,
  createStack,
  listStacks,
  readStack,
  removeStack,
  runStack,
  writeStack,
} from '#server/app/stacks.ts';
import type { Http } from './server.ts';

export function registerStacks(http: Http, app: AppContext): void {
  http.register(api.stacksList, async ({ caller, params }) => listStacks(app, caller, params.instance));
  http.register(api.stacksRead, async ({ caller, params }) => readStack(app, caller, params.instance, params.stack));
  http.register(api.stacksCreate, async ({ caller, params, body }) => createStack(app, caller, params.instance, body));
  http.register(api.stacksWrite, async ({ caller, params, body }) =>
    writeStack(app, caller, params.instance, params.stack, body),
  );
  http.register(api.stacksCheck, async ({ caller, params, body }) =>
    checkStack(app, caller, params.instance, params.stack, body.text),
  );
  http.register(api.stacksRun, async ({ caller, params, body, idempotencyKey }) =>
    runStack(
      app,
      { caller, instance: params.instance, idempotencyKey },
      { stack: params.stack, verb: params.verb, volumes: body.volumes },
    ),
  );
  http.register(api.stacksRemove, async ({ caller, params }) => {
    await removeStack(app, caller, params.instance, params.stack);
    return { removed: true as const };
  });
}
