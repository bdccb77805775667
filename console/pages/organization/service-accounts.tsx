import { useQuery } from '@tanstack/react-query';
import { useRouteContext } from '@tanstack/react-router';
import { Bot, CirclePause, CirclePlay, KeyRound, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { serviceAccountRoutes } from '#contract/service-accounts.ts';
import { mayManageService, type ServiceRole, serviceRoles } from '#domain/service-accounts.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { roleWords } from '../../lib/roles.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { whyNot } from '../../lib/why-not.ts';
import { useMay, useScope } from '../../shell/session.ts';
import { actionsColumn, lastUsedColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { ActionsMenu } from '../../ui/menu.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Select } from '../../ui/select.tsx';
import { refreshServiceAccounts, type ServiceAccount, TokensPanel } from './service-tokens.tsx';

/** What it holds with no role of its own. */
const guestWords = { title: 'No role', hint: 'Only what its groups, projects and apps give' };
const wordsOf = (role: ServiceRole) => (role === 'guest' ? guestWords : roleWords[role]);
const roleOptions = (roles: readonly ServiceRole[]) =>
  roles.map((role) => ({ value: role, label: wordsOf(role).title, hint: wordsOf(role).hint }));

function CreateAccount({ organization, onClose }: { organization: string; onClose: () => void }) {
  const own = useScope().membership?.role ?? null;
  const form = useApiForm(serviceAccountRoutes.serviceAccountsCreate.body, {
    name: '',
    description: '',
    role: 'guest' as ServiceRole,
  });
  const { errors } = form.formState;
  return (
    <FormPanel
      onClose={onClose}
      title="Create a service account"
      description="A program with rights of its own. It never signs in and gets no mail."
      label="Create"
      form={form}
      onSubmit={form.submit(async (values) => {
        await call('serviceAccountsCreate', { params: { organization }, body: values });
        await refreshServiceAccounts();
        onClose();
      })}
    >
      <Field label="Name" hint="Lower case, such as deploy" error={errors.name?.message}>
        {(aria) => <Input {...aria} autoFocus autoComplete="off" {...form.register('name')} />}
      </Field>
      <Field label="Description" hint="What it is for" error={errors.description?.message}>
        {(aria) => <Input {...aria} autoComplete="off" {...form.register('description')} />}
      </Field>
      <Field label="Role in the whole organization" hint="Nobody gives more than they hold; it is never an owner.">
        {(aria) => (
          <Select
            {...aria}
            value={form.watch('role') ?? 'guest'}
            onChange={(role) => form.setValue('role', role)}
            options={roleOptions(serviceRoles.filter((role) => mayManageService(own, null, role)).toReversed())}
          />
        )}
      </Field>
    </FormPanel>
  );
}

const alsoIn = (row: ServiceAccount): string =>
  [
    ...row.groups.map((group) => group.title),
    ...row.projects.map((project) => `${project.name} (${roleWords[project.role].title.toLowerCase()})`),
  ].join(', ');

type Ending = { account: ServiceAccount; how: 'disable' | 'delete' };

export function ServiceAccountsPage() {
  const { organizationId } = useRouteContext({ from: '/shell/o/$organization' });
  const own = useScope().membership?.role ?? null;
  const mayCreate = useMay('service-account.create');
  const maySeeTokens = useMay('service-account.update');
  const accounts = useQuery(apiQuery('serviceAccountsList', { params: { organization: organizationId } }));
  const [creating, setCreating] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  const [ending, setEnding] = useState<Ending | null>(null);
  const shown = accounts.data?.items.find((each) => each.id === open);
  const paramsOf = (account: ServiceAccount) => ({ organization: organizationId, account: account.id });

  async function change(account: ServiceAccount, body: { role?: ServiceRole; disabled?: boolean }) {
    try {
      await call('serviceAccountsUpdate', { params: paramsOf(account), body });
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    await refreshServiceAccounts();
  }

  async function end({ account, how }: Ending) {
    const params = paramsOf(account);
    try {
      if (how === 'delete') await call('serviceAccountsDelete', { params });
      else await call('serviceAccountsUpdate', { params, body: { disabled: true } });
    } finally {
      await refreshServiceAccounts();
    }
  }

  const create = (
    <Button
      tone="primary"
      icon={<Plus />}
      blocked={mayCreate ? undefined : 'Your role does not allow this.'}
      onClick={() => setCreating(true)}
    >
      Create a service account
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Service accounts"
        description="Pipelines and other programs with rights of their own, which stay when people leave. They are no members: no sign-in, no mail, and a rule about second factors does not concern them."
        actions={accounts.data?.items.length === 0 ? undefined : create}
      />
      <QueryView query={accounts}>
        {({ items }) => (
          <DataTable<ServiceAccount>
            label="Service accounts"
            rows={items}
            rowId={(row) => row.id}
            rowName={(row) => row.name}
            empty={
              <EmptyState icon={<Bot />} title="No service accounts" action={create}>
                For programs that should not hang on a person, such as a pipeline that deploys.
              </EmptyState>
            }
            columns={[
              {
                id: 'name',
                header: 'Account',
                cell: (row) => (
                  <div className="min-w-0">
                    <p className="flex items-center gap-2 font-medium">
                      {row.name}
                      {row.disabled ? <Badge tone="warn">disabled</Badge> : null}
                    </p>
                    <p className="text-faint text-xs">
                      {row.description === '' ? `made by ${row.createdBy}` : row.description}
                    </p>
                  </div>
                ),
              },
              {
                id: 'role',
                header: 'Role',
                from: 'sm',
                cell: (row) =>
                  row.can.update === true ? (
                    <Select
                      className="!w-36"
                      label={`Role of ${row.name}`}
                      value={row.role}
                      onChange={(role) => void change(row, { role })}
                      options={roleOptions(
                        serviceRoles.filter((role) => role === row.role || mayManageService(own, row.role, role)),
                      )}
                    />
                  ) : (
                    <Badge>{wordsOf(row.role).title}</Badge>
                  ),
              },
              {
                id: 'also',
                header: 'Also in',
                from: 'md',
                cell: (row) => (
                  <span className="text-soft">{alsoIn(row) || <span className="text-faint">–</span>}</span>
                ),
              },
              lastUsedColumn({ from: 'sm' }),
              {
                id: 'tokens',
                header: 'Tokens',
                cell: (row) =>
                  maySeeTokens ? (
                    <Button size="sm" tone="ghost" icon={<KeyRound />} onClick={() => setOpen(row.id)}>
                      {row.tokens}
                      <span className="sr-only"> tokens of {row.name}</span>
                    </Button>
                  ) : (
                    row.tokens
                  ),
              },
              actionsColumn(
                (row) => {
                  const blocked = whyNot(row.can.update);
                  return (
                    <ActionsMenu
                      of={row.name}
                      entries={[
                        row.disabled
                          ? {
                              key: 'enable',
                              label: 'Enable',
                              icon: <CirclePlay />,
                              blocked,
                              onSelect: () => void change(row, { disabled: false }),
                            }
                          : {
                              key: 'disable',
                              label: 'Disable…',
                              icon: <CirclePause />,
                              danger: true,
                              blocked,
                              onSelect: () => setEnding({ account: row, how: 'disable' }),
                            },
                        {
                          key: 'delete',
                          label: 'Delete…',
                          icon: <Trash2 />,
                          danger: true,
                          blocked: whyNot(row.can.delete),
                          onSelect: () => setEnding({ account: row, how: 'delete' }),
                        },
                      ]}
                    />
                  );
                },
                { narrow: true },
              ),
            ]}
          />
        )}
      </QueryView>
      {creating ? <CreateAccount organization={organizationId} onClose={() => setCreating(false)} /> : null}
      {shown === undefined ? null : <TokensPanel account={shown} onClose={() => setOpen(null)} />}
      {ending === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setEnding(null)}
          onConfirm={() => end(ending)}
          title={`${ending.how === 'delete' ? 'Delete' : 'Disable'} ${ending.account.name}?`}
          body={
            ending.how === 'delete'
              ? `Its ${ending.account.tokens} tokens end for good and at once: whatever uses them is refused. What it made stays; its name is free again.`
              : `Its ${ending.account.tokens} tokens are refused from now on, and its open screens and terminals close. Enabled again, they work until they end.`
          }
          confirmLabel={ending.how === 'delete' ? 'Delete' : 'Disable'}
        />
      )}
    </>
  );
}
