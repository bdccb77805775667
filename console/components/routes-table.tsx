import { ExternalLink, Globe, Lock, Pencil, ShieldCheck, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Route } from '#contract/routes.ts';
import { call, toApiError } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { whyNot } from '../lib/why-not.ts';
import { actionsColumn } from '../table/columns.tsx';
import { DataTable } from '../table/data-table.tsx';
import { Badge } from '../ui/badge.tsx';
import { CopyButton } from '../ui/copy-button.tsx';
import { ConfirmDialog } from '../ui/dialog.tsx';
import { ActionsMenu } from '../ui/menu.tsx';
import { TimeAgo } from '../ui/time.tsx';
import { leadsToColumn } from './leads-to.tsx';
import { RouteForm } from './route-form.tsx';

/** Host name, and the path when it is not all of it. */
const placeOf = (route: Route) => (route.path === '/' ? route.hostname : route.hostname + route.path);

const leadsTo = (route: Route) =>
  route.redirect !== null
    ? `redirect to ${route.redirect.to}`
    : route.target === 'screen'
      ? 'screen'
      : `port ${route.port}`;

/** Rules in force, in a word each. */
function rulesOf({ rules }: Route): string[] {
  return [
    ...(rules.basicAuth === null ? [] : ['password']),
    ...(rules.allow.length === 0 ? [] : ['networks']),
    ...(rules.bodyBytesMax === null ? [] : ['size limit']),
    ...(rules.requestHeaders.length + rules.responseHeaders.length === 0 ? [] : ['headers']),
    ...(rules.protocol === 'h2c' ? ['HTTP/2 inside'] : []),
  ];
}

async function checkCertificate(route: Route): Promise<void> {
  try {
    const { certificate } = await call('routesCheck', { params: { route: route.id } });
    if (certificate?.state === 'valid') toast.success(`${route.hostname} has a certificate of ${certificate.issuer}`);
    else toast.error(certificate?.problem ?? 'There is none.');
    refresh();
  } catch (thrown) {
    toast.error(toApiError(thrown).message);
  }
}

/** State and end of the certificate, as far as somebody has looked. */
function CertificateCell({ route: { certificate } }: { route: Route }) {
  if (certificate === null) return <span className="text-faint">on demand</span>;
  if (certificate.expiresAt === null)
    return (
      <Badge tone="bad">
        none<span className="sr-only">: {certificate.problem}</span>
      </Badge>
    );
  return (
    <span className="whitespace-nowrap text-soft" title={certificate.issuer ?? undefined}>
      ends <TimeAgo at={certificate.expiresAt} />
    </span>
  );
}

function refresh(): void {
  void queryClient.invalidateQueries({ queryKey: ['routesList'] });
  void queryClient.invalidateQueries({ queryKey: ['routesListProject'] });
  void queryClient.invalidateQueries({ queryKey: ['quotaGet'] });
  void queryClient.invalidateQueries({ queryKey: ['domainsList'] });
}

/** Addresses that lead to instances; with the instance's name where routes of several are shown. */
export function RoutesTable({
  routes,
  slug,
  withInstance = false,
  filter,
  empty,
}: {
  routes: readonly Route[];
  slug: string;
  withInstance?: boolean;
  filter?: string;
  empty: React.ReactNode;
}) {
  const [editing, setEditing] = useState<Route | null>(null);
  const [removing, setRemoving] = useState<Route | null>(null);
  return (
    <>
      <DataTable<Route>
        label="Routes"
        rows={routes}
        rowId={(row) => row.id}
        rowName={placeOf}
        filter={filter ?? ''}
        empty={empty}
        columns={[
          {
            id: 'hostname',
            header: 'Address',
            fills: true,
            text: (row) => `${placeOf(row)} ${row.instanceName} ${row.port ?? ''} ${row.redirect?.to ?? ''}`,
            cell: (row) => (
              <span className="flex min-w-0 items-center gap-1">
                <a
                  href={row.url}
                  target="_blank"
                  rel="noopener noreferrer"
                  className="inline-flex min-w-0 items-center gap-1.5 font-medium hover:text-accent"
                >
                  <span className="truncate">{placeOf(row)}</span>
                  <ExternalLink className="size-3.5 shrink-0 text-faint" aria-hidden="true" />
                </a>
                <CopyButton text={row.url} label="Copy the address" className="max-sm:hidden" />
                {row.primary ? <Badge className="max-md:hidden">primary</Badge> : null}
              </span>
            ),
          },
          leadsToColumn(slug, withInstance, leadsTo),
          {
            id: 'visibility',
            header: 'Who may open it',
            cell: (row) => (
              <Badge tone={row.visibility === 'public' ? 'warn' : 'ok'}>
                {row.visibility === 'public' ? (
                  <Globe className="size-3" aria-hidden="true" />
                ) : (
                  <Lock className="size-3" aria-hidden="true" />
                )}
                {row.visibility === 'public' ? 'Everybody' : 'Members'}
              </Badge>
            ),
          },
          {
            id: 'rules',
            header: 'Rules',
            from: 'md',
            cell: (row) => <span className="text-soft">{rulesOf(row).join(', ') || '–'}</span>,
          },
          {
            id: 'certificate',
            header: 'Certificate',
            from: 'lg',
            cell: (row) => <CertificateCell route={row} />,
          },
          {
            id: 'created',
            header: 'Created',
            from: 'lg',
            cell: (row) => <TimeAgo at={row.createdAt} className="text-soft" />,
          },
          actionsColumn(
            (row) => (
              <ActionsMenu
                of={placeOf(row)}
                entries={[
                  {
                    key: 'edit',
                    label: 'Change…',
                    icon: <Pencil />,
                    blocked: whyNot(row.can.update),
                    onSelect: () => setEditing(row),
                  },
                  {
                    key: 'check',
                    label: 'Look at the certificate',
                    icon: <ShieldCheck />,
                    blocked: whyNot(row.can.check),
                    onSelect: () => void checkCertificate(row),
                  },
                  {
                    key: 'delete',
                    label: 'Remove…',
                    icon: <Trash2 />,
                    danger: true,
                    blocked: whyNot(row.can.delete),
                    onSelect: () => setRemoving(row),
                  },
                ]}
              />
            ),
            { narrow: true },
          ),
        ]}
      />
      {editing === null ? null : (
        <RouteForm
          instance={{ id: editing.instance, name: editing.instanceName }}
          route={editing}
          onClose={() => setEditing(null)}
          onDone={refresh}
        />
      )}
      {removing === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setRemoving(null)}
          onConfirm={async () => {
            await call('routesDelete', { params: { route: removing.id } });
            refresh();
            toast.message(`${placeOf(removing)} is removed`);
          }}
          title={`Remove ${placeOf(removing)}?`}
          body="The address stops working at once. The instance goes on, and the name becomes free for others."
          confirmLabel="Remove"
        />
      )}
    </>
  );
}
