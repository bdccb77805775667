import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { UsersRound } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { OutputOf } from '../../api/client.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { DeletionDialog } from '../../components/deletion-dialog.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { roleWords } from '../../lib/roles.ts';
import { whyNot } from '../../lib/why-not.ts';
import { actionsColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { FilterInput } from '../../table/filter-input.tsx';
import { Badge } from '../../ui/badge.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { ActionsMenu } from '../../ui/menu.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { TimeAgo } from '../../ui/time.tsx';

type User = OutputOf<'usersList'>['items'][number];
type Verb = 'disable' | 'signOut' | 'administrator';

const route = getRouteApi('/shell/platform/users');

export function UsersPage() {
  const { q = '' } = route.useSearch();
  const navigate = useNavigate();
  const query = useQuery(apiQuery('usersList', { query: { limit: 200, ...(q === '' ? {} : { search: q }) } }));
  const [asked, setAsked] = useState<{ user: User; verb: Verb } | null>(null);
  const [deleting, setDeleting] = useState<User | null>(null);
  async function enable(user: User) {
    await act(
      () => call('usersUpdate', { params: { user: user.id }, body: { disabled: false } }),
      `${user.name} may sign in again`,
    );
  }
  return (
    <>
      <PageHeader
        title="Users"
        description="Every account of this installation. What people have inside organizations is not shown here."
      />
      <FilterInput
        label="Search by name or address"
        placeholder="Name or address"
        value={q}
        onChange={(next) =>
          void navigate({ to: '/platform/users', search: { q: next === '' ? undefined : next }, replace: true })
        }
      />
      <div className="mt-3">
        <QueryView query={query}>
          {({ items, nextCursor }) => (
            <>
              <DataTable<User>
                label="Users"
                rows={items}
                rowId={(row) => row.id}
                rowName={(row) => row.name}
                empty={<EmptyState icon={<UsersRound />} title="Nobody matches" />}
                columns={[
                  { id: 'name', header: 'Name', cell: (row) => <Who user={row} /> },
                  {
                    id: 'organizations',
                    header: 'Organizations',
                    from: 'md',
                    cell: (row) => (
                      <span className="text-soft">
                        {row.organizations.length === 0
                          ? 'none'
                          : row.organizations
                              .map((each) => `${each.title} (${roleWords[each.role].title.toLowerCase()})`)
                              .join(', ')}
                      </span>
                    ),
                  },
                  {
                    id: 'seen',
                    header: 'Last seen',
                    from: 'sm',
                    cell: (row) =>
                      row.lastSeenAt === null ? (
                        <span className="text-faint">never</span>
                      ) : (
                        <TimeAgo at={row.lastSeenAt} className="whitespace-nowrap text-soft" />
                      ),
                  },
                  actionsColumn(
                    (row) => (
                      <Actions
                        user={row}
                        ask={(verb) => setAsked({ user: row, verb })}
                        enable={() => void enable(row)}
                        remove={() => setDeleting(row)}
                      />
                    ),
                    { narrow: true },
                  ),
                ]}
              />
              {nextCursor === null ? null : (
                <p className="mt-2 text-faint text-xs">Only the newest {items.length} are shown: search for others.</p>
              )}
            </>
          )}
        </QueryView>
      </div>
      {asked === null ? null : <Ask {...asked} onClose={() => setAsked(null)} />}
      {deleting === null ? null : <Delete user={deleting} onClose={() => setDeleting(null)} />}
    </>
  );
}

async function act(work: () => Promise<unknown>, done: string): Promise<void> {
  try {
    await work();
    toast.success(done);
  } catch (thrown) {
    toast.error(toApiError(thrown).message);
  }
  await queryClient.invalidateQueries({ queryKey: ['usersList'] });
}

function Who({ user }: { user: User }) {
  return (
    <div className="min-w-0">
      <p className="flex flex-wrap items-center gap-1.5 font-medium">
        {user.name}
        {user.platformAdmin ? <Badge tone="accent">administrator</Badge> : null}
        {user.disabledAt === null ? null : <Badge tone="bad">disabled</Badge>}
        {user.secondFactor ? <Badge tone="ok">second factor</Badge> : null}
      </p>
      <p className="truncate text-faint text-xs">
        {user.email}
        {user.emailVerified ? '' : ' · not verified'}
      </p>
    </div>
  );
}

function Actions({
  user,
  ask,
  enable,
  remove,
}: {
  user: User;
  ask: (verb: Verb) => void;
  enable: () => void;
  remove: () => void;
}) {
  return (
    <ActionsMenu
      of={user.name}
      entries={[
        {
          key: 'sign-out',
          label: 'Sign out everywhere…',
          blocked: whyNot(user.can.signOut),
          onSelect: () => ask('signOut'),
        },
        {
          key: 'administrator',
          label: user.platformAdmin ? 'No longer administrator…' : 'Make administrator…',
          blocked: whyNot(user.can.administrator),
          onSelect: () => ask('administrator'),
        },
        user.disabledAt === null
          ? {
              key: 'disable',
              label: 'Disable…',
              danger: true,
              blocked: whyNot(user.can.disable),
              onSelect: () => ask('disable'),
            }
          : { key: 'enable', label: 'Enable', onSelect: enable },
        { key: 'delete', label: 'Delete…', danger: true, blocked: whyNot(user.can.delete), onSelect: remove },
      ]}
    />
  );
}

function Ask({ user, verb, onClose }: { user: User; verb: Verb; onClose: () => void }) {
  const params = { user: user.id };
  const words = {
    disable: {
      title: `Disable ${user.name}?`,
      body: 'They are signed out at once and cannot sign in until you enable the account again. Everything else stays.',
      label: 'Disable',
      work: () => call('usersUpdate', { params, body: { disabled: true } }),
    },
    signOut: {
      title: `Sign ${user.name} out everywhere?`,
      body: 'Every browser, program and API token of theirs stops working at once. They may sign in again.',
      label: 'Sign out',
      work: () => call('usersSignOut', { params }),
    },
    administrator: {
      title: user.platformAdmin ? `Take administration from ${user.name}?` : `Make ${user.name} an administrator?`,
      body: user.platformAdmin
        ? 'They keep their account and organizations, and see nothing of the installation any more.'
        : 'Administrators manage users, hosts, images, mail and sign-in of the whole installation.',
      label: user.platformAdmin ? 'Take away' : 'Make administrator',
      work: () => call('usersUpdate', { params, body: { platformAdmin: !user.platformAdmin } }),
    },
  }[verb];
  return (
    <ConfirmDialog
      danger={verb !== 'administrator' || user.platformAdmin}
      onClose={onClose}
      onConfirm={async () => {
        await words.work();
        await queryClient.invalidateQueries({ queryKey: ['usersList'] });
      }}
      title={words.title}
      body={words.body}
      confirmLabel={words.label}
    />
  );
}

function Delete({ user, onClose }: { user: User; onClose: () => void }) {
  const query = useQuery(apiQuery('usersDeletion', { params: { user: user.id } }));
  return (
    <DeletionDialog
      title={`Delete the account of ${user.name}?`}
      email={user.email}
      query={query}
      onClose={onClose}
      onDelete={async (handOver) => {
        await call('usersDelete', { params: { user: user.id }, body: { handOver } });
        await queryClient.invalidateQueries({ queryKey: ['usersList'] });
        onClose();
      }}
    />
  );
}
