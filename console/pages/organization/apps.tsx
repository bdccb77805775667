import { useQuery } from '@tanstack/react-query';
import { useRouteContext } from '@tanstack/react-router';
import { ShieldMinus, ShieldPlus } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { GrantPermission } from '#domain/authz.ts';
import { call, type OutputOf, toApiError } from '../../api/client.ts';
import { everyPage, PAGE_MAX } from '../../api/every-page.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { useMay } from '../../shell/session.ts';
import { DataTable } from '../../table/data-table.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Select } from '../../ui/select.tsx';

type App = OutputOf<'appsList'>['items'][number];
const words: Record<string, readonly GrantPermission[]> = {
  open: ['open'],
  both: ['open', 'terminal'],
  all: ['open', 'terminal', 'ssh'],
  ssh: ['ssh'],
};
const said: Record<GrantPermission, string> = { open: 'opens', terminal: 'terminal', ssh: 'SSH' };

/** Who may use which app: choose apps, choose a person or a group, grant or revoke in one go. */
export function AppsPage() {
  const { organizationId } = useRouteContext({ from: '/shell/o/$organization' });
  const may = useMay('grant.update');
  const params = { organization: organizationId };
  const apps = useQuery({
    queryKey: ['appsList', { params }],
    queryFn: () => everyPage((query) => call('appsList', { params, query })),
  });
  const grants = useQuery({
    queryKey: ['grantsList', { params }],
    queryFn: () => everyPage((query) => call('grantsList', { params, query })),
  });
  const people = useQuery({
    queryKey: ['membersList', { params, all: true }],
    queryFn: () => everyPage((query) => call('membersList', { params, query })),
  });
  const groups = useQuery(apiQuery('groupsList', { params }));
  const services = useQuery(apiQuery('serviceAccountsList', { params }));
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [subject, setSubject] = useState('');
  const [level, setLevel] = useState('open');
  const [revoking, setRevoking] = useState(false);
  const [busy, setBusy] = useState(false);

  const subjects = [
    ...(groups.data?.items.map((each) => ({ value: each.id as string, label: each.title, hint: 'Group' })) ?? []),
    ...(people.data?.map(({ user }) => ({ value: user.id as string, label: user.name, hint: user.email })) ?? []),
    ...(services.data?.items.map(({ id, name }) => ({ value: id as string, label: name, hint: 'Service account' })) ??
      []),
  ];
  const nameOf = (id: string) => subjects.find((each) => each.value === id)?.label ?? id;
  const blocked = !may
    ? 'Your role does not allow this.'
    : selected.size === 0
      ? 'Choose apps in the list first.'
      : selected.size > PAGE_MAX
        ? `At most ${PAGE_MAX} at once.`
        : subject === ''
          ? 'Choose a person or a group first.'
          : undefined;

  async function change(permissions: readonly GrantPermission[]) {
    try {
      const { changed } = await call('grantsChange', {
        params,
        body: { changes: [...selected].map((app) => ({ app, subject, permissions: [...permissions] })) as never },
      });
      toast.success(changed === 1 ? 'One permission changed' : `${changed} permissions changed`);
      setSelected(new Set());
    } finally {
      void queryClient.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === 'grantsList' });
    }
  }
  async function grant() {
    setBusy(true);
    await change(words[level] ?? []).catch((thrown: unknown) => toast.error(toApiError(thrown).message));
    setBusy(false);
  }

  return (
    <>
      <PageHeader
        title="App permissions"
        description="Who may use single desktops and servers without a role in their project. Roles give more and are not shown here."
      />
      <div className="mb-4 flex flex-wrap items-center gap-2">
        <Select
          className="!w-60"
          label="Person or group"
          value={subject}
          onChange={setSubject}
          options={[{ value: '', label: 'Person or group…' }, ...subjects]}
        />
        <Select
          className="!w-52"
          label="What they may do"
          value={level}
          onChange={setLevel}
          options={[
            { value: 'open', label: 'May open', hint: 'Screen and private addresses' },
            { value: 'both', label: 'May open, terminal', hint: 'And a terminal in it' },
          ]}
        />
        <Button tone="primary" icon={<ShieldPlus />} busy={busy} blocked={blocked} onClick={() => void grant()}>
          Grant
        </Button>
        <Button icon={<ShieldMinus />} blocked={blocked} onClick={() => setRevoking(true)}>
          Revoke…
        </Button>
        <span className="text-faint text-sm">{selected.size} chosen</span>
      </div>
      <QueryView query={apps}>
        {(items) =>
          items.length === 0 ? (
            <p className="text-sm text-soft">There is no desktop or server yet.</p>
          ) : (
            <DataTable<App>
              label="Apps"
              rows={items}
              rowId={(row) => row.app}
              rowName={(row) => row.name}
              {...(may ? { selected, onSelect: setSelected } : {})}
              columns={[
                {
                  id: 'name',
                  header: 'App',
                  cell: (row) => (
                    <div className="min-w-0">
                      <p className="font-medium">{row.name}</p>
                      <p className="truncate text-faint text-xs">
                        {row.kind} in {row.project.name}
                      </p>
                    </div>
                  ),
                },
                {
                  id: 'who',
                  header: 'Granted to',
                  cell: (row) => {
                    const held = grants.data?.filter((each) => each.app === row.app) ?? [];
                    return held.length === 0 ? (
                      <span className="text-faint">nobody</span>
                    ) : (
                      <span className="flex flex-wrap gap-1">
                        {held.map((each) => (
                          <Badge key={each.id}>
                            {nameOf(each.subject)}: {each.permissions.map((permission) => said[permission]).join(', ')}
                          </Badge>
                        ))}
                      </span>
                    );
                  },
                },
              ]}
            />
          )
        }
      </QueryView>
      {revoking ? (
        <ConfirmDialog
          danger
          onClose={() => setRevoking(false)}
          onConfirm={() => change([])}
          title={`Take ${selected.size === 1 ? 'one app' : `${selected.size} apps`} away from ${nameOf(subject)}?`}
          body="Open screens and terminals close at once. What roles and other groups give them stays."
          confirmLabel="Revoke"
        />
      ) : null}
    </>
  );
}
