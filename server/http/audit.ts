/** Endpoints of the audit logs and of project activity. */
import { Readable } from 'node:stream';
import type { FastifyReply } from 'fastify';
import { api } from '#contract/api.ts';
import {
  type AuditExport,
  type AuditStateAnswer,
  exportAudit,
  platformScope,
  readActivity,
  readAudit,
  readAuditState,
  readDeletedLogs,
  setAuditRetention,
} from '#server/app/audit.ts';
import type { AppContext } from '#server/app/context.ts';
import { iso, isoOrNull } from './present.ts';
import type { Http } from './server.ts';

function presentPage<Row extends { at: Date }>(page: { items: Row[]; nextCursor: string | null }) {
  return { items: page.items.map((row) => ({ ...row, at: iso(row.at) })), nextCursor: page.nextCursor };
}

function presentState(state: AuditStateAnswer) {
  return {
    ...state,
    verifiedAt: isoOrNull(state.verifiedAt),
    keys: state.keys.map((key) => ({ ...key, retiredAt: isoOrNull(key.retiredAt) })),
  };
}

function sendLines(reply: FastifyReply, { chain, lines }: AuditExport): void {
  const day = new Date().toISOString().slice(0, 10);
  reply
    .type('application/x-ndjson; charset=utf-8')
    .header('cache-control', 'no-store')
    .header('content-disposition', `attachment; filename="berth-audit-${chain}-${day}.jsonl"`)
    .send(Readable.from(lines));
}

export function registerAudit(http: Http, app: AppContext): void {
  http.register(api.auditList, async ({ caller, params, query }) =>
    presentPage(await readAudit(app, caller, params.organization, query)),
  );
  http.registerStream(api.auditExport, async ({ caller, params, query }, { reply }) =>
    sendLines(reply, await exportAudit(app, caller, params.organization, query)),
  );
  http.register(api.auditState, async ({ caller, params }) =>
    presentState(await readAuditState(app, caller, params.organization)),
  );
  http.register(api.auditRetention, async ({ caller, params, body }) =>
    presentState(await setAuditRetention(app, caller, params.organization, body.days)),
  );
  http.register(api.platformAuditList, async ({ caller, query }) =>
    presentPage(await readAudit(app, caller, platformScope(query.organization), query)),
  );
  http.registerStream(api.platformAuditExport, async ({ caller, query }, { reply }) =>
    sendLines(reply, await exportAudit(app, caller, platformScope(query.organization), query)),
  );
  http.register(api.platformAuditState, async ({ caller, query }) =>
    presentState(await readAuditState(app, caller, platformScope(query.organization))),
  );
  http.register(api.platformAuditDeletedList, async ({ caller, query }) => {
    const page = await readDeletedLogs(app, caller, query);
    return {
      items: page.items.map((log) => ({ ...log, deletedAt: iso(log.deletedAt), lastAt: isoOrNull(log.lastAt) })),
      nextCursor: page.nextCursor,
    };
  });
  http.register(api.platformAuditRetention, async ({ caller, body }) =>
    presentState(await setAuditRetention(app, caller, 'platform', body.days)),
  );
  http.register(api.activityList, async ({ caller, params, query }) =>
    presentPage(await readActivity(app, caller, params.project, query)),
  );
}
