import { Link } from '@tanstack/react-router';
import { FolderPlus, Pencil, Trash2, UserRoundCog } from 'lucide-react';
import { useState } from 'react';
import type { UseFormRegisterReturn } from 'react-hook-form';
import { toast } from 'sonner';
import { organizationRoutes } from '#contract/organizations.ts';
import { call, type OutputOf } from '../../api/client.ts';
import { queryClient } from '../../api/queries.ts';
import { FormPanel } from '../../components/form-panel.tsx';
import { shellWord } from '../../components/show-as.tsx';
import { useApiForm } from '../../lib/use-form.ts';
import { whyNot } from '../../lib/why-not.ts';
import { Button } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { ConfirmDialog } from '../../ui/dialog.tsx';
import { Field, Input } from '../../ui/input.tsx';
import { ActionsMenu } from '../../ui/menu.tsx';
import { TimeAgo } from '../../ui/time.tsx';

type Organization = OutputOf<'organizationsGet'>;
type Project = OutputOf<'projectsList'>['items'][number];

/** Projects are in the session too: the switcher and the addresses of their pages come from there. */
const refresh = () =>
  queryClient.invalidateQueries({
    predicate: ({ queryKey }) =>
      queryKey[0] === 'projectsList' || queryKey[0] === 'projectsGet' || queryKey[0] === 'whoami',
  });

/** The projects of an organization: create, rename, delete, and the way to who may do what in each. */
export function ProjectsCard({ organization, projects }: { organization: Organization; projects: readonly Project[] }) {
  const [creating, setCreating] = useState(false);
  const [renaming, setRenaming] = useState<Project | null>(null);
  const [deleting, setDeleting] = useState<Project | null>(null);
  const may = organization.can.createProject;
  return (
    <Card
      title="Projects"
      flush
      actions={
        <Button size="sm" icon={<FolderPlus />} blocked={whyNot(may)} onClick={() => setCreating(true)}>
          Create a project
        </Button>
      }
    >
      {projects.length === 0 ? (
        <p className="p-4 text-sm text-soft">
          It has none. Instances live in projects: create one to run something here.
        </p>
      ) : (
        <ul className="divide-y divide-line">
          {projects.map((project) => (
            <li key={project.id} className="flex items-center gap-3 px-4 py-2.5 text-sm">
              <span className="min-w-0 flex-1">
                <Link
                  to="/p/$project"
                  params={{ project: project.id }}
                  className="block truncate font-medium hover:underline"
                >
                  {project.title}
                </Link>
                <span className="block truncate text-faint text-xs">{project.name}</span>
              </span>
              <span className="text-faint text-xs max-sm:hidden">
                made <TimeAgo at={project.createdAt} />
              </span>
              <ActionsMenu
                of={project.title}
                entries={[
                  {
                    key: 'rename',
                    label: 'Rename…',
                    icon: <Pencil />,
                    blocked: whyNot(project.can.update),
                    onSelect: () => setRenaming(project),
                  },
                  {
                    key: 'people',
                    label: 'Who has a role in it',
                    icon: <UserRoundCog />,
                    render: <Link to="/p/$project/people" params={{ project: project.id }} />,
                  },
                  {
                    key: 'delete',
                    label: 'Delete…',
                    icon: <Trash2 />,
                    danger: true,
                    blocked: whyNot(project.can.delete),
                    onSelect: () => setDeleting(project),
                  },
                ]}
              />
            </li>
          ))}
        </ul>
      )}
      {creating ? <CreateProject organization={organization} onClose={() => setCreating(false)} /> : null}
      {renaming === null ? null : <RenameProject project={renaming} onClose={() => setRenaming(null)} />}
      {deleting === null ? null : <DeleteProject project={deleting} onClose={() => setDeleting(null)} />}
    </Card>
  );
}

type Problem = { message?: string | undefined } | undefined;

function TitleAndName({
  form,
}: {
  form: {
    register: (field: 'title' | 'name') => UseFormRegisterReturn;
    formState: { errors: { title?: Problem; name?: Problem } };
  };
}) {
  const { errors } = form.formState;
  return (
    <>
      <Field label="Title" error={errors.title?.message}>
        {(aria) => <Input {...aria} autoFocus autoComplete="off" {...form.register('title')} />}
      </Field>
      <Field label="Name" hint="Lower case, for the command line and addresses" error={errors.name?.message}>
        {(aria) => <Input {...aria} autoComplete="off" spellCheck={false} {...form.register('name')} />}
      </Field>
    </>
  );
}

function CreateProject({ organization, onClose }: { organization: Organization; onClose: () => void }) {
  const form = useApiForm(organizationRoutes.projectsCreate.body, { title: '', name: '' });
  const { title, name } = form.watch();
  return (
    <FormPanel
      onClose={onClose}
      title="Create a project"
      description="A place for instances with a network and a quota of its own."
      label="Create"
      form={form}
      show={{
        cli: `berth projects create ${shellWord(name === '' ? 'NAME' : name)} --title ${shellWord(title === '' ? 'TITLE' : title)}`,
        planned: {
          name: 'projectsCreate',
          input: { params: { organization: organization.id }, body: { name, title } },
        },
      }}
      onSubmit={form.submit(async (values) => {
        const made = await call('projectsCreate', { params: { organization: organization.id }, body: values });
        await refresh();
        toast.success(`${made.title} is created`);
        onClose();
      })}
    >
      <TitleAndName form={form} />
    </FormPanel>
  );
}

function RenameProject({ project, onClose }: { project: Project; onClose: () => void }) {
  const form = useApiForm(organizationRoutes.projectsUpdate.body, { title: project.title, name: project.name });
  return (
    <FormPanel
      onClose={onClose}
      title={`Rename ${project.title}`}
      description="Host names that exist stay as they are. Links to its pages with the old name end."
      label="Rename"
      form={form}
      onSubmit={form.submit(async (values) => {
        await call('projectsUpdate', { params: { project: project.id }, body: values });
        await refresh();
        onClose();
      })}
    >
      <TitleAndName form={form} />
    </FormPanel>
  );
}

function DeleteProject({ project, onClose }: { project: Project; onClose: () => void }) {
  return (
    <ConfirmDialog
      danger
      onClose={onClose}
      onConfirm={async () => {
        await call('projectsDelete', { params: { project: project.id } });
        await refresh();
        toast.message(`${project.title} is deleted`);
      }}
      title={`Delete ${project.title}?`}
      body={
        <>
          <strong>Its network, quota and the roles held in it alone go with it.</strong> Nothing that runs is lost:
          while it has instances, also deleted ones that are still kept, it cannot be deleted. This cannot be undone.
        </>
      }
      confirmLabel="Delete the project"
      typeName={project.name}
    />
  );
}
