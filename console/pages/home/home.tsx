import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate } from '@tanstack/react-router';
import { ArrowRight, CircleCheck, Plus } from 'lucide-react';
import { useState } from 'react';
import type { Instance } from '#contract/instances.ts';
import { nameProblem } from '#domain/names.ts';
import { instanceSlug } from '../../actions/use-actions.tsx';
import { apiQuery } from '../../api/queries.ts';
import { ActivityList } from '../../components/activity-list.tsx';
import { NewInstanceLinks } from '../../components/new-instance-links.tsx';
import { QueryView } from '../../components/query-view.tsx';
import { QuotaSummary } from '../../components/quota-summary.tsx';
import { StateBadge } from '../../components/state-badge.tsx';
import { Thumbnail } from '../../components/thumbnail.tsx';
import { formatBytes, plural } from '../../lib/format.ts';
import { isMoving, kindTitle, needsAttention, stateWords } from '../../lib/instance-view.ts';
import { projectSlug } from '../../lib/scope.ts';
import { useMay, useProject, useSession } from '../../shell/session.ts';
import { Dot } from '../../ui/badge.tsx';
import { Button, buttonClass } from '../../ui/button.tsx';
import { Card } from '../../ui/card.tsx';
import { Input } from '../../ui/input.tsx';
import { PageHeader } from '../../ui/page-header.tsx';
import { ProgressBar } from '../../ui/progress.tsx';

/** How many running things home shows before it says "all". */
const SHOWN_MAX = 6;

/** The empty console offers one good path: a name, and go. */
function FirstRun({ slug }: { slug: string }) {
  const navigate = useNavigate();
  const [name, setName] = useState('');
  const [error, setError] = useState<string | null>(null);
  const images = useQuery(apiQuery('imagesList', {}));
  const building = images.data?.items.filter((image) => image.state === 'building' || image.state === 'queued') ?? [];
  return (
    <div className="card mx-auto mt-4 w-full max-w-2xl overflow-hidden">
      <div className="relative bg-accent-soft px-6 pt-8 pb-10">
        <svg
          aria-hidden="true"
          className="absolute inset-x-0 bottom-0 h-10 w-full text-surface"
          preserveAspectRatio="none"
          viewBox="0 0 1440 80"
        >
          <path fill="currentColor" d="M0 48c160-32 320-32 480 0s320 32 480 0 320-32 480 0v32H0z" />
        </svg>
        <h1 className="text-2xl">Make your first desktop</h1>
        <p className="mt-1 max-w-md text-soft">
          A whole Linux desktop of your own, here in the browser, in about ten seconds. All it needs is a name.
        </p>
      </div>
      <form
        className="flex flex-col gap-2 px-6 pt-3 pb-6"
        onSubmit={(event) => {
          event.preventDefault();
          const problem = nameProblem(name);
          setError(problem);
          if (problem === null)
            void navigate({
              to: '/p/$project/instances/new',
              params: { project: slug },
              search: { kind: 'desktop', name },
            });
        }}
      >
        <label htmlFor="first-name" className="font-medium text-sm">
          Its name
        </label>
        <div className="flex gap-2 max-sm:flex-col">
          <Input
            id="first-name"
            autoFocus
            autoComplete="off"
            autoCapitalize="none"
            spellCheck={false}
            placeholder="harbour"
            value={name}
            aria-invalid={error !== null || undefined}
            aria-describedby="first-error"
            onChange={(event) => setName(event.target.value)}
          />
          <Button type="submit" tone="primary">
            Go on <ArrowRight />
          </Button>
        </div>
        <p id="first-error" aria-live="assertive" className="text-bad text-xs">
          {error}
        </p>
        <p className="text-soft text-sm">
          Or{' '}
          <Link
            to="/p/$project/instances/new"
            params={{ project: slug }}
            search={{ kind: 'server' }}
            className="text-accent underline"
          >
            make a server
          </Link>{' '}
          with Docker and a terminal.
        </p>
        {building.map((image) => (
          <div key={image.id} className="mt-3 rounded-lg border border-line bg-sunken px-3.5 py-2.5 text-sm">
            <p className="mb-1.5 flex justify-between gap-3 text-soft">
              <span>
                The <span className="text-text">{image.name}</span> image is being built:{' '}
                {image.operation?.message ?? 'waiting'}
              </span>
              <span className="tabular">{image.operation?.percent == null ? '' : `${image.operation.percent} %`}</span>
            </p>
            <ProgressBar label={`Build of ${image.name}`} percent={image.operation?.percent ?? null} />
          </div>
        ))}
      </form>
    </div>
  );
}

function reasonOf(instance: Instance): string {
  if (instance.drift !== null) return instance.drift;
  if (instance.state === 'failed') return 'It could not be created.';
  const bad = instance.healthChecks.find((check) => !check.optional && check.state !== 'healthy');
  return bad === undefined ? stateWords[instance.state] : bad.message;
}

