/** Exports of the audit log in tests: asked for over the API, checked as `berth audit verify` does. */

import { fileCrypto } from '#cli/audit-file.ts';
import { api } from '#contract/api.ts';
import type { AuditContent } from '#domain/audit.ts';
import { type AuditReport, AuditVerifier } from '#domain/audit-verify.ts';
import { newId } from './factories.ts';
import type { TestClient } from './server.ts';

export async function exportAuditText(
  client: TestClient,
  organization: string | null,
  query: { since?: string; until?: string } = {},
): Promise<string> {
  const response =
    organization === null
      ? await client.try(api.platformAuditExport, { query })
      : await client.try(api.auditExport, { params: { organization }, query });
  if (response.statusCode !== 200) throw new Error(`the export was refused: ${response.body}`);
  return response.body;
}

/** Errors: AuditProblem. */
export function verifyAuditText(text: string, options?: ConstructorParameters<typeof AuditVerifier>[1]): AuditReport {
  const verifier = new AuditVerifier(fileCrypto, options);
  const lines = text.split('\n');
  const rest = lines.pop() ?? '';
  for (const line of lines) verifier.push(line);
  return verifier.end(rest);
}

/** An entry as it was written `days` ago. */
export function agedContent(organization: string, days: number, target: string): AuditContent {
  return {
    id: newId('aud'),
    at: new Date(Date.now() - days * 86_400_000).toISOString(),
    actorKind: 'system',
    actorId: null,
    actor: 'a test',
    action: 'test.old',
    targetKind: 'test',
    targetId: null,
    target,
    result: 'ok',
    organization,
    project: null,
    address: null,
    userAgent: null,
    requestId: null,
    before: null,
    after: null,
  };
}
