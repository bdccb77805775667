/**
 * Brings records at DNS providers to what domains and routes need. Rows are written first, so whoever dies in the middle
 * is followed by somebody who finds them; every call to a provider may be made twice. Records that somebody else made or
 * changed are shown and left alone until a person asks for repair.
 */
import {
  DNS_LOOK_MINUTES,
  type DnsTarget,
  dnsRetryMs,
  ownerMark,
  placeKey,
  sameValues,
  wantedRecords,
  zoneOf,
} from '#domain/dns.ts';
import { BerthError } from '#domain/errors.ts';
import { type DnsProviderId, type DomainId, makeId, type OrganizationId } from '#domain/ids.ts';
import {
  type DnsAccess,
  type DnsProvider,
  DnsProviderError,
  type DnsProviders,
  type DnsSeen,
} from '#integrations/dns/interface.ts';
import type { Dns } from '../runtime/dns.ts';
import type { SecretBox } from '../runtime/secrets.ts';
import { record as recordAudit } from '../store/audit.ts';
import { asSystem } from '../store/authorized.ts';
import { type Db, transact } from '../store/database.ts';
import { allDnsProviders, type DnsProviderRow, dnsSecretPlace, updateDnsProvider } from '../store/dns-providers.ts';
import {
  allDnsRecords,
  checkDomainSoon,
  claimDnsRecord,
  type DnsRecord,
  type DnsRecordChange,
  deleteDnsRecord,
  domainNeeds,
  insertDnsRecord,
  type NewDnsRecord,
  updateDnsRecord,
} from '../store/dns-records.ts';
import type { Services } from './services.ts';
import type { StopPoint } from './stop-point.ts';

/** How long one piece of work may take before somebody else may begin it again; longer than every call together. */
const CLAIM_MS = 60_000;
const KEEPER = 'dns-keeper';

export type DnsWork = {
  db: Db;
  secrets: SecretBox;
  providers: DnsProviders;
  dns: Dns;
  /** Six characters: whose records they are. */
  installation: string;
  /** The platform domain: what names lead to. */
  platform: string;
  now(): number;
  random(bytes: number): Uint8Array;
  nudge(reconciler: string): void;
  stopPoint: StopPoint;
};

export function dnsWork(
  services: Services,
  parts: { dnsProviders: DnsProviders; dns: Dns; config: { installation: string } },
): DnsWork {
  const { db, secrets, domain, now, random, nudge, stopPoint } = services;
  const { dnsProviders: providers, dns } = parts;
  return {
    db,
    secrets,
    providers,
    dns,
    installation: parts.config.installation,
    platform: domain,
    now,
    random,
    nudge,
    stopPoint,
  };
}

/** What talks to a provider, made from its row: the one place that opens its secret. */
export function openDnsProvider(
  parts: Pick<DnsWork, 'providers' | 'secrets'>,
  row: Pick<DnsProviderRow, 'id' | 'settings' | 'secretSealed'>,
): DnsProvider {
  const secret = parts.secrets.open(dnsSecretPlace(row.id), row.secretSealed);
  const access: DnsAccess = { ...row.settings, secret };
  return parts.providers(access);
}

/** Names of this machine alone lead nobody anywhere. */
export function isLocalName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}

/**
 * The zone and provider for a name of an organization, or of the installation (null); undefined: none. Shared zones never
 * give away their own name.
 */
export function providerFor(
  name: string,
  organization: OrganizationId | null,
  providers: readonly Pick<DnsProviderRow, 'id' | 'organization' | 'shared' | 'zones'>[],
): { zone: string; provider: DnsProviderId } | undefined {
  const own = providers.filter((each) => each.organization === organization);
  const shared = providers.filter((each) => each.organization === null && each.shared);
  const sharedZones = shared.flatMap((each) => each.zones).filter((zone) => zone !== name);
  const zone = zoneOf(name, [...own.flatMap((each) => each.zones), ...sharedZones]);
  if (zone === undefined) return undefined;
  const provider = [...own, ...shared].find((each) => each.zones.includes(zone));
  return provider === undefined ? undefined : { zone, provider: provider.id };
}

type Wanted = Omit<NewDnsRecord, 'id'>;

