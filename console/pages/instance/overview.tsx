import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Container, Monitor } from 'lucide-react';
import type { Instance } from '#contract/instances.ts';
import { instanceSlug } from '../../actions/use-actions.tsx';
import { apiQuery } from '../../api/queries.ts';
import { OperationProgress } from '../../components/operation-progress.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { Thumbnail } from '../../components/thumbnail.tsx';
import { formatBytes, plural } from '../../lib/format.ts';
import { healthTones, kindTitle } from '../../lib/instance-view.ts';
import { projectSlug } from '../../lib/scope.ts';
import { useProject, useSession } from '../../shell/session.ts';
import { Badge } from '../../ui/badge.tsx';
import { Card } from '../../ui/card.tsx';
import { CodeBlock } from '../../ui/code-block.tsx';
import { Copyable } from '../../ui/copy-button.tsx';
import { cx } from '../../ui/cx.ts';
import { EmptyState } from '../../ui/empty-state.tsx';
import { QuotaBar } from '../../ui/progress.tsx';
import { Properties } from '../../ui/properties.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { useInstance } from './context.ts';

const checkNames: Record<string, string> = { rfb: 'Screen', systemd: 'System', sshd: 'SSH', openclaw: 'OpenClaw' };
const healthWords = {
  unknown: 'Unknown',
  starting: 'Starting',
  healthy: 'Healthy',
  degraded: 'Degraded',
  unhealthy: 'Unhealthy',
} as const;

