import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { History } from 'lucide-react';
import { apiQuery } from '../api/queries.ts';
import { activityWords } from '../lib/activity.ts';
import { humanize } from '../lib/format.ts';
import { Badge } from '../ui/badge.tsx';
import { EmptyState } from '../ui/empty-state.tsx';
import { TimeAgo } from '../ui/time.tsx';
import { QueryView } from './query-view.tsx';

/** Who changed what, newest first, in one line each. */
export function ActivityList({
  project,
  slug,
  instance,
  limit = 20,
}: {
  project: string;
  slug: string;
  instance?: string;
  limit?: number;
}) {
  const query = useQuery(
    apiQuery('activityList', {
      params: { project },
      query: { limit, ...(instance === undefined ? {} : { instance: instance as never }) },
    }),
  );
  return (
    <QueryView query={query} rows={3}>
      {({ items }) =>
        items.length === 0 ? (
          <EmptyState icon={<History />} title="Nothing happened yet" />
        ) : (
          <ul className="divide-y divide-line">
            {items.map((entry) => (
              <li key={entry.id} className="flex items-baseline gap-3 px-4 py-2.5 text-sm">
                <p className="min-w-0 flex-1 break-words text-soft">
                  <span className="text-text">{entry.actor}</span>{' '}
                  {activityWords[entry.action] ?? humanize(entry.action).toLowerCase()}{' '}
                  {entry.targetId?.startsWith('ins_') === true && instance === undefined ? (
                    <Link
                      to="/p/$project/instances/$instance"
                      params={{ project: slug, instance: entry.targetId }}
                      className="font-medium text-text hover:text-accent"
                    >
                      {entry.target}
                    </Link>
                  ) : (
                    <span className="font-medium text-text">{entry.target}</span>
                  )}
                  {entry.result === 'ok' ? null : (
                    <Badge tone={entry.result === 'failed' ? 'bad' : 'warn'} className="ml-2">
                      {entry.result}
                    </Badge>
                  )}
                </p>
                <TimeAgo at={entry.at} className="whitespace-nowrap text-faint text-xs" />
              </li>
            ))}
          </ul>
        )
      }
    </QueryView>
  );
}
