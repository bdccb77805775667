/** Endpoints of the data page. */
import { api } from '#contract/api.ts';
import type { DataTable } from '#domain/data.ts';
import type { AppContext } from '#server/app/context.ts';
import { listDataTables, readDataTable } from '#server/app/data.ts';
import type { Http } from './server.ts';

export function registerData(http: Http, app: AppContext): void {
  http.register(api.dataTables, async ({ caller }) => ({ items: await listDataTables(app, caller) }));
  http.register(api.dataRows, async ({ caller, params, query }) =>
    readDataTable(app, caller, params.table as DataTable, query),
  );
}
