/** What left the instances of a project. Whoever may look sees where people's machines went. */
import type { FlowRow } from '#contract/flows.ts';
import type { Caller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import type { ProjectId } from '#domain/ids.ts';
import { canonicalRange } from '#domain/network-rules.ts';
import * as store from '#server/store/flows.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

type Filter = store.FlowFilter;
const EXPORT_PAGE = 1_000;

function present({ address, port, firstAt, lastAt, key: _key, ...flow }: store.FlowRecord): FlowRow {
  return {
    ...flow,
    address: address === '' ? null : address,
    port: port === 0 ? null : port,
    firstAt: firstAt.toISOString(),
    lastAt: lastAt.toISOString(),
  };
}

/** Errors: invalid_input. */
function checked<F extends Filter>(filter: F): F {
  if (filter.address === undefined) return filter;
  const address = canonicalRange(filter.address);
  if (address !== null) return { ...filter, address };
  const message = 'Write an address or a range such as 203.0.113.0/24.';
  throw new BerthError('invalid_input', message, { fields: [{ field: 'address', message }] });
}

export async function listFlows(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  query: Filter & { cursor?: string | undefined; limit: number },
): Promise<{ items: FlowRow[]; nextCursor: string | null }> {
  const proof = await authorize(app, caller, 'flow.read', { kind: 'project', id: project });
  const { rows, nextCursor } = await store.listFlows(app.db, proof, checked(query));
  return { items: rows.map(present), nextCursor };
}

export async function topFlows(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  filter: Filter,
): Promise<store.TopDestination[]> {
  const proof = await authorize(app, caller, 'flow.read', { kind: 'project', id: project });
  return store.topFlows(app.db, proof, checked(filter));
}

/** Lines of JSON, page by page: nobody holds all of it. */
export async function exportFlows(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  filter: Filter,
): Promise<AsyncIterable<string>> {
  const proof = await authorize(app, caller, 'flow.read', { kind: 'project', id: project });
  const wanted = checked(filter);
  async function* lines(): AsyncGenerator<string> {
    let cursor: string | undefined;
    do {
      const page = await store.listFlows(app.db, proof, { ...wanted, cursor, limit: EXPORT_PAGE });
      yield page.rows.map((row) => `${JSON.stringify(present(row))}\n`).join('');
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
  }
  return lines();
}
