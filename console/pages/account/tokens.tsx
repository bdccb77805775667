import { useQuery } from '@tanstack/react-query';
import { KeyRound, Plus } from 'lucide-react';
import { useState } from 'react';
import { z } from 'zod';
import type { OutputOf } from '../../api/client.ts';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { useSession } from '../../shell/session.ts';
import { actionsColumn, lastUsedColumn, timeColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { ListHead } from '../../table/list-head.tsx';
import { Button } from '../../ui/button.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Select } from '../../ui/select.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { ScopeChooser, useScopeChoice } from './scope-choice.tsx';
import { ScopeList } from './scopes.tsx';

type Token = OutputOf<'tokensList'>['items'][number];
const lives = [
  { value: '7', label: '7 days' },
  { value: '90', label: '90 days' },
  { value: '365', label: 'A year' },
  { value: 'never', label: 'No end' },
] as const;

const hints = {
  all: 'Also what you will be allowed later, and what changes your account.',
  read: 'See everything you see; open, change and delete nothing.',
  chosen: 'Exactly these, and only as long as you may do them yourself.',
};

function CreateToken({ onClose }: { onClose: () => void }) {
  const [secret, setSecret] = useState<string | null>(null);
  const form = useApiForm(
    z.object({
      name: z.string().trim().min(1, 'What will use it?').max(80),
      life: z.enum(['7', '90', '365', 'never']),
    }),
    { name: '', life: '90' },
  );
  const choice = useScopeChoice();
  const { user } = useSession();
  return (
    <FormPanel
      onClose={onClose}
      title="New API token"
      description="For scripts and other programs. It never may do more than you."
      label="Create the token"
      form={form}
      made={
        secret === null
          ? null
          : {
              label: 'I have kept it',
              content: (
                <div className="flex flex-col gap-4">
                  <Notice tone="warn" title="Copy it now: it is shown this once">
                    Berth keeps only a fingerprint of it.
                  </Notice>
                  <CodeBlock code={secret} label="token" />
                  <p className="text-sm text-soft">On the command line:</p>
                  <CodeBlock code={`berth login --url ${location.origin} --token-stdin`} label="sign-in command" />
                </div>
              ),
            }
      }
      onSubmit={form.submit(async ({ name, life }) => {
        const scopes = choice.scopes();
        if (scopes === undefined) return;
        const token = await call('tokensCreate', {
          body: { name, expiresInDays: life === 'never' ? null : Number(life), scopes },
        });
        setSecret(token.secret);
        await queryClient.invalidateQueries({ queryKey: ['tokensList'] });
      })}
    >
      <Field label="Name" error={form.formState.errors.name?.message}>
        {(aria) => <Input {...aria} placeholder="status page" {...form.register('name')} />}
      </Field>
      <Field label="Ends after">
        {(aria) => (
          <Select
            {...aria}
            value={form.watch('life')}
            onChange={(life) => form.setValue('life', life)}
            options={lives}
          />
        )}
      </Field>
      <ScopeChooser choice={choice} all="Everything I may" hints={hints} installation={user.platformAdmin} />
    </FormPanel>
  );
}

export function TokensTab() {
  const query = useQuery(apiQuery('tokensList', {}));
  const [creating, setCreating] = useState(false);
  const [revoking, setRevoking] = useState<Token | null>(null);
  const create = (
    <Button tone="primary" icon={<Plus />} onClick={() => setCreating(true)}>
      New token
    </Button>
  );
  return (
    <>
      <QueryView query={query}>
        {({ items }) => (
          <>
            {items.length === 0 ? null : (
              <ListHead action={create}>For scripts and other programs; shown once, when they are made.</ListHead>
            )}
            <DataTable<Token>
              label="API tokens"
              rows={items}
              rowId={(row) => row.id}
              rowName={(row) => row.name}
              empty={
                <EmptyState icon={<KeyRound />} title="No API tokens" action={create}>
                  For scripts and other programs. <code>berth login</code> needs none.
                </EmptyState>
              }
              columns={[
                {
                  id: 'name',
                  header: 'Name',
                  cell: (row) => (
                    <div>
                      <p className="font-medium">{row.name}</p>
                      <p className="mono text-faint text-xs">{row.prefix}…</p>
                    </div>
                  ),
                },
                {
                  id: 'may',
                  header: 'May',
                  from: 'md',
                  cell: (row) => <ScopeList scopes={row.scopes} />,
                },
                lastUsedColumn({ from: 'sm' }),
                {
                  id: 'expires',
                  header: 'Ends',
                  cell: (row) =>
                    row.expiresAt === null ? (
                      <span className="text-warn">never</span>
                    ) : (
                      <TimeAgo at={row.expiresAt} className="whitespace-nowrap text-soft" />
                    ),
                },
                timeColumn('created', 'Created', (row) => row.createdAt, { from: 'md' }),
                actionsColumn((row) => (
                  <Button size="sm" onClick={() => setRevoking(row)}>
                    Revoke
                  </Button>
                )),
              ]}
            />
          </>
        )}
      </QueryView>
      {creating ? <CreateToken onClose={() => setCreating(false)} /> : null}
      {revoking === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setRevoking(null)}
          onConfirm={() =>
            call('tokensRevoke', { params: { token: revoking.id } }).finally(() =>
              queryClient.invalidateQueries({ queryKey: ['tokensList'] }),
            )
          }
          title={`Revoke the token “${revoking.name}”?`}
          body="Whatever uses it is refused from now on."
          confirmLabel="Revoke"
        />
      )}
    </>
  );
}