function Health({ instance }: { instance: Instance }) {
  return (
    <Card title="Health" flush>
      {instance.healthChecks.length === 0 ? (
        <p className="px-4 py-3.5 text-faint text-sm">
          {instance.observed === 'running' ? 'Not checked yet.' : 'Checked while it runs.'}
        </p>
      ) : (
        <ul className="divide-y divide-line">
          {instance.healthChecks.map((check) => (
            <li key={check.name} className="flex items-start gap-3 px-4 py-2.5 text-sm">
              <span className="w-24 shrink-0">
                {checkNames[check.name] ?? check.name}
                {check.optional ? <span className="block text-faint text-xs">optional</span> : null}
              </span>
              <span className="min-w-0 flex-1 break-words text-soft">{check.message}</span>
              <Badge tone={healthTones[check.state]} dot>
                {healthWords[check.state]}
              </Badge>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

/** On a phone these stand below the name. */
const beneathName = new Set(['Image', 'Ports']);

function Containers({ instance }: { instance: Instance }) {
  const query = useQuery({
    ...apiQuery('instancesContainers', { params: { instance: instance.id } }),
    enabled: instance.observed === 'running',
    refetchInterval: 15_000,
  });
  if (instance.observed !== 'running') return null;
  return (
    <Card title="Containers inside" flush>
      <QueryView query={query} rows={2}>
        {({ items }) =>
          items.length === 0 ? (
            <EmptyState icon={<Container />} title="No containers">
              Docker Engine is ready: <code>docker run --rm -p 8080:80 nginx</code> in the terminal, then add a route to
              port 8080.
            </EmptyState>
          ) : (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard
            <section aria-label="Containers" tabIndex={0} className="overflow-x-auto">
              <table className="w-full text-left text-sm" aria-label="Containers of the Docker Engine">
                <thead>
                  <tr className="border-line border-b text-faint text-xs">
                    {['Name', 'Image', 'Status', 'Ports'].map((head) => (
                      <th
                        key={head}
                        scope="col"
                        className={cx('px-4 py-2 font-medium', beneathName.has(head) && 'max-sm:hidden')}
                      >
                        {head}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody className="divide-y divide-line">
                  {items.map((each) => (
                    <tr key={each.id}>
                      <td className="px-4 py-2 font-medium max-sm:w-full max-sm:max-w-0">
                        <p className="break-words">{each.name}</p>
                        <p className="mono truncate font-normal text-soft text-xs sm:hidden">{each.image}</p>
                        <p className="mono break-words font-normal text-soft text-xs sm:hidden">{each.ports}</p>
                      </td>
                      <td className="mono px-4 py-2 text-soft max-sm:hidden">{each.image}</td>
                      <td className="whitespace-nowrap px-4 py-2">
                        <Badge tone={each.state === 'running' ? 'ok' : 'idle'} dot>
                          {each.status}
                        </Badge>
                      </td>
                      <td className="mono px-4 py-2 text-soft max-sm:hidden">{each.ports}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
          )
        }
      </QueryView>
    </Card>
  );
}

function LastFailure({ instance }: { instance: Instance }) {
  const { data } = useQuery({
    ...apiQuery('operationsList', {
      params: { project: instance.project },
      query: { instance: instance.id, limit: 1 },
    }),
    enabled: instance.phase === 'failed' && instance.operation === null,
  });
  const last = data?.items[0];
  return last === undefined ? null : <OperationProgress id={last.id} />;
}

export function OverviewTab() {
  const instance = useInstance();
  const session = useSession();
  const slug = projectSlug(session, useProject());
  const { usage, size } = instance;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-[minmax(0,1fr)_20rem]">
      <div className="flex min-w-0 flex-col gap-5">
        <LastFailure instance={instance} />
        {instance.kind === 'desktop' && instance.can.screen === true ? (
          <Link
            to="/p/$project/instances/$instance/screen"
            params={{ project: slug, instance: instanceSlug(instance) }}
            className="card group relative block overflow-hidden"
            aria-label="Open the screen"
          >
            <Thumbnail instance={instance} className="aspect-[16/9] w-full rounded-none border-0" />
            <span className="absolute inset-0 flex items-center justify-center bg-scrim opacity-0 transition-opacity group-hover:opacity-100 group-focus-visible:opacity-100">
              <span className="flex items-center gap-2 rounded-md bg-raised px-3.5 py-2 font-medium text-sm shadow-pop">
                <Monitor className="size-4" /> Open the screen
              </span>
            </span>
          </Link>
        ) : null}
        <Health instance={instance} />
        {instance.kind === 'server' ? <Containers instance={instance} /> : null}
        <Card title="From the command line">
          <div className="flex flex-col gap-2">
            <CodeBlock label="terminal command" code={`berth instances shell ${instance.name}`} />
            <CodeBlock label="logs command" code={`berth instances logs ${instance.name} --follow`} />
          </div>
        </Card>
      </div>
      <div className="flex min-w-0 flex-col gap-5">
        <Card title="Use">
          <div className="flex flex-col gap-3.5">
            {usage.memoryBytes === null ? (
              <p className="text-faint text-sm">Memory is measured while it runs.</p>
            ) : (
              <QuotaBar label="Memory" used={usage.memoryBytes} limit={size.memoryBytes} format={formatBytes} />
            )}
            {usage.diskBytes === null ? null : (
              <QuotaBar label="Disk" used={usage.diskBytes} limit={size.diskBytes} format={formatBytes} />
            )}
            <p className="tabular flex justify-between text-sm">
              <span className="text-soft">CPU</span>
              <span>{plural(size.cpus, 'core')}</span>
            </p>
            {usage.processes === null ? null : (
              <p className="tabular flex justify-between text-sm">
                <span className="text-soft">Processes</span>
                <span>{usage.processes}</span>
              </p>
            )}
          </div>
        </Card>
        <Card title="Details" flush>
          <Properties
            items={[
              ['Id', <Copyable key="id" text={instance.id} />],
              ['Kind', kindTitle(instance.kind)],
              ['Image', instance.image.name],
              ['IPv4', instance.address4 === null ? null : <Copyable key="v4" text={instance.address4} />],
              ['IPv6', instance.address6 === null ? null : <Copyable key="v6" text={instance.address6} />],
              ['Host', instance.host?.name ?? null],
              ['Started', instance.startedAt === null ? null : <TimeAgo key="s" at={instance.startedAt} />],
              [
                'Created',
                <span key="c">
                  <TimeAgo at={instance.createdAt} /> by {instance.createdBy}
                </span>,
              ],
              ['Last seen', instance.observedAt === null ? null : <TimeAgo key="o" at={instance.observedAt} />],
              [
                'Description',
                instance.description === '' ? undefined : (
                  <span key="d" className="break-words">
                    {instance.description}
                  </span>
                ),
              ],
            ]}
          />
        </Card>
      </div>
    </div>
  );
}
