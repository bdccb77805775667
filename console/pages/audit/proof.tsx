import { useQuery } from '@tanstack/react-query';
import { ChevronRight, ShieldAlert, ShieldCheck } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { AuditState } from '#contract/audit.ts';
import { AUDIT_RETENTION_DAYS_MIN } from '#domain/audit.ts';
import { call, download, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { Button } from '../../ui/button.tsx';
import { Copyable } from '../../ui/copy-button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Properties } from '../../ui/properties.tsx';
import { Select } from '../../ui/select.tsx';
import { TimeAgo } from '../../ui/time.tsx';

/** An organization's log, that of the installation (null), or that of a deleted organization. */
export type LogScope = string | null | { deleted: string };

const stateQuery = (scope: LogScope) =>
  typeof scope === 'string'
    ? apiQuery('auditState', { params: { organization: scope } })
    : apiQuery('platformAuditState', { query: platformQuery(scope) });

/** What names the log in calls for the installation's. */
export function platformQuery(scope: Exclude<LogScope, string>): { organization?: string } {
  return scope === null ? {} : { organization: scope.deleted };
}

const FOREVER = 'forever';
const choices = [AUDIT_RETENTION_DAYS_MIN, 90, 180, 365, 730, 3650];
const say = (days: number | null) =>
  days === null ? 'For ever' : days % 365 === 0 ? (days === 365 ? '1 year' : `${days / 365} years`) : `${days} days`;

/** How far the log is proven, and how long it is kept: one line, and everything behind it. */
export function ProofCard({ scope }: { scope: LogScope }) {
  const query = useQuery<AuditState>(stateQuery(scope) as never);
  return (
    <QueryView query={query} rows={1}>
      {(state) => (
        <>
          {state.problem === null ? null : (
            <Notice tone="bad" className="mb-3" title={`This log was tampered with at entry ${state.problem.position}`}>
              {state.problem.message} Nothing is signed from there on. Export it, and compare it with an export or a
              signed head from before.
            </Notice>
          )}
          <details className="card group mb-4 overflow-hidden">
            <summary className="flex min-h-11 cursor-pointer list-none items-center gap-2.5 px-4 py-2 text-sm hover:bg-hover [&::-webkit-details-marker]:hidden">
              {state.problem === null ? (
                <ShieldCheck className="size-4 shrink-0 text-ok" aria-hidden="true" />
              ) : (
                <ShieldAlert className="size-4 shrink-0 text-bad" aria-hidden="true" />
              )}
              <span className="min-w-0 flex-1">
                <Summary state={state} />
              </span>
              <ChevronRight
                className="size-4 shrink-0 text-faint transition-transform group-open:rotate-90"
                aria-hidden="true"
              />
            </summary>
            <Properties
              className="border-line border-t"
              items={[
                ['Entries', state.entries === 0 ? 'none yet' : `${state.first} to ${state.entries}`],
                [
                  'Signed',
                  state.head === null ? (
                    'not yet: within a minute of the first entry'
                  ) : (
                    <span key="s">
                      up to entry {state.head.position}, <TimeAgo at={state.head.at} />
                    </span>
                  ),
                ],
                [
                  'Verified',
                  state.verifiedAt === null ? (
                    'not yet'
                  ) : (
                    <span key="v">
                      up to entry {state.verifiedTo}, <TimeAgo at={state.verifiedAt} />
                    </span>
                  ),
                ],
                ['Kept', <Retention key={String(state.retentionDays)} scope={scope} state={state} />],
                [
                  'Key',
                  state.keys.length === 0 ? (
                    'made with the first signature'
                  ) : (
                    <span key="k" className="min-w-0">
                      {state.keys.map((key) => (
                        <span key={key.kid} className="block">
                          <Copyable text={key.kid} className="mono text-xs" />
                          {key.retiredAt === null ? null : (
                            <span className="text-faint text-xs">
                              {' '}
                              until <TimeAgo at={key.retiredAt} />
                            </span>
                          )}
                        </span>
                      ))}
                    </span>
                  ),
                ],
              ]}
            />
          </details>
        </>
      )}
    </QueryView>
  );
}

function Summary({ state }: { state: AuditState }) {
  const kept = state.retentionDays === null ? 'kept for ever' : `kept for ${say(state.retentionDays)}`;
  if (state.problem !== null) return `In order up to entry ${state.verifiedTo}; ${kept}`;
  if (state.head === null) return `Not signed yet; ${kept}`;
  return (
    <>
      Signed and verified up to entry {Math.min(state.head.position, state.verifiedTo)} of {state.entries},{' '}
      <TimeAgo at={state.head.at} />; {kept}
    </>
  );
}

function Retention({ scope, state }: { scope: LogScope; state: AuditState }) {
  const [asking, setAsking] = useState<number | null>(null);
  const [busy, setBusy] = useState(false);
  if (state.can.setRetention !== true) return <span title={state.can.setRetention}>{say(state.retentionDays)}</span>;
  async function save(days: number | null) {
    const after =
      typeof scope === 'string'
        ? await call('auditRetention', { params: { organization: scope }, body: { days } })
        : await call('platformAuditRetention', { body: { days } });
    queryClient.setQueryData(stateQuery(scope).queryKey as never, after as never);
    toast.success(days === null ? 'Entries are kept for ever' : `Entries are kept for ${say(days)}`);
  }
  /** Nothing is lost by keeping entries longer: no question before. */
  async function lengthen(days: number | null) {
    setBusy(true);
    await save(days).catch((thrown: unknown) => toast.error(toApiError(thrown).message));
    setBusy(false);
  }
  const value = state.retentionDays === null ? FOREVER : String(state.retentionDays);
  const days = [...new Set([...choices, ...(state.retentionDays === null ? [] : [state.retentionDays])])].sort(
    (a, b) => a - b,
  );
  return (
    <>
      <Select
        label="How long entries are kept"
        className="max-w-44"
        value={value}
        options={[
          ...days.map((each) => ({ value: String(each), label: say(each) })),
          { value: FOREVER, label: say(null) },
        ]}
        onChange={(chosen) => {
          const wanted = chosen === FOREVER ? null : Number(chosen);
          if (wanted === state.retentionDays || busy) return;
          const shorter = wanted !== null && (state.retentionDays === null || wanted < state.retentionDays);
          if (shorter) setAsking(wanted);
          else void lengthen(wanted);
        }}
      />
      {asking === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setAsking(null)}
          onConfirm={() => save(asking)}
          title={`Keep entries for ${say(asking)} only?`}
          body={
            <>
              Entries older than that are <strong>removed for good</strong> within minutes, and every older one from now
              on. A signed note stays in their place, so that the rest still verifies. Export the log first if you may
              need them.
            </>
          }
          confirmLabel="Remove older entries"
        />
      )}
    </>
  );
}

/** Saves the log (between two times) as a file that proves itself. */
export function ExportButton({
  scope,
  since,
  until,
}: {
  scope: LogScope;
  since?: string | undefined;
  until?: string | undefined;
}) {
  const [busy, setBusy] = useState(false);
  async function save() {
    setBusy(true);
    try {
      const query = { since, until };
      const file =
        typeof scope === 'string'
          ? await download('auditExport', { params: { organization: scope }, query })
          : await download('platformAuditExport', { query: { ...query, ...platformQuery(scope) } });
      const link = document.createElement('a');
      link.href = URL.createObjectURL(file.blob);
      link.download = file.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      toast.success('Exported', { description: `Check it anywhere with: berth audit verify ${file.name}` });
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    setBusy(false);
  }
  return (
    <Button busy={busy} onClick={() => void save()}>
      Export
    </Button>
  );
}
