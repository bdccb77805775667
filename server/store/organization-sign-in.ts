/** An organization's rule about second factors. */
import type { UserId } from '#domain/ids.ts';
import type { OrganizationProof } from './authorized.ts';
import type { Db, Trx } from './database.ts';
import { emit } from './outbox.ts';

export async function readSignInRule(
  db: Db,
  proof: OrganizationProof<'organization.read'>,
): Promise<{ secondFactorRequired: boolean }> {
  const row = await db
    .selectFrom('organization')
    .select('second_factor_required')
    .where('id', '=', proof.id)
    .executeTakeFirstOrThrow();
  return { secondFactorRequired: row.second_factor_required };
}

export async function countWithoutSecondFactor(db: Db, proof: OrganizationProof<'organization.read'>): Promise<number> {
  const row = await db
    .selectFrom('membership as m')
    .innerJoin('app_user as u', 'u.id', 'm.user_id')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('m.organization_id', '=', proof.id)
    .where('u.second_factor', '=', false)
    .where('u.service_of', 'is', null)
    .executeTakeFirstOrThrow();
  return row.count;
}

/** `lock`: nobody changes the account's factors until the end of the transaction. */
export async function hasSecondFactor(db: Db, userId: UserId, lock = false): Promise<boolean> {
  const row = await db
    .selectFrom('app_user')
    .select('second_factor')
    .where('id', '=', userId)
    .$if(lock, (query) => query.forUpdate())
    .executeTakeFirst();
  return row?.second_factor ?? false;
}

/** How many people's consoles hear of a new rule at once; the others notice with their next call. */
const PEOPLE_TOLD_MAX = 1_000;

/** Answers the rule as it was. */
export async function updateSignInRule(
  trx: Trx,
  proof: OrganizationProof<'organization.update'>,
  rule: { secondFactorRequired: boolean },
): Promise<{ name: string; secondFactorRequired: boolean }> {
  const before = await trx
    .selectFrom('organization')
    .select(['name', 'second_factor_required'])
    .where('id', '=', proof.id)
    .forUpdate()
    .executeTakeFirstOrThrow();
  await trx
    .updateTable('organization')
    .set({ second_factor_required: rule.secondFactorRequired })
    .where('id', '=', proof.id)
    .execute();
  // Those it concerns hear it themselves: they get no more hints of an organization that is shut to them.
  const concerned = await trx
    .selectFrom('membership as m')
    .innerJoin('app_user as u', 'u.id', 'm.user_id')
    .select('u.id')
    .where('m.organization_id', '=', proof.id)
    .where('u.second_factor', '=', false)
    .where('u.service_of', 'is', null)
    .orderBy('u.id')
    .limit(PEOPLE_TOLD_MAX)
    .execute();
  await emit(trx, ...concerned.map(({ id }) => ({ kind: 'session' as const, ref: id })));
  // Consoles ask again who they are; edge reads the organization's memberships anew.
  await emit(trx, { kind: 'member', ref: proof.person.userId, organizationId: proof.id });
  return { name: before.name, secondFactorRequired: before.second_factor_required };
}
