/** Endpoints of what left instances. */
import { Readable } from 'node:stream';
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import { exportFlows, listFlows, topFlows } from '#server/app/flows.ts';
import type { Http } from './server.ts';

export function registerFlows(http: Http, app: AppContext): void {
  http.register(api.flowsList, async ({ caller, params, query }) => listFlows(app, caller, params.project, query));
  http.register(api.flowsTop, async ({ caller, params, query }) => ({
    items: await topFlows(app, caller, params.project, query),
  }));
  http.registerStream(api.flowsExport, async ({ caller, params, query }, { reply }) => {
    const lines = await exportFlows(app, caller, params.project, query);
    reply
      .type('application/x-ndjson; charset=utf-8')
      .header('cache-control', 'no-store')
      .header(
        'content-disposition',
        `attachment; filename="berth-flows-${new Date().toISOString().slice(0, 10)}.jsonl"`,
      )
      .send(Readable.from(lines));
  });
}
