import { useQuery } from '@tanstack/react-query';
import { Link, useBlocker, useNavigate, useSearch } from '@tanstack/react-router';
import { Monitor, Server } from 'lucide-react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { toast } from 'sonner';
import { z } from 'zod';
import type { InstanceKind } from '#domain/instances.ts';
import { nameProblem } from '#domain/names.ts';
import { instanceUse } from '#domain/quotas.ts';
import { defaultPreset, GIB } from '#domain/sizes.ts';
import { absorbAccepted } from '../../actions/host.tsx';
import type { PlannedCall } from '../../actions/instances.ts';
import { call, newIdempotencyKey } from '../../api/client.ts';
import { apiQuery, queryClient } from '../../api/queries.ts';
import { FormError } from '../../components/error-text.tsx';
import { NameField } from '../../components/name-field.tsx';
import { QuotaSummary } from '../../components/quota-summary.tsx';
import { ShowAs, shellWord } from '../../components/show-as.tsx';
import type { SizeChoice } from '../../components/size-picker.tsx';
import { chosenSize, SizePicker, sizeProblem } from '../../components/size-picker.tsx';
import { formatBytes } from '../../lib/format.ts';
import { projectSlug } from '../../lib/scope.ts';
import { useApiForm } from '../../lib/use-form.ts';
import { useMay, useProject, useSession } from '../../shell/session.ts';
import { Button, buttonClass } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { cx } from '../../ui/cx.ts';
import { Field, Input } from '../../ui/input.tsx';
import { Notice } from '../../ui/notice.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { ProgressBar } from '../../ui/progress.tsx';
import { Select } from '../../ui/select.tsx';

const schema = z.object({
  kind: z.enum(['desktop', 'server']),
  name: z.string().superRefine((value, context) => {
    const problem = nameProblem(value);
    if (problem !== null) context.addIssue({ code: 'custom', message: problem });
  }),
  description: z.string().trim().max(500, 'At most 500 characters.'),
  image: z.string(),
  size: z.custom<SizeChoice>((value) => sizeProblem(chosenSize(value as SizeChoice)) === null, 'Check the numbers.'),
});
type Values = z.input<typeof schema>;

const kinds: readonly { kind: InstanceKind; title: string; hint: string; icon: typeof Monitor }[] = [
  {
    kind: 'desktop',
    title: 'Desktop',
    hint: 'A Linux desktop with a browser, in your browser. Clipboard, full screen, OpenClaw.',
    icon: Monitor,
  },
  {
    kind: 'server',
    title: 'Server',
    hint: 'systemd, SSH and Docker Engine, with a terminal and addresses of its own.',
    icon: Server,
  },
];

const suggestions: Record<InstanceKind, readonly string[]> = {
  desktop: ['harbour', 'lagoon', 'spinnaker', 'compass', 'marina', 'albatross'],
  server: ['quay', 'anchor', 'breakwater', 'capstan', 'rudder', 'keel'],
};

/** The request that the form stands for; also what "Show as" prints. */
export function plan(
  project: string,
  values: Values,
): { planned: PlannedCall & { name: 'instancesCreate' }; cli: string } {
  const size = values.size.preset === 'custom' ? chosenSize(values.size) : values.size.preset;
  const image = values.image === values.kind ? undefined : values.image;
  const description = values.description.trim();
  const words = ['berth', 'instances', 'create', values.kind, values.name === '' ? 'NAME' : shellWord(values.name)];
  if (typeof size === 'string') words.push('--size', size);
  else
    words.push(
      '--cpus',
      String(size.cpus),
      '--memory',
      `${size.memoryBytes / GIB}GiB`,
      '--disk',
      `${size.diskBytes / GIB}GiB`,
    );
  if (image !== undefined) words.push('--image', image);
  if (description !== '') words.push('--description', shellWord(description));
  return {
    planned: {
      name: 'instancesCreate',
      input: {
        params: { project },
        body: {
          kind: values.kind,
          name: values.name,
          size,
          ...(image === undefined ? {} : { image }),
          ...(description === '' ? {} : { description }),
        },
      },
    },
    cli: `${words.join(' ')} --wait`,
  };
}

