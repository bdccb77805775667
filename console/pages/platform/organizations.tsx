import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Building2, Plus } from 'lucide-react';
import { useState } from 'react';
import { z } from 'zod';
import { ENTRY_REASON_LENGTH_MIN } from '#contract/entries.ts';
import { nameProblem } from '#domain/names.ts';
import type { OutputOf } from '../../api/client.ts';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormDialog, FormPanel } from '../../components/form-panel.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { formatBytes, plural } from '../../lib/format.ts';
import { projectSlug } from '../../lib/scope.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { leaveEntry } from '../../shell/entry-banner.tsx';
import { sessionQuery, useSession } from '../../shell/session.ts';
import { actionsColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { FilterInput } from '../../table/filter-input.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Field, Input, Textarea } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Select } from '../../ui/select.tsx';
import { TimeAgo } from '../../ui/time.tsx';

type Organization = OutputOf<'organizationsList'>['items'][number];

const route = getRouteApi('/shell/platform/organizations');

/** Every organization of the installation: how much is in it, nothing of what, and the announced way in. */
export function OrganizationsPage() {
  const { q = '' } = route.useSearch();
  const navigate = useNavigate();
  const query = useQuery(apiQuery('organizationsList', { query: { limit: 200, ...(q === '' ? {} : { search: q }) } }));
  const [entering, setEntering] = useState<Organization | null>(null);
  const [creating, setCreating] = useState(false);
  return (
    <>
      <PageHeader
        title="Organizations"
        description="All of this installation: how much is in them, and nothing of what. To help in one, enter it: with a reason, for a time, and its owners read both."
        actions={
          <Button icon={<Plus />} onClick={() => setCreating(true)}>
            New organization
          </Button>
        }
      />
      <FilterInput
        label="Search by name"
        placeholder="Name"
        value={q}
        onChange={(next) =>
          void navigate({ to: '/platform/organizations', search: { q: next === '' ? undefined : next }, replace: true })
        }
      />
      <div className="mt-3">
        <QueryView query={query}>
          {({ items, nextCursor }) => (
            <>
              <DataTable<Organization>
                label="Organizations"
                rows={items}
                rowId={(row) => row.id}
                rowName={(row) => row.title}
                empty={<EmptyState icon={<Building2 />} title="None matches" />}
                columns={[
                  {
                    id: 'name',
                    header: 'Name',
                    cell: (row) => (
                      <div className="min-w-0">
                        <p className="font-medium">{row.title}</p>
                        <p className="truncate text-faint text-xs">{row.name}</p>
                      </div>
                    ),
                  },
                  {
                    id: 'members',
                    header: 'Members',
                    from: 'sm',
                    align: 'right',
                    cell: (row) => <span className="tabular">{row.members}</span>,
                  },
                  {
                    id: 'projects',
                    header: 'Projects',
                    from: 'lg',
                    align: 'right',
                    cell: (row) => <span className="tabular">{row.projects}</span>,
                  },
                  {
                    id: 'instances',
                    header: 'Instances',
                    from: 'sm',
                    align: 'right',
                    cell: (row) => <span className="tabular">{row.instances}</span>,
                  },
                  {
                    id: 'use',
                    header: 'In use',
                    from: 'md',
                    cell: ({ use }) => (
                      <span className="tabular text-soft">
                        {plural(use.cpus, 'CPU')} · {formatBytes(use.memoryBytes)} memory · {formatBytes(use.diskBytes)}{' '}
                        disk
                      </span>
                    ),
                  },
                  actionsColumn((row) => <WayIn organization={row} onEnter={() => setEntering(row)} />),
                ]}
              />
              {nextCursor === null ? null : (
                <p className="mt-2 text-faint text-xs">Only the first {items.length} are shown: search for others.</p>
              )}
            </>
          )}
        </QueryView>
      </div>
      {entering === null ? null : <Enter organization={entering} onClose={() => setEntering(null)} />}
      {creating ? <Create onClose={() => setCreating(false)} /> : null}
    </>
  );
}

/** Where an organization opens: its first project that the person may look into, else its members. */
function useOpen(): (organization: { id: string; name: string }) => Promise<void> {
  const navigate = useNavigate();
  return async ({ id, name }) => {
    const session = await queryClient.fetchQuery({ ...sessionQuery, staleTime: 0 });
    const project = session.projects.find((each) => each.organization === id);
    if (project === undefined) await navigate({ to: '/o/$organization/members', params: { organization: name } });
    else await navigate({ to: '/p/$project', params: { project: projectSlug(session, project) } });
  };
}

function WayIn({ organization, onEnter }: { organization: Organization; onEnter: () => void }) {
  const { memberships } = useSession();
  const open = useOpen();
  const [busy, setBusy] = useState(false);
  const own = memberships.find((each) => each.organization.id === organization.id);
  const { entry } = organization;
  async function leave(id: string) {
    setBusy(true);
    await leaveEntry(id);
    setBusy(false);
  }
  if (entry !== null) {
    return (
      <span className="flex flex-wrap items-center justify-end gap-2">
        <Badge tone="warn">
          inside, ends <TimeAgo at={entry.expiresAt} />
        </Badge>
        <Button size="sm" onClick={() => void open(organization)}>
          Open
        </Button>
        <Button size="sm" busy={busy} onClick={() => void leave(entry.id)} aria-label={`Leave ${organization.title}`}>
          Leave
        </Button>
      </span>
    );
  }
  if (own !== undefined) {
    return (
      <Button size="sm" onClick={() => void open(organization)} aria-label={`Open ${organization.title}`}>
        Open
      </Button>
    );
  }
  return (
    <Button size="sm" onClick={onEnter} aria-label={`Enter ${organization.title}`}>
      Enter…
    </Button>
  );
}

const times = [
  { value: '15', label: '15 minutes' },
  { value: '60', label: 'An hour' },
  { value: '240', label: '4 hours' },
  { value: '480', label: '8 hours' },
] as const;

function Enter({ organization, onClose }: { organization: Organization; onClose: () => void }) {
  const open = useOpen();
  const form = useApiForm(
    z.object({
      reason: z
        .string()
        .trim()
        .min(ENTRY_REASON_LENGTH_MIN, `At least ${ENTRY_REASON_LENGTH_MIN} characters: its owners read it.`)
        .max(500, 'At most 500 characters.'),
      minutes: z.enum(['15', '60', '240', '480']),
    }),
    { reason: '', minutes: '60' },
  );
  return (
    <FormDialog
      onClose={onClose}
      title={`Enter ${organization.title}?`}
      label="Enter"
      form={form}
      onSubmit={form.submit(async ({ reason, minutes }) => {
        await call('entriesCreate', {
          params: { organization: organization.id },
          body: { reason, minutes: Number(minutes) },
        });
        await queryClient.invalidateQueries({ queryKey: ['organizationsList'] });
        onClose();
        await open(organization);
      })}
    >
      <Notice tone="warn" title="Its owners see that you came">
        Your name, the reason and the time stand in their entries and in their audit log, with everything you do. You
        are an operator there: you can open screens, terminals and logs. They can end it at any time.
      </Notice>
      <Field label="Why" error={form.formState.errors.reason?.message}>
        {(aria) => (
          <Textarea
            {...aria}
            autoFocus
            placeholder="Ada asked for help: her desktop does not start"
            {...form.register('reason')}
          />
        )}
      </Field>
      <Field label="For">
        {(aria) => (
          <Select
            {...aria}
            value={form.watch('minutes')}
            onChange={(minutes) => form.setValue('minutes', minutes)}
            options={times}
          />
        )}
      </Field>
    </FormDialog>
  );
}

function Create({ onClose }: { onClose: () => void }) {
  const open = useOpen();
  const form = useApiForm(
    z.object({
      title: z.string().trim().min(1, 'What is it called?').max(80),
      name: z.string().superRefine((name, context) => {
        const problem = nameProblem(name);
        if (problem !== null) context.addIssue({ code: 'custom', message: problem });
      }),
    }),
    { title: '', name: '' },
  );
  return (
    <FormPanel
      onClose={onClose}
      title="New organization"
      description="With a first project. You become its owner, and can invite another one and leave."
      label="Create it"
      form={form}
      onSubmit={form.submit(async (body) => {
        const made = await call('organizationsCreate', { body });
        await queryClient.invalidateQueries({ queryKey: ['organizationsList'] });
        onClose();
        await open(made);
      })}
    >
      <Field label="Title" error={form.formState.errors.title?.message}>
        {(aria) => <Input {...aria} autoFocus placeholder="Harbour Lab" {...form.register('title')} />}
      </Field>
      <Field label="Name" hint="In addresses and commands" error={form.formState.errors.name?.message}>
        {(aria) => (
          <Input {...aria} autoCapitalize="none" spellCheck={false} placeholder="harbour" {...form.register('name')} />
        )}
      </Field>
    </FormPanel>
  );
}
