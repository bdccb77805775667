/** What projects may reach: one row for each project that has a policy of its own. */
import type { OrganizationId, ProjectId } from '#domain/ids.ts';
import type { NetworkRule, RuleAction } from '#domain/network-rules.ts';
import type { ProjectProof } from './authorized.ts';
import { type Db, json, type Trx } from './database.ts';
import { emit } from './outbox.ts';

export type EgressPolicy = {
  default: RuleAction;
  rules: NetworkRule[];
  connectionsMax: number | null;
  bytesPerSecondMax: number | null;
};
export type EgressRecord = EgressPolicy & {
  project: ProjectId;
  organization: OrganizationId;
  version: number;
  applied: boolean;
};

const openPolicy: EgressPolicy = { default: 'allow', rules: [], connectionsMax: null, bytesPerSecondMax: null };

const selected = (db: Db) => db.selectFrom('egress_policy').selectAll();
type Row = Awaited<ReturnType<ReturnType<typeof selected>['execute']>>[number];

function rowToPolicy(row: Row): EgressRecord {
  return {
    project: row.project_id,
    organization: row.organization_id,
    default: row.default_action,
    rules: row.rules,
    connectionsMax: row.connections_max,
    bytesPerSecondMax: row.bytes_per_second_max === null ? null : Number(row.bytes_per_second_max),
    version: Number(row.version),
    applied: Number(row.applied_version) === Number(row.version),
  };
}

/** A project without a row may reach everything that Berth allows at all. */
export async function getEgress(db: Db, proof: ProjectProof<'egress.read' | 'egress.update'>): Promise<EgressRecord> {
  const row = await selected(db).where('project_id', '=', proof.id).executeTakeFirst();
  if (row !== undefined) return rowToPolicy(row);
  return { ...openPolicy, project: proof.id, organization: proof.organization, version: 0, applied: true };
}

export async function allEgress(db: Db): Promise<EgressRecord[]> {
  return (await selected(db).orderBy('project_id').execute()).map(rowToPolicy);
}

export async function putEgress(tx: Trx, proof: ProjectProof<'egress.update'>, policy: EgressPolicy): Promise<void> {
  const values = {
    default_action: policy.default,
    rules: json(policy.rules),
    connections_max: policy.connectionsMax,
    bytes_per_second_max: policy.bytesPerSecondMax,
  };
  const { version } = await tx
    .insertInto('egress_policy')
    .values({ project_id: proof.id, organization_id: proof.organization, ...values })
    .onConflict((conflict) =>
      conflict.column('project_id').doUpdateSet((eb) => ({ ...values, version: eb('egress_policy.version', '+', 1) })),
    )
    .returning('version')
    .executeTakeFirstOrThrow();
  await egressHint(tx, { project: proof.id, organization: proof.organization }, Number(version));
}

/** The host has this policy. */
export async function recordEgressApplied(tx: Trx, policy: EgressRecord): Promise<void> {
  await tx
    .updateTable('egress_policy')
    .set({ applied_version: policy.version })
    .where('project_id', '=', policy.project)
    .where('version', '=', policy.version)
    .execute();
  await egressHint(tx, policy, policy.version);
}

async function egressHint(
  tx: Trx,
  { project, organization }: Pick<EgressRecord, 'project' | 'organization'>,
  version: number,
): Promise<void> {
  await emit(tx, { kind: 'egress', ref: project, organizationId: organization, projectId: project, version });
}
