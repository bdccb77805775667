import { useQuery } from '@tanstack/react-query';
import { useRouteContext } from '@tanstack/react-router';
import { CloudCog, MoreHorizontal, Plus } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { DnsProvider } from '#contract/dns-providers.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button, IconButton } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Menu } from '../../ui/menu.tsx';
import { Notice } from '../../ui/notice.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Properties } from '../../ui/properties.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { PlatformCertificateCard } from './platform-certificate.tsx';
import { kindWords, ProviderPanel } from './provider-panel.tsx';
import { refreshDns } from './refresh.ts';

export function OrganizationDnsPage() {
  const { organizationId } = useRouteContext({ from: '/shell/o/$organization' });
  const query = useQuery(apiQuery('dnsProvidersList', { params: { organization: organizationId } }));
  return <Providers owner={organizationId} query={query} />;
}

export function PlatformDnsPage() {
  const query = useQuery(apiQuery('platformDnsProvidersList', {}));
  return (
    <>
      <Providers owner={null} query={query} />
      <PlatformCertificateCard />
    </>
  );
}

type List = Parameters<typeof QueryView<{ items: DnsProvider[] }>>[0]['query'];

function Providers({ owner, query }: { owner: string | null; query: List }) {
  const [editing, setEditing] = useState<DnsProvider | 'new' | null>(null);
  const [removing, setRemoving] = useState<DnsProvider | null>(null);
  async function remove(provider: DnsProvider) {
    const input = { query: { leaveRecords: 'true' as const } };
    if (owner === null) await call('platformDnsProvidersDelete', { ...input, params: { provider: provider.id } });
    else await call('dnsProvidersDelete', { ...input, params: { organization: owner, provider: provider.id } });
    await refreshDns();
  }
  async function check(provider: DnsProvider) {
    try {
      const found =
        owner === null
          ? await call('platformDnsProvidersCheck', { params: { provider: provider.id } })
          : await call('dnsProvidersCheck', { params: { organization: owner, provider: provider.id } });
      if (found.problem === null)
        toast.success(`${provider.title} answers, and may change ${found.available.join(', ')}.`);
      else toast.error(found.problem);
      await refreshDns();
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
  }
  const add = (
    <Button tone="primary" icon={<Plus />} onClick={() => setEditing('new')}>
      Connect a provider
    </Button>
  );
  return (
    <>
      <PageHeader
        title="DNS providers"
        description={
          owner === null
            ? 'Zones of the installation, in which Berth keeps records for domains and routes.'
            : 'Where your zones are kept. Domains in them prove themselves, and names of routes lead here, without a step of yours.'
        }
        actions={query.data?.items.length === 0 ? undefined : add}
      />
      <QueryView query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon={<CloudCog />} title="No DNS providers" action={add}>
              Until then you set the records of domains yourself.
            </EmptyState>
          ) : (
            <div className="flex flex-col gap-4">
              {items.map((provider) => (
                <ProviderCard
                  key={provider.id}
                  provider={provider}
                  onCheck={() => void check(provider)}
                  onEdit={() => setEditing(provider)}
                  onRemove={() => setRemoving(provider)}
                />
              ))}
            </div>
          )
        }
      </QueryView>
      {editing === null ? null : (
        <ProviderPanel owner={owner} provider={editing === 'new' ? null : editing} onClose={() => setEditing(null)} />
      )}
      {removing === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setRemoving(null)}
          onConfirm={() => remove(removing)}
          title={`Disconnect ${removing.title}?`}
          body={
            removing.records === 0
              ? 'Berth no longer writes there. Records of new domains and routes are then set by hand.'
              : `${removing.records} records that Berth made stay in DNS, and nobody looks after them any more. To have them removed, take the zones away first (Edit).`
          }
          confirmLabel="Disconnect"
        />
      )}
    </>
  );
}

function ProviderCard({
  provider,
  onCheck,
  onEdit,
  onRemove,
}: {
  provider: DnsProvider;
  onCheck: () => void;
  onEdit: () => void;
  onRemove: () => void;
}) {
  const { server } = provider;
  return (
    <Card>
      <div className="flex flex-wrap items-center justify-between gap-2 border-line border-b px-4 py-3">
        <h2 className="flex min-w-0 flex-wrap items-center gap-2 font-medium">
          <span className="wrap-anywhere">{provider.title}</span>
          {provider.problem === null ? <Badge tone="ok">answers</Badge> : <Badge tone="bad">cannot be used</Badge>}
          {provider.shared ? <Badge>for every organization</Badge> : null}
        </h2>
        <Menu
          label={`Actions of ${provider.title}`}
          trigger={
            <IconButton label={`Actions of ${provider.title}`} size="sm" quiet>
              <MoreHorizontal />
            </IconButton>
          }
          entries={[
            { key: 'check', label: 'Check now', onSelect: onCheck },
            { key: 'edit', label: 'Edit', onSelect: onEdit },
            { key: 'remove', label: 'Disconnect', danger: true, onSelect: onRemove },
          ]}
        />
      </div>
      {provider.problem === null && provider.warnings.length === 0 ? null : (
        <div className="flex flex-col gap-2 px-4 pt-3">
          {provider.problem === null ? null : (
            <Notice tone="bad" title={provider.problem}>
              Berth asks again by itself. What is in DNS stays as it is meanwhile.
            </Notice>
          )}
          {provider.warnings.map((warning) => (
            <Notice key={warning} tone="warn" title={warning}>
              Give a token that may edit DNS of these zones and nothing else.
            </Notice>
          ))}
        </div>
      )}
      <Properties
        items={[
          ['Kind', kindWords[provider.kind]],
          [
            'Server',
            server === null ? undefined : `${server.host}:${server.port}, key ${server.keyName} (${server.algorithm})`,
          ],
          [
            'Zones',
            provider.zones.length === 0 ? `none chosen of ${provider.available.length}` : provider.zones.join(', '),
          ],
          [
            'Records',
            provider.troubled === 0
              ? String(provider.records)
              : `${provider.records}, ${provider.troubled} of them not as they should be`,
          ],
          ['Looked at', provider.checkedAt === null ? undefined : <TimeAgo key="at" at={provider.checkedAt} />],
        ]}
      />
    </Card>
  );
}
