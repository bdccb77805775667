import { useQuery } from '@tanstack/react-query';
import { countsBytes, type Quota, type QuotaResource, quotaResources, quotaTitles } from '#domain/quotas.ts';
import type { Size } from '#domain/sizes.ts';
import { apiQuery } from '../api/queries.ts';
import { formatBytes } from '../lib/format.ts';
import { QuotaBar } from '../ui/progress.tsx';
import { Skeleton } from '../ui/skeleton.tsx';

/** A bar per resource: what is used, and what is planned on top. */
export function QuotaBars({
  used,
  limit,
  plus,
  only = quotaResources,
  hint,
}: {
  used: Quota;
  limit: Quota;
  plus?: Partial<Quota>;
  only?: readonly QuotaResource[];
  hint?: string;
}) {
  return only.map((resource) => (
    <QuotaBar
      key={resource}
      label={quotaTitles[resource]}
      used={used[resource]}
      limit={limit[resource]}
      plus={plus?.[resource] ?? 0}
      {...(countsBytes(resource) ? { format: formatBytes } : {})}
      {...(hint === undefined ? {} : { hint })}
    />
  ));
}

/** What the project uses of its limits, and what is planned on top. */
export function QuotaSummary({
  project,
  plus,
  only,
}: {
  project: string;
  plus?: Partial<Quota>;
  only?: readonly QuotaResource[];
}) {
  const { data } = useQuery(apiQuery('quotaGet', { params: { project } }));
  if (data === undefined) return <Skeleton className="h-32 w-full" />;
  return (
    <div className="flex flex-col gap-3.5">
      <QuotaBars
        used={data.used}
        limit={data.limit}
        {...(plus === undefined ? {} : { plus })}
        {...(only === undefined ? {} : { only })}
        hint="More than the project may use. Choose a smaller size, or ask for a larger quota."
      />
    </div>
  );
}

/** With one more instance of this size. */
export function QuotaOfOneMore({ project, size }: { project: string; size: Size }) {
  const { cpus, memoryBytes, diskBytes } = size;
  const plus = { instances: 1, cpus, memoryBytes, diskBytes };
  return <QuotaSummary project={project} plus={plus} only={['instances', 'cpus', 'memoryBytes', 'diskBytes']} />;
}
