/** Address sets of projects. Who changes one changes every rule that uses it: their versions go up with it. */
import { sql } from 'kysely';
import type { OrganizationId, ProjectId } from '#domain/ids.ts';
import type { ProjectProof } from './authorized.ts';
import { type Db, json, type Trx } from './database.ts';
import { emit } from './outbox.ts';

export type AddressSetRecord = {
  project: ProjectId;
  name: string;
  description: string;
  ranges: string[];
  usedBy: { securityGroups: string[]; egress: boolean };
  createdAt: Date;
};
type ReadProof = ProjectProof<
  'security-group.read' | 'security-group.create' | 'security-group.update' | 'egress.update'
>;

const uses = (rules: string, name: string) =>
  sql<boolean>`jsonb_path_exists(${sql.ref(rules)}, '$[*].sets[*] ? (@ == $name)', jsonb_build_object('name', ${sql.ref(name)}))`;

const selected = (db: Db) =>
  db
    .selectFrom('address_set as s')
    .selectAll('s')
    .select((eb) => [
      sql<
        string[]
      >`array(select g.name from security_group g where g.project_id = s.project_id and ${uses('g.rules', 's.name')}
        order by g.name)`.as('groups'),
      eb
        .exists(
          eb
            .selectFrom('egress_policy as e')
            .select('e.project_id')
            .whereRef('e.project_id', '=', 's.project_id')
            .where(uses('e.rules', 's.name')),
        )
        .as('egress'),
    ]);
type Row = Awaited<ReturnType<ReturnType<typeof selected>['execute']>>[number];

function fromRow(row: Row): AddressSetRecord {
  return {
    project: row.project_id,
    name: row.name,
    description: row.description,
    ranges: row.ranges,
    usedBy: { securityGroups: row.groups, egress: Boolean(row.egress) },
    createdAt: row.created_at,
  };
}

/** By name; there are at most ADDRESS_SETS_PER_PROJECT_MAX. */
export async function addressSetsOf(db: Db, proof: ReadProof): Promise<AddressSetRecord[]> {
  return (await selected(db).where('s.project_id', '=', proof.id).orderBy('s.name').execute()).map(fromRow);
}

/** Until the transaction ends: `use` keeps these from being deleted, `delete` keeps them out of rules. */
export async function lockAddressSets(
  tx: Trx,
  project: ProjectId,
  names: readonly string[],
  purpose: 'use' | 'delete',
): Promise<void> {
  const rows = tx
    .selectFrom('address_set')
    .select('name')
    .where('project_id', '=', project)
    .where('name', 'in', names)
    .orderBy('name');
  await (purpose === 'use' ? rows.forKeyShare() : rows.forUpdate()).execute();
}

/** Every set there is: for the host. */
export async function allAddressSets(db: Db): Promise<Pick<AddressSetRecord, 'project' | 'name' | 'ranges'>[]> {
  const rows = await db.selectFrom('address_set').select(['project_id', 'name', 'ranges']).execute();
  return rows.map((row) => ({ project: row.project_id, name: row.name, ranges: row.ranges }));
}

export async function putAddressSet(
  tx: Trx,
  proof: ProjectProof<'security-group.update'>,
  { name, description, ranges }: Pick<AddressSetRecord, 'name' | 'description' | 'ranges'>,
  now: number,
): Promise<void> {
  const values = { description, ranges: json(ranges) };
  await tx
    .insertInto('address_set')
    .values({ project_id: proof.id, organization_id: proof.organization, name, ...values, created_at: new Date(now) })
    .onConflict((conflict) => conflict.columns(['project_id', 'name']).doUpdateSet(values))
    .execute();
  await tx
    .updateTable('security_group')
    .set((eb) => ({ version: eb('version', '+', 1) }))
    .where('project_id', '=', proof.id)
    .where(
      sql<boolean>`jsonb_path_exists(rules, '$[*].sets[*] ? (@ == $name)', jsonb_build_object('name', ${name}::text))`,
    )
    .execute();
  await tx
    .updateTable('egress_policy')
    .set((eb) => ({ version: eb('version', '+', 1) }))
    .where('project_id', '=', proof.id)
    .where(
      sql<boolean>`jsonb_path_exists(rules, '$[*].sets[*] ? (@ == $name)', jsonb_build_object('name', ${name}::text))`,
    )
    .execute();
  await hints(tx, { project: proof.id, organization: proof.organization });
}

export async function deleteAddressSet(
  tx: Trx,
  proof: ProjectProof<'security-group.update'>,
  name: string,
): Promise<void> {
  await tx.deleteFrom('address_set').where('project_id', '=', proof.id).where('name', '=', name).execute();
  await hints(tx, { project: proof.id, organization: proof.organization });
}

/** What uses sets is shown anew as well. */
async function hints(
  tx: Trx,
  { project, organization }: { project: ProjectId; organization: OrganizationId },
): Promise<void> {
  for (const kind of ['security-group', 'egress'] as const) {
    await emit(tx, { kind, ref: project, organizationId: organization, projectId: project, version: 0 });
  }
}
