import { useQuery } from '@tanstack/react-query';
import { useRouteContext } from '@tanstack/react-router';
import { Plus, Trash2, UsersRound, X } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { groupRoutes } from '#contract/groups.ts';
import { mayChangeRole, type WorkingRole, workingRoles } from '#domain/authz.ts';
import { call, type OutputOf, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { roleWords } from '../../lib/roles.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { useMay, useScope } from '../../shell/session.ts';
import { actionsColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button, IconButton } from '../../ui/button.tsx';
import { ConfirmDialog, SidePanel } from '../../ui/dialog.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Select } from '../../ui/select.tsx';

type Group = OutputOf<'groupsList'>['items'][number];
const NO_ROLE = 'none';

const refresh = () =>
  queryClient.invalidateQueries({
    predicate: ({ queryKey }) => queryKey[0] === 'groupsList' || queryKey[0] === 'groupMembersList',
  });

function CreateGroup({ organization, onClose }: { organization: string; onClose: () => void }) {
  const own = useScope().membership?.role ?? 'viewer';
  const form = useApiForm(groupRoutes.groupsCreate.body, { name: '', title: '', role: null as WorkingRole | null });
  const { errors } = form.formState;
  const role = (form.watch('role') as WorkingRole | null) ?? NO_ROLE;
  return (
    <FormPanel
      onClose={onClose}
      title="Create a group"
      description="Whatever is given to a group, everybody in it holds."
      label="Create"
      form={form}
      onSubmit={form.submit(async (values) => {
        await call('groupsCreate', { params: { organization }, body: values });
        await refresh();
        onClose();
      })}
    >
      <Field label="Title" error={errors.title?.message}>
        {(aria) => <Input {...aria} autoFocus autoComplete="off" {...form.register('title')} />}
      </Field>
      <Field label="Name" hint="Lower case, for the command line" error={errors.name?.message}>
        {(aria) => <Input {...aria} autoComplete="off" {...form.register('name')} />}
      </Field>
      <Field label="Gives in the whole organization">
        {(aria) => (
          <Select
            {...aria}
            value={role}
            onChange={(next) => form.setValue('role', next === NO_ROLE ? null : (next as WorkingRole))}
            options={[
              { value: NO_ROLE, label: 'Nothing', hint: 'Only the apps and projects it is given' },
              ...workingRoles
                .filter((each) => mayChangeRole(own, null, each))
                .map((each) => ({ value: each, label: roleWords[each].title, hint: roleWords[each].hint })),
            ]}
          />
        )}
      </Field>
    </FormPanel>
  );
}

/** Who is in a group; adding and removing act at once. */
function GroupPanel({ group, onClose }: { group: Group; onClose: () => void }) {
  const params = { organization: group.organization, group: group.id };
  const inside = useQuery(apiQuery('groupMembersList', { params }));
  const people = useQuery(
    apiQuery('membersList', { params: { organization: group.organization }, query: { limit: 200 } }),
  );
  const services = useQuery(apiQuery('serviceAccountsList', { params: { organization: group.organization } }));
  const may = group.can.update === true;
  const ids = new Set(inside.data?.items.map((each) => each.user.id));
  const outside = [
    ...(people.data?.items ?? []).map(({ user }) => ({ id: user.id, label: user.name, hint: user.email })),
    ...(services.data?.items ?? []).map(({ id, name }) => ({ id, label: name, hint: 'Service account' })),
  ].filter((each) => !ids.has(each.id));
  async function change(route: 'groupMembersAdd' | 'groupMembersRemove', user: string) {
    try {
      await call(route, { params: { ...params, user } });
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    await refresh();
  }
  return (
    <SidePanel
      open
      onClose={onClose}
      title={group.title}
      description="Who leaves the group loses what it gave at once."
    >
      <div className="flex flex-col gap-4">
        {may && outside.length > 0 ? (
          <Select
            label="Add a member"
            value=""
            onChange={(user) => void change('groupMembersAdd', user)}
            options={[
              { value: '', label: 'Add a member…' },
              ...outside.map(({ id, label, hint }) => ({ value: id as string, label, hint })),
            ]}
          />
        ) : null}
        <QueryView query={inside}>
          {({ items }) =>
            items.length === 0 ? (
              <p className="text-sm text-soft">Nobody is in it.</p>
            ) : (
              <ul className="divide-y divide-line">
                {items.map(({ user }) => (
                  <li key={user.id} className="flex items-center gap-3 py-2 text-sm">
                    <span className="min-w-0 flex-1">
                      <span className="block truncate font-medium">{user.name}</span>
                      <span className="block truncate text-faint text-xs">{user.email}</span>
                    </span>
                    {may ? (
                      <IconButton
                        label={`Take ${user.name} out`}
                        size="sm"
                        quiet
                        onClick={() => void change('groupMembersRemove', user.id)}
                      >
                        <X />
                      </IconButton>
                    ) : null}
                  </li>
                ))}
              </ul>
            )
          }
        </QueryView>
      </div>
    </SidePanel>
  );
}

export function GroupsPage() {
  const { organizationId } = useRouteContext({ from: '/shell/o/$organization' });
  const mayCreate = useMay('group.create');
  const groups = useQuery(apiQuery('groupsList', { params: { organization: organizationId } }));
  const [creating, setCreating] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  const [deleting, setDeleting] = useState<Group | null>(null);
  const shown = groups.data?.items.find((each) => each.id === open);

  return (
    <>
      <PageHeader
        title="Groups"
        description="People who are given roles and apps together."
        actions={
          <Button
            tone="primary"
            icon={<Plus />}
            blocked={mayCreate ? undefined : 'Your role does not allow this.'}
            onClick={() => setCreating(true)}
          >
            Create a group
          </Button>
        }
      />
      <QueryView query={groups}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="text-sm text-soft">There are no groups yet.</p>
          ) : (
            <DataTable<Group>
              label="Groups"
              rows={items}
              rowId={(row) => row.id}
              rowName={(row) => row.title}
              columns={[
                {
                  id: 'title',
                  header: 'Group',
                  cell: (row) => (
                    <div className="min-w-0">
                      <p className="font-medium">{row.title}</p>
                      <p className="truncate text-faint text-xs">{row.name}</p>
                    </div>
                  ),
                },
                {
                  id: 'role',
                  header: 'Gives',
                  cell: (row) =>
                    row.role === null ? (
                      <span className="text-faint">–</span>
                    ) : (
                      <Badge>{roleWords[row.role].title}</Badge>
                    ),
                },
                {
                  id: 'members',
                  header: 'Members',
                  cell: (row) => (
                    <Button size="sm" tone="ghost" icon={<UsersRound />} onClick={() => setOpen(row.id)}>
                      {row.members}
                      <span className="sr-only"> members of {row.title}</span>
                    </Button>
                  ),
                },
                actionsColumn(
                  (row) =>
                    row.can.delete === true ? (
                      <IconButton label={`Delete ${row.title}`} size="sm" quiet onClick={() => setDeleting(row)}>
                        <Trash2 />
                      </IconButton>
                    ) : null,
                  { narrow: true },
                ),
              ]}
            />
          )
        }
      </QueryView>
      {creating ? <CreateGroup organization={organizationId} onClose={() => setCreating(false)} /> : null}
      {shown === undefined ? null : <GroupPanel group={shown} onClose={() => setOpen(null)} />}
      {deleting === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setDeleting(null)}
          onConfirm={async () => {
            await call('groupsDelete', { params: { organization: organizationId, group: deleting.id } });
            await refresh();
          }}
          title={`Delete ${deleting.title}?`}
          body={`Its ${deleting.members} members lose the roles and apps that it gave, at once; their open screens close. They stay members of the organization.`}
          confirmLabel="Delete"
        />
      )}
    </>
  );
}