/** Makes the rows say what domains and routes need now; answers how many changed. */
export async function planRecords(parts: DnsWork): Promise<number> {
  const { db } = parts;
  const providers = await allDnsProviders(db);
  if (providers.length === 0) return 0;
  const [needs, rows] = [await domainNeeds(db), await allDnsRecords(db)];
  const wanted = new Map<string, Wanted>();
  const places = needs.flatMap((need) => {
    const found = providerFor(need.name, need.organization, providers);
    return found === undefined ? [] : [{ need, ...found }];
  });
  const apex = places.some(({ need, zone }) => need.hostnames.includes(zone));
  const addresses = apex && !isLocalName(parts.platform) ? await parts.dns.addresses(parts.platform) : [];
  const target: DnsTarget = isLocalName(parts.platform) ? null : { name: parts.platform, addresses: addresses ?? [] };
  for (const { need, zone, provider } of places) {
    for (const record of wantedRecords(need, need.hostnames, zone, target)) {
      const key = placeKey(record);
      if (wanted.has(key)) continue;
      const { values, ...place } = record;
      wanted.set(key, { ...place, wanted: values, provider, domain: need.id, organization: need.organization });
    }
  }
  const lookAt = new Date(parts.now());
  const afresh = { state: 'pending', attempts: 0, lookAt, seen: null, problem: null } as const;
  let changed = 0;
  for (const row of rows) {
    const want = wanted.get(placeKey(row));
    wanted.delete(placeKey(row));
    // Nobody could say what the platform's addresses are: no reason to take anything away.
    const isUnknown = addresses === null && row.name === row.zone && (row.type === 'A' || row.type === 'AAAA');
    if (want === undefined) {
      if (row.desired === 'absent' || isUnknown) continue;
      if (await updateDnsRecord(db, row, { ...afresh, desired: 'absent' })) changed++;
      continue;
    }
    const isSame =
      row.desired === 'present' &&
      row.domain === want.domain &&
      row.provider === want.provider &&
      sameValues(row.type, row.wanted, want.wanted);
    if (isSame) continue;
    const { domain, provider, organization } = want;
    const change = { ...afresh, desired: 'present', wanted: want.wanted, domain, provider, organization } as const;
    if (await updateDnsRecord(db, row, change)) changed++;
  }
  for (const want of wanted.values()) {
    await insertDnsRecord(db, { ...want, id: makeId('dnr', parts.now(), parts.random) }, lookAt);
    changed++;
  }
  return changed;
}

/** Providers that did not answer in this run: nobody waits for them again. */
export type Silent = Map<DnsProviderId, Error>;

/** Does what one record needs next. False when somebody else is at it, or it changed meanwhile. */
export async function workOnRecord(parts: DnsWork, seen: DnsRecord, silent: Silent = new Map()): Promise<boolean> {
  const { db } = parts;
  const now = parts.now();
  const record = await claimDnsRecord(db, seen, new Date(now), new Date(now + CLAIM_MS));
  if (record === null) return false;
  const row = (await allDnsProviders(db)).find((each) => each.id === record.provider);
  if (row === undefined) return false;
  try {
    const before = silent.get(row.id);
    if (before !== undefined) throw before;
    const provider = openDnsProvider(parts, row);
    const owner = ownerMark(parts.installation);
    if (record.desired === 'absent') await remove(parts, provider, record, owner);
    else if (record.state === 'pending' || record.state === 'failed') await write(parts, provider, record, owner);
    else await settle(parts, record, judge(record, await provider.look(record, owner)));
    await noteProvider(parts, row, null);
  } catch (error) {
    if (!(error instanceof DnsProviderError) && !(error instanceof BerthError)) throw error;
    if (error instanceof DnsProviderError && error.failure === 'away') silent.set(row.id, error);
    // A zone that is not there holds nothing that would have to go.
    if (error instanceof DnsProviderError && error.failure === 'zone' && record.desired === 'absent') {
      await deleteDnsRecord(db, record);
      return true;
    }
    const attempts = record.attempts + 1;
    const failing = record.state === 'pending' || record.state === 'failed';
    const state = failing ? 'failed' : record.state;
    await settle(parts, record, {
      state,
      problem: error.message,
      attempts,
      lookAt: new Date(parts.now() + dnsRetryMs(attempts)),
    });
    const isAboutAll = !(error instanceof DnsProviderError) || error.failure === 'away' || error.failure === 'denied';
    if (isAboutAll) await noteProvider(parts, row, error.message);
  }
  return true;
}

