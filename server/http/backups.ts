/** Endpoints of backups. */
import { api } from '#contract/api.ts';
import { deleteBackup, recoverBackup, restoreBackup, verifyBackup } from '#server/app/backup-actions.ts';
import { createBackup, getBackup, listBackups, listProjectBackups } from '#server/app/backups.ts';
import type { AppContext } from '#server/app/context.ts';
import type { Http } from './server.ts';

export function registerBackups(http: Http, app: AppContext): void {
  http.register(api.backupsListProject, async ({ caller, params, query }) =>
    listProjectBackups(app, caller, params.project, query),
  );
  http.register(api.backupsList, async ({ caller, params }) => ({
    items: await listBackups(app, caller, params.instance),
  }));
  http.register(api.backupsCreate, async ({ caller, params, body, idempotencyKey }) =>
    createBackup(app, { caller, instance: params.instance, idempotencyKey }, body.note),
  );
  http.register(api.backupsGet, async ({ caller, params }) => getBackup(app, caller, params.backup));
  http.register(api.backupsRestore, async ({ caller, params, body, idempotencyKey }) =>
    restoreBackup(app, { caller, backup: params.backup, idempotencyKey }, body.confirmName),
  );
  http.register(api.backupsRecover, async ({ caller, params, body, idempotencyKey }) =>
    recoverBackup(app, { caller, backup: params.backup, idempotencyKey }, body.name),
  );
  http.register(api.backupsVerify, async ({ caller, params, idempotencyKey }) =>
    verifyBackup(app, { caller, backup: params.backup, idempotencyKey }),
  );
  http.register(api.backupsDelete, async ({ caller, params, idempotencyKey }) =>
    deleteBackup(app, { caller, backup: params.backup, idempotencyKey }),
  );
}
