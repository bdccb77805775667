/** "Move to another project": where to, and what that costs whom. */
import { useQuery } from '@tanstack/react-query';
import { FolderOutput } from 'lucide-react';
import { useRef, useState } from 'react';
import { z } from 'zod';
import type { Instance } from '#contract/instances.ts';
import { call, newIdempotencyKey } from '../api/client.ts';
import { apiQuery } from '../api/queries.ts';
import { FormPanel } from '../components/form-panel.tsx';
import { QuotaOfOneMore } from '../components/quota-summary.tsx';
import { shellWord } from '../components/show-as.tsx';
import type { Project } from '../lib/scope.ts';
import { useApiForm } from '../lib/use-form.ts';
import { useSession } from '../shell/session.ts';
import { EmptyState } from '../ui/empty-state.tsx';
import { Field } from '../ui/input.tsx';
import { Notice } from '../ui/notice.tsx';
import { Select } from '../ui/select.tsx';
import { absorbAccepted } from './host.tsx';

export function TransferForm({ instance, onClose }: { instance: Instance; onClose: () => void }) {
  const session = useSession();
  const key = useRef(newIdempotencyKey());
  const here = session.projects.find((each) => each.id === instance.project);
  const targets = session.projects.filter((each) => each.id !== instance.project);
  const [chosen, choose] = useState('');
  const [asked, setAsked] = useState(false);
  const target = targets.find((each) => each.id === chosen);
  const leaves = target !== undefined && target.organization !== here?.organization;
  const form = useApiForm(z.object({}), {});
  const titleOf = (project: Project) =>
    session.memberships.find((each) => each.organization.id === project.organization)?.organization.title ?? '';
  const nameOf = (project: Project) => {
    const owner = session.memberships.find((each) => each.organization.id === project.organization);
    return `${owner === undefined ? '' : `${owner.organization.name}/`}${project.name}`;
  };
  return (
    <FormPanel
      title={`Move ${instance.name} to another project`}
      description="Disk, snapshots, routes and its address stay. Members of the new project take it over."
      label="Move"
      danger={leaves}
      form={form}
      onClose={onClose}
      show={{
        cli: `berth instances move ${instance.name} --to ${target === undefined ? 'ORGANIZATION/PROJECT' : shellWord(nameOf(target))} --wait`,
        planned: {
          name: 'instancesTransfer',
          input: { params: { instance: instance.id }, body: { project: (target?.id ?? 'prj_') as never } },
        },
      }}
      onSubmit={form.submit(async () => {
        setAsked(true);
        if (target === undefined) return;
        absorbAccepted(
          await call(
            'instancesTransfer',
            { params: { instance: instance.id }, body: { project: target.id } },
            { idempotencyKey: key.current },
          ),
        );
        onClose();
      })}
    >
      {targets.length === 0 ? (
        <EmptyState icon={<FolderOutput />} title="There is no other project">
          You belong to this project only. Create another one, or ask to be invited to one.
        </EmptyState>
      ) : (
        <Field label="To" error={asked && target === undefined ? 'Choose a project.' : undefined}>
          {(aria) => (
            <Select
              {...aria}
              value={chosen}
              onChange={choose}
              placeholder="Choose a project"
              options={targets.map((each) => ({
                value: each.id,
                label: each.title,
                hint: titleOf(each),
              }))}
            />
          )}
        </Field>
      )}
      <Notice tone="warn" title={instance.observed === 'running' ? 'It restarts' : 'It gets a new internal address'}>
        {instance.observed === 'running'
          ? 'It is shut down, moved and started again: unsaved work in open windows is lost, and for a moment its addresses answer nothing. Its internal address is a new one.'
          : 'It stays stopped. Programs that call it by its internal address need the new one.'}{' '}
        Who has a role only in {here?.title ?? 'this project'} does not see it any more.
      </Notice>
      {target !== undefined && leaves ? <Leaving instance={instance} from={here} to={titleOf(target)} /> : null}
      {target === undefined ? null : <QuotaOfOneMore key={target.id} project={target.id} size={instance.size} />}
    </FormPanel>
  );
}

const NAMES_MAX = 5;
const GRANTS_SHOWN_MAX = 200;

/** Names everybody who loses what was granted to them. */
function Leaving({ instance, from, to }: { instance: Instance; from: Project | undefined; to: string }) {
  const params = { organization: (from?.organization ?? '') as never };
  const may = { enabled: from !== undefined, retry: false };
  const grants = useQuery({
    ...apiQuery('grantsList', { params, query: { app: instance.id, limit: GRANTS_SHOWN_MAX } }),
    ...may,
  });
  const groups = useQuery({ ...apiQuery('groupsList', { params }), ...may });
  const members = useQuery({ ...apiQuery('membersList', { params, query: { limit: GRANTS_SHOWN_MAX } }), ...may });
  const nameOf = new Map<string, string>([
    ...(groups.data?.items ?? []).map((each): [string, string] => [each.id, each.title]),
    ...(members.data?.items ?? []).map((each): [string, string] => [each.user.id, each.user.name]),
  ]);
  const names = (grants.data?.items ?? []).map((each) => nameOf.get(each.subject) ?? 'somebody');
  const more = names.length - NAMES_MAX;
  return (
    <Notice tone="bad" title={`It leaves the organization and belongs to ${to}`}>
      Everything on its disk goes with it, and nobody here can fetch it back.{' '}
      {names.length === 0
        ? 'Whatever is granted on it to people and groups here ends.'
        : `These lose the access that was granted to them: ${names.slice(0, NAMES_MAX).join(', ')}${more > 0 ? ` and ${more} more` : ''}.`}
    </Notice>
  );
}
