/**
 * Looks at DNS for one domain and settles what follows: proven, not (yet), or lost. Used by "check now" and by the
 * domain keeper. Nothing is decided on "nobody answers"; whoever has proven a name keeps it until DNS says otherwise.
 */
import {
  challengeName,
  challengeValue,
  DOMAIN_CLAIM_DAYS,
  DOMAIN_GRACE_DAYS,
  type DomainProof,
  isStrongProof,
  nextCheckAt,
} from '#domain/domains.ts';
import type { DomainId } from '#domain/ids.ts';
import type { Dns } from '../runtime/dns.ts';
import { record } from '../store/audit.ts';
import { type Actor, asSystem } from '../store/authorized.ts';
import { type Db, type Trx, transact } from '../store/database.ts';
import {
  type Domain,
  findDomain,
  isProjectHostname,
  lockClaims,
  lockDomain,
  updateDomain,
  usedElsewhere,
} from '../store/domains.ts';
import { touchDomainRoutes } from '../store/routes.ts';

const DAY_MS = 24 * 3600 * 1000;

export type DomainChecker = {
  db: Db;
  dns: Dns;
  /** The platform domain. */
  platform: string;
  now(): number;
};

/** What DNS said. `proof` null: there is none; undefined: nobody could tell. */
type Seen = { proof: DomainProof | null | undefined; pointsHere: boolean | null; reason: string };

/** `there` are addresses of the platform domain: a name with one of them leads to this installation. */
async function look(checker: DomainChecker, domain: Domain): Promise<Seen> {
  const { dns, db, platform } = checker;
  const [texts, alias, addresses, here] = await Promise.all([
    dns.texts(challengeName(domain.name)),
    dns.alias(domain.name),
    dns.addresses(domain.name),
    dns.addresses(platform),
  ]);
  const target = alias?.[0]?.replace(/\.$/, '');
  const aliasHere = target !== undefined && (target === platform || target.endsWith(`.${platform}`));
  const addressHere =
    addresses !== null && here !== null && here.length > 0 && addresses.length > 0
      ? addresses.every((address) => here.includes(address))
      : null;
  const pointsHere = aliasHere ? true : addresses?.length === 0 ? false : addressHere;
  const proof = (value: DomainProof): Seen => ({ proof: value, pointsHere, reason: '' });
  if (texts?.includes(challengeValue(domain.token)) === true) return proof('txt');
  if (target !== undefined && (await isProjectHostname(db, domain.project, target))) return proof('cname');
  if (addressHere === true) return proof('address');
  if (texts === null) return { proof: undefined, pointsHere, reason: `No name server answers for ${domain.name}.` };
  const found = texts.length === 0 ? 'There is no TXT record' : 'No TXT record has the right value';
  return { proof: null, pointsHere, reason: `${found} at ${challengeName(domain.name)}.` };
}

const TAKEN =
  'Another project of this Berth has proven this name. It is yours once its record is gone and yours is there.';
const IN_USE = 'Another project of this Berth has routes on this name. They have to go first.';
const SEVERAL =
  'Another project has claimed this name as well, so its address alone proves nothing: set the TXT record.';

/**
 * Looks, and writes what follows. Answers the domain as it is then; null when it is gone. `actor` is who asked, for the
 * audit log.
 */
export async function checkDomain(
  checker: DomainChecker,
  id: DomainId,
  actor: Actor = asSystem('domain-keeper'),
): Promise<Domain | null> {
  const { db, now } = checker;
  const domain = await findDomain(db, id);
  if (domain === null) return null;
  const seen = await look(checker, domain);
  let holderGone: DomainId | null = null;
  for (;;) {
    const outcome = await transact(db, async (trx) => settle(trx, id, seen, holderGone, actor, now()));
    if (outcome.next === null) return outcome.domain;
    // Somebody else has it: theirs stays while their record does.
    const holder = await findDomain(db, outcome.next);
    if (holder === null) continue;
    const { proof } = await look(checker, holder);
    if (proof !== null) {
      const refused = { ...seen, proof: null, reason: TAKEN };
      return (await transact(db, async (trx) => settle(trx, id, refused, null, actor, now()))).domain;
    }
    holderGone = holder.id;
  }
}

type Outcome = { domain: Domain | null; next: DomainId | null };

