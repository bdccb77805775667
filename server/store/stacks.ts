/** Commands on stacks as operations: what runs now in a server, and the last command of each stack. */
import type { OperationKind } from '#domain/operations.ts';
import type { InstanceProof } from './authorized.ts';
import type { Db } from './database.ts';
import { type OperationRecord, rowToOperation } from './operation-rows.ts';

export const dockerKinds = [
  'stack.up',
  'stack.down',
  'stack.restart',
  'stack.pull',
  'docker.clean',
] as const satisfies readonly OperationKind[];

/** Commands looked back for the last one of each stack. */
const LOOKED_BACK_MAX = 200;

/** Newest first. */
export async function dockerOperations(db: Db, proof: InstanceProof): Promise<OperationRecord[]> {
  const rows = await db
    .selectFrom('operation')
    .selectAll()
    .where('instance_id', '=', proof.id)
    .where('kind', 'in', dockerKinds)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(LOOKED_BACK_MAX)
    .execute();
  return rows.map(rowToOperation);
}