async function remove(parts: DnsWork, provider: DnsProvider, record: DnsRecord, owner: string): Promise<void> {
  await provider.remove(record, owner);
  await parts.stopPoint('dns-record', 'remove', 'effect');
  if (await deleteDnsRecord(parts.db, record)) await note(parts, record, 'dns-record.remove');
}

async function write(parts: DnsWork, provider: DnsProvider, record: DnsRecord, owner: string): Promise<void> {
  const outcome = await provider.put(record, record.wanted, owner);
  await parts.stopPoint('dns-record', 'write', 'effect');
  // Believed when seen: what asks the server itself, not what it said to the change.
  const seen = await provider.look(record, owner);
  const isThere = sameValues(record.type, seen.values, record.wanted);
  if (outcome === 'written' && isThere && seen.mine) {
    if (await settle(parts, record, { state: 'present', owned: true, seen: null, problem: null, attempts: 0 })) {
      await note(parts, record, 'dns-record.write');
    }
    if (record.domain !== null && record.type === 'TXT') {
      await checkDomainSoon(parts.db, record.domain, new Date(parts.now()));
      parts.nudge('domain-keeper');
    }
    return;
  }
  if (isThere) await settle(parts, record, { state: 'present', owned: false, seen: null, problem: null, attempts: 0 });
  else await settle(parts, record, { state: 'taken', owned: false, seen: seen.values, problem: TAKEN, attempts: 0 });
}

const TAKEN =
  'There is something at this name that Berth did not make: it stays. Remove it, or set the record yourself.';
const REMOVED = 'Somebody removed it.';
const CHANGED = 'Somebody changed it.';
const UNMARKED = 'Somebody removed what marks it as made by Berth: it is no longer touched.';

/** What a look at a record that was written (or could not be) says. */
function judge(record: DnsRecord, { values, mine }: DnsSeen): DnsRecordChange {
  const isSame = sameValues(record.type, values, record.wanted);
  const good = { state: 'present', seen: null, problem: null, attempts: 0 } as const;
  const again = { state: 'pending', seen: null, problem: null, attempts: 0, lookAt: new Date(0) } as const;
  if (record.state === 'taken' || !record.owned) {
    if (isSame) return { ...good, owned: mine };
    // Out of the way now: it can be written.
    if (values.length === 0 || mine || record.state !== 'taken') return again;
    return { state: 'taken', seen: values, problem: TAKEN, attempts: 0 };
  }
  if (isSame && mine) return good;
  if (values.length === 0) return { state: 'drifted', seen: [], problem: REMOVED, attempts: 0 };
  return { state: 'drifted', seen: values, problem: mine ? CHANGED : UNMARKED, attempts: 0 };
}

function settle(parts: DnsWork, record: DnsRecord, change: DnsRecordChange): Promise<boolean> {
  const lookAt = change.lookAt ?? new Date(parts.now() + DNS_LOOK_MINUTES * 60_000);
  return updateDnsRecord(parts.db, record, { ...change, lookAt });
}

/** What is wrong with a provider as a whole, when that is news. */
async function noteProvider(parts: DnsWork, row: DnsProviderRow, problem: string | null): Promise<void> {
  if (row.problem === problem) return;
  await transact(parts.db, (trx) => updateDnsProvider(trx, row, { problem }, new Date(parts.now())));
}

async function note(parts: DnsWork, record: DnsRecord, action: string): Promise<void> {
  await transact(parts.db, (trx) =>
    recordAudit(trx, asSystem(KEEPER), {
      action,
      targetKind: 'dns-record',
      targetId: record.id,
      target: `${record.name} ${record.type}`,
      organizationId: record.organization,
      after: { zone: record.zone, values: record.wanted, domainId: record.domain satisfies DomainId | null },
    }),
  );
}
