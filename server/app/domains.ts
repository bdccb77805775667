/** Domains of tenants' own: claimed by a project, proven by DNS, then good for routes. */
import type { Domain } from '#contract/domains.ts';
import type { Role } from '#domain/authz.ts';
import type { Caller } from '#domain/caller.ts';
import { challengeName, challengeValue, DOMAINS_PER_PROJECT_MAX, domainNameProblem } from '#domain/domains.ts';
import { BerthError, notFound } from '#domain/errors.ts';
import type { DomainId, OrganizationId, ProjectId } from '#domain/ids.ts';
import { record } from '#server/store/audit.ts';
import { type Db, transact } from '#server/store/database.ts';
import { providersFor } from '#server/store/dns-providers.ts';
import { type DnsRecord, recordsOfDomains, repairRecords } from '#server/store/dns-records.ts';
import * as store from '#server/store/domains.ts';
import { setWildcard, type Wildcard, wildcardsOf } from '#server/store/wildcards.ts';
import { providerFor } from '#server/workflows/dns-records.ts';
import { claimEnd, checkDomain as look } from '#server/workflows/domain-check.ts';
import { roleAbility } from './abilities.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

const TOKEN_BYTES = 20;

const isoOrNull = (date: Date | null) => date?.toISOString() ?? null;

/** What DNS providers keep for domains of one organization. */
type Kept = { zones: Awaited<ReturnType<typeof providersFor>>; records: DnsRecord[]; wildcards: Wildcard[] };

async function keptFor(db: Db, organization: OrganizationId, domains: readonly store.Domain[]): Promise<Kept> {
  const zones = await providersFor(db, organization);
  const ids = domains.map(({ id }) => id);
  const wanted = domains.filter(({ wildcard }) => wildcard).map(({ id }) => id);
  const records = zones.length === 0 ? [] : await recordsOfDomains(db, ids);
  return { zones, records, wildcards: await wildcardsOf(db, wanted) };
}

export function presentWildcard(wildcard: Wildcard | undefined): Domain['wildcard'] {
  if (wildcard === undefined) return null;
  const { issuer, expiresAt, problem } = wildcard;
  const state = problem !== null ? 'failing' : expiresAt === null ? 'waiting' : 'valid';
  return { state, issuer, expiresAt: isoOrNull(expiresAt), problem };
}

/** Whether a wildcard certificate can be made for a name whose zone is at `place`. */
export function wildcardAbility({ acme }: AppContext['config'], place: object | undefined): true | string {
  if (acme === undefined) {
    return 'This installation makes its certificates itself. Bring it up with --acme-directory.';
  }
  return place === undefined ? 'Connect a DNS provider that keeps the domain.' : true;
}

function present(app: Pick<AppContext, 'config'>, domain: store.Domain, role: Role | null, kept: Kept): Domain {
  const place = providerFor(domain.name, domain.organization, kept.zones);
  const records = kept.records.filter((record) => record.domain === domain.id);
  const update = roleAbility(role, 'domain.update');
  const isWell = records.every((record) => record.state === 'present' || record.state === 'pending');
  const remove = roleAbility(role, 'domain.delete');
  return {
    id: domain.id,
    project: domain.project,
    name: domain.name,
    state: domain.state,
    proof: domain.proof,
    reason: domain.reason,
    pointsHere: domain.pointsHere,
    challenge: { name: challengeName(domain.name), value: challengeValue(domain.token) },
    target: app.config.domain,
    routes: domain.routes,
    dns:
      place === undefined
        ? null
        : { zone: place.zone, provider: kept.zones.find((each) => each.id === place.provider)?.title ?? '' },
    wildcard: presentWildcard(kept.wildcards.find((each) => each.id === domain.id)),
    records: records.map(({ name, type, wanted, state, seen, problem, owned }) => ({
      name,
      type,
      values: wanted,
      state,
      seen,
      problem,
      mine: owned,
    })),
    createdAt: domain.createdAt.toISOString(),
    createdBy: domain.createdBy,
    verifiedAt: isoOrNull(domain.verifiedAt),
    checkedAt: isoOrNull(domain.checkedAt),
    failingSince: isoOrNull(domain.failingSince),
    expiresAt: isoOrNull(domain.expiresAt),
    can: {
      check: update,
      wildcard:
        update !== true || domain.wildcard
          ? update
          : wildcardAbility(app.config, place) === true && domain.state !== 'verified'
            ? 'It is not proven yet.'
            : wildcardAbility(app.config, place),
      repair: update === true && isWell ? 'Its records are as they should be.' : update,
      delete: remove === true && domain.routes > 0 ? 'Routes use it. Remove them first.' : remove,
    },
  };
}

export async function listDomains(app: AppContext, caller: Caller, project: ProjectId): Promise<Domain[]> {
  const proof = await authorize(app, caller, 'domain.read', { kind: 'project', id: project });
  const domains = await store.domainsOfProject(app.db, proof);
  const kept = await keptFor(app.db, proof.organization, domains);
  return domains.map((domain) => present(app, domain, proof.role, kept));
}