function Attention({ instances, slug }: { instances: readonly Instance[]; slug: string }) {
  return (
    <Card title="Needs attention" flush>
      {instances.length === 0 ? (
        <p className="flex items-center gap-2 px-4 py-3.5 text-soft text-sm">
          <CircleCheck className="size-4 text-ok" aria-hidden="true" /> Nothing. All is as it should be.
        </p>
      ) : (
        <ul className="divide-y divide-line">
          {instances.map((each) => (
            <li key={each.id}>
              <Link
                to="/p/$project/instances/$instance"
                params={{ project: slug, instance: instanceSlug(each) }}
                className="flex items-start gap-3 px-4 py-2.5 text-sm hover:bg-hover/60"
              >
                <Dot tone={each.state === 'failed' ? 'bad' : 'warn'} className="mt-1.5" />
                <span className="min-w-0 flex-1">
                  <span className="font-medium">{each.name}</span>{' '}
                  <span className="text-faint">{stateWords[each.state].toLowerCase()}</span>
                  <span className="block break-words text-soft text-xs">{reasonOf(each)}</span>
                </span>
              </Link>
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function Tile({ instance, slug }: { instance: Instance; slug: string }) {
  const desktop = instance.kind === 'desktop';
  return (
    <li className="card group relative overflow-hidden transition-colors hover:border-line-strong">
      <Thumbnail
        instance={instance}
        className="aspect-[16/9] w-full rounded-none border-0 border-line border-b [&>svg]:size-7"
      />
      <div className="flex items-center gap-3 px-3.5 py-2.5">
        <div className="min-w-0 flex-1">
          <Link
            to="/p/$project/instances/$instance"
            params={{ project: slug, instance: instanceSlug(instance) }}
            className="block truncate font-medium text-sm before:absolute before:inset-0"
          >
            {instance.name}
          </Link>
          <span className="tabular block truncate text-faint text-xs">
            {kindTitle(instance.kind)} · {instance.size.cpus} CPU · {formatBytes(instance.size.memoryBytes)}
          </span>
        </div>
        {instance.state === 'running' && (desktop ? instance.can.screen : instance.can.terminal) === true ? (
          <Link
            to={desktop ? '/p/$project/instances/$instance/screen' : '/p/$project/instances/$instance/terminal'}
            params={{ project: slug, instance: instanceSlug(instance) }}
            className={buttonClass('secondary', 'sm', 'relative z-1')}
            aria-label={`Open the ${desktop ? 'screen' : 'terminal'} of ${instance.name}`}
          >
            {desktop ? 'Screen' : 'Terminal'}
          </Link>
        ) : (
          <StateBadge instance={instance} />
        )}
      </div>
    </li>
  );
}

export function HomePage() {
  const session = useSession();
  const project = useProject();
  const slug = projectSlug(session, project);
  const mayCreate = useMay('instance.create');
  const query = useQuery(apiQuery('instancesList', { params: { project: project.id }, query: { limit: 200 } }));
  return (
    <QueryView query={query}>
      {({ items }) => {
        if (items.length === 0 && mayCreate) return <FirstRun slug={slug} />;
        const running = items.filter((each) => each.observed === 'running' || isMoving(each.state));
        const attention = items.filter((each) => needsAttention(each.state));
        return (
          <>
            <PageHeader
              title={project.title}
              description={`${plural(running.length, 'instance')} running, ${items.length - running.length} not`}
              actions={mayCreate ? <NewInstanceLinks slug={slug} /> : undefined}
            />
            <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-[minmax(0,1fr)_20rem]">
              <div className="flex min-w-0 flex-col gap-5">
                <section aria-labelledby="running">
                  <div className="mb-2.5 flex items-baseline justify-between">
                    <h2 id="running" className="text-sm">
                      Running
                    </h2>
                    <Link
                      to="/p/$project/instances"
                      params={{ project: slug }}
                      className="text-accent text-sm hover:underline"
                    >
                      All {plural(items.length, 'instance')}
                    </Link>
                  </div>
                  {running.length === 0 ? (
                    <p className="card px-4 py-6 text-center text-soft text-sm">Nothing is running.</p>
                  ) : (
                    <ul className="grid gap-3.5 sm:grid-cols-2 xl:grid-cols-3">
                      {running.slice(0, SHOWN_MAX).map((each) => (
                        <Tile key={each.id} instance={each} slug={slug} />
                      ))}
                      {running.length < SHOWN_MAX && mayCreate ? (
                        <li className="flex">
                          <Link
                            to="/p/$project/instances/new"
                            params={{ project: slug }}
                            className="flex min-h-24 w-full flex-col items-center justify-center gap-1.5 rounded-lg border border-line-strong border-dashed text-faint text-sm hover:border-accent hover:text-accent"
                          >
                            <Plus className="size-5" /> New instance
                          </Link>
                        </li>
                      ) : null}
                    </ul>
                  )}
                </section>
                <Card title="Recent activity" flush>
                  <ActivityList project={project.id} slug={slug} limit={8} />
                </Card>
              </div>
              <div className="flex flex-col gap-5">
                <Attention instances={attention} slug={slug} />
                <Card title="Quota">
                  <QuotaSummary project={project.id} only={['instances', 'cpus', 'memoryBytes', 'diskBytes']} />
                </Card>
              </div>
            </div>
          </>
        );
      }}
    </QueryView>
  );
}