export function CreatePage() {
  const session = useSession();
  const project = useProject();
  const slug = projectSlug(session, project);
  const search = useSearch({ from: '/shell/p/$project/instances/new' });
  const navigate = useNavigate();
  const mayCreate = useMay('instance.create');
  const startKind = search.kind ?? 'desktop';
  const [suggestion] = useState(
    () => suggestions[startKind][Math.floor(Math.random() * suggestions[startKind].length)] ?? 'harbour',
  );
  const form = useApiForm(schema, {
    kind: startKind,
    name: search.name ?? '',
    description: '',
    image: startKind,
    size: { preset: defaultPreset[startKind], custom: { cpus: 2, memoryBytes: 4 * GIB, diskBytes: 40 * GIB } },
  });
  const values = form.watch();
  const { errors, isSubmitting, isDirty } = form.formState;
  const images = useQuery(apiQuery('imagesList', {}));
  const info = useQuery({ ...apiQuery('info', {}), staleTime: Number.POSITIVE_INFINITY });
  const size = chosenSize(values.size);
  const image = images.data?.items.find((each) => each.name === values.image);
  const choices = (images.data?.items ?? []).filter((each) => each.kind === values.kind);
  // One key per form: pressing twice, or again after a lost answer, creates one instance.
  const key = useRef(newIdempotencyKey());
  const done = useRef(false);
  const shown = useMemo(() => plan(project.id, values), [project.id, values]);
  useEffect(() => {
    form.setFocus('name');
  }, [form.setFocus]);
  useBlocker({
    shouldBlockFn: () =>
      isDirty && !done.current && form.getValues('name') !== '' && !window.confirm('Leave without creating it?'),
    enableBeforeUnload: false,
  });

  const send = form.submit(async (valid) => {
    const accepted = await call('instancesCreate', plan(project.id, valid).planned.input, {
      idempotencyKey: key.current,
    });
    done.current = true;
    absorbAccepted(accepted);
    void queryClient.invalidateQueries({ queryKey: ['quotaGet'] });
    toast.message(`Creating ${valid.name}`, { description: 'You can leave the page; it goes on.' });
    await navigate({ to: '/p/$project/instances/$instance', params: { project: slug, instance: valid.name } });
  });

  function choose(kind: InstanceKind) {
    form.setValue('kind', kind, { shouldDirty: true });
    form.setValue('image', kind);
    if (values.size.preset !== 'custom') form.setValue('size', { ...values.size, preset: defaultPreset[kind] });
  }

  if (!mayCreate) {
    return (
      <>
        <PageHeader title="New instance" />
        <Notice tone="warn" title="Your role does not allow this">
          Ask somebody who manages the organization for the member role.
        </Notice>
      </>
    );
  }
  return (
    <>
      <PageHeader title="New instance" description="A name is enough; everything else has a sensible default." />
      <form
        onSubmit={send}
        noValidate
        className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-[minmax(0,1fr)_19rem]"
      >
        <div className="flex flex-col gap-5">
          <Card title="Kind">
            <fieldset className="grid gap-2.5 sm:grid-cols-2">
              <legend className="sr-only">Kind</legend>
              {kinds.map((each) => (
                <label
                  key={each.kind}
                  className={cx(
                    'relative flex cursor-pointer items-start gap-3 rounded-lg border p-3.5 transition-colors duration-75 has-focus-visible:outline-2 has-focus-visible:outline-focus',
                    values.kind === each.kind
                      ? 'border-accent bg-accent-soft'
                      : 'border-line-strong bg-surface hover:bg-hover',
                  )}
                >
                  <input
                    type="radio"
                    name="kind"
                    className="sr-only"
                    checked={values.kind === each.kind}
                    onChange={() => choose(each.kind)}
                  />
                  <each.icon
                    className={cx('mt-0.5 size-5 shrink-0', values.kind === each.kind ? 'text-accent' : 'text-faint')}
                    aria-hidden="true"
                  />
                  <span>
                    <span className="block font-medium text-sm">{each.title}</span>
                    <span className="block text-soft text-xs">{each.hint}</span>
                  </span>
                </label>
              ))}
            </fieldset>
          </Card>
          <Card title="Name and address">
            <div className="flex flex-col gap-4">
              <NameField
                project={project.id}
                pattern={info.data?.instanceUrlPattern ?? 'https://{name}'}
                name={values.name}
                error={errors.name?.message}
                placeholder={suggestion}
                ref={form.register('name').ref}
                onBlur={() => void (values.name !== '' && form.trigger('name'))}
                onName={(name) => {
                  form.setValue('name', name, { shouldDirty: true });
                  if (form.formState.errors.name !== undefined) form.clearErrors('name');
                }}
              />
              <Field label="Description" optional error={errors.description?.message}>
                {(aria) => (
                  <Input {...aria} placeholder="What it is for, or whose it is" {...form.register('description')} />
                )}
              </Field>
            </div>
          </Card>
          <Card title="Size">
            <SizePicker
              kind={values.kind}
              value={values.size}
              onChange={(next) =>
                form.setValue('size', next, { shouldDirty: true, shouldValidate: form.formState.isSubmitted })
              }
            />
          </Card>
          <Card title="Image">
            <div className="flex flex-col gap-3">
              <Field label="Made from">
                {(aria) => (
                  <Select
                    {...aria}
                    value={values.image}
                    onChange={(next) => form.setValue('image', next)}
                    options={
                      choices.length === 0
                        ? [{ value: values.kind, label: values.kind }]
                        : choices.map((each) => ({
                            value: each.name,
                            label: `${each.name} · ${each.title}`,
                            hint:
                              each.state === 'ready'
                                ? `${each.sizeBytes === null ? '' : formatBytes(each.sizeBytes)}`
                                : each.state,
                          }))
                    }
                  />
                )}
              </Field>
              {image === undefined || image.state === 'ready' ? null : image.state === 'failed' ? (
                <Notice tone="bad" title="This image could not be built">
                  {image.error ?? 'Look at the images page for the reason.'}
                </Notice>
              ) : image.state === 'absent' ? (
                <Notice tone="warn" title="This image has not been built yet">
                  {image.can.build === true
                    ? 'Creating starts to build it first.'
                    : 'Ask an administrator to build it.'}
                </Notice>
              ) : (
                <Notice tone="busy" title="This image is still being built">
                  <p>You can create now: it waits visibly until the image is ready.</p>
                  <ProgressBar className="mt-2" label="Image build" percent={image.operation?.percent ?? null} />
                  <p className="mt-1 text-xs">{image.operation?.message ?? 'Waiting for its turn'}</p>
                </Notice>
              )}
            </div>
          </Card>
          <FormError error={form.failure} />
          <div className="sticky bottom-0 z-10 -mx-4 flex items-center justify-end gap-2 border-line border-t bg-canvas/92 px-4 py-3 backdrop-blur-sm sm:mx-0 sm:px-0">
            <Link to="/p/$project/instances" params={{ project: slug }} className={buttonClass('ghost')}>
              Cancel
            </Link>
            <Button type="submit" tone="primary" busy={isSubmitting}>
              Create {values.kind}
            </Button>
          </div>
        </div>
        <aside className="flex flex-col gap-5 lg:sticky lg:top-18">
          <Card title="Quota after this">
            <QuotaSummary
              project={project.id}
              plus={instanceUse({ kind: values.kind, size })}
              only={[
                'instances',
                values.kind === 'desktop' ? 'desktops' : 'servers',
                'cpus',
                'memoryBytes',
                'diskBytes',
              ]}
            />
          </Card>
          <Card title="The same from elsewhere">
            <ShowAs cli={shown.cli} planned={shown.planned} />
          </Card>
          {info.data === undefined ? null : <p className="px-1 text-faint text-xs">{info.data.sharedKernelNotice}</p>}
        </aside>
      </form>
    </>
  );
}
