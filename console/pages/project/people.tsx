import { keepPreviousData, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { Trash2, UserPlus, UserRoundCog, UsersRound } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { highestRole, mayChangeRole, roleMay, type WorkingRole, workingRoles } from '#domain/authz.ts';
import { call, type OutputOf, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { SubjectSearch } from '../../components/subject-search.tsx';
import { roleWords } from '../../lib/roles.ts';
import { useDebounced } from '../../lib/use-debounced.ts';
import { useProject, useScope } from '../../shell/session.ts';
import { actionsColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button, IconButton } from '../../ui/button.tsx';
import { ConfirmDialog, SidePanel } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { Field } from '../../ui/input.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Select } from '../../ui/select.tsx';

type Held = OutputOf<'projectRolesList'>['items'][number];

const refresh = () =>
  queryClient.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === 'projectRolesList' });

/** The least that somebody holds who may give roles here, however they came by it (by a group, for example). */
const leastSharing = workingRoles.findLast((role) => roleMay(role, 'project.share')) ?? 'owner';

/** Roles that the person may give here. The API decides; this spares people a refusal. */
function useGivable(held: readonly Held[]): WorkingRole[] {
  const { membership, session } = useScope();
  const own = held.find((each) => each.subject === session.user.id)?.role ?? null;
  const actor = highestRole([membership?.role ?? null, own, leastSharing]) ?? leastSharing;
  return workingRoles.filter((role) => mayChangeRole(actor, null, role));
}

const roleOptions = (list: readonly WorkingRole[]) =>
  list.map((role) => ({ value: role, label: roleWords[role].title, hint: roleWords[role].hint }));

