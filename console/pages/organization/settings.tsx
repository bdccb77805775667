import { useQuery } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import { Trash2 } from 'lucide-react';
import { useState } from 'react';
import { toast } from 'sonner';
import { organizationRoutes } from '#contract/organizations.ts';
import { call, type OutputOf } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { plural } from '../../lib/format.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { whyNot } from '../../lib/why-not.ts';
import { sessionQuery } from '../../shell/session.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { ProjectsCard } from './projects.tsx';
import { SshRecordingCard } from './ssh-recording.tsx';

const route = getRouteApi('/shell/o/$organization');
type Organization = OutputOf<'organizationsGet'>;

/** What the organization is called, its projects, and its end. */
export function OrganizationSettingsPage() {
  const { organizationId } = route.useRouteContext();
  const params = { organization: organizationId };
  const organization = useQuery(apiQuery('organizationsGet', { params }));
  const projects = useQuery(apiQuery('projectsList', { params }));
  return (
    <>
      <PageHeader title="Settings" description="Names, projects, and the end of the organization." />
      <div className="flex max-w-3xl flex-col gap-5">
        <QueryView query={organization}>
          {(data) => (
            <>
              <NameCard key={data.id} organization={data} />
              <QueryView query={projects}>
                {({ items }) => (
                  <>
                    <ProjectsCard organization={data} projects={items} />
                    <SshRecordingCard organization={data.id} />
                    <DeletionCard organization={data} projects={items.length} />
                  </>
                )}
              </QueryView>
            </>
          )}
        </QueryView>
      </div>
    </>
  );
}

function NameCard({ organization }: { organization: Organization }) {
  const navigate = useNavigate();
  const form = useApiForm(organizationRoutes.organizationsUpdate.body, {
    title: organization.title,
    name: organization.name,
  });
  const { errors, isSubmitting } = form.formState;
  const may = organization.can.update;
  return (
    <Card title="Name">
      <form
        noValidate
        className="flex flex-col gap-4"
        onSubmit={form.submit(async (values) => {
          const params = { organization: organization.id };
          const after = await call('organizationsUpdate', { params, body: values });
          queryClient.setQueryData(apiQuery('organizationsGet', { params }).queryKey, after);
          form.reset({ title: after.title, name: after.name });
          await queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
          // The name is part of this page's address.
          if (after.name !== organization.name) {
            await navigate({ to: '/o/$organization/settings', params: { organization: after.name }, replace: true });
          }
          toast.success('Saved');
        })}
      >
        <Field label="Title" error={errors.title?.message}>
          {(aria) => <Input {...aria} disabled={may !== true} autoComplete="off" {...form.register('title')} />}
        </Field>
        <Field
          label="Name"
          hint="For the command line and addresses of this console. Links with the old name end; host names stay."
          error={errors.name?.message}
        >
          {(aria) => (
            <Input {...aria} disabled={may !== true} autoComplete="off" spellCheck={false} {...form.register('name')} />
          )}
        </Field>
        <FormError error={form.failure} />
        <Button type="submit" className="w-fit" busy={isSubmitting} blocked={whyNot(may)}>
          Save
        </Button>
      </form>
    </Card>
  );
}

function DeletionCard({ organization, projects }: { organization: Organization; projects: number }) {
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const may = organization.can.delete;
  return (
    <Card title="Delete the organization" flush>
      <div className="flex flex-wrap items-center gap-3 px-4 py-3.5">
        <p className="min-w-0 flex-1 text-sm text-soft">
          {projects === 0
            ? 'Every member loses it. Its audit log stays with the installation.'
            : `It has ${plural(projects, 'project')}. Delete ${projects === 1 ? 'it' : 'them'} first.`}
        </p>
        <Button
          tone="danger"
          icon={<Trash2 />}
          blocked={may !== true ? may : projects > 0 ? 'Delete its projects first.' : undefined}
          onClick={() => setAsking(true)}
        >
          Delete…
        </Button>
      </div>
      {asking ? (
        <ConfirmDialog
          danger
          onClose={() => setAsking(false)}
          onConfirm={async () => {
            await call('organizationsDelete', { params: { organization: organization.id } });
            await queryClient.invalidateQueries({ queryKey: sessionQuery.queryKey });
            await navigate({ to: '/' });
            toast.message(`${organization.title} is deleted`);
          }}
          title={`Delete ${organization.title}?`}
          body={
            <>
              <strong>Every member loses it at once</strong>, with its groups, roles, open invitations and quotas. Its
              name is free again. The audit log stays with the installation. This cannot be undone.
            </>
          }
          confirmLabel="Delete the organization"
          typeName={organization.name}
        />
      ) : null}
    </Card>
  );
}
