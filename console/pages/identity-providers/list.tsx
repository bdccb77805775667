import { useQuery } from '@tanstack/react-query';
import { LogIn, Plus } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { presets } from '#domain/identity-providers.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { actionsColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { ActionsMenu } from '../../ui/menu.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import type { Provider } from './form.ts';
import { ProviderPanel } from './provider-panel.tsx';

export function IdentityProvidersPage() {
  const query = useQuery(apiQuery('identityProvidersList', {}));
  const [editing, setEditing] = useState<Provider | 'new' | null>(null);
  const [deleting, setDeleting] = useState<Provider | null>(null);
  async function test(provider: Provider) {
    try {
      const answer = await call('identityProvidersTest', { params: { provider: provider.id } });
      toast.success(
        `${provider.title} answers. ${answer.logout ? 'It tells of sign-outs.' : 'It does not tell of sign-outs; it is asked instead.'}`,
      );
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
  }
  const create = (
    <Button tone="primary" icon={<Plus />} onClick={() => setEditing('new')}>
      New identity provider
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Identity providers"
        description="Where people may sign in instead of with a password of Berth: Google, GitHub, Keycloak, any OpenID Connect provider."
        actions={query.data?.items.length === 0 ? undefined : create}
      />
      <QueryView query={query}>
        {({ items }) => (
          <DataTable<Provider>
            label="Identity providers"
            rows={items}
            rowId={(row) => row.id}
            rowName={(row) => row.title}
            empty={
              <EmptyState icon={<LogIn />} title="No identity providers" action={create}>
                People sign in with their password, or a passkey.
              </EmptyState>
            }
            columns={[
              {
                id: 'title',
                header: 'Provider',
                cell: (row) => (
                  <div className="min-w-0">
                    <p className="flex items-center gap-2 font-medium">
                      {row.title} {row.enabled ? null : <Badge>off</Badge>}
                    </p>
                    <p className="truncate text-faint text-xs">
                      {presets[row.kind].title}, {row.issuer}
                    </p>
                  </div>
                ),
              },
              {
                id: 'people',
                header: 'Linked',
                from: 'md',
                cell: (row) => `${row.people} ${row.people === 1 ? 'account' : 'accounts'}`,
              },
              {
                id: 'roles',
                header: 'Roles by group',
                from: 'lg',
                cell: (row) => (row.roleMappings.length === 0 ? '–' : row.roleMappings.length),
              },
              actionsColumn((row) => (
                <ActionsMenu
                  of={row.title}
                  entries={[
                    { key: 'test', label: 'Test the connection', onSelect: () => void test(row) },
                    { key: 'edit', label: 'Edit', onSelect: () => setEditing(row) },
                    { key: 'remove', label: 'Remove', danger: true, onSelect: () => setDeleting(row) },
                  ]}
                />
              )),
            ]}
          />
        )}
      </QueryView>
      {editing === null ? null : (
        <ProviderPanel provider={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />
      )}
      {deleting === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setDeleting(null)}
          onConfirm={() =>
            call('identityProvidersDelete', { params: { provider: deleting.id } }).finally(() =>
              queryClient.invalidateQueries({ queryKey: ['identityProvidersList'] }),
            )
          }
          title={`Remove ${deleting.title}?`}
          body={`${deleting.people} linked ${deleting.people === 1 ? 'account' : 'accounts'} can no longer sign in with it: whoever has no password needs a new one. Everybody who came through it is signed out, and roles that its groups gave are taken away.`}
          confirmLabel="Remove it"
          typeName={deleting.people > 0 ? deleting.name : undefined}
        />
      )}
    </>
  );
}
