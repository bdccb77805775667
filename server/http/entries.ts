/** Endpoints of entries and of the list of all organizations. */
import { api } from '#contract/api.ts';
import type { AppContext } from '#server/app/context.ts';
import {
  endEntry,
  endOwnEntry,
  enterOrganization,
  listOrganizationEntries,
  type PresentedEntry,
} from '#server/app/entries.ts';
import { listAllOrganizations } from '#server/app/organizations.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';

function presentEntry(entry: PresentedEntry) {
  return {
    ...entry,
    createdAt: iso(entry.createdAt),
    expiresAt: iso(entry.expiresAt),
    endedAt: isoOrNull(entry.endedAt),
  };
}

export function registerEntries(http: Http, app: AppContext): void {
  http.register(api.organizationsList, async ({ caller, query }) => {
    const { items, nextCursor } = await listAllOrganizations(app, caller, query);
    return {
      items: items.map(({ entry, ...each }) => ({
        ...each,
        createdAt: iso(each.createdAt),
        entry: entry === null ? null : { ...entry, expiresAt: iso(entry.expiresAt) },
      })),
      nextCursor,
    };
  });
  http.register(api.entriesList, async ({ caller, params }) => ({
    items: (await listOrganizationEntries(app, caller, params.organization)).map(presentEntry),
  }));
  http.register(api.entriesCreate, async ({ caller, params, body }) =>
    presentEntry(await enterOrganization(app, caller, params.organization, body)),
  );
  http.register(api.entriesEnd, async ({ caller, params }) => {
    await endEntry(app, caller, params);
    return undefined;
  });
  http.register(api.ownEntriesEnd, async ({ caller, params }) => {
    await endOwnEntry(app, caller, params.entry);
    return undefined;
  });
}
