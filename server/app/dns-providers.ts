/** DNS providers: connected by organizations for their zones, and by administrators for the installation's. */
import type { DnsProviderInput, DnsProvider as Presented } from '#contract/dns-providers.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { DNS_PROVIDERS_MAX, type DnsProviderSettings } from '#domain/dns.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { DnsProviderId, OrganizationId } from '#domain/ids.ts';
import { DnsProviderError } from '#integrations/dns/interface.ts';
import { record } from '#server/store/audit.ts';
import { type Trx, transact } from '#server/store/database.ts';
import * as store from '#server/store/dns-providers.ts';
import { countDnsRecords, hurryRecords } from '#server/store/dns-records.ts';
import { openDnsProvider } from '#server/workflows/dns-records.ts';
import { authorize, authorizePlatform } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';

/** Whose: null is the installation's. */
export type DnsOwner = OrganizationId | null;
type ProviderRef = { owner: DnsOwner; id: DnsProviderId };

const KEEPER = 'dns-keeper';

function mayRead(app: AppContext, caller: PersonCaller, owner: DnsOwner): Promise<store.DnsReadProof> {
  return owner === null
    ? authorizePlatform(app, caller, 'platform.dns.read')
    : authorize(app, caller, 'dns.read', { kind: 'organization', id: owner });
}

function mayWrite(app: AppContext, caller: PersonCaller, owner: DnsOwner): Promise<store.DnsWriteProof> {
  return owner === null
    ? authorizePlatform(app, caller, 'platform.dns.update')
    : authorize(app, caller, 'dns.update', { kind: 'organization', id: owner });
}

function present(row: store.CountedProvider): Presented {
  const { settings } = row;
  return {
    id: row.id,
    organization: row.organization,
    title: row.title,
    kind: row.kind,
    server:
      settings.kind === 'rfc2136'
        ? { host: settings.host, port: settings.port, keyName: settings.keyName, algorithm: settings.algorithm }
        : null,
    zones: row.zones,
    shared: row.shared,
    available: row.available,
    warnings: row.warnings,
    problem: row.problem,
    checkedAt: row.checkedAt?.toISOString() ?? null,
    createdAt: row.createdAt.toISOString(),
    records: row.records,
    troubled: row.troubled,
  };
}

/** What a provider said becomes what the caller is told. */
function toldBy(error: unknown): never {
  if (!(error instanceof DnsProviderError)) throw error;
  if (error.failure === 'away') throw new BerthError('upstream_failed', error.message, { cause: error });
  const field = error.failure === 'zone' ? 'zones' : 'secret';
  throw new BerthError('invalid_input', error.message, { fields: [{ field, message: error.message }], cause: error });
}

/** Without the secret. */
function audited(row: Pick<store.DnsProviderRow, 'title' | 'kind' | 'settings' | 'zones' | 'shared'>): object {
  const { kind, ...settings } = row.settings;
  return { title: row.title, kind, ...settings, zones: row.zones, shared: row.shared };
}

export async function listDnsProviders(app: AppContext, caller: PersonCaller, owner: DnsOwner): Promise<Presented[]> {
  const proof = await mayRead(app, caller, owner);
  return (await store.listDnsProviders(app.db, proof)).map(present);
}

/** Errors: step_up_required, invalid_input (the secret or a zone is refused), upstream_failed, conflict (too many). */
export async function createDnsProvider(
  app: AppContext,
  caller: PersonCaller,
  owner: DnsOwner,
  input: DnsProviderInput,
): Promise<Presented> {
  const proof = await mayWrite(app, caller, owner);
  await requireConfirmed(app, caller, 'dns.providers');
  const id = app.ids.make('dnp');
  const settings: DnsProviderSettings =
    input.kind === 'rfc2136'
      ? { kind: 'rfc2136', host: input.host, port: input.port, keyName: input.keyName, algorithm: input.algorithm }
      : { kind: 'cloudflare' };
  const zones = [...new Set(input.zones)].sort();
  const secretSealed = app.secrets.seal(store.dnsSecretPlace(id), input.secret);
  const access = openDnsProvider({ providers: app.dnsProviders, secrets: app.secrets }, { id, settings, secretSealed });
  const found = await access.inspect(zones).catch(toldBy);
  const shared = 'shared' in input && input.shared;
  const provider = { id, title: input.title, kind: input.kind, settings, secretSealed, zones, shared };
  const made = await transact(app.db, async (trx) => {
    if ((await store.lockDnsProviders(trx, proof)) >= DNS_PROVIDERS_MAX) {
      throw new BerthError('conflict', `There are ${DNS_PROVIDERS_MAX} DNS providers. Remove one first.`);
    }
    const row = { ...provider, available: found.zones, warnings: found.warnings };
    await store.insertDnsProvider(trx, proof, row, app.clock.now());
    await noted(trx, caller, proof, { id, title: input.title }, 'create', { after: audited(provider) });
    return shown(trx, proof, id);
  });
  app.services.nudge(KEEPER);
  return made;
}

