import { useQuery } from '@tanstack/react-query';
import { RotateCw } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { OutputOf } from '../../api/client.ts';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { timeColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import type { Tone } from '../../ui/badge.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Switch } from '../../ui/switch.tsx';
import { TimeAgo } from '../../ui/time.tsx';

type Keys = OutputOf<'keysList'>;
type Signing = Keys['signing'][number];
type Sealing = Keys['sealing'][number];
type Audit = Keys['audit'][number];

const purposes: Record<Signing['purpose'], string> = {
  access: 'Access tokens of the API',
  identity: 'Sign-in to apps',
};
const signingStates: Record<Signing['state'], { tone: Tone; word: string }> = {
  waiting: { tone: 'busy', word: 'published, not used yet' },
  signing: { tone: 'ok', word: 'signs' },
  verifying: { tone: 'idle', word: 'only checks' },
};
const sealingStates: Record<Sealing['state'], { tone: Tone; word: string }> = {
  next: { tone: 'busy', word: 'next' },
  current: { tone: 'ok', word: 'seals' },
  old: { tone: 'idle', word: 'old, only opens' },
};

/** Keys that sign tokens and keys that seal secrets; neither is ever shown, only that it is there. */
export function KeysPage() {
  const query = useQuery(apiQuery('keysList', {}));
  const [asking, setAsking] = useState<'keys' | 'audit' | null>(null);
  return (
    <>
      <PageHeader
        title="Keys"
        description="What signs tokens and what seals the secrets in the database. The keys themselves are never shown."
        actions={
          <Button tone="primary" icon={<RotateCw />} onClick={() => setAsking('keys')}>
            Rotate…
          </Button>
        }
      />
      <QueryView query={query}>
        {({ signing, sealing, audit }) => (
          <div className="flex flex-col gap-6">
            <section aria-labelledby="signing">
              <h2 id="signing" className="mb-2 text-sm">
                Signing keys
              </h2>
              <DataTable<Signing>
                label="Signing keys"
                rows={signing}
                rowId={(row) => row.id}
                rowName={(row) => row.id}
                empty={<p className="px-4 py-6 text-center text-soft text-sm">None yet: made with the first token.</p>}
                columns={[
                  {
                    id: 'purpose',
                    header: 'Signs',
                    cell: (row) => (
                      <div className="min-w-0">
                        <p className="font-medium">{purposes[row.purpose]}</p>
                        <p className="mono break-all text-faint text-xs">{row.id}</p>
                      </div>
                    ),
                  },
                  {
                    id: 'state',
                    header: 'State',
                    cell: (row) => (
                      <Badge tone={signingStates[row.state].tone} dot>
                        {signingStates[row.state].word}
                      </Badge>
                    ),
                  },
                  timeColumn('created', 'Made', (row) => row.createdAt, { from: 'sm' }),
                  timeColumn('from', 'Signs from', (row) => row.activeFrom, { from: 'lg' }),
                  {
                    id: 'ends',
                    header: 'Ends',
                    from: 'md',
                    cell: (row) =>
                      row.expiresAt === null ? (
                        <span className="text-faint">when it is rotated</span>
                      ) : (
                        <TimeAgo at={row.expiresAt} className="whitespace-nowrap text-soft" />
                      ),
                  },
                ]}
              />
            </section>
            <section aria-labelledby="sealing">
              <h2 id="sealing" className="mb-2 text-sm">
                Sealing keys
              </h2>
              <DataTable<Sealing>
                label="Sealing keys"
                rows={sealing}
                rowId={(row) => row.id}
                rowName={(row) => row.id}
                columns={[
                  { id: 'id', header: 'Key', cell: (row) => <span className="mono text-xs">{row.id}</span> },
                  {
                    id: 'state',
                    header: 'State',
                    cell: (row) => (
                      <Badge tone={sealingStates[row.state].tone} dot>
                        {sealingStates[row.state].word}
                      </Badge>
                    ),
                  },
                  {
                    id: 'secrets',
                    header: 'Secrets sealed',
                    align: 'right',
                    cell: (row) => <span className="tabular">{row.secrets}</span>,
                  },
                  timeColumn('created', 'Made', (row) => row.createdAt, { from: 'sm' }),
                ]}
              />
            </section>
            <section aria-labelledby="audit-keys">
              <div className="mb-2 flex items-center justify-between gap-3">
                <h2 id="audit-keys" className="text-sm">
                  Keys of the audit log
                </h2>
                <Button size="sm" icon={<RotateCw />} onClick={() => setAsking('audit')}>
                  Another audit key…
                </Button>
              </div>
              <AuditKeys keys={audit} />
            </section>
          </div>
        )}
      </QueryView>
      {asking === 'keys' ? <Rotate onClose={() => setAsking(null)} /> : null}
      {asking === 'audit' ? <RotateAudit onClose={() => setAsking(null)} /> : null}
    </>
  );
}

function AuditKeys({ keys }: { keys: Audit[] }) {
  return (
    <DataTable<Audit>
      label="Keys of the audit log"
      rows={keys}
      rowId={(row) => row.id}
      rowName={(row) => row.id}
      columns={[
        {
          id: 'id',
          header: 'Thumbprint',
          cell: (row) => (
            <div className="min-w-0">
              <p className="mono break-all text-xs">{row.id}</p>
              {row.follows === null ? null : (
                <p className="break-all text-faint text-xs">named by {row.follows.slice(0, 12)}…</p>
              )}
            </div>
          ),
        },
        {
          id: 'state',
          header: 'State',
          cell: (row) => (
            <Badge tone={row.state === 'signing' ? 'ok' : 'idle'} dot>
              {row.state === 'signing' ? 'signs' : 'retired, still checked'}
            </Badge>
          ),
        },
        timeColumn('created', 'Made', (row) => row.createdAt, { from: 'sm' }),
        {
          id: 'retired',
          header: 'Retired',
          from: 'md',
          cell: (row) =>
            row.retiredAt === null ? (
              <span className="text-faint">no</span>
            ) : (
              <TimeAgo at={row.retiredAt} className="whitespace-nowrap text-soft" />
            ),
        },
      ]}
    />
  );
}

/** Shows the keys that were just made. */
function showMade(keys: Keys): void {
  queryClient.setQueryData(['keysList', {}], keys);
  toast.success('New keys are made');
}

function RotateAudit({ onClose }: { onClose: () => void }) {
  const [leaked, setLeaked] = useState(false);
  return (
    <ConfirmDialog
      danger={leaked}
      onClose={onClose}
      onConfirm={() => call('keysRotateAudit', { body: { leaked } }).then(showMade)}
      title="Sign the audit logs with a new key?"
      body={
        <div className="flex flex-col gap-3">
          <p>
            The old key names the new one with its signature and can sign nothing more. What it signed is still checked:
            exports that you hold stay provable, and who trusts the old key trusts the new one.
          </p>
          <Switch
            checked={leaked}
            onChange={setLeaked}
            label="The old key may be known to somebody"
            hint="Then it names nobody: everybody who checks exports has to be told the new thumbprint anew, on a way they trust."
          />
        </div>
      }
      confirmLabel={leaked ? 'Begin anew with another key' : 'Another key'}
    />
  );
}

function Rotate({ onClose }: { onClose: () => void }) {
  const [atOnce, setAtOnce] = useState(false);
  return (
    <ConfirmDialog
      danger={atOnce}
      onClose={onClose}
      onConfirm={() => call('keysRotate', { body: { atOnce } }).then(showMade)}
      title="Make new keys?"
      body={
        <div className="flex flex-col gap-3">
          <p>
            New signing keys are published now and sign after a quarter of an hour; the old ones are believed for a day.
            Every secret in the database is sealed anew within a minute. Everything keeps running, nobody is signed out.
          </p>
          <Switch
            checked={atOnce}
            onChange={setAtOnce}
            label="End the old signing keys now"
            hint="Only when somebody may know a key: apps that sign in through Berth sign their people in anew, and programs fetch new tokens."
          />
        </div>
      }
      confirmLabel={atOnce ? 'Rotate, and end the old ones' : 'Rotate'}
    />
  );
}
