import { useQuery } from '@tanstack/react-query';
import type { Quota } from '#domain/quotas.ts';
import { apiQuery } from '../api/queries.ts';
import { formatBytes } from '../lib/format.ts';
import { QuotaBar } from '../ui/progress.tsx';
import { Skeleton } from '../ui/skeleton.tsx';

const lines: readonly [keyof Quota, string, ((value: number) => string)?][] = [
  ['instances', 'Instances'],
  ['desktops', 'Desktops'],
  ['servers', 'Servers'],
  ['cpus', 'CPUs'],
  ['memoryBytes', 'Memory', formatBytes],
  ['diskBytes', 'Disk', formatBytes],
  ['routes', 'Routes'],
  ['snapshots', 'Snapshots'],
];

/** What the project uses of its limits, and what is planned on top. */
export function QuotaSummary({
  project,
  plus,
  only,
}: {
  project: string;
  plus?: Partial<Quota>;
  only?: readonly (keyof Quota)[];
}) {
  const { data } = useQuery(apiQuery('quotaGet', { params: { project } }));
  if (data === undefined) return <Skeleton className="h-32 w-full" />;
  return (
    <div className="flex flex-col gap-3.5">
      {lines
        .filter(([key]) => only === undefined || only.includes(key))
        .map(([key, label, format]) => (
          <QuotaBar
            key={key}
            label={label}
            used={data.used[key]}
            limit={data.limit[key]}
            plus={plus?.[key] ?? 0}
            {...(format === undefined ? {} : { format })}
            hint="More than the project may use. Choose a smaller size, or ask for a larger quota."
          />
        ))}
    </div>
  );
}
