import { useQuery } from '@tanstack/react-query';
import { BrickWall, Pencil, Plus, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import type { SecurityGroup } from '#contract/security-groups.ts';
import { call } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { QueryView } from '../../components/query-view.tsx';
import { formatBytes } from '../../lib/format.ts';
import { whyNot } from '../../lib/why-not.ts';
import { useProject } from '../../shell/session.ts';
import { Badge } from '../../ui/badge.tsx';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { EmptyState } from '../../ui/empty-state.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { AddressSets } from './address-sets.tsx';
import { EgressForm } from './egress-form.tsx';
import { GroupForm } from './group-form.tsx';
import { RuleList, restOfGroup } from './rules.tsx';

const refresh = () => {
  for (const name of ['securityGroupsList', 'addressSetsList', 'egressGet'])
    void queryClient.invalidateQueries({ queryKey: [name] });
};

function Applied({ state }: { state: 'pending' | 'applied' }) {
  return state === 'applied' ? <Badge tone="ok">In force</Badge> : <Badge tone="busy">Being applied</Badge>;
}

/** What may enter and leave the instances of a project: its egress policy, and its security groups. */
export function FirewallPage() {
  const project = useProject();
  const params = { project: project.id };
  const groups = useQuery(apiQuery('securityGroupsList', { params }));
  const [editing, setEditing] = useState<SecurityGroup | 'new' | null>(null);
  return (
    <>
      <PageHeader
        title="Firewall"
        description="Private ranges, metadata addresses, the hosts, other tenants and mail (TCP 25 and 465) are always shut."
      />
      <EgressCard />
      <section aria-labelledby="groups-title" className="mt-8">
        <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
          <div>
            <h2 id="groups-title" className="font-semibold">
              Security groups
            </h2>
            <p className="text-sm text-soft">
              Rules for chosen instances: who gets in to their port forwards, which neighbours reach them, where they
              may go.
            </p>
          </div>
          <Button icon={<Plus />} onClick={() => setEditing('new')}>
            New security group
          </Button>
        </div>
        <QueryView query={groups}>
          {({ items }) =>
            items.length === 0 ? (
              <EmptyState icon={<BrickWall />} title="No security groups">
                Without one, an instance may reach what the project may, and its port forwards are open to everybody.
              </EmptyState>
            ) : (
              <div className="grid gap-4 lg:grid-cols-2">
                {items.map((group) => (
                  <GroupCard key={group.id} group={group} onEdit={() => setEditing(group)} />
                ))}
              </div>
            )
          }
        </QueryView>
      </section>
      <AddressSets onChanged={refresh} />
      {editing === null ? null : (
        <GroupForm
          project={project.id}
          {...(editing === 'new' ? {} : { group: editing })}
          others={(groups.data?.items ?? []).filter((each) => editing === 'new' || each.id !== editing.id)}
          onClose={() => setEditing(null)}
          onDone={refresh}
        />
      )}
    </>
  );
}

function EgressCard() {
  const project = useProject();
  const query = useQuery(apiQuery('egressGet', { params: { project: project.id } }));
  const [editing, setEditing] = useState(false);
  return (
    <QueryView query={query}>
      {(policy) => (
        <Card
          title={
            <span className="flex flex-wrap items-center gap-x-2">
              What this project may reach <Applied state={policy.state} />
            </span>
          }
          actions={
            <Button size="sm" icon={<Pencil />} blocked={whyNot(policy.can.update)} onClick={() => setEditing(true)}>
              Change
            </Button>
          }
        >
          {policy.rules.length === 0 ? (
            <p className="text-sm">
              {policy.default === 'allow' ? 'The whole internet, over IPv4 and IPv6.' : 'Nothing outside.'}
            </p>
          ) : (
            <RuleList
              rules={policy.rules}
              rest={() => (policy.default === 'allow' ? 'Everything else may go out.' : 'Everything else is denied.')}
            />
          )}
          <p className="mt-3 text-sm text-soft">
            {policy.connectionsMax === null
              ? 'No cap on open connections'
              : `At most ${policy.connectionsMax} open connections`}
            {' · '}
            {policy.bytesPerSecondMax === null
              ? 'no cap on bandwidth'
              : `at most ${formatBytes(policy.bytesPerSecondMax)} a second each way`}
            , for each instance.
          </p>
          {editing ? (
            <EgressForm project={project.id} policy={policy} onClose={() => setEditing(false)} onDone={refresh} />
          ) : null}
        </Card>
      )}
    </QueryView>
  );
}

function GroupCard({ group, onEdit }: { group: SecurityGroup; onEdit: () => void }) {
  const [deleting, setDeleting] = useState(false);
  const members = group.instances.map((instance) => instance.name).join(', ');
  return (
    <Card
      title={
        <span className="flex flex-wrap items-center gap-x-2">
          {group.name} <Applied state={group.state} />
        </span>
      }
      actions={
        <>
          <Button
            size="sm"
            icon={<Pencil />}
            aria-label={`Change ${group.name}`}
            blocked={whyNot(group.can.update)}
            onClick={onEdit}
          >
            Change
          </Button>
          <Button
            size="sm"
            icon={<Trash2 />}
            aria-label={`Delete ${group.name}`}
            blocked={whyNot(group.can.delete)}
            onClick={() => setDeleting(true)}
          >
            Delete
          </Button>
        </>
      }
    >
      {group.description === '' ? null : <p className="mb-3 text-sm text-soft">{group.description}</p>}
      {group.rules.length === 0 ? (
        <p className="text-sm text-soft">No rules yet: it changes nothing.</p>
      ) : (
        <RuleList rules={group.rules} rest={(direction) => restOfGroup(group.rules, direction)} />
      )}
      <p className="mt-3 text-sm">
        <span className="text-soft">Instances: </span>
        {members === '' ? 'none yet' : members}
      </p>
      {group.usedBy.length === 0 ? null : (
        <p className="text-sm">
          <span className="text-soft">They get in to instances with: </span>
          {group.usedBy.join(', ')}
        </p>
      )}
      {deleting ? (
        <ConfirmDialog
          danger
          onClose={() => setDeleting(false)}
          onConfirm={async () => {
            await call('securityGroupsDelete', { params: { group: group.id } });
            refresh();
            toast.message(`${group.name} is deleted`);
          }}
          title={`Delete ${group.name}?`}
          body={
            members === ''
              ? 'No instance has it.'
              : `Its rules end at once for ${members}: what they kept out may come in, and what they held back may go out.`
          }
          confirmLabel="Delete"
        />
      ) : null}
    </Card>
  );
}
