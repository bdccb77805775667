/** What the addresses of audit logs hold. */

export type AuditSearch = {
  q?: string | undefined;
  action?: string | undefined;
  actor?: string | undefined;
  target?: string | undefined;
  result?: 'ok' | 'refused' | 'failed' | undefined;
  /** Days, as 2026-01-31, in the reader's own time; both belong to it. */
  from?: string | undefined;
  to?: string | undefined;
  /** Id of a deleted organization: its log, among those of the installation. */
  deleted?: string | undefined;
};
export function auditSearch(search: Record<string, unknown>): AuditSearch {
  const text = (key: string) =>
    typeof search[key] === 'string' && search[key] !== '' ? search[key].slice(0, 100) : undefined;
  const day = (key: string) => (/^\d{4}-\d{2}-\d{2}$/.test(text(key) ?? '') ? text(key) : undefined);
  const result = search['result'];
  return {
    q: text('q'),
    action: text('action'),
    actor: text('actor'),
    target: text('target'),
    result: result === 'ok' || result === 'refused' || result === 'failed' ? result : undefined,
    from: day('from'),
    to: day('to'),
    deleted: /^org_[0-9a-z]{26}$/.test(text('deleted') ?? '') ? text('deleted') : undefined,
  };
}
