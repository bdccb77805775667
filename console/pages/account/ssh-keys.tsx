import { useQuery } from '@tanstack/react-query';
import { KeySquare, Plus } from 'lucide-react';
import { useState } from 'react';
import { z } from 'zod';
import { readPublicKey } from '#domain/ssh.ts';
import type { OutputOf } from '../../api/client.ts';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { actionsColumn, lastUsedColumn, timeColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { ListHead } from '../../table/list-head.tsx';
import { Button } from '../../ui/button.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { Copyable } from '../../ui/copy-button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Field, Input, Textarea } from '../../ui/input.tsx';

type SshKey = OutputOf<'sshKeysList'>['items'][number];

const fields = z.object({
  publicKey: z
    .string()
    .trim()
    .min(1, 'Paste the line of a .pub file.')
    .superRefine((value, context) => {
      const key = readPublicKey(value);
      if ('problem' in key) context.addIssue({ code: 'custom', message: key.problem });
    }),
  label: z.string().trim().max(80),
});

function AddKey({ onClose }: { onClose: () => void }) {
  const form = useApiForm(fields, { publicKey: '', label: '' });
  return (
    <FormPanel
      onClose={onClose}
      title="Add an SSH key"
      description="It opens every server you may enter by SSH, and nothing else."
      label="Add the key"
      form={form}
      onSubmit={form.submit(async ({ publicKey, label }) => {
        await call('sshKeysAdd', { body: { publicKey, ...(label === '' ? {} : { label }) } });
        await queryClient.invalidateQueries({ queryKey: ['sshKeysList'] });
        onClose();
      })}
    >
      <Field label="Public key" error={form.formState.errors.publicKey?.message}>
        {(aria) => (
          <Textarea
            {...aria}
            rows={5}
            spellCheck={false}
            autoComplete="off"
            className="mono wrap-anywhere"
            placeholder="ssh-ed25519 AAAA… you@laptop"
            {...form.register('publicKey')}
          />
        )}
      </Field>
      <Field label="Label" hint="Empty: the comment in the key." error={form.formState.errors.label?.message}>
        {(aria) => <Input {...aria} placeholder="laptop" {...form.register('label')} />}
      </Field>
      <div className="flex flex-col gap-2">
        <p className="text-sm text-soft">No key yet? This makes one and shows what to paste:</p>
        <CodeBlock code={'ssh-keygen -t ed25519\ncat ~/.ssh/id_ed25519.pub'} label="commands" />
      </div>
    </FormPanel>
  );
}

export function SshKeysTab() {
  const query = useQuery(apiQuery('sshKeysList', {}));
  const [adding, setAdding] = useState(false);
  const [removing, setRemoving] = useState<SshKey | null>(null);
  const add = (
    <Button tone="primary" icon={<Plus />} onClick={() => setAdding(true)}>
      Add a key
    </Button>
  );
  return (
    <>
      <QueryView query={query}>
        {({ items }) => (
          <>
            {items.length === 0 ? null : (
              <ListHead action={add}>They open the servers that you may enter by SSH.</ListHead>
            )}
            <DataTable<SshKey>
              label="SSH keys"
              rows={items}
              rowId={(row) => row.id}
              rowName={(row) => row.label}
              empty={
                <EmptyState icon={<KeySquare />} title="No SSH keys" action={add}>
                  With a key, <code>ssh</code>, <code>scp</code> and <code>rsync</code> reach your servers without a
                  password.
                </EmptyState>
              }
              columns={[
                {
                  id: 'label',
                  header: 'Label',
                  cell: (row) => (
                    <div>
                      <p className="font-medium">{row.label}</p>
                      <p className="text-faint text-xs">
                        {row.type} · {row.bits} bits
                      </p>
                    </div>
                  ),
                },
                {
                  id: 'fingerprint',
                  header: 'Fingerprint',
                  from: 'md',
                  cell: (row) => <Copyable text={row.fingerprint} className="max-w-56 text-xs" />,
                },
                lastUsedColumn(),
                timeColumn('added', 'Added', (row) => row.createdAt, { from: 'md' }),
                actionsColumn((row) => (
                  <Button size="sm" onClick={() => setRemoving(row)}>
                    Remove
                  </Button>
                )),
              ]}
            />
          </>
        )}
      </QueryView>
      {adding ? <AddKey onClose={() => setAdding(false)} /> : null}
      {removing === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setRemoving(null)}
          onConfirm={() =>
            call('sshKeysRemove', { params: { key: removing.id } }).finally(() =>
              queryClient.invalidateQueries({ queryKey: ['sshKeysList'] }),
            )
          }
          title={`Remove the SSH key “${removing.label}”?`}
          body="It opens no server any more, and connections made with it end at once."
          confirmLabel="Remove"
        />
      )}
    </>
  );
}
