/** Reading the audit log and the activity of a project. */
import type { PersonCaller } from '#domain/caller.ts';
import type { OrganizationId, ProjectId } from '#domain/ids.ts';
import { type ActivityRow, type AuditFilter, type AuditRow, listActivity, listAudit } from '#server/store/audit.ts';
import { authorize } from './authorize.ts';
import type { AppContext } from './context.ts';

export async function readAudit(
  app: AppContext,
  caller: PersonCaller,
  organization: OrganizationId,
  filter: AuditFilter,
): Promise<{ items: AuditRow[]; nextCursor: string | null }> {
  const proof = await authorize(app, caller, 'audit.read', { kind: 'organization', id: organization });
  return listAudit(app.db, proof, filter, caller.platformAdmin);
}

export async function readActivity(
  app: AppContext,
  caller: PersonCaller,
  project: ProjectId,
  filter: { cursor?: string | undefined; limit: number; instance?: string | undefined },
): Promise<{ items: ActivityRow[]; nextCursor: string | null }> {
  const proof = await authorize(app, caller, 'project.read', { kind: 'project', id: project });
  return listActivity(app.db, proof, filter);
}
