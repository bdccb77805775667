/** What an organization asks of its members when they sign in. */

import { roleMay } from '#domain/authz.ts';
import type { PersonCaller } from '#domain/caller.ts';
import { BerthError } from '#domain/errors.ts';
import type { OrganizationId } from '#domain/ids.ts';
import type { Ability } from '#domain/instances.ts';
import { record } from '#server/store/audit.ts';
import { transact } from '#server/store/database.ts';
import {
  countWithoutSecondFactor,
  hasSecondFactor,
  readSignInRule,
  updateSignInRule,
} from '#server/store/organization-sign-in.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';
import { requireConfirmed } from './step-up.ts';

export type OrganizationSignIn = {
  secondFactorRequired: boolean;
  /** Null for those who may not change the rule. */
  membersWithout: number | null;
  can: { update: Ability };
};

export async function readOrganizationSignIn(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
): Promise<OrganizationSignIn> {
  const proof = await authorize(app, caller, 'organization.read', { kind: 'organization', id });
  const may = proof.role !== null && roleMay(proof.role, 'organization.update');
  const { secondFactorRequired } = await readSignInRule(app.db, proof);
  const own = await hasSecondFactor(app.db, caller.userId);
  const update: Ability = !may
    ? 'Your role does not allow this.'
    : secondFactorRequired || own
      ? true
      : 'Set up a second factor for yourself first: otherwise you would lock yourself out.';
  const membersWithout = may ? await countWithoutSecondFactor(app.db, proof) : null;
  return { secondFactorRequired, membersWithout, can: { update } };
}

/** Errors: step_up_required, conflict (the caller would be locked out). */
export async function updateOrganizationSignIn(
  app: AppContext,
  caller: PersonCaller,
  id: OrganizationId,
  input: { secondFactorRequired: boolean },
): Promise<OrganizationSignIn> {
  const proof = await authorize(app, caller, 'organization.update', { kind: 'organization', id });
  await requireConfirmed(app, caller, 'organization.signIn');
  await transact(app.db, async (trx) => {
    // The lock is on the account: its last factor cannot go between looking and writing.
    if (input.secondFactorRequired && !(await hasSecondFactor(trx, caller.userId, true))) {
      throw new BerthError(
        'conflict',
        'Set up a second factor for yourself first: otherwise you would lock yourself out.',
      );
    }
    const before = await updateSignInRule(trx, proof, input);
    await record(trx, caller, {
      action: 'organizations.sign-in.update',
      targetKind: 'organization',
      targetId: id,
      target: before.name,
      organizationId: id,
      before: { secondFactorRequired: before.secondFactorRequired },
      after: input,
    });
  });
  return readOrganizationSignIn(app, caller, id);
}
