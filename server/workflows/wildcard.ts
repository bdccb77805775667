/**
 * Has one wildcard certificate made, from wherever an earlier attempt was left: the order and its key are written down
 * before anything is proven, the challenge before it is put into DNS (dns-keeper takes it away whatever happens here).
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ownerMark } from '#domain/dns.ts';
import { makeId } from '#domain/ids.ts';
import {
  PLATFORM_WILDCARD,
  type WildcardId,
  wildcardNames,
  wildcardRenewAt,
  wildcardRetryMs,
} from '#domain/wildcards.ts';
import { type AcmeAccount, type AcmeClient, AcmeError } from '#integrations/acme/interface.ts';
import { DnsProviderError } from '#integrations/dns/interface.ts';
import { record } from '../store/audit.ts';
import { asSystem } from '../store/authorized.ts';
import { allDnsProviders } from '../store/dns-providers.ts';
import {
  accountKeyPlace,
  claimWildcard,
  findAccount,
  hurryChallenge,
  insertAccount,
  orderKeyPlace,
  planChallenge,
  type Wildcard,
  writeCertificate,
  writeFailure,
  writeOrder,
} from '../store/wildcards.ts';
import { type DnsWork, openDnsProvider, providerFor } from './dns-records.ts';
import type { ServiceLog } from './services.ts';

/** Longer than an attempt may take, so that nobody begins a second one beside it. */
const CLAIM_MS = 10 * 60_000;
/** How long a challenge may stay in DNS when nobody comes back to it. */
const CHALLENGE_MS = 30 * 60_000;
/** Resolvers are given this long to see a challenge; the authority may see it although they do not. */
const SEEN_MS_MAX = 20_000;
const SEEN_EVERY_MS = 1_000;

export type WildcardWork = DnsWork & {
  acme: AcmeClient;
  /** Address of the authority: whose account it is. */
  directory: string;
  /** Closes chain and key so that edge alone can open them. */
  close(name: string, pem: string): string;
  log: ServiceLog;
};

/** True when a certificate was made; false when it is tried again later, or somebody else is at it. */
export async function makeWildcard(work: WildcardWork, id: WildcardId): Promise<boolean> {
  const { db } = work;
  const now = work.now();
  const wildcard = await claimWildcard(db, id, new Date(now), new Date(now + CLAIM_MS));
  if (wildcard === null) return false;
  try {
    const account = await accountOf(work);
    const order = await orderOf(work, account, wildcard);
    const names = wildcardNames(wildcard.name);
    const made = await work.acme.finish(
      account,
      { ...order, names },
      (texts) => show(work, wildcard, texts),
      () => work.stopPoint('wildcard', 'finalize', 'before'),
    );
    const bundle = work.close(wildcard.name, `${made.chainPem}\n${order.keyPem}`);
    const renewAt = new Date(wildcardRenewAt(made.notBefore.getTime(), made.notAfter.getTime()));
    const facts = { bundle, issuer: made.issuer, expiresAt: made.notAfter, renewAt };
    await writeCertificate(db, id, facts, (trx) =>
      record(trx, asSystem('wildcard-keeper'), {
        ...(id === PLATFORM_WILDCARD
          ? { action: 'platform.certificate.made', targetKind: 'installation' }
          : {
              action: 'domain.certificate',
              targetKind: 'domain',
              targetId: id,
              organizationId: wildcard.organization,
            }),
        target: `*.${wildcard.name}`,
        after: { issuer: made.issuer, expiresAt: made.notAfter.toISOString() },
      }),
    );
    return true;
  } catch (error) {
    const isKnown = error instanceof AcmeError || error instanceof DnsProviderError;
    if (!isKnown) work.log.error({ err: error, certificate: id }, 'a wildcard certificate could not be made');
    const attempts = wildcard.attempts + 1;
    await writeFailure(db, id, {
      problem: isKnown ? error.message : 'Something went wrong inside Berth.',
      attempts,
      tryAt: new Date(work.now() + wildcardRetryMs(attempts)),
      dropOrder: error instanceof AcmeError && error.failure === 'refused',
    });
    return false;
  } finally {
    await hurryChallenge(db, challengeAt(wildcard), new Date(work.now()));
    work.nudge('dns-keeper');
  }
}

const challengeAt = ({ name }: Wildcard): string => `_acme-challenge.${name}`;

async function accountOf(work: WildcardWork): Promise<AcmeAccount> {
  const { db, directory, secrets } = work;
  const place = accountKeyPlace(directory);
  const known = await findAccount(db, directory);
  if (known === null) {
    const made = await work.acme.register();
    await insertAccount(db, { directory, url: made.url, keySealed: secrets.seal(place, made.keyPem) });
  }
  const account = known ?? (await findAccount(db, directory));
  if (account === null) throw new AcmeError('retry', 'There is no account at the authority.');
  return { url: account.url, keyPem: secrets.open(place, account.keySealed) };
}

/** The order that was left, or a new one. */
async function orderOf(
  work: WildcardWork,
  account: AcmeAccount,
  wildcard: Wildcard,
): Promise<{ url: string; keyPem: string }> {
  const place = orderKeyPlace(wildcard.id);
  if (wildcard.orderUrl !== null && wildcard.orderKeySealed !== null) {
    return { url: wildcard.orderUrl, keyPem: work.secrets.open(place, wildcard.orderKeySealed) };
  }
  const keyPem = await work.acme.makeKey();
  const url = await work.acme.order(account, wildcardNames(wildcard.name));
  await writeOrder(work.db, wildcard.id, { url, keySealed: work.secrets.seal(place, keyPem) });
  await work.stopPoint('wildcard', 'order', 'recorded');
  return { url, keyPem };
}

/** Puts the challenge into DNS, and waits until it is seen. Errors: DnsProviderError. */
async function show(work: WildcardWork, wildcard: Wildcard, texts: readonly string[]): Promise<void> {
  const providers = await allDnsProviders(work.db);
  const found = providerFor(wildcard.name, wildcard.organization, providers);
  const row = providers.find((each) => each.id === found?.provider);
  if (found === undefined || row === undefined) {
    throw new DnsProviderError('zone', `No connected DNS provider keeps ${wildcard.name}.`);
  }
  const place = { zone: found.zone, name: challengeAt(wildcard), type: 'TXT' as const };
  await planChallenge(work.db, {
    ...place,
    id: makeId('dnr', work.now(), work.random),
    provider: row.id,
    organization: wildcard.organization,
    values: [...texts],
    removeAt: new Date(work.now() + CHALLENGE_MS),
  });
  const provider = openDnsProvider(work, row);
  if ((await provider.put(place, texts, ownerMark(work.installation))) === 'taken') {
    throw new DnsProviderError('refused', `There is a TXT record at ${place.name} that Berth did not make. Remove it.`);
  }
  await work.stopPoint('wildcard', 'challenge', 'effect');
  const end = Date.now() + SEEN_MS_MAX;
  for (;;) {
    const seen = await work.dns.texts(place.name);
    if (texts.every((text) => seen?.includes(text)) || Date.now() > end) return;
    await sleep(SEEN_EVERY_MS);
  }
}
