import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { Server } from 'lucide-react';
import type { Host } from '#contract/hosts.ts';
import { apiQuery } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { formatBytes, formatDuration } from '../../lib/format.ts';
import { METRICS_POLL_MS } from '../../metrics/poll.ts';
import { MetricsView } from '../../metrics/view.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Card } from '../../ui/card.tsx';
import { Copyable } from '../../ui/copy-button.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Notice } from '../../ui/notice.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { QuotaBar } from '../../ui/progress.tsx';
import { Properties } from '../../ui/properties.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { RegistryCard } from './registry.tsx';

function HostMetrics({ host }: { host: Host }) {
  const { range = '1h' } = useSearch({ from: '/shell/hosts' });
  const navigate = useNavigate({ from: '/hosts' });
  const query = useQuery({
    ...apiQuery('hostMetrics', { params: { host: host.id }, query: { range } }),
    refetchInterval: METRICS_POLL_MS[range],
    placeholderData: keepPreviousData,
  });
  return (
    <section aria-label={`Metrics of ${host.name}`}>
      <QueryView query={query}>
        {(series) => (
          <MetricsView
            series={series}
            range={range}
            onRange={(next) => void navigate({ search: next === '1h' ? {} : { range: next }, replace: true })}
            stale="The host has not been heard of for a while."
            empty="The first figures come about ten seconds after its agent has started."
          />
        )}
      </QueryView>
    </section>
  );
}

function HostCard({ host }: { host: Host }) {
  return (
    <Card
      flush
      title={
        <span className="flex items-center gap-2.5">
          {host.name}
          <Badge tone={host.state === 'online' ? 'ok' : 'bad'} dot>
            {host.state === 'online' ? 'Online' : 'Offline'}
          </Badge>
        </span>
      }
      actions={
        host.lastSeenAt === null ? null : (
          <span className="text-faint text-xs">
            seen <TimeAgo at={host.lastSeenAt} />
          </span>
        )
      }
    >
      {host.error === null ? null : (
        <Notice tone="bad" className="m-4 mb-0" title="The agent reports">
          {host.error}
        </Notice>
      )}
      <div className="grid md:grid-cols-2">
        <div className="flex flex-col gap-4 border-line p-4 md:border-r">
          {host.cpus === null || host.load1 === null ? null : (
            <QuotaBar
              label="Load (1 min)"
              used={Math.round(host.load1 * 100) / 100}
              limit={host.cpus}
              format={(value) => (Number.isInteger(value) ? `${value}` : value.toFixed(2))}
              hint="More work than CPUs."
            />
          )}
          {host.memoryBytes === null || host.memoryUsedBytes === null ? null : (
            <QuotaBar label="Memory" used={host.memoryUsedBytes} limit={host.memoryBytes} format={formatBytes} />
          )}
          {host.poolBytes === null || host.poolUsedBytes === null ? null : (
            <QuotaBar
              label={`Storage pool (${host.poolDriver ?? 'unknown'})`}
              used={host.poolUsedBytes}
              limit={host.poolBytes}
              format={formatBytes}
            />
          )}
          <p className="tabular flex justify-between text-sm">
            <span className="text-soft">Instances</span>
            <span>
              {host.instances.running} running <span className="text-faint">of {host.instances.total}</span>
            </span>
          </p>
        </div>
        <Properties
          className="max-md:border-line max-md:border-t"
          items={[
            ['Id', <Copyable key="id" text={host.id} />],
            ['Engine', host.engine === null ? null : `${host.engine} ${host.engineVersion ?? ''}`],
            ['System', host.os],
            ['Kernel', host.kernel],
            ['CPUs', host.cpus === null ? null : String(host.cpus)],
            ['Up for', host.uptimeSeconds === null ? null : formatDuration(host.uptimeSeconds * 1000)],
          ]}
        />
      </div>
      {host.missing.length === 0 ? null : (
        <div className="border-line border-t p-4">
          <Notice tone="warn" title="What this host cannot do">
            <ul className="list-disc pl-4">
              {host.missing.map((each) => (
                <li key={each}>{each}</li>
              ))}
            </ul>
          </Notice>
        </div>
      )}
    </Card>
  );
}

export function HostsPage() {
  const query = useQuery({ ...apiQuery('hostsList', {}), refetchInterval: 15_000 });
  return (
    <>
      <PageHeader title="Hosts" description="The machines that run instances." />
      <QueryView query={query}>
        {({ items }) =>
          items.length === 0 ? (
            <div className="card">
              <EmptyState icon={<Server />} title="No host has reported yet">
                <code>berth doctor</code> on the machine says what is missing.
              </EmptyState>
            </div>
          ) : (
            <div className="flex flex-col gap-5">
              {items.map((host) => (
                <div key={host.id} className="flex flex-col gap-5">
                  <HostCard host={host} />
                  <HostMetrics host={host} />
                </div>
              ))}
              <RegistryCard />
            </div>
          )
        }
      </QueryView>
    </>
  );
}