/** One look becomes a row. `next` is a holder of the name whose own record has to be looked at first. */
async function settle(
  trx: Trx,
  id: DomainId,
  seen: Seen,
  holderGone: DomainId | null,
  actor: Actor,
  now: number,
): Promise<Outcome> {
  const before = await findDomain(trx, id);
  if (before === null) return { domain: null, next: null };
  const claims = await lockClaims(trx, before.name);
  const domain = await lockDomain(trx, id);
  if (domain === null) return { domain: null, next: null };
  let { proof, reason } = seen;
  if (proof !== null && proof !== undefined && domain.state !== 'verified') {
    const holder = claims.find((claim) => claim.state === 'verified' && claim.id !== id);
    const others = claims.some((claim) => claim.project !== domain.project);
    if (proof === 'address' && (holder !== undefined || others)) [proof, reason] = [null, SEVERAL];
    else if (holder !== undefined) {
      const gives = holder.id === holderGone || !isStrongProof(holder.proof ?? 'address');
      if (!gives) return { domain, next: holder.id };
      await lose(trx, holder, 'Another project has proven this name.', actor, now);
    }
    if (proof !== null && (await usedElsewhere(trx, domain.name, domain.project))) [proof, reason] = [null, IN_USE];
  }
  const at = new Date(now);
  const common = { checkedAt: at, pointsHere: seen.pointsHere };
  if (proof === undefined) {
    const checkAt = new Date(nextCheckAt(times({ ...domain, failingSince: domain.failingSince ?? at }), now));
    await updateDomain(trx, domain, { ...common, reason, checkAt }, domain.reason !== reason);
  } else if (proof !== null) {
    await prove(trx, domain, proof, common, actor, now);
  } else if (domain.state !== 'verified') {
    const checkAt = new Date(nextCheckAt(times(domain), now));
    await updateDomain(trx, domain, { ...common, reason, checkAt }, true);
  } else {
    const since = domain.failingSince ?? at;
    if (now - since.getTime() >= DOMAIN_GRACE_DAYS * DAY_MS) {
      await lose(trx, domain, reason, actor, now);
    } else {
      const checkAt = new Date(nextCheckAt(times({ ...domain, failingSince: since }), now));
      await updateDomain(trx, domain, { ...common, reason, failingSince: since, checkAt }, true);
    }
  }
  return { domain: await findDomain(trx, id), next: null };
}

const times = (domain: Domain) => ({
  state: domain.state,
  createdAt: domain.createdAt.getTime(),
  failingSince: domain.failingSince?.getTime() ?? null,
});

async function prove(
  trx: Trx,
  domain: Domain,
  proof: DomainProof,
  common: { checkedAt: Date; pointsHere: boolean | null },
  actor: Actor,
  now: number,
): Promise<void> {
  const isNew = domain.state !== 'verified';
  const verifiedAt = domain.verifiedAt ?? new Date(now);
  const healthy = { ...domain, state: 'verified' as const, failingSince: null };
  const change = {
    ...common,
    state: 'verified' as const,
    proof,
    reason: null,
    failingSince: null,
    expiresAt: null,
    verifiedAt,
    checkAt: new Date(nextCheckAt(times(healthy), now)),
  };
  const shown = isNew || domain.proof !== proof || domain.reason !== null || domain.pointsHere !== common.pointsHere;
  await updateDomain(trx, domain, change, shown);
  if (!isNew) return;
  await touchDomainRoutes(trx, domain.id);
  await note(trx, actor, 'domain.verify', domain, { proof });
}

/** The proof is gone: its routes stop. It can be proven again. */
async function lose(trx: Trx, domain: Domain, reason: string, actor: Actor, now: number): Promise<void> {
  const lost = { ...domain, state: 'lost' as const, failingSince: new Date(now) };
  await updateDomain(
    trx,
    domain,
    {
      state: 'lost',
      proof: null,
      verifiedAt: null,
      reason,
      checkedAt: new Date(now),
      checkAt: new Date(nextCheckAt(times(lost), now)),
      failingSince: lost.failingSince,
    },
    true,
  );
  const routes = await touchDomainRoutes(trx, domain.id);
  await note(trx, actor.kind === 'person' ? asSystem('domain-keeper') : actor, 'domain.lose', domain, {
    reason,
    routes,
  });
}

async function note(trx: Trx, actor: Actor, action: string, domain: Domain, after: object): Promise<void> {
  await record(trx, actor, {
    action,
    targetKind: 'domain',
    targetId: domain.id,
    target: domain.name,
    organizationId: domain.organization,
    projectId: domain.project,
    after,
  });
}

/** When a claim made at `now` ends unless it is proven. */
export function claimEnd(now: number): Date {
  return new Date(now + DOMAIN_CLAIM_DAYS * DAY_MS);
}
