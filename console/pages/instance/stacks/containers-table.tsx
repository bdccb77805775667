import { Link } from '@tanstack/react-router';
import { ExternalLink, Globe, Play, RotateCw, ScrollText, Square } from 'lucide-react';
import type { ComponentProps } from 'react';
import { toast } from 'sonner';
import type { ContainerItem } from '#contract/containers.ts';
import { type ContainerAction, publishedPorts } from '#domain/stacks.ts';
import { instanceSlug } from '../../../actions/use-actions.tsx';
import { call, type OutputOf, toApiError } from '../../../api/client.ts';
import { queryClient } from '../../../api/queries.ts';
import { formatBytes } from '../../../lib/format.ts';
import { projectSlug } from '../../../lib/scope.ts';
import { useProject, useSession } from '../../../shell/session.ts';
import { Badge, type Tone } from '../../../ui/badge.tsx';
import { Button } from '../../../ui/button.tsx';
import { cx } from '../../../ui/cx.ts';
import { ActionsMenu, type MenuEntry } from '../../../ui/menu.tsx';
import { useInstance } from '../context.ts';

/** To the logs of one source. Takes what a menu gives its items. */
function LogsLink({ of, ...rest }: { of: string } & ComponentProps<'a'>) {
  const session = useSession();
  const slug = projectSlug(session, useProject());
  const instance = instanceSlug(useInstance());
  return (
    <Link {...rest} to="/p/$project/instances/$instance/logs" params={{ project: slug, instance }} search={{ of }} />
  );
}

/** The first line of every menu here. */
export const logsEntry = (of: string): MenuEntry => ({
  key: 'logs',
  label: 'Logs',
  icon: <ScrollText />,
  render: <LogsLink of={of} />,
});

export type ContainerUse = OutputOf<'containersUsage'>['items'][number];
export type PortRoute = { port: number | null; url: string };

/** After anything that changes what runs inside. */
export function refreshStacks(): void {
  for (const name of ['stacksList', 'instancesContainers', 'containersUsage', 'dockerUsage'] as const) {
    void queryClient.invalidateQueries({ queryKey: [name] });
  }
}

function toneOf({ state, status }: ContainerItem): Tone {
  if (state === 'running') return status.includes('(unhealthy)') ? 'bad' : 'ok';
  if (state === 'restarting') return 'warn';
  return state === 'exited' && !status.startsWith('Exited (0)') ? 'warn' : 'idle';
}

const words: Record<ContainerAction, string> = { start: 'is started', stop: 'is stopped', restart: 'is restarted' };

async function act(instance: string, container: ContainerItem, action: ContainerAction): Promise<void> {
  const doing = call('containersAct', { params: { instance, container: container.id, action } });
  toast.promise(doing, {
    loading: `${container.name}: ${action}…`,
    success: `${container.name} ${words[action]}`,
    error: (thrown) => toApiError(thrown).message,
  });
  await doing.catch(() => undefined);
  refreshStacks();
}

/** A way to each published port: the address it has, or the offer to give it one. */
function Ports({
  container,
  routes,
  onOpen,
}: {
  container: ContainerItem;
  routes: readonly PortRoute[];
  onOpen: (port: number) => void;
}) {
  const ports = publishedPorts(container.ports);
  if (ports.length === 0) return <span className="text-faint">none</span>;
  return (
    <span className="flex flex-wrap items-center gap-1.5">
      {ports.map(({ port, to, protocol, local }) => {
        const name = `${port}${port === to ? '' : ` to ${to}`}${protocol === 'udp' ? ' UDP' : ''}`;
        const route = routes.find((each) => each.port === port);
        const key = `${protocol}${port}`;
        if (local || protocol === 'udp') {
          return (
            <span key={key} className="mono text-soft text-xs">
              {name}
              {local ? ' (only inside)' : ''}
            </span>
          );
        }
        return route === undefined ? (
          <Button
            key={key}
            size="sm"
            icon={<Globe />}
            onClick={() => onOpen(port)}
            aria-label={`Open a route to port ${port}`}
          >
            {name}
          </Button>
        ) : (
          <a
            key={key}
            href={route.url}
            target="_blank"
            rel="noopener noreferrer"
            className="inline-flex min-h-6 items-center gap-1 text-accent text-xs hover:underline"
          >
            {name}
            <ExternalLink className="size-3.5" aria-hidden="true" />
            <span className="sr-only">{route.url}</span>
          </a>
        );
      })}
    </span>
  );
}

