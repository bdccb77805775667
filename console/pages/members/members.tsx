import { useQuery } from '@tanstack/react-query';
import { useRouteContext } from '@tanstack/react-router';
import { ShieldOff, Trash2, UserPlus, X } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { Role } from '#domain/authz.ts';
import { mayChangeRole, roles } from '#domain/authz.ts';
import type { OutputOf } from '../../api/client.ts';
import { call, toApiError } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { Avatar } from '../../components/avatar.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { roleWords } from '../../lib/roles.ts';
import { whyNot } from '../../lib/why-not.ts';
import { useMay, useScope } from '../../shell/session.ts';
import { actionsColumn, timeColumn } from '../../table/columns.tsx';
import { DataTable } from '../../table/data-table.tsx';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { ActionsMenu } from '../../ui/menu.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { Select } from '../../ui/select.tsx';
import { TimeAgo } from '../../ui/time.tsx';
import { InviteForm } from './invite-form.tsx';

type Member = OutputOf<'membersList'>['items'][number];

/** The roles that somebody with `own` may give. */
export function givableRoles(own: Role): Role[] {
  return roles.filter((role) => mayChangeRole(own, null, role));
}

export function MembersPage() {
  const { organizationId } = useRouteContext({ from: '/shell/o/$organization' });
  const { membership, session } = useScope();
  const own = membership?.role ?? 'viewer';
  const mayInvite = useMay('member.invite');
  const seesFactors = useMay('member.factors');
  const members = useQuery(
    apiQuery('membersList', { params: { organization: organizationId }, query: { limit: 200 } }),
  );
  const invitations = useQuery({
    ...apiQuery('invitationsList', { params: { organization: organizationId } }),
    enabled: mayInvite,
  });
  const [inviting, setInviting] = useState(false);
  const [removing, setRemoving] = useState<Member | null>(null);
  const [resetting, setResetting] = useState<Member | null>(null);
  const refresh = () =>
    queryClient.invalidateQueries({
      predicate: ({ queryKey }) => queryKey[0] === 'membersList' || queryKey[0] === 'invitationsList',
    });

  async function change(member: Member, role: Role) {
    try {
      await call('membersUpdate', { params: { organization: organizationId, user: member.user.id }, body: { role } });
      toast.success(`${member.user.name} is ${roleWords[role].title.toLowerCase()} now`);
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    await refresh();
  }
  async function withdraw(invitation: string) {
    try {
      await call('invitationsRevoke', { params: { organization: organizationId, invitation } });
      toast.message('The invitation is withdrawn');
    } catch (thrown) {
      toast.error(toApiError(thrown).message);
    }
    await refresh();
  }

  return (
    <>
      <PageHeader
        title="Members"
        description={`Who belongs to ${membership?.organization.title ?? 'the organization'}, and what they may do.`}
        actions={
          <Button
            tone="primary"
            icon={<UserPlus />}
            blocked={mayInvite ? undefined : 'Your role does not allow this.'}
            onClick={() => setInviting(true)}
          >
            Invite somebody
          </Button>
        }
      />
      <div className="flex flex-col gap-5">
        <QueryView query={members}>
          {({ items }) => (
            <DataTable<Member>
              label="Members"
              rows={items}
              rowId={(row) => row.user.id}
              rowName={(row) => row.user.name}
              columns={[
                {
                  id: 'name',
                  header: 'Name',
                  fills: true,
                  cell: (row) => (
                    <div className="flex min-w-0 items-center gap-3">
                      <Avatar name={row.user.name} src={row.user.avatar} className="max-sm:hidden" />
                      <div className="min-w-0">
                        <p className="font-medium">
                          {row.user.name}
                          {row.user.id === session.user.id ? (
                            <span className="ml-2 font-normal text-faint text-xs">you</span>
                          ) : null}
                        </p>
                        <p className="truncate text-faint text-xs">{row.user.email}</p>
                      </div>
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
                        label={`Role of ${row.user.name}`}
                        value={row.role}
                        onChange={(role) => void change(row, role)}
                        options={[...new Set([...givableRoles(own), row.role])].map((role) => ({
                          value: role,
                          label: roleWords[role].title,
                          hint: roleWords[role].hint,
                        }))}
                      />
                    ) : (
                      <Badge>{roleWords[row.role].title}</Badge>
                    ),
                },
                ...(seesFactors
                  ? [
                      {
                        id: 'factor',
                        header: 'Second factor',
                        from: 'sm' as const,
                        cell: (row: Member) =>
                          row.secondFactor === true ? (
                            <Badge tone="ok">yes</Badge>
                          ) : (
                            <span className="text-faint">none</span>
                          ),
                      },
                    ]
                  : []),
                timeColumn('joined', 'Joined', (row) => row.joinedAt, { from: 'sm' }),
                actionsColumn(
                  (row) => (
                    <ActionsMenu
                      of={row.user.name}
                      entries={[
                        {
                          key: 'factors',
                          label: 'Reset second factors…',
                          icon: <ShieldOff />,
                          danger: true,
                          blocked: whyNot(row.can.resetFactors),
                          onSelect: () => setResetting(row),
                        },
                        {
                          key: 'remove',
                          label: 'Remove…',
                          icon: <Trash2 />,
                          danger: true,
                          blocked: whyNot(row.can.remove),
                          onSelect: () => setRemoving(row),
                        },
                      ]}
                    />
                  ),
                  { narrow: true },
                ),
              ]}
            />
          )}
        </QueryView>
        {(invitations.data?.items.length ?? 0) > 0 ? (
          <Card title="Open invitations" flush>
            <ul className="divide-y divide-line">
              {invitations.data?.items.map((each) => (
                <li key={each.id} className="flex flex-wrap items-center gap-x-4 gap-y-1 px-4 py-2.5 text-sm">
                  <span className="min-w-0 flex-1 truncate font-medium">{each.email}</span>
                  <Badge>{roleWords[each.role].title}</Badge>
                  <span className="text-faint text-xs">
                    by {each.invitedBy}, ends <TimeAgo at={each.expiresAt} />
                  </span>
                  <Button size="sm" tone="ghost" icon={<X />} onClick={() => void withdraw(each.id)}>
                    Withdraw
                  </Button>
                </li>
              ))}
            </ul>
          </Card>
        ) : null}
      </div>
      {inviting ? (
        <InviteForm
          organization={organizationId}
          roles={givableRoles(own)}
          onClose={() => setInviting(false)}
          onDone={() => void refresh()}
        />
      ) : null}
      {resetting === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setResetting(null)}
          onConfirm={async () => {
            const params = { organization: organizationId, user: resetting.user.id };
            await call('memberFactorsReset', { params });
            toast.success(`${resetting.user.name} signs in with the password alone now`);
            await refresh();
          }}
          title={`Remove the second factors of ${resetting.user.name}?`}
          body="Their authenticator app, passkeys and recovery codes stop working and all their sessions end: the password alone opens the account until they set up new ones. Be sure that it is really them who asked."
          confirmLabel="Remove them"
        />
      )}
      {removing === null ? null : (
        <ConfirmDialog
          danger
          onClose={() => setRemoving(null)}
          onConfirm={async () => {
            await call('membersRemove', { params: { organization: organizationId, user: removing.user.id } });
            await refresh();
          }}
          title={`Remove ${removing.user.name}?`}
          body="Their sessions and tokens lose access at once. What they created stays."
          confirmLabel="Remove"
        />
      )}
    </>
  );
}