/** Errors: not_found, step_up_required, invalid_input, upstream_failed. */
export async function updateDnsProvider(
  app: AppContext,
  caller: PersonCaller,
  ref: ProviderRef,
  change: {
    title?: string | undefined;
    secret?: string | undefined;
    zones?: string[] | undefined;
    shared?: boolean | undefined;
  },
): Promise<Presented> {
  const proof = await mayWrite(app, caller, ref.owner);
  await requireConfirmed(app, caller, 'dns.providers');
  const before = await store.findDnsProvider(app.db, proof, ref.id);
  if (before === null) throw notFound('DNS provider');
  const zones = change.zones === undefined ? before.zones : [...new Set(change.zones)].sort();
  const secretSealed =
    change.secret === undefined ? before.secretSealed : app.secrets.seal(store.dnsSecretPlace(ref.id), change.secret);
  const next = { ...before, title: change.title ?? before.title, shared: change.shared ?? before.shared, zones };
  // Taking zones away has to work while nobody answers.
  const isTried = change.secret !== undefined || zones.some((zone) => !before.zones.includes(zone));
  const parts = { providers: app.dnsProviders, secrets: app.secrets };
  const found = isTried
    ? await openDnsProvider(parts, { ...before, secretSealed })
        .inspect(zones)
        .catch(toldBy)
    : null;
  const changed = await transact(app.db, async (trx) => {
    const locked = await store.lockDnsProvider(trx, proof, ref.id);
    if (locked === null) throw notFound('DNS provider');
    const now = app.clock.now();
    const seen = found === null ? {} : { available: found.zones, warnings: found.warnings, problem: null };
    const { title, shared } = next;
    await store.updateDnsProvider(
      trx,
      locked,
      { title, shared, zones, secretSealed, ...seen },
      found === null ? undefined : now,
    );
    if (found !== null) await hurryRecords(trx, ref.id, now);
    await noted(trx, caller, proof, next, 'update', {
      before: audited(locked),
      after: { ...audited(next), ...(change.secret === undefined ? {} : { secret: 'changed' }) },
    });
    return shown(trx, proof, ref.id);
  });
  app.services.nudge(KEEPER);
  return changed;
}

/** Tries the secret and answers what it opens. Errors: not_found, invalid_input, upstream_failed. */
export async function checkDnsProvider(app: AppContext, caller: PersonCaller, ref: ProviderRef): Promise<Presented> {
  const proof = await mayWrite(app, caller, ref.owner);
  const before = await store.findDnsProvider(app.db, proof, ref.id);
  if (before === null) throw notFound('DNS provider');
  const found = await tried(app, before);
  const answer = await transact(app.db, async (trx) => {
    const now = app.clock.now();
    const seen =
      'zones' in found
        ? { available: found.zones, warnings: found.warnings, problem: null }
        : { problem: found.problem };
    await store.updateDnsProvider(trx, before, seen, now);
    if ('zones' in found) await hurryRecords(trx, ref.id, now);
    await noted(trx, caller, proof, before, 'check', { after: { problem: seen.problem } });
    return shown(trx, proof, ref.id);
  });
  app.services.nudge(KEEPER);
  return answer;
}

/** Errors: not_found, step_up_required, state_conflict while it holds records that are not to be left. */
export async function deleteDnsProvider(
  app: AppContext,
  caller: PersonCaller,
  ref: ProviderRef,
  leaveRecords: boolean,
): Promise<void> {
  const proof = await mayWrite(app, caller, ref.owner);
  await requireConfirmed(app, caller, 'dns.providers');
  await transact(app.db, async (trx) => {
    const provider = await store.lockDnsProvider(trx, proof, ref.id);
    if (provider === null) throw notFound('DNS provider');
    const records = await countDnsRecords(trx, ref.id);
    if (records > 0 && !leaveRecords) {
      throw new BerthError(
        'state_conflict',
        `Berth keeps ${records} records there. Take its zones away first, then they are removed; or leave them in DNS.`,
      );
    }
    await store.deleteDnsProvider(trx, proof, provider);
    await noted(trx, caller, proof, provider, 'delete', { before: { ...audited(provider), recordsLeft: records } });
  });
}

async function tried(
  app: AppContext,
  provider: store.DnsProviderRow,
): Promise<{ zones: string[]; warnings: string[] } | { problem: string }> {
  try {
    const access = openDnsProvider({ providers: app.dnsProviders, secrets: app.secrets }, provider);
    return await access.inspect(provider.zones);
  } catch (error) {
    if (error instanceof DnsProviderError || error instanceof BerthError) return { problem: error.message };
    throw error;
  }
}

async function shown(trx: Trx, proof: store.DnsWriteProof, id: DnsProviderId): Promise<Presented> {
  const row = await store.findDnsProvider(trx, proof, id);
  if (row === null) throw notFound('DNS provider');
  return present(row);
}

async function noted(
  trx: Trx,
  caller: PersonCaller,
  proof: store.DnsWriteProof,
  provider: { id: DnsProviderId; title: string },
  verb: string,
  facts: { before?: object; after?: object },
): Promise<void> {
  await record(trx, caller, {
    action: `${proof.organizationId === null ? 'platform.' : ''}dns-providers.${verb}`,
    targetKind: 'dns-provider',
    targetId: provider.id,
    target: provider.title,
    ...(proof.organizationId === null ? {} : { organizationId: proof.organizationId }),
    ...facts,
  });
}