/** Who holds a role in this project alone: people and groups. */
export function ProjectPeoplePage() {
  const project = useProject();
  const params = { project: project.id };
  const held = useQuery(apiQuery('projectRolesList', { params }));
  const may = useQuery(apiQuery('projectsGet', { params })).data?.can.share;
  const givable = useGivable(held.data?.items ?? []);
  const [giving, setGiving] = useState(false);
  const [taking, setTaking] = useState<Held | null>(null);
  const give = (
    <Button
      tone="primary"
      icon={<UserPlus />}
      blocked={typeof may === 'string' ? may : undefined}
      busy={may === undefined && held.isPending}
      onClick={() => setGiving(true)}
    >
      Give a role
    </Button>
  );
  async function change(row: Held, role: WorkingRole) {
    try {
      await call('projectRolesSet', { params: { ...params, subject: row.subject }, body: { role } });
      toast.success(`${row.name} is ${roleWords[role].title.toLowerCase()} here now`);
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    await refresh();
  }
  return (
    <>
      <PageHeader
        title="People"
        description={
          <>
            Roles held in {project.title} alone. Roles in the whole organization cover it too; the highest counts.{' '}
            <RolesLink />
          </>
        }
        actions={give}
      />
      <QueryView query={held}>
        {({ items }) =>
          items.length === 0 ? (
            <div className="card">
              <EmptyState icon={<UserRoundCog />} title="Nobody holds a role in this project alone">
                Give one to somebody of the organization, or to a group, who should do more here than elsewhere.
              </EmptyState>
            </div>
          ) : (
            <DataTable<Held>
              label="Roles in this project"
              rows={items}
              rowId={(row) => row.subject}
              rowName={(row) => row.name}
              columns={[
                {
                  id: 'name',
                  header: 'Name',
                  fills: true,
                  cell: (row) => (
                    <div className="min-w-0">
                      <p className="truncate font-medium">{row.name}</p>
                      <p className="flex items-center gap-1 truncate text-faint text-xs">
                        {row.kind === 'group' ? (
                          <>
                            <UsersRound className="size-3.5" aria-hidden="true" /> Group
                          </>
                        ) : (
                          <span className="truncate">{row.email}</span>
                        )}
                      </p>
                    </div>
                  ),
                },
                {
                  id: 'role',
                  header: 'Role',
                  cell: (row) =>
                    row.can.update === true ? (
                      <Select
                        className="!w-40 max-sm:!w-32"
                        label={`Role of ${row.name}`}
                        value={row.role}
                        onChange={(role) => void change(row, role)}
                        options={roleOptions([...new Set([...givable, row.role])])}
                      />
                    ) : (
                      <Badge>{roleWords[row.role].title}</Badge>
                    ),
                },
                actionsColumn(
                  (row) =>
                    row.can.remove === true ? (
                      <IconButton label={`Take the role of ${row.name}`} size="sm" quiet onClick={() => setTaking(row)}>
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
      {giving ? <GiveRole held={held.data?.items ?? []} givable={givable} onClose={() => setGiving(false)} /> : null}
      {taking === null ? null : <TakeRole row={taking} onClose={() => setTaking(null)} />}
    </>
  );
}

function RolesLink() {
  const { membership } = useScope();
  if (membership === undefined) return null;
  return (
    <Link
      to="/o/$organization/roles"
      params={{ organization: membership.organization.name }}
      className="text-accent underline underline-offset-2"
    >
      What each role may do
    </Link>
  );
}

/** Between the last key and the question. */
const SEARCH_MS = 200;
const PEOPLE_SHOWN = 20;
type Choice = { value: string; label: string; hint: string };

function GiveRole({
  held,
  givable,
  onClose,
}: {
  held: readonly Held[];
  givable: readonly WorkingRole[];
  onClose: () => void;
}) {
  const project = useProject();
  const params = { organization: project.organization };
  // Lists of the organization: what is held in the project alone does not open them.
  const inOrganization = useScope().membership?.role ?? 'guest';
  const seesPeople = roleMay(inOrganization, 'member.read');
  const [search, setSearch] = useState('');
  const wanted = useDebounced(search.trim(), SEARCH_MS);
  const people = useQuery({
    ...apiQuery('membersList', {
      params,
      query: { limit: PEOPLE_SHOWN, ...(wanted === '' ? {} : { search: wanted }) },
    }),
    enabled: seesPeople,
    placeholderData: keepPreviousData,
  });
  const groups = useQuery({
    ...apiQuery('groupsList', { params }),
    enabled: roleMay(inOrganization, 'group.read'),
  });
  const services = useQuery({
    ...apiQuery('serviceAccountsList', { params }),
    enabled: roleMay(inOrganization, 'service-account.read'),
  });
  const [chosen, setChosen] = useState<Choice | null>(null);
  const subject = chosen?.value ?? '';
  const [role, setRole] = useState<WorkingRole>('member');
  const [busy, setBusy] = useState(false);
  const [missing, setMissing] = useState(false);
  const [failure, setFailure] = useState<ReturnType<typeof toApiError> | null>(null);
  const has = new Set<string>(held.map((each) => each.subject));
  const fits = (text: string) => text.toLowerCase().includes(wanted.toLowerCase());
  const found: Choice[] = [
    ...(groups.data?.items ?? [])
      .filter((each) => fits(each.title))
      .map((each) => ({ value: each.id as string, label: each.title, hint: 'Group' })),
    ...(people.data?.items ?? []).map(({ user }) => ({ value: user.id as string, label: user.name, hint: user.email })),
    ...(services.data?.items ?? [])
      .filter((each) => fits(each.name))
      .map(({ id, name }) => ({
        value: id as string,
        label: name,
        hint: 'Service account',
      })),
  ].filter((each) => !has.has(each.value));
  // Who was chosen stays, whatever is typed after.
  const choices = chosen === null || found.some((each) => each.value === chosen.value) ? found : [chosen, ...found];
  async function submit() {
    if (subject === '') {
      setMissing(true);
      return;
    }
    setBusy(true);
    setFailure(null);
    try {
      await call('projectRolesSet', { params: { project: project.id, subject }, body: { role } });
      await refresh();
      onClose();
    } catch (thrown) {
      setFailure(toApiError(thrown));
      setBusy(false);
    }
  }
  return (
    <SidePanel
      open
      onClose={onClose}
      title={`Give a role in ${project.title}`}
      description="They hold it in this project alone, from now on."
      footer={
        <>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" form="give-role" tone="primary" busy={busy}>
            Give the role
          </Button>
        </>
      }
    >
      <form
        id="give-role"
        noValidate
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          void submit();
        }}
      >
        {seesPeople ? (
          <SubjectSearch
            label="Find somebody"
            value={search}
            onChange={setSearch}
            more={people.data?.nextCursor != null}
          />
        ) : null}
        <Field
          label="Who"
          hint={
            seesPeople
              ? 'Somebody of the organization, a group, or a service account. Invite others first, as guests for example.'
              : 'Your role in the organization does not show you its members. Its administrators can add people here.'
          }
          error={missing ? 'Choose somebody.' : undefined}
        >
          {(aria) => (
            <Select
              {...aria}
              value={subject}
              onChange={(next) => {
                setChosen(choices.find((each) => each.value === next) ?? null);
                setMissing(false);
              }}
              options={[...(subject === '' ? [{ value: '', label: 'Choose somebody' }] : []), ...choices]}
            />
          )}
        </Field>
        <Field label="Role" hint={roleWords[role].hint}>
          {(aria) => <Select {...aria} value={role} onChange={setRole} options={roleOptions(givable)} />}
        </Field>
        <FormError error={failure} />
      </form>
    </SidePanel>
  );
}

function TakeRole({ row, onClose }: { row: Held; onClose: () => void }) {
  const project = useProject();
  const whose = row.kind === 'group' ? 'Everybody in the group loses' : 'They lose';
  return (
    <ConfirmDialog
      danger
      onClose={onClose}
      onConfirm={async () => {
        await call('projectRolesRemove', { params: { project: project.id, subject: row.subject } });
        await refresh();
      }}
      title={`Take the role of ${row.name} in ${project.title}?`}
      body={`${whose} what it gave at once, and open screens close. What they hold in the whole organization or through grants stays; so does what they made.`}
      confirmLabel="Take the role"
    />
  );
}
