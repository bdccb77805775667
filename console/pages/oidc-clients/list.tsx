import { useQuery } from '@tanstack/react-query';
import { AppWindow, Plus } from 'lucide-react';
import { useState } from 'react';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { useSession } from '../../shell/session.ts';
import { actionsColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog, Dialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { ActionsMenu } from '../../ui/menu.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { ClientPanel } from './client-panel.tsx';
import { Credentials, type Secret } from './credentials.tsx';
import type { Client } from './form.ts';

export function OidcClientsPage() {
  const query = useQuery(apiQuery('oidcClientsList', {}));
  const { memberships } = useSession();
  const [editing, setEditing] = useState<Client | 'new' | null>(null);
  const [asking, setAsking] = useState<{ what: 'secret' | 'delete'; client: Client } | null>(null);
  const [renewed, setRenewed] = useState<Secret | null>(null);
  async function confirmed({ what, client }: { what: 'secret' | 'delete'; client: Client }) {
    const params = { client: client.id };
    try {
      if (what === 'secret') setRenewed(await call('oidcClientsSecret', { params }));
      else await call('oidcClientsDelete', { params });
    } finally {
      void queryClient.invalidateQueries({ queryKey: ['oidcClientsList'] });
    }
  }
  const openTo = ({ organization, app }: Client) => {
    if (organization === null) return 'every account';
    const found = memberships.find((each) => each.organization.id === organization);
    const title = found?.organization.title ?? organization;
    return app === null ? title : `${title}, by grant`;
  };
  const create = (
    <Button tone="primary" icon={<Plus />} onClick={() => setEditing('new')}>
      New app
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Apps that sign in with Berth"
        description="Berth is an OpenID Connect provider: these apps may ask it who somebody is."
        actions={query.data?.items.length === 0 ? undefined : create}
      />
      <QueryView query={query}>
        {({ items }) => (
          <DataTable<Client>
            label="Apps"
            rows={items}
            rowId={(row) => row.id}
            rowName={(row) => row.title}
            empty={
              <EmptyState icon={<AppWindow />} title="No apps" action={create}>
                Any app that speaks OpenID Connect can use the accounts of Berth.
              </EmptyState>
            }
            columns={[
              {
                id: 'title',
                header: 'App',
                cell: (row) => (
                  <div className="min-w-0">
                    <p className="flex items-center gap-2 font-medium">
                      {row.title} {row.firstParty ? null : <Badge>asks first</Badge>}
                    </p>
                    <p className="mono truncate text-faint text-xs">{row.id}</p>
                  </div>
                ),
              },
              { id: 'open', header: 'Open to', from: 'md', cell: openTo },
              {
                id: 'redirect',
                header: 'Sends people back to',
                from: 'lg',
                cell: (row) => <span className="text-soft text-xs">{row.redirectUris.join(', ')}</span>,
              },
              actionsColumn((row) => (
                <ActionsMenu
                  of={row.title}
                  entries={[
                    { key: 'edit', label: 'Edit', onSelect: () => setEditing(row) },
                    {
                      key: 'secret',
                      label: 'New secret',
                      blocked: row.authMethod === 'none' ? 'A public app has none.' : undefined,
                      onSelect: () => setAsking({ what: 'secret', client: row }),
                    },
                    {
                      key: 'remove',
                      label: 'Remove',
                      danger: true,
                      onSelect: () => setAsking({ what: 'delete', client: row }),
                    },
                  ]}
                />
              )),
            ]}
          />
        )}
      </QueryView>
      {editing === null ? null : (
        <ClientPanel client={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />
      )}
      {renewed === null ? null : (
        <Dialog open onClose={() => setRenewed(null)} title="The new secret">
          <Credentials client={renewed} />
        </Dialog>
      )}
      {asking === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setAsking(null)}
          onConfirm={() => confirmed(asking)}
          title={
            asking.what === 'secret' ? `A new secret for ${asking.client.title}?` : `Remove ${asking.client.title}?`
          }
          body={
            asking.what === 'secret'
              ? 'The old one ends now: nobody can sign in to the app until it knows the new one.'
              : 'Nobody can sign in to it with Berth any more, and what it was told ends. The app itself stays as it is.'
          }
          confirmLabel={asking.what === 'secret' ? 'Make a new one' : 'Remove it'}
        />
      )}
    </>
  );
}
