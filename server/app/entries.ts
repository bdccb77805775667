/**
 * Entries: the only way in which an administrator of the installation becomes somebody in a tenant's organization. Its
 * owners read who, why and until when, and may end it.
 */
import { ENTRY_ROLE } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { notFound } from '#domain/errors.ts';
import type { EntryId, OrganizationId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { record } from '#server/store/audit.ts';
import { type Trx, transact } from '#server/store/database.ts';
import * as store from '#server/store/entries.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';

export type PresentedEntry = store.Entry & { can: { end: Ability } };

function isOpen(entry: store.Entry, now: Date): boolean {
  return entry.endedAt === null && entry.expiresAt > now;
}

export async function listOrganizationEntries(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
): Promise<PresentedEntry[]> {
  const proof = await authorize(app, caller, 'entry.read', { kind: 'organization', id: organization });
  const now = app.clock.now();
  return (await store.listEntries(app.db, proof)).map((entry) => ({
    ...entry,
    can: { end: isOpen(entry, now) ? roleAbility(proof.role, 'entry.end') : 'It is over.' },
  }));
}

/** Errors: not_found, step_up_required. */
export async function enterOrganization(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  input: { reason: string; minutes: number },
): Promise<PresentedEntry> {
  const proof = await authorize(app, caller, 'platform.organization.enter', { kind: 'organization', id: organization });
  await requireConfirmed(app, caller, 'organization.enter');
  return transact(app.db, async (trx) => {
    const now = app.clock.now();
    const expiresAt = new Date(now.getTime() + input.minutes * 60_000);
    const entry = await store.insertEntry(
      trx,
      proof,
      { id: app.ids.make('ent'), reason: input.reason, expiresAt },
      now,
    );
    await record(trx, caller, {
      action: 'entries.create',
      targetKind: 'organization',
      targetId: organization,
      target: entry.organization.name,
      organizationId: organization,
      after: { reason: input.reason, until: expiresAt.toISOString(), role: ENTRY_ROLE },
    });
    return { ...entry, can: { end: true } };
  });
}

/** By the organization. Errors: not_found (no such entry, or it is over). */
export async function endEntry(
  app: AppContext,
  caller: PersonCaller,
  ref: { organization: OrganizationId; entry: EntryId },
): Promise<void> {
  const proof = await authorize(app, caller, 'entry.end', {
    kind: 'entry',
    id: ref.entry,
    organization: ref.organization,
  });
  await transact(app.db, async (trx) => recordEnd(trx, caller, await store.endEntry(trx, proof, app.clock.now())));
}

/** By the administrator. Errors: not_found (no such entry of the caller, or it is over). */
export async function endOwnEntry(app: AppContext, caller: PersonCaller, id: EntryId): Promise<void> {
  await transact(app.db, async (trx) =>
    recordEnd(trx, caller, await store.endOwnEntry(trx, caller, id, app.clock.now())),
  );
}

async function recordEnd(trx: Trx, caller: PersonCaller, entry: store.Entry | null): Promise<void> {
  if (entry === null) throw notFound('entry');
  await record(trx, caller, {
    action: 'entries.end',
    targetKind: 'organization',
    targetId: entry.organization.id,
    target: entry.organization.name,
    organizationId: entry.organization.id,
    before: { entered: entry.user.email, until: entry.expiresAt.toISOString() },
  });
}