/** What narrow screens show below the service instead of in a column. */
const hiddenBelow: Readonly<Record<string, string>> = {
  Image: 'max-md:hidden',
  CPU: 'max-md:hidden',
  Memory: 'max-md:hidden',
  Status: 'max-sm:hidden',
  Ports: 'max-sm:hidden',
};
const cpuOf = (use: ContainerUse) => `${use.cpuPercent.toFixed(1)} %`;

export function ContainersTable({
  instance,
  label,
  items,
  usage,
  routes,
  blocked,
  onOpenPort,
}: {
  instance: string;
  label: string;
  items: readonly ContainerItem[];
  /** Undefined: not measured yet. */
  usage: readonly ContainerUse[] | undefined;
  routes: readonly PortRoute[];
  /** Reason why nothing may be changed. */
  blocked: string | undefined;
  onOpenPort: (port: number) => void;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keyboard
    <section aria-label={label} tabIndex={0} className="relative overflow-x-auto">
      <table className="w-full text-left text-sm" aria-label={label}>
        <thead>
          <tr className="border-line border-b text-faint text-xs">
            {['Service', 'Image', 'Status', 'CPU', 'Memory', 'Ports'].map((head) => (
              <th key={head} scope="col" className={cx('whitespace-nowrap px-4 py-2 font-medium', hiddenBelow[head])}>
                {head}
              </th>
            ))}
            <th scope="col" className="px-4 py-2">
              <span className="sr-only">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {items.map((row) => {
            const use = usage?.find(({ id }) => id === row.id);
            const runs = row.state === 'running' || row.state === 'restarting';
            const status = (
              <Badge tone={toneOf(row)} dot>
                {row.status}
              </Badge>
            );
            const ports = <Ports container={row} routes={routes} onOpen={onOpenPort} />;
            const change = (action: ContainerAction) => () => void act(instance, row, action);
            return (
              <tr key={row.id}>
                <td className="wrap-anywhere px-4 py-2">
                  <span className="font-medium">{row.service || row.name}</span>
                  {row.service === '' ? null : <span className="block text-faint text-xs">{row.name}</span>}
                  <span className="block text-soft text-xs md:hidden">
                    {[row.image, ...(use === undefined ? [] : [cpuOf(use), formatBytes(use.memoryBytes)])].join(' · ')}
                  </span>
                  <span className="mt-1.5 flex flex-wrap items-center gap-x-3 gap-y-1.5 sm:hidden">
                    {status}
                    {publishedPorts(row.ports).length === 0 ? null : ports}
                  </span>
                </td>
                <td className="mono min-w-40 break-all px-4 py-2 text-soft text-xs max-md:hidden">{row.image}</td>
                <td className="whitespace-nowrap px-4 py-2 max-sm:hidden">{status}</td>
                <td className="tabular whitespace-nowrap px-4 py-2 text-soft max-md:hidden">
                  {use === undefined ? '' : cpuOf(use)}
                </td>
                <td className="tabular whitespace-nowrap px-4 py-2 text-soft max-md:hidden">
                  {use === undefined ? '' : formatBytes(use.memoryBytes)}
                </td>
                <td className="px-4 py-2 max-sm:hidden">{ports}</td>
                <td className="px-4 py-2 text-right max-sm:align-top">
                  <ActionsMenu
                    of={row.name}
                    entries={[
                      logsEntry(`container:${row.name}`),
                      { kind: 'separator', key: 'line' },
                      ...(runs
                        ? [
                            {
                              key: 'restart',
                              label: 'Restart',
                              icon: <RotateCw />,
                              blocked,
                              onSelect: change('restart'),
                            },
                            { key: 'stop', label: 'Stop', icon: <Square />, blocked, onSelect: change('stop') },
                          ]
                        : [{ key: 'start', label: 'Start', icon: <Play />, blocked, onSelect: change('start') }]),
                    ]}
                  />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </section>
  );
}
