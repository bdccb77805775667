import { Wrench } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Domain } from '#contract/domains.ts';
import { call, toApiError } from '../../api/client.ts';
import { Badge, type Tone } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { refreshDomains } from './refresh.ts';

const words: Record<Domain['records'][number]['state'], { label: string; tone: Tone }> = {
  pending: { label: 'being written', tone: 'warn' },
  present: { label: 'there', tone: 'ok' },
  drifted: { label: 'changed by somebody', tone: 'bad' },
  taken: { label: 'name is taken', tone: 'bad' },
  failed: { label: 'not written yet', tone: 'bad' },
};

/** What a connected DNS provider keeps for a domain, and what is not as it should be there. */
export function KeptRecords({ domain, dns }: { domain: Domain; dns: NonNullable<Domain['dns']> }) {
  const [busy, setBusy] = useState(false);
  async function repair() {
    setBusy(true);
    try {
      await call('domainsRepair', { params: { domain: domain.id } });
      toast.message('The records are written again.');
      await refreshDomains();
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    setBusy(false);
  }
  return (
    <div className="flex flex-col gap-2 px-4 py-3">
      <div className="flex flex-wrap items-center justify-between gap-2">
        <p className="text-sm text-soft">
          {dns.provider} keeps these records in {dns.zone}. Berth made them and takes them away again.
        </p>
        {domain.can.repair === true ? (
          <Button size="sm" icon={<Wrench />} busy={busy} onClick={() => void repair()}>
            Repair records
          </Button>
        ) : null}
      </div>
      {domain.records.length === 0 ? (
        <p className="text-faint text-sm">Nothing yet: it is written within seconds.</p>
      ) : (
        <ul className="flex flex-col divide-y divide-line rounded-md border border-line bg-sunken text-sm">
          {domain.records.map((record) => (
            <li key={`${record.name} ${record.type}`} className="flex flex-col gap-1 px-3 py-2">
              <span className="flex flex-wrap items-center gap-x-3 gap-y-1">
                <span className="mono wrap-anywhere">{record.name}</span>
                <span className="mono text-faint">{record.type}</span>
                <span className="mono wrap-anywhere min-w-0">{record.values.join(', ')}</span>
                <Badge tone={words[record.state].tone}>{words[record.state].label}</Badge>
              </span>
              {record.problem === null ? null : (
                <span className="text-faint text-xs wrap-anywhere">
                  {record.problem}
                  {record.seen === null || record.seen.length === 0 ? '' : ` It says ${record.seen.join(', ')} now.`}
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
