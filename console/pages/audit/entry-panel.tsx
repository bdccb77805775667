import type { AuditEntry } from '#contract/audit.ts';
import { describeUserAgent } from '#domain/sessions.ts';
import { formatMoment, humanize } from '../../lib/format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Copyable } from '../../ui/copy-button.tsx';
import { cx } from '../../ui/cx.ts';
import { SidePanel } from '../../ui/dialog.tsx';
import { Properties } from '../../ui/properties.tsx';
import { changesOf } from './changes.ts';

export const results = { ok: ['ok', 'Done'], refused: ['warn', 'Refused'], failed: ['bad', 'Failed'] } as const;
export const actorKinds = {
  user: 'person',
  token: 'API token',
  workflow: 'workflow',
  system: 'Berth',
  anonymous: 'nobody known',
} as const;

/** Everything about one entry, with what it changed. */
export function EntryPanel({ entry, onClose }: { entry: AuditEntry | null; onClose: () => void }) {
  return (
    <SidePanel
      open={entry !== null}
      onClose={onClose}
      title={entry === null ? '' : humanize(entry.action)}
      description={entry?.target}
    >
      {entry === null ? null : (
        <div className="flex flex-col gap-4">
          <Properties
            className="-mx-4"
            items={[
              ['Number', entry.position === null ? 'older than the chain' : String(entry.position)],
              ['Entry', <Copyable key="i" text={entry.id} />],
              [
                'When',
                <time key="w" dateTime={entry.at}>
                  {formatMoment(Date.parse(entry.at))}
                </time>,
              ],
              ['Who', `${entry.actor} (${actorKinds[entry.actorKind]})`],
              [
                'Action',
                <span key="a" className="mono">
                  {entry.action}
                </span>,
              ],
              [
                'Target',
                entry.targetId === null ? (
                  entry.target
                ) : (
                  <span key="t" className="min-w-0">
                    <span className="block">{entry.target}</span>
                    <Copyable text={entry.targetId} className="text-xs" />
                  </span>
                ),
              ],
              [
                'Result',
                <Badge key="r" tone={results[entry.result][0]}>
                  {results[entry.result][1]}
                </Badge>,
              ],
              ['From', entry.address],
              [
                'With',
                entry.userAgent === null ? null : (
                  <span key="u" title={entry.userAgent}>
                    {describeUserAgent(entry.userAgent)}
                  </span>
                ),
              ],
              ['Request', entry.requestId === null ? null : <Copyable key="q" text={entry.requestId} />],
            ]}
          />
          <Changes before={entry.before} after={entry.after} />
        </div>
      )}
    </SidePanel>
  );
}

function Changes({ before, after }: { before: unknown; after: unknown }) {
  const rows = changesOf(before, after);
  if (rows.length === 0) return null;
  const cell = 'px-2 py-1.5 align-top wrap-anywhere';
  return (
    <table className="mono w-full table-fixed border-collapse rounded-md border border-line text-xs">
      <caption className="mb-1 text-left font-sans text-faint">What changed</caption>
      <thead>
        <tr className="border-line border-b text-left text-faint">
          <th className={cx(cell, 'font-normal')}>Field</th>
          <th className={cx(cell, 'font-normal')}>Before</th>
          <th className={cx(cell, 'font-normal')}>After</th>
        </tr>
      </thead>
      <tbody className="divide-y divide-line">
        {rows.map((row) => (
          <tr key={row.path} className={row.changed ? undefined : 'text-faint'}>
            <th scope="row" className={cx(cell, 'text-left font-normal')}>
              {row.path}
            </th>
            <td className={cx(cell, row.changed && row.before !== null && 'bg-bad-soft')}>{row.before}</td>
            <td className={cx(cell, row.changed && row.after !== null && 'bg-ok-soft')}>{row.after}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