/** Errors: invalid_input (no name for a domain), name_taken (claimed by this project already), quota_exceeded. */
export async function createDomain(
  app: AppContext,
  caller: Caller,
  project: ProjectId,
  input: { name: string },
): Promise<Domain> {
  const domain = await transact(app.db, async (trx) => {
    const proof = await authorize({ db: trx }, caller, 'domain.create', { kind: 'project', id: project });
    const problem = domainNameProblem(input.name, app.config.domain);
    if (problem !== null) {
      throw new BerthError('invalid_input', problem, { fields: [{ field: 'name', message: problem }] });
    }
    if ((await store.lockDomains(trx, proof)) >= DOMAINS_PER_PROJECT_MAX) {
      throw new BerthError('quota_exceeded', `A project has at most ${DOMAINS_PER_PROJECT_MAX} domains.`);
    }
    const now = app.clock.now();
    const made = await store.insertDomain(
      trx,
      proof,
      {
        id: app.ids.make('dom'),
        name: input.name,
        token: Buffer.from(app.ids.random(TOKEN_BYTES)).toString('hex'),
        createdBy: proof.person.userId,
        expiresAt: claimEnd(now.getTime()),
      },
      now,
    );
    if (made === null) {
      throw new BerthError('name_taken', `This project has ${input.name} already.`, {
        fields: [{ field: 'name', message: 'It is in the list already.' }],
      });
    }
    await record(trx, proof.actor, {
      action: 'domain.create',
      targetKind: 'domain',
      targetId: made.id,
      target: made.name,
      organizationId: made.organization,
      projectId: made.project,
      after: input,
    });
    return { made, role: proof.role };
  });
  app.services.nudge('dns-keeper');
  app.services.nudge('domain-keeper');
  return shown(app, domain.made, domain.role);
}

/** Looks at DNS now and answers what it found. Errors: not_found. */
export async function checkDomain(app: AppContext, caller: Caller, id: DomainId): Promise<Domain> {
  const proof = await authorize(app, caller, 'domain.update', { kind: 'domain', id });
  const checker = { db: app.db, dns: app.dns, platform: app.config.domain, now: app.services.now };
  const domain = await look(checker, proof.id, proof.actor);
  if (domain === null) throw notFound('domain');
  await transact(app.db, (trx) =>
    record(trx, proof.actor, {
      action: 'domain.check',
      targetKind: 'domain',
      targetId: domain.id,
      target: domain.name,
      organizationId: domain.organization,
      projectId: domain.project,
      after: { state: domain.state, reason: domain.reason },
    }),
  );
  return shown(app, domain, proof.role);
}

async function shown(app: AppContext, domain: store.Domain, role: Role | null): Promise<Domain> {
  return present(app, domain, role, await keptFor(app.db, domain.organization, [domain]));
}

/** Errors: not_found, state_conflict (no provider, no authority, not proven). */
export async function updateDomain(
  app: AppContext,
  caller: Caller,
  id: DomainId,
  change: { wildcard: boolean },
): Promise<Domain> {
  const proof = await authorize(app, caller, 'domain.update', { kind: 'domain', id });
  const before = await store.findDomain(app.db, proof.id);
  if (before === null) throw notFound('domain');
  const able = (await shown(app, before, proof.role)).can.wildcard;
  if (change.wildcard && able !== true) throw new BerthError('state_conflict', able);
  const domain = await transact(app.db, async (trx) => {
    const found = await store.lockDomain(trx, proof.id);
    if (found === null) throw notFound('domain');
    await setWildcard(trx, found.id, change.wildcard, app.clock.now());
    await record(trx, proof.actor, {
      action: 'domain.update',
      targetKind: 'domain',
      targetId: found.id,
      target: found.name,
      organizationId: found.organization,
      projectId: found.project,
      before: { wildcard: found.wildcard },
      after: change,
    });
    return { ...found, wildcard: change.wildcard };
  });
  app.services.nudge('wildcard-keeper');
  return shown(app, domain, proof.role);
}

/** Records that somebody changed or removed are written again soon. Errors: not_found. */
export async function repairDomain(app: AppContext, caller: Caller, id: DomainId): Promise<Domain> {
  const { domain, role } = await transact(app.db, async (trx) => {
    const proof = await authorize({ db: trx }, caller, 'domain.update', { kind: 'domain', id });
    const found = await store.lockDomain(trx, proof.id);
    if (found === null) throw notFound('domain');
    const records = await repairRecords(trx, found.id, app.clock.now());
    await record(trx, proof.actor, {
      action: 'domain.repair',
      targetKind: 'domain',
      targetId: found.id,
      target: found.name,
      organizationId: found.organization,
      projectId: found.project,
      after: { records },
    });
    return { domain: found, role: proof.role };
  });
  app.services.nudge('dns-keeper');
  return shown(app, domain, role);
}

/** Errors: state_conflict while routes use it. */
export async function deleteDomain(app: AppContext, caller: Caller, id: DomainId): Promise<void> {
  await transact(app.db, async (trx) => {
    const proof = await authorize({ db: trx }, caller, 'domain.delete', { kind: 'domain', id });
    const domain = await store.lockDomain(trx, proof.id);
    if (domain === null) throw notFound('domain');
    if (!(await store.deleteDomain(trx, domain))) {
      throw new BerthError('state_conflict', 'Routes use it. Remove them first.');
    }
    await record(trx, proof.actor, {
      action: 'domain.delete',
      targetKind: 'domain',
      targetId: domain.id,
      target: domain.name,
      organizationId: domain.organization,
      projectId: domain.project,
      before: { state: domain.state },
    });
  });
  app.services.nudge('dns-keeper');
}
