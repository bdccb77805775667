import { useQuery } from '@tanstack/react-query';
import { Plus, Ticket } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { InputOf, OutputOf } from '../../api/client.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { roleWords } from '../../lib/roles.ts';
import { actionsColumn, timeColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Switch } from '../../ui/switch.tsx';
import { CodeForm } from './code-form.tsx';

type Code = OutputOf<'registrationCodesList'>['items'][number];
const states = {
  open: ['ok', 'open'],
  used: ['idle', 'used up'],
  expired: ['idle', 'ended'],
  revoked: ['bad', 'withdrawn'],
} as const;

/** Who may make an account, and the codes that let people do so. */
export function RegistrationAdminPage() {
  const codes = useQuery(apiQuery('registrationCodesList', {}));
  const [creating, setCreating] = useState(false);
  const [withdrawing, setWithdrawing] = useState<Code | null>(null);
  const create = (
    <Button tone="primary" icon={<Plus />} onClick={() => setCreating(true)}>
      New code
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Registration"
        description="Who may make an account here. Everybody first shows that the address is theirs, by a link in a mail."
        actions={create}
      />
      <div className="flex flex-col gap-5">
        <Settings />
        <QueryView query={codes}>
          {({ items }) => (
            <DataTable<Code>
              label="Registration codes"
              rows={items}
              rowId={(row) => row.id}
              rowName={(row) => row.note}
              empty={
                <EmptyState icon={<Ticket />} title="No codes yet" action={create}>
                  A code lets people register, so many times and until a day. It can put them into an organization.
                </EmptyState>
              }
              columns={[
                {
                  id: 'note',
                  header: 'For',
                  fills: true,
                  cell: (row) => (
                    <div className="min-w-0">
                      <p className="font-medium">{row.note}</p>
                      <p className="break-words text-faint text-xs">
                        <span className="mono">{row.prefix}-…</span> by {row.createdBy}
                      </p>
                    </div>
                  ),
                },
                {
                  id: 'state',
                  header: 'State',
                  cell: (row) => <Badge tone={states[row.state][0]}>{states[row.state][1]}</Badge>,
                },
                {
                  id: 'uses',
                  header: 'Used',
                  align: 'right',
                  cell: (row) => <span className="tabular whitespace-nowrap">{`${row.uses} of ${row.usesMax}`}</span>,
                },
                {
                  id: 'joins',
                  header: 'Joins',
                  from: 'md',
                  cell: (row) => (
                    <span className="text-soft">
                      {row.joins === null
                        ? 'nothing'
                        : `${row.joins.organization.title} as ${roleWords[row.joins.role].title.toLowerCase()}`}
                    </span>
                  ),
                },
                timeColumn('ends', 'Ends', (row) => row.expiresAt, { from: 'sm' }),
                actionsColumn((row) =>
                  row.state === 'open' ? (
                    <Button size="sm" tone="ghost" onClick={() => setWithdrawing(row)}>
                      Withdraw
                    </Button>
                  ) : null,
                ),
              ]}
            />
          )}
        </QueryView>
      </div>
      {creating ? <CodeForm onClose={() => setCreating(false)} /> : null}
      {withdrawing === null ? null : <Withdraw code={withdrawing} onClose={() => setWithdrawing(null)} />}
    </>
  );
}

function Settings() {
  const query = useQuery(apiQuery('registrationSettingsGet', {}));
  async function change(body: InputOf<'registrationSettingsUpdate'>['body']) {
    await call('registrationSettingsUpdate', { body }).catch((thrown: unknown) =>
      toast.error(toApiError(thrown).message),
    );
    await Promise.all(
      ['registrationSettingsGet', 'registrationState'].map((name) =>
        queryClient.invalidateQueries({ queryKey: [name] }),
      ),
    );
  }
  return (
    <Card title="Who may register">
      <QueryView query={query} rows={2}>
        {({ open, ownOrganization }) => (
          <div className="flex flex-col gap-4">
            <Switch
              checked={open}
              onChange={(on) => void change({ open: on })}
              label="Open sign-up"
              hint="Anybody who reaches this installation may make an account. Off: only with a code, or invited."
            />
            <Switch
              checked={ownOrganization}
              onChange={(on) => void change({ ownOrganization: on })}
              label="An organization for everybody"
              hint="Who registers and joins nothing by their code gets an organization with a project of their own. Off: they wait for an invitation."
            />
          </div>
        )}
      </QueryView>
    </Card>
  );
}

function Withdraw({ code, onClose }: { code: Code; onClose: () => void }) {
  return (
    <ConfirmDialog
      danger
      onClose={onClose}
      onConfirm={async () => {
        await call('registrationCodesRevoke', { params: { code: code.id } });
        await queryClient.invalidateQueries({ queryKey: ['registrationCodesList'] });
      }}
      title={`Withdraw the code for ${code.note}?`}
      body="Nobody can register with it any more. Accounts made with it stay, and so do links that are out already."
      confirmLabel="Withdraw"
    />
  );
}
