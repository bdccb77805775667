import { useQuery } from '@tanstack/react-query';
import { LogIn } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { call, type OutputOf, toApiError } from '../../../api/client.ts';
import { apiQuery, queryClient } from '../../../api/queries.ts';
import { QueryView } from '../../../components/query-view.tsx';
import { Button } from '../../../ui/button.tsx';
import { Card } from '../../../ui/card.tsx';
import { ConfirmDialog } from '../../../ui/dialog.tsx';
import { TimeAgo } from '../../../ui/time.tsx';

type Identity = OutputOf<'identitiesList'>['items'][number];

/** Identity providers that open this account; the card is not there while there is nothing to show or to link. */
export function Identities() {
  const linked = useQuery(apiQuery('identitiesList', {}));
  const offered = useQuery(apiQuery('signInProviders', {}));
  const [removing, setRemoving] = useState<Identity | null>(null);
  const [busy, setBusy] = useState<string | null>(null);
  const has = (name: string) => linked.data?.items.some((item) => item.provider.name === name) === true;
  const free = (offered.data?.items ?? []).filter((provider) => !has(provider.name));
  if (linked.data?.items.length === 0 && free.length === 0) return null;
  async function link(provider: string) {
    setBusy(provider);
    try {
      const { url } = await call('identitiesLink', { body: { provider } });
      location.assign(url);
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
      setBusy(null);
    }
  }
  return (
    <Card title="Linked identities" flush>
      <QueryView query={linked} rows={1}>
        {({ items }) => (
          <ul className="divide-y divide-line">
            {items.map((identity) => (
              <li key={identity.id} className="flex flex-wrap items-center gap-x-4 gap-y-2 px-4 py-3 text-sm">
                <div className="min-w-0 flex-1">
                  <p className="truncate font-medium">{identity.provider.title}</p>
                  <p className="truncate text-faint text-xs">
                    {identity.email ?? identity.subject}, used <TimeAgo at={identity.lastUsedAt} />
                  </p>
                </div>
                <Button
                  size="sm"
                  onClick={() => setRemoving(identity)}
                  blocked={identity.can.unlink !== true && identity.can.unlink}
                  aria-label={`Unlink ${identity.provider.title}`}
                >
                  Unlink
                </Button>
              </li>
            ))}
          </ul>
        )}
      </QueryView>
      {free.length === 0 ? null : (
        <div className="flex flex-col items-start gap-3 p-4">
          <p className="text-sm text-soft">Sign in with an account that you have elsewhere instead of the password.</p>
          <div className="flex flex-wrap gap-2">
            {free.map(({ name, title }) => (
              <Button key={name} icon={<LogIn />} busy={busy === name} onClick={() => void link(name)}>
                Link {title}
              </Button>
            ))}
          </div>
        </div>
      )}
      {removing === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setRemoving(null)}
          onConfirm={() =>
            call('identitiesUnlink', { params: { identity: removing.id } }).finally(() =>
              queryClient.invalidateQueries({ queryKey: ['identitiesList'] }),
            )
          }
          title={`Unlink ${removing.provider.title}?`}
          body="It no longer signs you in. Other browsers that signed in with it are signed out, and roles that its groups gave you are taken away."
          confirmLabel="Unlink it"
        />
      )}
    </Card>
  );
}
